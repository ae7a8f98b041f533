/// A host with an optional port (RFC 3986 §3.2), without a user.
struct Authority {
  /// The host; an IPv6 literal keeps its brackets, a name loses its trailing dot.
  var host: ByteRange
  /// The port, or nil where none is named.
  var port: UInt16?

  /// Checks a `Host` field or the authority of a target.
  ///
  /// Stricter than RFC 3986: a name consists of unreserved characters and has no empty labels,
  /// percent-encoding and sub-delimiters are refused, and a colon is followed by a port. No name
  /// that is in use needs more, and what the host is must not be open to interpretation.
  @inline(__always)
  static func parse(_ bytes: Span<UInt8>, _ range: ByteRange) throws(HTTP1Error) -> Authority {
    let start = Int(range.start)
    let end = range.end
    guard !range.isEmpty, Int(range.count) <= HTTP1Limits.authorityBytesMax else { throw .invalidHost }
    if bytes[start] == ASCII.openBracket { return try parseLiteral(bytes, range) }
    let position = min(try endOfName(bytes, from: start), end)
    // One trailing dot marks a name as absolute: it names the same host.
    let nameEnd = position > start && bytes[position &- 1] == ASCII.dot ? position &- 1 : position
    guard nameEnd > start else { throw .invalidHost }
    let host = ByteRange(start: start, count: nameEnd &- start)
    return Authority(host: host, port: try port(bytes, from: position, to: end))
  }

  /// The index after the name that begins at `start`; it has no empty label in front of a dot.
  @inline(__always)
  private static func endOfName(_ bytes: Span<UInt8>, from start: Int) throws(HTTP1Error) -> Int {
    var position = start
    // Marks whether the byte before the word is a dot: there is no label before the first one.
    var dotBefore: UInt64 = 0x80
    while let word = bytes.word(at: position) {
      let dots = Word.exactlyEqual(word, to: ASCII.dot)
      let stops = Word.notNamePart(word) & ~dots
      guard dots & (dots &<< 8 | dotBefore) & Word.below(stops) == 0 else { throw .invalidHost }
      guard stops == 0 else {
        position &+= Word.firstIndex(stops)
        break
      }
      dotBefore = dots &>> 56
      position &+= 8
    }
    var previous = position > start ? bytes[position &- 1] : ASCII.dot
    while position < bytes.count, CharacterClass.isUnreserved(bytes[position]) {
      if bytes[position] == ASCII.dot, previous == ASCII.dot { throw .invalidHost }
      previous = bytes[position]
      position &+= 1
    }
    return position
  }

  @inline(never)
  private static func parseLiteral(
    _ bytes: Span<UInt8>, _ range: ByteRange
  ) throws(HTTP1Error) -> Authority {
    let start = Int(range.start)
    let close = bytes.index(of: ASCII.closeBracket, from: start, to: range.end)
    guard close < range.end,
      IPAddressText.isIPv6(bytes, ByteRange(start: start &+ 1, count: close &- start &- 1))
    else { throw .invalidHost }
    let host = ByteRange(start: start, count: close &+ 1 &- start)
    return Authority(host: host, port: try port(bytes, from: close &+ 1, to: range.end))
  }

  /// The port after the host: nothing, or a colon and one to five digits.
  @inline(__always)
  private static func port(
    _ bytes: Span<UInt8>, from start: Int, to end: Int
  ) throws(HTTP1Error) -> UInt16? {
    guard start < end else { return nil }
    let digits = ByteRange(start: start &+ 1, count: end &- start &- 1)
    guard bytes[start] == ASCII.colon, digits.count <= 5, let number = bytes.decimal(in: digits),
      let port = UInt16(exactly: number)
    else { throw .invalidHost }
    return port
  }
}
