import HTTPCodec

/// Lines of a stored response: `name: value` and CRLF each.
enum StoredLines {
  /// The value of the first line of a name; nil where there is none.
  /// - name: In lower case.
  static func value(of name: [UInt8], in lines: [UInt8]) -> [UInt8]? {
    for line in each(lines) where isNamed(line, name) {
      return Array(line.dropFirst(name.count + 1).drop { $0 == 0x20 })
    }
    return nil
  }

  /// What a 304 says: all but what describes the content that it does not have (RFC 9110 §15.4.5).
  static func withoutContent(_ lines: [UInt8]) -> [UInt8] {
    var kept: [UInt8] = []
    kept.reserveCapacity(lines.count)
    for line in each(lines) {
      let name = line.prefix { $0 != UInt8(ascii: ":") }
      if name.count > 8, zip(name, contentPrefix).allSatisfy({ $0.asciiLowercased == $1 }),
        !isNamed(line, contentLocation)
      {
        continue
      }
      kept += line
      kept += [13, 10]
    }
    return kept
  }

  /// Those of other names.
  /// - names: In lower case.
  static func without(_ names: [[UInt8]], _ lines: [UInt8]) -> [UInt8] {
    var kept: [UInt8] = []
    kept.reserveCapacity(lines.count)
    for line in each(lines) where !names.contains(where: { isNamed(line, $0) }) {
      kept += line
      kept += [13, 10]
    }
    return kept
  }

  /// Stored lines after the endpoint has said that they still hold: those of a name that it has sent again are
  /// replaced (RFC 9111 §3.2, §4.3.4), but for what describes the content.
  static func updated(_ lines: [UInt8], with news: [UInt8]) -> [UInt8] {
    let new = withoutContent(news)
    let names = each(new).map { line in line.prefix { $0 != UInt8(ascii: ":") }.map(\.asciiLowercased) }
    var kept: [UInt8] = []
    for line in each(lines) where !names.contains(where: { isNamed(line, $0) }) {
      kept += line
      kept += [13, 10]
    }
    return kept + new
  }

  /// A head to be parsed.
  static func head(_ status: UInt16, _ lines: [UInt8]) -> [UInt8] {
    Array("HTTP/1.1 \(status) Stored\r\n".utf8) + lines + [13, 10]
  }

  private static func each(_ lines: [UInt8]) -> [ArraySlice<UInt8>] {
    lines.split(separator: 10).map { $0.last == 13 ? $0.dropLast() : $0 }
  }

  private static func isNamed(_ line: ArraySlice<UInt8>, _ name: [UInt8]) -> Bool {
    line.count > name.count && line[line.startIndex + name.count] == UInt8(ascii: ":")
      && zip(line, name).allSatisfy { $0.asciiLowercased == $1 }
  }

  private static let contentPrefix = Array("content-".utf8)
  private static let contentLocation = Array("content-location".utf8)
}
