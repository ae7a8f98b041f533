/// How far a head that is still arriving was looked at.
///
/// A head that comes in pieces is parsed when its first bytes are there, so that nonsense is
/// refused early, and once more when its empty line is there. In between only new bytes are
/// looked at, so that a head that arrives byte by byte costs no more than its length. Errors of
/// the line structure are found here as they arrive.
struct HeadProgress {
  /// Everything before was looked at.
  private var scanned = 0
  private var lineStart = 0
  private var hasFirstLine = false

  @inline(__always)
  var hasBegun: Bool { scanned != 0 }

  @inline(__always)
  init() {}

  /// Looks at the bytes that are new, and returns whether the head is complete.
  ///
  /// - Parameters:
  ///   - firstLineMax: the longest first line, in bytes.
  ///   - skipsEmptyLines: whether empty lines may come before the first line.
  mutating func advance(
    _ bytes: Span<UInt8>, limits: HTTP1Limits, firstLineMax: Int, skipsEmptyLines: Bool
  ) throws(HTTP1Error) -> Bool {
    while true {
      let position = FieldSection.endOfLine(bytes, from: scanned)
      scanned = position
      guard position < bytes.count else { break }
      guard bytes[position] == ASCII.carriageReturn else {
        throw FieldSection.lineError(bytes[position])
      }
      guard position &+ 1 < bytes.count else { break }
      guard bytes[position &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
      scanned = position &+ 2
      let isEmpty = position == lineStart
      lineStart = scanned
      if isEmpty {
        if hasFirstLine || !skipsEmptyLines { return true }
        if scanned > HTTP1Limits.emptyLinesMax &* 2 { throw .tooManyEmptyLines }
      } else {
        hasFirstLine = true
      }
    }
    if !hasFirstLine, bytes.count &- lineStart > firstLineMax { throw .targetTooLong }
    // A head that is not complete here cannot be complete within the limit.
    if bytes.count >= limits.headBytes { throw .headTooLarge }
    return false
  }
}
