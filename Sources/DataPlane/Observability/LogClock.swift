import Runtime

/// The date and time of log lines: formatted once per second, with the milliseconds put in.
final class LogClock {
  /// `2026-11-20T22:46:19` and `20/Nov/2026:22:46:19 +0000`.
  let iso = Buffer(capacity: 32)
  let common = Buffer(capacity: 32)
  /// Of the second that is formatted, in nanoseconds since 1970.
  private var secondStart = Int64.min
  /// Wall clock minus monotonic clock, in nanoseconds.
  private var offset: Int64 = 0
  private var offsetTakenAt = Int64.min

  /// Makes `iso` and `common` say the second that `time` lies in (UTC), and returns its milliseconds.
  ///
  /// The offset between the clocks is read once per second: a step of the wall clock shows after
  /// a second, and no line costs a call of the system.
  @inline(__always)
  func set(_ time: MonotonicTime, seam: Seam) -> Int64 {
    if UInt64(bitPattern: time.nanoseconds &- offsetTakenAt) >= 1_000_000_000 { readOffset(at: time, seam) }
    // Times before 1970 come of a clock that was never set; they show as 1970.
    let wall = max(0, time.nanoseconds &+ offset)
    let inSecond = wall &- secondStart
    if UInt64(bitPattern: inSecond) < 1_000_000_000 { return inSecond / 1_000_000 }
    format(second: wall / 1_000_000_000)
    return wall % 1_000_000_000 / 1_000_000
  }

  private func readOffset(at time: MonotonicTime, _ seam: Seam) {
    offset = seam.wallClockNanoseconds() &- seam.now().nanoseconds
    offsetTakenAt = time.nanoseconds
  }

  private func format(second: Int64) {
    secondStart = second * 1_000_000_000
    let (year, month, day) = Self.date(ofDay: second / 86_400)
    let rest = second % 86_400
    let (hour, minute, inMinute) = (rest / 3_600, rest / 60 % 60, rest % 60)
    iso.removeAll()
    Self.append(year, digits: 4, to: iso)
    iso.append(UInt8(ascii: "-"))
    Self.append(month, digits: 2, to: iso)
    iso.append(UInt8(ascii: "-"))
    Self.append(day, digits: 2, to: iso)
    iso.append(UInt8(ascii: "T"))
    Self.append(hour, minute, inMinute, to: iso)

    common.removeAll()
    Self.append(day, digits: 2, to: common)
    common.append(UInt8(ascii: "/"))
    let name = Self.months[Int(month - 1)]
    common.append(name)
    common.append(UInt8(ascii: "/"))
    Self.append(year, digits: 4, to: common)
    common.append(UInt8(ascii: ":"))
    Self.append(hour, minute, inMinute, to: common)
    common.append(" +0000" as StaticString)
  }

  private static let months: [StaticString] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private static func append(_ hour: Int64, _ minute: Int64, _ second: Int64, to text: Buffer) {
    append(hour, digits: 2, to: text)
    text.append(UInt8(ascii: ":"))
    append(minute, digits: 2, to: text)
    text.append(UInt8(ascii: ":"))
    append(second, digits: 2, to: text)
  }

  private static func append(_ value: Int64, digits: Int, to text: Buffer) {
    var divisor: Int64 = 1
    for _ in 1..<digits { divisor *= 10 }
    while divisor > 0 {
      text.append(48 + UInt8(truncatingIfNeeded: value / divisor % 10))
      divisor /= 10
    }
  }

  /// The Gregorian date of a day counted from 1970-01-01; years begin in March while counting, so
  /// that the leap day is the last of its year.
  static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = day + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfMonth)
  }
}
