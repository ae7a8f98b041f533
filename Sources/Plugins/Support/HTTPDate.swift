import HTTPCodec

/// Dates of header fields (RFC 9110 §5.6.7), in seconds since 1970.
enum HTTPDate {
  /// The same where nobody need know the time: years of two digits are those from 1971 to 2070.
  static func read(_ range: ByteRange, in bytes: Span<UInt8>) -> Int64? {
    seconds(bytes.extracting(range.range), now: beginningOf2020)
  }

  private static let beginningOf2020: Int64 = 1_577_836_800

  /// The form that is sent today, and the two obsolete ones; nil for anything else, also for days that there are
  /// not. The day of the week is read over: it says nothing that the date does not.
  ///
  /// - now: In seconds since 1970: years of two digits are those that are at most 50 years ahead.
  static func seconds(_ text: Span<UInt8>, now: Int64) -> Int64? {
    var reader = Reader(text)
    guard let dayName = reader.letters() else { return nil }
    if reader.take(UInt8(ascii: ",")) {
      guard reader.take(0x20), let day = reader.number(digits: 2) else { return nil }
      return dayName.count == 3 ? fixed(&reader, day: day) : rfc850(&reader, day: day, now)
    }
    return asctime(&reader)
  }

  /// `Sun, 06 Nov 1994 08:49:37 GMT`
  private static func fixed(_ reader: inout Reader, day: Int64) -> Int64? {
    guard reader.take(0x20), let month = reader.month(), reader.take(0x20),
      let year = reader.number(digits: 4), reader.take(0x20), let time = reader.time(), reader.isAtGMT()
    else { return nil }
    return seconds(year, month, day, time)
  }

  /// `Sunday, 06-Nov-94 08:49:37 GMT`
  private static func rfc850(_ reader: inout Reader, day: Int64, _ now: Int64) -> Int64? {
    guard reader.take(UInt8(ascii: "-")), let month = reader.month(), reader.take(UInt8(ascii: "-")),
      let short = reader.number(digits: 2), reader.take(0x20), let time = reader.time(), reader.isAtGMT()
    else { return nil }
    let thisYear = 1970 + now / 31_556_952
    var year = thisYear - thisYear % 100 + short
    if year > thisYear + 50 { year -= 100 }
    return seconds(year, month, day, time)
  }

  /// `Sun Nov  6 08:49:37 1994`
  private static func asctime(_ reader: inout Reader) -> Int64? {
    guard reader.take(0x20), let month = reader.month(), reader.take(0x20) else { return nil }
    let isShort = reader.take(0x20)
    guard let day = reader.number(digits: isShort ? 1 : 2), reader.take(0x20), let time = reader.time(),
      reader.take(0x20), let year = reader.number(digits: 4), reader.isAtEnd
    else { return nil }
    return seconds(year, month, day, time)
  }

  private static func seconds(_ year: Int64, _ month: Int64, _ day: Int64, _ time: Int64) -> Int64? {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year >= 1900, day >= 1, day <= lengths[Int(month) - 1] else { return nil }
    // Years that begin in March, so that the leap day is the last.
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear / 400
    let yearOfEra = shiftedYear % 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    return days * 86_400 + time
  }

  private struct Reader: ~Escapable {
    private let text: Span<UInt8>
    private var position = 0

    @_lifetime(copy text)
    init(_ text: Span<UInt8>) { self.text = text }

    var isAtEnd: Bool { position == text.count }

    mutating func take(_ byte: UInt8) -> Bool {
      guard position < text.count, text[position] == byte else { return false }
      position += 1
      return true
    }

    /// The name of a day.
    mutating func letters() -> Range<Int>? {
      let start = position
      while position < text.count, position - start < 9, text[position] | 0x20 >= UInt8(ascii: "a"),
        text[position] | 0x20 <= UInt8(ascii: "z")
      {
        position += 1
      }
      return position - start >= 3 ? start..<position : nil
    }

    mutating func number(digits: Int) -> Int64? {
      guard text.count - position >= digits else { return nil }
      var number: Int64 = 0
      for _ in 0..<digits {
        let digit = text[position] &- 48
        guard digit < 10 else { return nil }
        number = number * 10 + Int64(digit)
        position += 1
      }
      return number
    }

    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

    /// From 1.
    mutating func month() -> Int64? {
      guard text.count - position >= 3 else { return nil }
      for month in 0..<12 {
        let name = Self.months
        guard text[position] == name[month * 3], text[position + 1] == name[month * 3 + 1],
          text[position + 2] == name[month * 3 + 2]
        else { continue }
        position += 3
        return Int64(month) + 1
      }
      return nil
    }

    /// `08:49:37`, in seconds of the day.
    mutating func time() -> Int64? {
      guard let hour = number(digits: 2), take(UInt8(ascii: ":")), let minute = number(digits: 2),
        take(UInt8(ascii: ":")), let second = number(digits: 2), hour < 24, minute < 60, second <= 60
      else { return nil }
      return hour * 3_600 + minute * 60 + second
    }

    mutating func isAtGMT() -> Bool {
      for byte in [0x20, UInt8(ascii: "G"), UInt8(ascii: "M"), UInt8(ascii: "T")] {
        guard take(byte) else { return false }
      }
      return isAtEnd
    }
  }
}
