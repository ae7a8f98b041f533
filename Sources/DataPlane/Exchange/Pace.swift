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
  /// Of a rate that others have as well; nil: none.
  private var share: PaceShare?
  private(set) var isLimited = false

  init() {}

  /// - rate: 1 to 2⁴⁰.
  init(rate: UInt64, after: UInt64) {
    self.rate = Int64(clamping: rate)
    free = Int64(clamping: after)
    isLimited = true
  }

  /// What goes has to wait for its turn among others, too.
  mutating func share(_ pace: SharedPace) {
    share = PaceShare(pace)
    isLimited = true
  }

  /// The socket takes no more for now: others that share the rate need not wait for it.
  mutating func stall(at now: MonotonicTime) { share?.giveBack(at: now) }

  /// The content is over, or goes no further.
  mutating func end(at now: MonotonicTime) {
    share?.giveBack(at: now)
    self = Pace()
  }

  /// What the bucket holds: an eighth of a second's worth, and what a head takes at least.
  private var capacity: Int64 { max(rate / 8, 1_024) }
  /// What is worth going on for: sixteen times a second is often enough.
  private var step: Int64 { max(1, min(rate / 16, capacity)) }

  /// More that goes before the rate counts.
  mutating func giveFree(_ count: Int) {
    free += Int64(count)
    share?.free += count
  }

  /// What may go now; 0: nothing before ``resumption(after:)``.
  /// - wanted: What there is to send, more than 0.
  mutating func allowed(_ wanted: Int, at now: MonotonicTime) -> Int {
    let own = rate > 0 ? ownAllowed(at: now) : .max
    // Nothing is taken from others that may not go.
    guard own > 0, share != nil else { return own }
    return min(own, share!.allowed(min(own, wanted), at: now))
  }

  private mutating func ownAllowed(at now: MonotonicTime) -> Int {
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
    share?.moved(count)
    guard rate > 0 else { return }
    let fromFree = min(free, Int64(count))
    free -= fromFree
    bytes -= Int64(count) - fromFree
  }

  func resumption(after now: MonotonicTime) -> MonotonicTime {
    // What is allowed of the own rate was used up, or else it is not this one's turn.
    if rate == 0 || max(0, bytes) + free > 0, let share { return share.from }
    let nanoseconds = Double(step - bytes) / Double(rate) * 1e9
    return now.advanced(byNanoseconds: Int64(min(max(nanoseconds, 1), 1e15)))
  }
}

extension Exchange {
  /// What of so many bytes of the request may go to the endpoint now; nil: the pump has to pause.
  func pacedUpload(_ count: Int) -> Int? {
    upload.lastProgress = worker.now
    return paced(&uploadPace, count)
  }

  /// What of so many bytes of the response may go to the client now; nil: the pump has to pause.
  func pacedDownload(_ count: Int) -> Int? {
    // Neither the client nor the endpoint was waited for.
    download.lastClientProgress = worker.now
    download.lastUpstreamProgress = worker.now
    return paced(&downloadPace, count)
  }

  private func paced(_ pace: inout Pace, _ count: Int) -> Int? {
    let allowed = pace.allowed(count, at: worker.now)
    if allowed > 0 { return allowed }
    pausedUntil = min(pausedUntil, pace.resumption(after: worker.now))
    return nil
  }
}
