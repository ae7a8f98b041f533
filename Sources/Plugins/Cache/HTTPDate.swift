import HTTPCodec

/// A date of HTTP (RFC 9110 §5.6.7), in its three forms; names of days are not checked.
enum HTTPDate {
  /// Seconds since 1970 UTC; nil where it is not a date.
  static func read(_ range: ByteRange, in bytes: Span<UInt8>) -> Int64? {
    // Sun, 06 Nov 1994 08:49:37 GMT
    if range.count == 29, byte(range, 3, bytes) == UInt8(ascii: ",") {
      guard byte(range, 4, bytes) == 0x20, byte(range, 7, bytes) == 0x20, byte(range, 11, bytes) == 0x20,
        isGMT(range, from: 25, bytes), let day = number(range, 5, 2, bytes), let month = month(range, 8, bytes),
        let year = number(range, 12, 4, bytes), let time = time(range, 17, bytes)
      else { return nil }
      return seconds(year: year, month, day, time)
    }
    // Sun Nov  6 08:49:37 1994
    if range.count == 24, byte(range, 3, bytes) == 0x20 {
      let isPadded = byte(range, 8, bytes) == 0x20
      guard byte(range, 7, bytes) == 0x20, byte(range, 10, bytes) == 0x20, byte(range, 19, bytes) == 0x20,
        let month = month(range, 4, bytes), let day = number(range, isPadded ? 9 : 8, isPadded ? 1 : 2, bytes),
        let time = time(range, 11, bytes), let year = number(range, 20, 4, bytes)
      else { return nil }
      return seconds(year: year, month, day, time)
    }
    return readWithLongDay(range, in: bytes)
  }

  /// Sunday, 06-Nov-94 08:49:37 GMT
  private static func readWithLongDay(_ range: ByteRange, in bytes: Span<UInt8>) -> Int64? {
    var comma = 0
    while comma < Int(range.count), byte(range, comma, bytes) != UInt8(ascii: ",") { comma += 1 }
    guard (6...9).contains(comma), Int(range.count) == comma + 24, byte(range, comma + 1, bytes) == 0x20,
      byte(range, comma + 4, bytes) == UInt8(ascii: "-"), byte(range, comma + 8, bytes) == UInt8(ascii: "-"),
      byte(range, comma + 11, bytes) == 0x20, isGMT(range, from: comma + 20, bytes),
      let day = number(range, comma + 2, 2, bytes), let month = month(range, comma + 5, bytes),
      let year = number(range, comma + 9, 2, bytes), let time = time(range, comma + 12, bytes)
    else { return nil }
    // From 70 on of the last century, when nobody wrote years of this one.
    return seconds(year: year + (year < 70 ? 2_000 : 1_900), month, day, time)
  }

  private static func byte(_ range: ByteRange, _ offset: Int, _ bytes: Span<UInt8>) -> UInt8 {
    bytes[Int(range.start) + offset]
  }

  private static func isGMT(_ range: ByteRange, from offset: Int, _ bytes: Span<UInt8>) -> Bool {
    bytes.equals(ByteRange(start: Int(range.start) + offset, count: 4), Array(" GMT".utf8))
  }

  private static func number(_ range: ByteRange, _ offset: Int, _ count: Int, _ bytes: Span<UInt8>) -> Int64? {
    bytes.decimal(in: ByteRange(start: Int(range.start) + offset, count: count)).map { Int64($0) }
  }

  private static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ].map { Array($0.utf8) }

  private static func month(_ range: ByteRange, _ offset: Int, _ bytes: Span<UInt8>) -> Int64? {
    let name = ByteRange(start: Int(range.start) + offset, count: 3)
    return months.firstIndex { bytes.equalsIgnoringCase(name, lowercase: $0) }.map { Int64($0) + 1 }
  }

  private static func time(_ range: ByteRange, _ offset: Int, _ bytes: Span<UInt8>) -> Int64? {
    guard byte(range, offset + 2, bytes) == UInt8(ascii: ":"), byte(range, offset + 5, bytes) == UInt8(ascii: ":"),
      let hour = number(range, offset, 2, bytes), let minute = number(range, offset + 3, 2, bytes),
      let second = number(range, offset + 6, 2, bytes), hour < 24, minute < 60, second <= 60
    else { return nil }
    return hour * 3_600 + minute * 60 + min(second, 59)
  }

  /// The days of a Gregorian date, counted in eras of 400 years that begin in March.
  private static func seconds(year: Int64, _ month: Int64, _ day: Int64, _ time: Int64) -> Int64? {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths: InlineArray<12, Int64> = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year >= 1, day >= 1, day <= lengths[Int(month) - 1] else { return nil }
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return (era * 146_097 + dayOfEra - 719_468) * 86_400 + time
  }
}
