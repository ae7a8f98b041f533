import Runtime

/// How fast the content of one direction may go: a bucket of bytes that fills at a rate, behind a beginning that is
/// free. As nginx's `limit_rate` and `limit_rate_after`, but what was not used is not saved up.
struct Pace {
  /// Bytes a second; 0: as fast as it goes.
  private(set) var rate: Int64 = 0
  /// What goes before the rate counts.
  private(set) var free: Int64 = 0
  /// What may go now, as of ``filledAt``.
  private var bytes: Int64 = 0
  private var filledAt = MonotonicTime.never

  @inline(__always) var isLimited: Bool { rate > 0 }

  init() {}

  /// - rate: 1 to 2⁴⁰.
  init(rate: UInt64, after: UInt64) {
    self.rate = Int64(clamping: rate)
    free = Int64(clamping: after)
  }

  /// What the bucket holds: an eighth of a second's worth, and what a head takes at least.
  private var capacity: Int64 { max(rate / 8, 1_024) }
  /// What is worth going on for: sixteen times a second is often enough.
  private var step: Int64 { max(1, min(rate / 16, capacity)) }

  /// More that goes before the rate counts.
  mutating func giveFree(_ count: Int) { free += Int64(count) }

  /// What may go now; 0: nothing before ``resumption(after:)``.
  mutating func allowed(at now: MonotonicTime) -> Int {
    if filledAt == .never {
      bytes = capacity
      filledAt = now
    } else {
      fill(until: now)
    }
    return Int(clamping: max(0, bytes) + free)
  }

  private mutating func fill(until now: MonotonicTime) {
    let nanoseconds = now.nanoseconds(since: filledAt)
    let filled = Double(rate) * Double(nanoseconds) / 1e9
    if filled >= Double(capacity - bytes) {
      bytes = capacity
      filledAt = now
      return
    }
    // Parts of a byte count the next time.
    let whole = Int64(filled)
    bytes += whole
    filledAt = filledAt.advanced(byNanoseconds: Int64(Double(whole) / Double(rate) * 1e9))
  }

  mutating func moved(_ count: Int) {
    let fromFree = min(free, Int64(count))
    free -= fromFree
    bytes -= Int64(count) - fromFree
  }

  func resumption(after now: MonotonicTime) -> MonotonicTime {
    let nanoseconds = Double(step - bytes) / Double(rate) * 1e9
    return now.advanced(byNanoseconds: Int64(min(max(nanoseconds, 1), 1e15)))
  }
}

extension Exchange {
  /// What of the request may go to the endpoint now; nil: the pump has to pause.
  func pacedUpload() -> Int? {
    upload.lastProgress = worker.now
    return paced(&uploadPace)
  }

  /// What of the response may go to the client now; nil: the pump has to pause.
  func pacedDownload() -> Int? {
    // Neither the client nor the endpoint was waited for.
    download.lastClientProgress = worker.now
    download.lastUpstreamProgress = worker.now
    return paced(&downloadPace)
  }

  private func paced(_ pace: inout Pace) -> Int? {
    let allowed = pace.allowed(at: worker.now)
    if allowed > 0 { return allowed }
    pausedUntil = min(pausedUntil, pace.resumption(after: worker.now))
    return nil
  }
}
