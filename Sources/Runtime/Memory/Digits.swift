/// Eight digits at once: a number's are spread over the bytes of a word, the first in the lowest byte, and made into
/// ASCII together.
enum Digits {
  /// What has more than eight decimal digits.
  static let decimalWordLimit: UInt64 = 100_000_000

  /// Lower-case hexadecimal, as text.
  @inline(__always)
  static func hexadecimal(of value: UInt32) -> UInt64 {
    var word = UInt64(value)
    word = (word & 0xFFFF_0000) << 16 | (word & 0xFFFF)
    word = (word << 8 & 0x00FF_0000_00FF_0000) | (word & 0x0000_00FF_0000_00FF)
    word = (word << 4 & 0x0F00_0F00_0F00_0F00) | (word & 0x000F_000F_000F_000F)
    let letters = (word &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return (word &+ 0x3030_3030_3030_3030 &+ letters &* 39).byteSwapped
  }

  /// Decimal, with zeros in front: 0 to 9 in each byte.
  ///
  /// Halves are divided next to each other: four digits in 32 bits, two in 16, one in 8. Products with a reciprocal
  /// are exact for as many digits: 10,486 / 2²⁰ for a hundredth of up to 9,999, 103 / 2¹⁰ for a tenth of up to 99.
  ///
  /// - value: Less than ``decimalWordLimit``.
  @inline(__always)
  static func decimal(of value: UInt64) -> UInt64 {
    let upper = value / 10_000
    var word = upper | (value &- upper &* 10_000) << 32
    let hundreds = (word &* 10_486) >> 20 & 0x0000_007F_0000_007F
    word = hundreds | (word &- hundreds &* 100) << 16
    let tens = (word &* 103) >> 10 & 0x000F_000F_000F_000F
    return tens | (word &- tens &* 10) << 8
  }

  /// Of digits from 0 to 9.
  @inline(__always)
  static func text(of digits: UInt64) -> UInt64 { digits | 0x3030_3030_3030_3030 }
}
