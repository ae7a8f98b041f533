/// Reads a route's `match`.
enum MatchReader {
  static let keys = ["path", "methods", "headers", "query", "grpc"]
  static let grpcKeys = ["service", "method"]
  private static let grpcExample = "such as {service: orders.v1.Orders, method: Get}"
  /// What one request may cost to compare, in conditions of one match.
  static let fieldsMax = 64
  static let valueBytesMax = 8_192
  /// As in the Gateway API.
  static let grpcNameBytesMax = 1_024

  static func readAll(_ value: Value) -> [Match]? {
    let hint = "such as [{path: /orders}]"
    guard let items = value.items("a list of matches", hint: hint) else { return nil }
    guard !items.isEmpty else {
      value.report("at least one match is needed", hint: "leave match out to match every path")
      return nil
    }
    return items.compactMap(readMatch)
  }

  private static func readMatch(_ value: Value) -> Match? {
    guard let mapping = MappingReader(value, keys: keys, hint: "such as {path: /orders}") else { return nil }
    if let grpc = mapping["grpc"] { return readGRPC(grpc, mapping) }
    var match = Match()
    mapping.read("path", into: &match.path, readPath)
    mapping.read("methods", into: &match.methods, readMethods)
    mapping.read("headers", into: &match.headers) { readFields($0, isHeader: true) }
    mapping.read("query", into: &match.query) { readFields($0, isHeader: false) }
    return match
  }

  // MARK: gRPC

  /// A gRPC method says path, HTTP method and content type; other headers may come beside it.
  private static func readGRPC(_ value: Value, _ mapping: MappingReader) -> Match? {
    for key in ["path", "methods", "query"] {
      mapping[key]?.report("\(key) and grpc exclude each other", hint: "a gRPC call is POST /SERVICE/METHOD")
    }
    var headers: [FieldMatch] = []
    mapping.read("headers", into: &headers) { readFields($0, isHeader: true) }
    if headers.contains(where: { $0.name == "content-type" }) {
      mapping["headers"]?.report("grpc already says the content-type", hint: "remove it")
      return nil
    }
    guard let inner = MappingReader(value, keys: grpcKeys, hint: grpcExample) else { return nil }
    var grpc = GRPCMatch()
    inner.read("service", into: &grpc.service) { value in
      readGRPCName(value, "a service's full name", isValid: GRPCMatch.isServiceName)
    }
    inner.read("method", into: &grpc.method) { value in
      readGRPCName(value, "a method's name", isValid: GRPCMatch.isMethodName)
    }
    var match = Match(grpc: grpc)
    match.headers += headers
    return match
  }

  private static func readGRPCName(
    _ value: Value, _ wanted: String, isValid: (String) -> Bool
  ) -> String? {
    guard let name = value.text(wanted) else { return nil }
    guard isValid(name), name.utf8.count <= grpcNameBytesMax else {
      let hint = name.contains("/") ? "service and method are two keys" : grpcExample
      value.report("\(quoted(name)) is not \(wanted)", hint: hint)
      return nil
    }
    return name
  }

  // MARK: Path

  private static func readPath(_ value: Value) -> PathMatch? {
    guard value.isMapping else { return readLiteralPath(value).map(prefix) }
    let kinds = ["exact", "prefix", "regex"]
    guard let mapping = MappingReader(value, keys: kinds) else { return nil }
    let present = kinds.filter { mapping[$0] != nil }
    guard present.count == 1, let kind = present.first, let inner = mapping[kind] else {
      value.report("expected exactly one of exact, prefix, regex")
      return nil
    }
    switch kind {
    case "exact": return readLiteralPath(inner).map(PathMatch.exact)
    case "prefix": return readLiteralPath(inner).map(prefix)
    default: return readPattern(inner).map(PathMatch.regex)
    }
  }

