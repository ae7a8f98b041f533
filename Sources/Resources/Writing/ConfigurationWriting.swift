extension Configuration {
  /// The configuration as a file that loads to an equal one: defaults written out, in a fixed order.
  ///
  /// A condition that is absent (hosts, methods, …) stays absent: that is how a file says "any".
  /// Pure, from any thread but a worker's.
  public var yaml: String { YAMLWriter.document(written) }

  /// The same as compact JSON.
  public var json: String { WrittenValue.mapping(written).json }

  private var written: [WrittenValue.Entry] {
    var writer = DocumentWriter()
    writer.pair("workers", word: workers.map(String.init) ?? "auto")
    writer.list("listeners", listeners) { $1.write(to: &$0) }
    writer.list("certificates", certificates) { $1.write(to: &$0) }
    if let admin {
      writer.block("admin") { writer in
        writer.pair("address", text: admin.address.description)
        if let token = admin.token { writer.pair("token", token.written) }
      }
    } else {
      writer.pair("admin", word: "off")
    }
    if let store {
      writer.block("store") { writer in
        writer.pair("path", text: store.path)
        if let key = store.key { writer.pair("key", key.written) }
        writer.pair("history", word: "\(store.history)")
      }
    }
    writer.block("http") { http.write(to: &$0) }
    if let accessLog {
      writer.block("accessLog") { writer in
        writer.pair("format", word: accessLog.format.rawValue)
        writer.pair("path", text: accessLog.path)
      }
    } else {
      writer.pair("accessLog", word: "off")
    }
    writer.list("services", services) { $1.write(to: &$0) }
    writer.list("routes", routes) { $1.write(to: &$0) }
    if !consumers.isEmpty { writer.list("consumers", consumers) { $1.write(to: &$0) } }
    if !plugins.isEmpty { writer.list("plugins", plugins) { $1.write(to: &$0) } }
    return writer.entries
  }
}

extension SecretSource {
  fileprivate var written: WrittenValue {
    switch self {
    case .file(let path): .flow(["file": .text(path)])
    case .environment(let name): .flow(["env": .text(name)])
    }
  }
}

extension HTTPSettings {
  func write(to writer: inout DocumentWriter) {
    writer.block("timeouts") { writer in
      writer.pair("head", word: DurationText.format(timeouts.head))
      writer.pair("body", word: DurationText.format(timeouts.body))
      writer.pair("send", word: DurationText.format(timeouts.send))
      writer.pair("idle", word: DurationText.format(timeouts.idle))
      writer.pair("drain", word: DurationText.format(timeouts.drain))
    }
    writer.block("limits") { writer in
      writer.pair("headBytes", word: SizeText.format(UInt64(limits.headBytes)))
      writer.pair("targetBytes", word: SizeText.format(UInt64(limits.targetBytes)))
      writer.pair("fields", word: "\(limits.fields)")
      writer.pair("bodyBytes", word: limits.bodyBytes.map(SizeText.format) ?? "none")
      writer.pair("connections", word: "\(limits.connections)")
      writer.pair("requestsPerConnection", word: limits.requestsPerConnection.map(String.init) ?? "none")
      writer.pair("handshakes", word: "\(limits.handshakes)")
      writer.pair("connectionsPerAddress", word: limits.connectionsPerAddress.map(String.init) ?? "none")
      writer.pair("handshakesPerAddress", word: limits.handshakesPerAddress.map(String.init) ?? "none")
      writer.pair("inFlight", word: "\(limits.inFlight)")
      writer.pair("bufferBytes", word: SizeText.format(limits.bufferBytes))
    }
    writer.block("rates") { writer in
      writer.pair("body", word: rates.body.map(String.init) ?? "none")
      writer.pair("response", word: rates.response.map(String.init) ?? "none")
      writer.pair("window", word: DurationText.format(rates.window))
    }
    if let admission {
      writer.block("admission") { $0.pair("delay", word: DurationText.format(admission.delay)) }
    } else {
      writer.pair("admission", word: "off")
    }
    writer.block("forwarding") { writer in
      writer.pair("xForwarded", word: "\(forwarding.xForwarded)")
      writer.pair("forwarded", word: "\(forwarding.forwarded)")
      writer.pair("requestId", word: "\(forwarding.requestID)")
      writer.pair("via", word: "\(forwarding.via)")
      writer.pair("clientCertificate", word: "\(forwarding.clientCertificate)")
      writer.pair("trustedNetworks", texts: forwarding.trustedNetworks.map(\.text))
    }
    writer.block("http2") { http2.write(to: &$0) }
  }
}

extension HTTP2Settings {
  fileprivate func write(to writer: inout DocumentWriter) {
    writer.pair("streams", word: "\(streams)")
    writer.pair("windowBytes", word: SizeText.format(UInt64(windowBytes)))
    writer.pair("connectionWindowBytes", word: SizeText.format(UInt64(connectionWindowBytes)))
    writer.pair("frameBytes", word: SizeText.format(UInt64(frameBytes)))
    writer.pair("headerTableBytes", word: SizeText.format(UInt64(headerTableBytes)))
    writer.pair("connectionAge", word: connectionAge.map(DurationText.format) ?? "none")
    writer.pair("connectionAgeGrace", word: DurationText.format(connectionAgeGrace))
  }
}
