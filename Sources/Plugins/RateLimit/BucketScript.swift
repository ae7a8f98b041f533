/// What Redis does for a take out of a bucket, as one step.
///
/// A bucket is what it is in ``SharedBuckets``, one number: the time at which it will be full again. It is kept in
/// microseconds of the server's own clock since 2026, with three digits behind the point; from the beginning of 2026 a
/// floating-point number has room for these for more than two hundred years. Whose clocks the gateways have does not
/// matter. A bucket that is full is as good as none: that is when its key expires.
enum BucketScript {
  /// Arguments: nanoseconds for one request, nanoseconds for as many as may come at once, how many are wanted, how
  /// many taken before are given back.
  static let script = RedisScript(
    """
    local time = redis.call('TIME')
    local now = (time[1] - 1767225600) * 1000000 + time[2]
    local interval, tolerance = ARGV[1] / 1000, ARGV[2] / 1000
    local full = tonumber(redis.call('GET', KEYS[1]) or now) or now
    full = math.min(math.max(full - ARGV[4] * interval, now), now + tolerance)
    local available = math.max(0, math.floor((now + tolerance - full) / interval + 0.001))
    local granted = math.min(tonumber(ARGV[3]), available)
    full = full + granted * interval
    if full > now then
      redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000) + 1)
    else
      redis.call('DEL', KEYS[1])
    end
    local wait = 0
    if granted < tonumber(ARGV[3]) then wait = math.max(1, math.ceil(full + interval - tolerance - now)) end
    return {granted, available - granted, wait}
    """)

  static func arguments(_ shape: BucketShape, wanted: Int, unused: Int) -> [[UInt8]] {
    [shape.interval, shape.tolerance, Int64(wanted), Int64(unused)].map { Array("\($0)".utf8) }
  }

  struct Answer: Equatable {
    /// 0 to what was wanted.
    let granted: Int
    /// Further ones that might have been had.
    let remaining: Int
    /// Until there is another one; 0 where all that were wanted were granted.
    let waitNanoseconds: Int64

    /// Nil for what the script does not answer.
    init?(_ reply: RedisReply, wanted: Int) {
      guard case .array(let values) = reply, values.count == 3, case .integer(let granted) = values[0],
        case .integer(let remaining) = values[1], case .integer(let wait) = values[2],
        0...Int64(wanted) ~= granted, 0...1_000_000_000 ~= remaining, wait >= 0
      else { return nil }
      self.granted = Int(granted)
      self.remaining = Int(remaining)
      let (nanoseconds, overflow) = wait.multipliedReportingOverflow(by: 1_000)
      // At most what any limit can mean, so that times can be added to it.
      waitNanoseconds = overflow ? .max / 4 : min(nanoseconds, .max / 4)
    }
  }
}
