import HTTPCodec

/// A second, slow and plain reading of the rules, to hold the parser against: it shares no code
/// with it. It says why a head that was accepted should not have been.
struct StrictCheck {
  private static let tokens = Set(
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let hostCharacters = Set(
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz[]:".utf8)

  /// The lines of a head without their ends, or nil where a line end is not CR LF or the head is
  /// not complete; empty lines in front are dropped.
  private static func lines(_ head: [UInt8]) -> [[UInt8]]? {
    var lines: [[UInt8]] = []
    var line: [UInt8] = []
    var index = 0
    while index < head.count {
      if head[index] == 13 {
        guard index + 1 < head.count, head[index + 1] == 10 else { return nil }
        lines.append(line)
        line = []
        index += 2
      } else {
        guard head[index] != 10 else { return nil }
        line.append(head[index])
        index += 1
      }
    }
    guard line.isEmpty, lines.last == [] else { return nil }
    lines.removeLast()
    let firstLine = lines.firstIndex { !$0.isEmpty } ?? lines.count
    lines.removeFirst(firstLine)
    return lines.contains([]) ? nil : lines
  }

  private static func fields(_ lines: ArraySlice<[UInt8]>) -> [(name: String, value: String)]? {
    var fields: [(String, String)] = []
    for line in lines {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return nil }
      let name = line[..<colon]
      guard name.allSatisfy(tokens.contains) else { return nil }
      let value = line[(colon + 1)...]
      guard value.allSatisfy({ $0 == 9 || $0 >= 32 && $0 != 127 }) else { return nil }
      let trimmed = value.drop { $0 == 9 || $0 == 32 }.reversed().drop { $0 == 9 || $0 == 32 }.reversed()
      fields.append((String(decoding: name, as: UTF8.self).lowercased(), latin(Array(trimmed))))
    }
    return fields
  }

  private static func latin(_ bytes: [UInt8]) -> String {
    String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
  }

  /// What is wrong with a request head that the parser accepted, or nil.
  static func faultInRequest(_ input: [UInt8], _ head: RequestSummary) -> String? {
    guard let lines = lines(Array(input[..<head.byteCount])), let first = lines.first else { return "lines" }
    let parts = first.split(separator: 32, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(tokens.contains) else {
      return "request line"
    }
    let target = parts[1]
    guard !target.isEmpty, target.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }) else {
      return "target"
    }
    let version = latin(Array(parts[2]))
    guard version.hasPrefix("HTTP/1."), version.utf8.count == 8, version.last?.isNumber == true else {
      return "version"
    }
    let isHTTP10 = version == "HTTP/1.0"
    guard let fields = fields(lines.dropFirst()) else { return "field lines" }
    guard fields.map(\.name) == head.fields.map({ $0.name.lowercased() }) else { return "names" }
    guard fields.map(\.value) == head.fields.map(\.value) else { return "values" }
    let hosts = fields.filter { $0.name == "host" }
    guard hosts.count == 1 || hosts.isEmpty && isHTTP10 else { return "hosts" }
    for host in hosts {
      guard !host.value.isEmpty, host.value.utf8.allSatisfy(hostCharacters.contains) else { return "host" }
    }
    return faultInFraming(fields, isHTTP10, none: BodyFraming.none, head.framing)
  }

  /// What is wrong with a response head to GET that the parser accepted, or nil.
  static func faultInResponse(_ input: [UInt8], _ head: ResponseSummary) -> String? {
    guard let lines = lines(Array(input[..<head.byteCount])), let first = lines.first else { return "lines" }
    let text = latin(first)
    guard text.hasPrefix("HTTP/1."), text.utf8.count >= 12 else { return "status line" }
    guard let fields = fields(lines.dropFirst()) else { return "field lines" }
    guard fields.map(\.value) == head.fields.map(\.value) else { return "values" }
    guard (100...599).contains(head.status), text.dropFirst(9).hasPrefix("\(head.status)") else {
      return "status"
    }
    let isHTTP10 = text.hasPrefix("HTTP/1.0")
    if head.status < 200 || head.status == 204 || head.status == 304 {
      return head.framing == BodyFraming.none ? nil : "content"
    }
    return faultInFraming(fields, isHTTP10, none: .untilClose, head.framing)
  }

  private static func faultInFraming(
    _ fields: [(name: String, value: String)], _ isHTTP10: Bool, none: BodyFraming, _ framing: BodyFraming
  ) -> String? {
    let lengths = fields.filter { $0.name == "content-length" }
    let codings = fields.filter { $0.name == "transfer-encoding" }
    guard lengths.count <= 1, codings.count <= 1, lengths.isEmpty || codings.isEmpty else { return "framing" }
    if let length = lengths.first {
      guard length.value.utf8.allSatisfy({ (48...57).contains($0) }), let number = UInt64(length.value) else {
        return "length"
      }
      return framing == .length(number) ? nil : "length"
    }
    if let coding = codings.first {
      guard !isHTTP10, coding.value.lowercased() == "chunked" else { return "coding" }
      return framing == .chunked ? nil : "coding"
    }
    return framing == none ? nil : "no framing"
  }
}
