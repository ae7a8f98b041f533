/// Counts what comes, and forgets it at a steady rate: a leaky bucket in one number, the time at
/// which it will be empty.
struct LeakyCounter: Sendable {
  /// Nanoseconds on the caller's clock.
  private var emptyAt: Int64 = .min
  /// Nanoseconds in which one leaks away.
  private let interval: Int64
  /// How far ahead ``emptyAt`` may be, in nanoseconds.
  private let depth: Int64

  init(_ limit: HTTP2RateLimit) {
    interval = 1_000_000_000 / Int64(min(max(limit.perSecond, 1), 1_000_000_000))
    depth = interval &* Int64(min(max(limit.burst, 1), Int(Int32.max)))
  }

  /// Counts one more.
  ///
  /// - Returns: whether it is within the limit.
  mutating func add(now: Int64) -> Bool {
    emptyAt = max(emptyAt, now) &+ interval
    return emptyAt &- now <= depth
  }

  /// Whether something has come that was not made up for, and is not forgotten yet.
  func isRaised(now: Int64) -> Bool { emptyAt > now }

  /// Takes back as many as `count`; what is not there is not saved up.
  @inline(__always)
  mutating func relieve(_ count: Int64, now: Int64) {
    if emptyAt > now { emptyAt &-= count &* interval }
  }
}
