import Glibc

enum WallClock {
  /// Seconds since 1970-01-01 UTC.
  static func unixSeconds() -> Int64 {
    var time = timespec()
    // The call fills in the structure given.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec)
  }
}
