import HTTPCodec

@testable import DataPlane

/// Cookies and parameters of queries: the input is a name, a line feed, and the value of a field or a query.
///
/// - A value is found where a plain reading finds it, and is that.
enum NamedValueChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let parts = input.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
    // What has no name is nothing that anybody asks for.
    guard parts.count == 2, !parts[0].isEmpty else { return }
    let (name, text) = (parts[0], parts[1])
    let all = ByteRange(start: 0, count: text.count)
    let cookie = text.span.cookieValue(named: name, in: all)
    let plainQuery = text.span.queryValue(named: name, in: all)
    let decodedQuery = text.span.decodedQueryValue(named: name, in: all)
    try requireWithin(text.count, [cookie, plainQuery, decodedQuery].compactMap(\.self))
    func bytes(_ range: ByteRange?) -> [UInt8]? { range.map { Array(text[$0.range]) } }
    // Those are asked for by names that are tokens; decoded names may be anything.
    let isToken = name.span.isToken(ByteRange(start: 0, count: name.count))
    let isCookie = bytes(cookie) == expectedCookie(name, text)
    try require(isCookie || !isToken, "as a cookie: \(bytes(cookie) as Any)")
    let pairs = text.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false).filter {
      !$0.isEmpty
    }
    let expected = value(pairs, name) { $0 }
    try require(
      bytes(plainQuery) == expected || !isToken,
      "in a query: \(bytes(plainQuery) as Any), not \(expected as Any)")
    let decoded = value(pairs, name, decode)
    try require(bytes(decodedQuery) == decoded, "in a query, decoded: \(bytes(decodedQuery) as Any)")
    guard let decodedQuery else { return }
    var value: [UInt8] = []
    text.span.percentDecode(decodedQuery, into: &value)
    try require(value == decoded.map(decode), "a value is decoded as \(value)")
  }

  private static func expectedCookie(_ name: [UInt8], _ text: [UInt8]) -> [UInt8]? {
    for pair in text.split(separator: UInt8(ascii: ";")) {
      let pair = trimmed(Array(pair))
      guard pair.starts(with: name + [UInt8(ascii: "=")]) else { continue }
      let value = trimmed(Array(pair.dropFirst(name.count + 1)))
      let quote = UInt8(ascii: "\"")
      return value.count >= 2 && value.first == quote && value.last == quote
        ? Array(value[1..<(value.count - 1)]) : value
    }
    return nil
  }

  private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
    Array(bytes.drop { $0 == 32 || $0 == 9 }.reversed().drop { $0 == 32 || $0 == 9 }.reversed())
  }

  /// Of the first pair with the name.
  private static func value(
    _ pairs: [ArraySlice<UInt8>], _ name: [UInt8], _ decode: ([UInt8]) -> [UInt8]
  ) -> [UInt8]? {
    for pair in pairs {
      let sign = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      if decode(Array(pair[..<sign])) == name { return Array(pair[sign...].dropFirst()) }
    }
    return nil
  }

  private static func decode(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = text[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(2).compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
      if byte == UInt8(ascii: "%"), digits.count == 2 {
        bytes.append(UInt8(digits[0] << 4 | digits[1]))
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }
}
