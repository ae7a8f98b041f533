/// Base64 for URLs (RFC 4648 §5), as signed tokens have it (RFC 7515 §2): without padding, and in one form only.
enum Base64URL {
  private static let values: InlineArray<256, UInt8> = {
    var values = InlineArray<256, UInt8>(repeating: 0xFF)
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  /// Replaces `bytes`, whose memory is used again.
  /// - Returns: false for what is not this coding, or has bits that mean nothing.
  static func decode(_ text: Span<UInt8>, _ range: Range<Int>, into bytes: inout [UInt8]) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    if range.count % 4 == 1 { return false }
    var isRight = false
    bytes.append(addingCapacity: range.count / 4 * 3 + 2) { isRight = decode(text, range, &$0) }
    return isRight
  }

  private static func decode(_ text: Span<UInt8>, _ range: Range<Int>, _ bytes: inout OutputSpan<UInt8>)
    -> Bool
  {
    let rest = range.count % 4
    let table = values
    var position = range.lowerBound
    let wholeEnd = range.upperBound - rest
    while position < wholeEnd {
      let a = table[Int(text[position])]
      let b = table[Int(text[position &+ 1])]
      let c = table[Int(text[position &+ 2])]
      let d = table[Int(text[position &+ 3])]
      // Values have six bits; what is no digit has all eight.
      if (a | b | c | d) & 0xC0 != 0 { return false }
      bytes.append(a &<< 2 | b &>> 4)
      bytes.append(b &<< 4 | c &>> 2)
      bytes.append(c &<< 6 | d)
      position &+= 4
    }
    if rest == 0 { return true }
    let a = table[Int(text[position])]
    let b = table[Int(text[position &+ 1])]
    let c = rest == 3 ? table[Int(text[position &+ 2])] : 0
    if (a | b | c) & 0xC0 != 0 { return false }
    bytes.append(a &<< 2 | b &>> 4)
    if rest == 2 { return b & 0x0F == 0 }
    bytes.append(b &<< 4 | c &>> 2)
    return c & 0x03 == 0
  }

  static func decode(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    return decode(text.span, 0..<text.count, into: &bytes) ? bytes : nil
  }
}
