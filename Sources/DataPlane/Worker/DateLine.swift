import Runtime

/// The `Date` field's line, made once a second (RFC 9110 §5.6.7).
struct DateLine {
  private var second: Int64 = -1
  private var line: [UInt8] = []

  /// Where the value stands in the line.
  static let valueRange = 6..<35

  /// - Parameter wallClock: nanoseconds since 1970.
  mutating func bytes(at wallClock: Int64) -> [UInt8] {
    let now = wallClock / 1_000_000_000
    if now != second {
      second = now
      line = Self.format(now)
    }
    return line
  }

  static func format(_ seconds: Int64) -> [UInt8] {
    let (days, time) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civil(fromDays: days)
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(days % 7)]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let clock = "\(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60))"
    return Array("Date: \(weekday), \(two(day)) \(months[Int(month) - 1]) \(year) \(clock) GMT\r\n".utf8)
  }

  /// The Gregorian date of a number of days since 1970-01-01, counted in eras of 400 years that
  /// begin in March, so that the leap day is a year's last.
  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}
