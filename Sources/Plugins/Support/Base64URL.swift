/// Base64 for URLs (RFC 4648 §5), as signed tokens have it (RFC 7515 §2): without padding, and in one form only.
enum Base64URL {
  /// Of each byte. Inline: a look-up by a byte is never beyond its end.
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
    let rest = range.count % 4
    if rest == 1 { return false }
    let count = range.count / 4 * 3 + max(0, rest - 1)
    bytes.append(addingCapacity: count) { $0.append(repeating: 0, count: count) }
    var decoded = bytes.mutableSpan
    // Copied once, and not for each look-up.
    let values = values
    return decode(text.extracting(range), &decoded, by: values.span)
  }

  /// - bytes: As many as the text stands for.
  private static func decode(
    _ text: Span<UInt8>, _ bytes: inout MutableSpan<UInt8>, by values: Span<UInt8>
  ) -> Bool {
    // As many as there are; said in this way, nothing in the loop is checked once more.
    let groups = min(text.count / 4, bytes.count / 3)
    for group in 0..<groups {
      let four = text.extracting(group &* 4..<group &* 4 &+ 4)
      let a = values[Int(four[0])]
      let b = values[Int(four[1])]
      let c = values[Int(four[2])]
      let d = values[Int(four[3])]
      // Values have six bits; what is no digit has all eight.
      if (a | b | c | d) & 0xC0 != 0 { return false }
      bytes[group &* 3 &+ 2] = c &<< 6 | d
      bytes[group &* 3 &+ 1] = b &<< 4 | c &>> 2
      bytes[group &* 3] = a &<< 2 | b &>> 4
    }
    let rest = text.count % 4
    if rest == 0 { return true }
    let a = values[Int(text[groups * 4])]
    let b = values[Int(text[groups * 4 + 1])]
    let c = rest == 3 ? values[Int(text[groups * 4 + 2])] : 0
    if (a | b | c) & 0xC0 != 0 { return false }
    bytes[groups * 3] = a &<< 2 | b &>> 4
    if rest == 2 { return b & 0x0F == 0 }
    bytes[groups * 3 + 1] = b &<< 4 | c &>> 2
    return c & 0x03 == 0
  }

  static func decode(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    return decode(text.span, 0..<text.count, into: &bytes) ? bytes : nil
  }
}
