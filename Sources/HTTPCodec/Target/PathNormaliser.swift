/// Brings a path to the one form that is matched and forwarded.
///
/// The rules, in RFC 3986's terms:
/// - The path begins with `/`.
/// - Percent-encoded unreserved characters are decoded (§6.2.2.2): `%41` is `A`, `%2e` is `.`.
/// - Other percent-encodings stay, with upper-case digits (§6.2.2.1). So `%2F` is not a separator
///   and `%5C` is not a backslash, before or after.
/// - Characters that a path may not hold as they are become percent-encoded: a backslash becomes
///   `%5C`, and so do `"`, `<`, `>`, `[`, `]`, `^`, a backquote, `{`, `|` and `}`.
/// - Several slashes in a row become one.
/// - Dot segments, encoded or not, are removed after that (§5.2.4). Those that lead above the root
///   are refused.
/// - `%00`, a percent sign without two hexadecimal digits, spaces, control characters and bytes of
///   128 and above are refused.
///
/// Applied to its own result it changes nothing.
public enum PathNormaliser {
  /// Normalises a path without its query.
  ///
  /// - Parameters:
  ///   - path: the path as it was sent.
  ///   - output: replaced by the canonical form where that differs; keep it for reuse.
  /// - Returns: false when the path is canonical already; `output` is then left alone.
  public static func normalise(
    _ path: Span<UInt8>, into output: inout [UInt8]
  ) throws(HTTP1Error) -> Bool {
    if try isCanonical(path) { return false }
    try rewrite(path, into: &output)
    return true
  }

  @inline(__always)
  private static func isCanonical(_ path: Span<UInt8>) throws(HTTP1Error) -> Bool {
    guard !path.isEmpty, path[0] == ASCII.slash else { throw .invalidPath }
    var previous = ASCII.slash
    var position = 1
    while position < path.count {
      let byte = path[position]
      if CharacterClass.isPath(byte) {
        if byte == ASCII.dot, previous == ASCII.slash, isDotSegment(path, position) { return false }
      } else if byte == ASCII.slash {
        if previous == ASCII.slash { return false }
      } else {
        guard byte == ASCII.percent, try isCanonicalEncoding(path, position) else { return false }
        position &+= 2
      }
      previous = byte
      position &+= 1
    }
    return true
  }

  /// Whether `.` or `..` and the end of the segment stand here.
  private static func isDotSegment(_ path: Span<UInt8>, _ start: Int) -> Bool {
    var position = start &+ 1
    if position < path.count, path[position] == ASCII.dot { position &+= 1 }
    return position >= path.count || path[position] == ASCII.slash
  }

  private static func isCanonicalEncoding(_ path: Span<UInt8>, _ start: Int) throws(HTTP1Error) -> Bool {
    let byte = try decode(path, start)
    return !CharacterClass.isUnreserved(byte) && path[start &+ 1] < 0x61 && path[start &+ 2] < 0x61
  }

  /// The byte that `%hh` at `start` stands for.
  private static func decode(_ path: Span<UInt8>, _ start: Int) throws(HTTP1Error) -> UInt8 {
    guard start &+ 2 < path.count, let high = path[start &+ 1].hexDigitValue,
      let low = path[start &+ 2].hexDigitValue
    else { throw .invalidPercentEncoding }
    let byte = high << 4 | low
    guard byte != 0 else { throw .nullInPath }
    return byte
  }

  @inline(never)
  private static func rewrite(_ path: Span<UInt8>, into output: inout [UInt8]) throws(HTTP1Error) {
    output.removeAll(keepingCapacity: true)
    output.append(ASCII.slash)
    var segmentStart = 1
    var position = 1
    while position < path.count {
      let byte = path[position]
      position &+= 1
      switch byte {
      case ASCII.slash: try endSegment(&output, &segmentStart, withSlash: true)
      case ASCII.percent:
        let decoded = try decode(path, position &- 1)
        position &+= 2
        if CharacterClass.isUnreserved(decoded) { output.append(decoded) } else { encode(decoded, &output) }
      case _ where CharacterClass.isPath(byte): output.append(byte)
      default:
        guard byte > ASCII.space, byte < ASCII.delete, byte != ASCII.question, byte != ASCII.hash else {
          throw .invalidPath
        }
        encode(byte, &output)
      }
    }
    try endSegment(&output, &segmentStart, withSlash: false)
  }

  private static func encode(_ byte: UInt8, _ output: inout [UInt8]) {
    output.append(ASCII.percent)
    output.append(upperHexDigit(byte >> 4))
    output.append(upperHexDigit(byte & 15))
  }

  private static func upperHexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? value &+ ASCII.zero : value &+ 0x37
  }

  /// Ends the segment that was written: drops it where it is empty or a dot segment.
  private static func endSegment(
    _ output: inout [UInt8], _ segmentStart: inout Int, withSlash: Bool
  ) throws(HTTP1Error) {
    let count = output.count &- segmentStart
    let isDots = count > 0 && count <= 2 && output[segmentStart] == ASCII.dot && output.last == ASCII.dot
    guard isDots else {
      if withSlash, count > 0 {
        output.append(ASCII.slash)
        segmentStart = output.count
      }
      return
    }
    output.removeLast(count)
    guard count == 2 else { return }
    guard segmentStart > 1 else { throw .pathAboveRoot }
    repeat { output.removeLast() } while output.last != ASCII.slash
    segmentStart = output.count
  }
}