  /// `/a/` and `/a` are the same prefix of whole segments, as in the Gateway API.
  private static func prefix(_ path: String) -> PathMatch {
    .prefix(path.utf8.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
  }

  private static func readLiteralPath(_ value: Value) -> String? {
    guard let path = value.text("a path such as /orders") else { return nil }
    guard path.utf8.count <= valueBytesMax else {
      value.report("the path is longer than \(valueBytesMax) bytes")
      return nil
    }
    do {
      try PathText.check(path)
      return path
    } catch {
      value.report(error.message, hint: error.hint)
      return nil
    }
  }

  private static func readPattern(_ value: Value) -> String? {
    guard let pattern = value.text("a regular expression") else { return nil }
    do {
      _ = try RegularExpression(pattern)
      return pattern
    } catch {
      value.report("\(quoted(pattern)) is not a regular expression", hint: error.message)
      return nil
    }
  }

  // MARK: Methods

  private static func readMethods(_ value: Value) -> [String]? {
    guard let items = value.items("a list of methods", hint: "such as [GET, HEAD]") else { return nil }
    return RouteReader.uniqueTexts(items.map { ($0, readMethod($0)) }, "method")
  }

  /// Methods are case-sensitive (RFC 9110 §9.1), and every registered one is in upper case.
  private static func readMethod(_ value: Value) -> String? {
    guard let method = value.token("a method") else { return nil }
    guard method == method.uppercased() else {
      value.report("methods are in upper case", hint: "did you mean \(quoted(method.uppercased()))?")
      return nil
    }
    guard method != "CONNECT" else {
      value.report("CONNECT is never forwarded", hint: "the gateway is not a tunnel")
      return nil
    }
    return method
  }

  // MARK: Headers and query

  private static func readFields(_ value: Value, isHeader: Bool) -> [FieldMatch]? {
    let example = isHeader ? "such as {X-Beta: \"1\"}" : "such as {v: \"2\"}"
    guard let entries = MappingReader.uniqueEntries(of: value, hint: example) else { return nil }
    guard entries.count <= fieldsMax else {
      value.report("\(entries.count) conditions are too many", hint: "at most \(fieldsMax)")
      return nil
    }
    var names: Set<String> = []
    return entries.compactMap { entry -> FieldMatch? in
      let key = Value(
        node: YAMLNode(.scalar(entry.key, isPlain: false), at: entry.keyPosition),
        place: .key(entry.key, value.place), diagnostics: value.diagnostics)
      let inner = Value(node: entry.value, place: key.place, diagnostics: value.diagnostics)
      guard let written = isHeader ? key.token("a field name") : key.text("the name of a query parameter")
      else {
        return nil
      }
      let name = isHeader ? written.lowercased() : written
      if !names.insert(name).inserted {
        key.report("the header \(quoted(name)) is listed twice", hint: "names of headers ignore case")
      }
      if isHeader, name == "host" {
        key.report("the host is not matched as a header", hint: "use the route's hosts")
        return nil
      }
      return readFieldValue(inner, isHeader: isHeader).map { FieldMatch(name: name, value: $0) }
    }
  }

  private static func readFieldValue(_ value: Value, isHeader: Bool) -> FieldMatch.Value? {
    if value.isMapping {
      guard let mapping = MappingReader(value, keys: ["exact", "regex"]) else { return nil }
      switch (mapping["exact"], mapping["regex"]) {
      case (let exact?, nil): return readExact(exact, isHeader: isHeader).map(FieldMatch.Value.exact)
      case (nil, let regex?): return readPattern(regex).map(FieldMatch.Value.regex)
      default:
        value.report("expected exactly one of exact, regex")
        return nil
      }
    }
    return readExact(value, isHeader: isHeader).map(FieldMatch.Value.exact)
  }

  /// The empty text is a value as well; it has to be written in quotes.
  private static func readExact(_ value: Value, isHeader: Bool) -> String? {
    guard !value.isNull, let text = value.plainText else {
      value.reportWrongType(
        "a text, or {regex: PATTERN}", hint: value.isNull ? "write \"\" for the empty text" : nil)
      return nil
    }
    guard text.utf8.count <= valueBytesMax else {
      value.report("the value is longer than \(valueBytesMax) bytes")
      return nil
    }
    guard isHeader else { return text }
    // RFC 9110 §5.5: a value neither begins nor ends with white space, so this would never match.
    let hasPadding = text.first == " " || text.first == "\t" || text.last == " " || text.last == "\t"
    let hasControl = text.utf8.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }
    guard !hasPadding, !hasControl else {
      value.report(
        "\(quoted(text)) cannot be a field's value", hint: "no white space around it, no control characters")
      return nil
    }
    return text
  }
}
