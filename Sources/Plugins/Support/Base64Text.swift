/// Base64 (RFC 4648 §4).
enum Base64Text {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 0xFF, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  /// - Parameter text: with its padding, or without.
  /// - Returns: nil for what is not base64.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 3)
    var group: UInt32 = 0
    var digitCount = 0
    var paddingCount = 0
    for byte in text {
      if byte == UInt8(ascii: "=") {
        paddingCount += 1
        continue
      }
      let value = values[Int(byte)]
      guard value != 0xFF, paddingCount == 0 else { return nil }
      group = group << 6 | UInt32(value)
      digitCount += 1
      // Whole bytes are taken out as soon as they are there.
      let bits = digitCount * 6 % 8
      if digitCount % 4 != 1 { bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits))) }
    }
    let rest = digitCount % 4
    guard rest != 1, paddingCount == 0 || rest != 0 && paddingCount == 4 - rest else { return nil }
    return bytes
  }
}
