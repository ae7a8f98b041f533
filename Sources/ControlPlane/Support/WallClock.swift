import Glibc

enum WallClock {
  /// Seconds since 1970-01-01 UTC.
  static func unixSeconds() -> Int64 {
    var time = timespec()
    // The call fills in the structure given.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec)
  }

  /// Milliseconds since 1970-01-01 UTC.
  static func unixMilliseconds() -> Int64 {
    var time = timespec()
    // The call fills in the structure given.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// `2026-02-28T23:59:59Z`; from the year 1 on.
  static func text(_ seconds: Int64) -> String {
    // Years begin in March here, so that the leap day is their last (and 1970-01-01 day 719,468).
    let days = seconds / 86_400 - (seconds % 86_400 < 0 ? 1 : 0) + 719_468
    let time = seconds - (days - 719_468) * 86_400
    let century = (days * 4 + 3) / 146_097
    let dayOfCentury = days - century * 146_097 / 4
    let yearOfCentury = (dayOfCentury * 4 + 3) / 1_461
    let dayOfYear = dayOfCentury - yearOfCentury * 1_461 / 4
    let month = (dayOfYear * 5 + 2) / 153
    let day = dayOfYear - (month * 153 + 2) / 5 + 1
    let year = century * 100 + yearOfCentury + (month < 10 ? 0 : 1)
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "\(year)-\(two(month < 10 ? month + 3 : month - 9))-\(two(day))"
    return date + "T\(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60))Z"
  }
}
