/// Reads `health`: active checks.
enum HealthReader {
  static let keys = [
    "path", "tcp", "grpc", "interval", "timeout", "rise", "fall", "port", "host", "expect", "tls",
  ]
  static let healthy: [ClosedRange<Int>] = [200...399]
  static let countMax = 1_000
  /// A check's message is one small frame.
  static let serviceBytesMax = 1_024

  static func read(_ value: Value) -> HealthCheck?? {
    if value.isWord("off") { return .some(nil) }
    guard let mapping = MappingReader(value, keys: keys, wanted: "a mapping, or off") else { return nil }
    // Read on where the probe is wrong, so that everything that is wrong is reported.
    let probe = readProbe(mapping)
    var check = HealthCheck(probe: probe ?? .tcp)
    mapping.read("interval", into: &check.interval) { $0.duration() }
    mapping.read("timeout", into: &check.timeout) { $0.duration() }
    mapping.read("rise", into: &check.rise) { $0.integer(in: 1...countMax) }
    mapping.read("fall", into: &check.fall) { $0.integer(in: 1...countMax) }
    mapping.read("port", into: &check.port) { $0.integer(in: 1...65_535).map { UInt16($0) } }
    mapping.read("tls", into: &check.tls) { $0.override(ServiceTLSReader.read) }
    return probe == nil ? nil : check
  }

  private static func readProbe(_ mapping: MappingReader) -> HealthCheck.Probe? {
    if let tcp = mapping["tcp"] {
      guard let isTCP = tcp.boolean() else { return nil }
      if isTCP {
        for key in ["path", "host", "expect", "grpc"] {
          mapping[key]?.report("\(key) has no meaning with tcp: true", hint: "a TCP check only connects")
        }
        return .tcp
      }
    }
    var host: String?
    mapping.read("host", into: &host, readHost)
    if let grpc = mapping["grpc"] {
      for key in ["path", "expect"] {
        mapping[key]?.report("\(key) has no meaning with grpc", hint: "gRPC's health protocol has its own")
      }
      return readService(grpc).map { .grpc(service: $0, host: host) }
    }
    let kinds = "path: /healthz for an HTTP check, grpc: true, or tcp: true"
    guard let pathValue = mapping.required("path", kinds) else { return nil }
    let path = readPath(pathValue)
    var statuses = healthy
    mapping.read("expect", into: &statuses, readStatuses)
    return path.map { .http(path: $0, host: host, statuses: statuses) }
  }

  /// `true`, or `{service: orders.v1.Orders}`. What a service is called is up to the server.
  private static func readService(_ value: Value) -> String? {
    if value.isWord("true") { return "" }
    let example = "such as {service: orders.v1.Orders}"
    guard
      let mapping = MappingReader(value, keys: ["service"], wanted: "true, or a mapping", hint: example)
    else { return nil }
    guard let service = mapping["service"] else { return "" }
    guard !service.isNull, let name = service.plainText else {
      service.reportWrongType("a service's name", hint: "write \"\" for the whole server")
      return nil
    }
    guard name.utf8.count <= serviceBytesMax else {
      service.report("the name is longer than \(serviceBytesMax) bytes")
      return nil
    }
    return name
  }

  /// Sent as it is, so a query may follow; what a request line cannot hold is refused.
  private static func readPath(_ value: Value) -> String? {
    guard let path = value.text("a path such as /healthz") else { return nil }
    guard path.hasPrefix("/") else {
      value.report("\(quoted(path)) does not begin with \"/\"", hint: "write \(quoted("/" + path))")
      return nil
    }
    guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }) else {
      value.report("\(quoted(path)) has characters that a request cannot have", hint: "percent-encode them")
      return nil
    }
    return path
  }

  /// The `Host` of the request: a name or an address, and a port if wanted.
  private static func readHost(_ value: Value) -> String? {
    guard let text = value.text("a host such as orders.internal") else { return nil }
    var host = text
    if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]"),
      let port = decimal(Array(text[text.index(after: colon)...].utf8)[...]), (1...65_535).contains(port)
    {
      host = String(text[..<colon])
    }
    if host.hasPrefix("["), host.hasSuffix("]"),
      IPAddressText.parse(String(host.dropFirst().dropLast())) != nil
    {
      return text
    }
    do {
      _ = try HostText.name(host, written: text)
      return text
    } catch {
      value.report(error.message, hint: error.hint)
      return nil
    }
  }

  private static func readStatuses(_ value: Value) -> [ClosedRange<Int>]? {
    let items =
      value.plainText != nil && !value.isNull
      ? [value] : value.items("a list of statuses such as [200, \"300-399\"]")
    guard let items else { return nil }
    guard !items.isEmpty else {
      value.report("at least one status is needed")
      return nil
    }
    return items.compactMap { item -> ClosedRange<Int>? in
      guard let text = item.text("a status such as 200, or a range such as 300-399") else { return nil }
      let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { Int($0) }
      guard let first = parts.first ?? nil, let last = parts.last ?? nil, 100 <= first, first <= last,
        last <= 599
      else {
        item.report(
          "\(quoted(text)) is neither a status nor a range of them",
          hint: "from 100 to 599, such as 200 or 300-399")
        return nil
      }
      return first...last
    }
  }
}
