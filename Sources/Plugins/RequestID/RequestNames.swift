import Runtime

/// Forms of names for requests, made of random bits. They tell requests apart; nothing may depend on that nobody can
/// guess them.
enum RequestNames {
  private static let digits62 = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let digits64 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
  /// Where a KSUID's seconds begin: 2014-05-13.
  private static let ksuidEpoch: Int64 = 1_400_000_000

  /// 32 digits, as the gateway's own.
  static func appendHexadecimal(_ high: UInt64, _ low: UInt64, to out: Buffer) {
    out.append(sixteenHexadecimalDigitsOf: high)
    out.append(sixteenHexadecimalDigitsOf: low)
  }

  /// Version 4 (RFC 9562 §5.4).
  static func appendUUID(_ high: UInt64, _ low: UInt64, to out: Buffer) {
    appendUUID(version: 4, high, low, to: out)
  }

  /// Version 7 (RFC 9562 §5.7): the time stands in front.
  static func appendTimedUUID(_ milliseconds: Int64, _ high: UInt64, _ low: UInt64, to out: Buffer) {
    let time = UInt64(bitPattern: milliseconds) & 0xFFFF_FFFF_FFFF
    appendUUID(version: 7, time << 16 | high & 0xFFFF, low, to: out)
  }

  private static func appendUUID(version: UInt64, _ high: UInt64, _ low: UInt64, to out: Buffer) {
    let high = high & ~0xF000 | version << 12
    // The variant of RFC 9562 §4.1.
    let low = low & ~(3 << 62) | 2 << 62
    out.append(uuid: high, low)
  }

  /// 21 characters of six bits each.
  static func appendNanoid(_ high: UInt64, _ low: UInt64, to out: Buffer) {
    var high = high
    var low = low
    for _ in 0..<21 {
      out.append(digits64[Int(low & 63)])
      low = low >> 6 | high << 58
      high >>= 6
    }
  }

  /// 27 digits to the base of 62: 32 bits of seconds since May 2014, and 128 random ones. Later ones sort behind.
  static func appendKSUID(seconds: Int64, _ high: UInt64, _ low: UInt64, to out: Buffer) {
    var words: [UInt32] = [
      UInt32(truncatingIfNeeded: seconds - ksuidEpoch), UInt32(truncatingIfNeeded: high >> 32),
      UInt32(truncatingIfNeeded: high), UInt32(truncatingIfNeeded: low >> 32),
      UInt32(truncatingIfNeeded: low),
    ]
    var text = [UInt8](repeating: digits62[0], count: 27)
    for position in text.indices.reversed() {
      var rest: UInt64 = 0
      for index in words.indices {
        let value = rest << 32 | UInt64(words[index])
        words[index] = UInt32(value / 62)
        rest = value % 62
      }
      text[position] = digits62[Int(rest)]
    }
    out.append(text)
  }
}
