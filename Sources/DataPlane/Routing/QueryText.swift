import HTTPCodec

/// Queries as routes see them: parameters whose names and values are percent-decoded on the fly.
///
/// A percent sign without two hexadecimal digits stands for itself.
extension Span where Element == UInt8 {
  /// The value, still encoded, of the first parameter whose decoded name is `name`; empty for a
  /// parameter without `=`.
  func decodedQueryValue(named name: [UInt8], in query: ByteRange) -> ByteRange? {
    var position = Int(query.start)
    while position < query.end {
      var equals = -1
      var end = position
      while end < query.end, self[end] != 0x26 {
        if equals < 0, self[end] == 0x3D { equals = end }
        end &+= 1
      }
      let nameEnd = equals < 0 ? end : equals
      if percentDecodes(ByteRange(start: position, count: nameEnd &- position), to: name) {
        return equals < 0
          ? ByteRange(start: end, count: 0) : ByteRange(start: equals &+ 1, count: end &- equals &- 1)
      }
      position = end &+ 1
    }
    return nil
  }

  /// Whether the range, decoded, is `text`.
  func percentDecodes(_ range: ByteRange, to text: [UInt8]) -> Bool {
    // Each byte of the text is one or three here.
    guard Int(range.count) >= text.count, Int(range.count) <= text.count * 3 else { return false }
    var position = Int(range.start)
    for index in text.indices {
      guard position < range.end, decodedByte(&position, end: range.end) == text[index] else { return false }
    }
    return position == range.end
  }

  /// Appends the range, decoded.
  func percentDecode(_ range: ByteRange, into decoded: inout [UInt8]) {
    var position = Int(range.start)
    while position < range.end { decoded.append(decodedByte(&position, end: range.end)) }
  }

  @inline(__always)
  private func decodedByte(_ position: inout Int, end: Int) -> UInt8 {
    let byte = self[position]
    if byte == 0x25, position &+ 2 < end, let high = self[position &+ 1].hexDigitValue,
      let low = self[position &+ 2].hexDigitValue
    {
      position &+= 3
      return high &<< 4 | low
    }
    position &+= 1
    return byte
  }
}
