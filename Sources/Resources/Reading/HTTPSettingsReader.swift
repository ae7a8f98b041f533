/// Reads `http`: how the gateway speaks with clients.
enum HTTPSettingsReader {
  static let keys = ["timeouts", "limits", "rates", "admission", "forwarding", "http2"]
  static let timeoutKeys = ["head", "body", "send", "idle", "drain"]
  static let limitKeys = [
    "headBytes", "targetBytes", "fields", "bodyBytes", "connections", "requestsPerConnection", "handshakes",
    "connectionsPerAddress", "handshakesPerAddress", "inFlight", "bufferBytes",
  ]
  static let forwardingKeys = [
    "xForwarded", "forwarded", "requestId", "via", "clientCertificate", "trustedNetworks",
  ]
  static let allKeys =
    keys + timeoutKeys + limitKeys + forwardingKeys + HTTP2Reader.clientKeys + OverloadReader.keys

  /// A head has to fit a connection's buffers.
  static let headBytesRange: ClosedRange<UInt64> = 512...(1 << 20)
  static let fieldsMax = 1_000
  static let connectionsMax = 10_000_000
  static let handshakesMax = 1_000_000
  static let networksMax = 10_000

  static func read(_ value: Value) -> HTTPSettings? {
    guard let mapping = MappingReader(value, keys: keys) else { return nil }
    var settings = HTTPSettings()
    mapping.read("timeouts", into: &settings.timeouts, readTimeouts)
    mapping.read("limits", into: &settings.limits, readLimits)
    mapping.read("rates", into: &settings.rates, OverloadReader.readRates)
    mapping.read("admission", into: &settings.admission, OverloadReader.readAdmission)
    mapping.read("forwarding", into: &settings.forwarding, readForwarding)
    mapping.read("http2", into: &settings.http2, HTTP2Reader.readClients)
    return settings
  }

  private static func readTimeouts(_ value: Value) -> ClientTimeouts? {
    guard let mapping = MappingReader(value, keys: timeoutKeys) else { return nil }
    var timeouts = ClientTimeouts()
    mapping.read("head", into: &timeouts.head) { $0.duration() }
    mapping.read("body", into: &timeouts.body) { $0.duration() }
    mapping.read("send", into: &timeouts.send) { $0.duration() }
    mapping.read("idle", into: &timeouts.idle) { $0.duration() }
    mapping.read("drain", into: &timeouts.drain) { $0.duration() }
    return timeouts
  }

  private static func readLimits(_ value: Value) -> MessageLimits? {
    guard let mapping = MappingReader(value, keys: limitKeys) else { return nil }
    var limits = MessageLimits()
    mapping.read("headBytes", into: &limits.headBytes) { $0.size(in: headBytesRange).map(Int.init) }
    mapping.read("targetBytes", into: &limits.targetBytes) {
      $0.size(in: 64...headBytesRange.upperBound).map(Int.init)
    }
    mapping.read("fields", into: &limits.fields) { $0.integer(in: 1...fieldsMax) }
    mapping.read("bodyBytes", into: &limits.bodyBytes, readBodyLimit)
    mapping.read("connections", into: &limits.connections) { $0.integer(in: 1...connectionsMax) }
    mapping.read("requestsPerConnection", into: &limits.requestsPerConnection) {
      $0.integerOrNone(in: 1...1_000_000_000)
    }
    mapping.read("handshakes", into: &limits.handshakes) { $0.integer(in: 1...handshakesMax) }
    OverloadReader.readLimits(mapping, into: &limits)
    if limits.targetBytes > limits.headBytes {
      // The larger of the two was written; the default of the other does not fit it.
      (mapping["targetBytes"] ?? mapping["headBytes"] ?? value).report(
        "targetBytes (\(limits.targetBytes)) is more than headBytes (\(limits.headBytes))",
        hint: "the target is a part of the head")
    }
    return limits
  }

  private static func readBodyLimit(_ value: Value) -> UInt64?? {
    if value.isWord("none") { return .some(nil) }
    if value.plainText == "0" {
      value.report("0 would refuse every body", hint: "write none for no limit")
      return nil
    }
    return value.size(in: 1...UInt64(Int64.max)).map(Optional.some)
  }

  private static func readForwarding(_ value: Value) -> Forwarding? {
    guard let mapping = MappingReader(value, keys: forwardingKeys) else { return nil }
    var forwarding = Forwarding()
    mapping.read("xForwarded", into: &forwarding.xForwarded) { $0.boolean() }
    mapping.read("forwarded", into: &forwarding.forwarded) { $0.boolean() }
    mapping.read("requestId", into: &forwarding.requestID) { $0.boolean() }
    mapping.read("via", into: &forwarding.via) { $0.boolean() }
    mapping.read("clientCertificate", into: &forwarding.clientCertificate) { $0.boolean() }
    mapping.read("trustedNetworks", into: &forwarding.trustedNetworks) { value in
      guard let items = value.items("a list of networks", hint: "such as [10.0.0.0/8]") else { return nil }
      guard items.count <= networksMax else {
        value.report("\(items.count) networks are too many", hint: "at most \(networksMax)")
        return nil
      }
      return items.compactMap { $0.network() }
    }
    return forwarding
  }
}

extension Value {
  /// An address, or a network in CIDR form.
  func network() -> Network? {
    guard let text = text("a network such as 10.0.0.0/8") else { return nil }
    do {
      return try Network.parse(text)
    } catch {
      switch error {
      case .hostBits(let right):
        report("\(quoted(text)) has bits set after its prefix", hint: "write \(quoted(right))")
      case .malformed:
        report(
          "\(quoted(text)) is not a network", hint: "such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1")
      }
      return nil
    }
  }
}
