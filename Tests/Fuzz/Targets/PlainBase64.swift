/// Base64 (RFC 4648), read slowly, bit by bit.
enum PlainBase64 {
  private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

  /// §5, without padding; nil where bits are left that are not zero.
  static func decodeURL(_ text: some Sequence<UInt8>) -> [UInt8]? {
    guard let (bytes, rest) = decode(Array(text), letters + Array("-_".utf8)), !rest.contains(true) else {
      return nil
    }
    return bytes
  }

  /// §4, with all of its padding or without any.
  static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
    var digits = Array(text)
    if let padding = digits.firstIndex(of: UInt8(ascii: "=")) {
      let isWhole = digits.count % 4 == 0 && digits.count - padding <= 2
      guard isWhole, digits[padding...].allSatisfy({ $0 == UInt8(ascii: "=") }) else { return nil }
      digits.removeSubrange(padding...)
    }
    return decode(digits, letters + Array("+/".utf8))?.bytes
  }

  private static func decode(_ digits: [UInt8], _ alphabet: [UInt8]) -> (bytes: [UInt8], rest: [Bool])? {
    guard digits.count % 4 != 1 else { return nil }
    var bits: [Bool] = []
    for digit in digits {
      guard let value = alphabet.firstIndex(of: digit) else { return nil }
      for bit in (0..<6).reversed() { bits.append(value >> bit & 1 == 1) }
    }
    var bytes: [UInt8] = []
    while bits.count >= 8 {
      bytes.append(bits.prefix(8).reduce(0) { $0 << 1 | ($1 ? 1 : 0) })
      bits.removeFirst(8)
    }
    return (bytes, bits)
  }
}
