import Synchronization

/// When a breaker opens and closes.
struct BreakerLimits: Sendable, Equatable {
  let failures: UInt32
  let successes: UInt32
  let secondsMax: Int

  /// How long it opens when so many failures have come: 2 s, 4 s, 8 s, and so on.
  func openNanoseconds(after failureCount: UInt32) -> Int64 {
    let round = max(1, failureCount / failures)
    // 2³⁰ seconds are more than any limit.
    let seconds = round < 30 ? min(1 << Int64(round), Int64(secondsMax)) : Int64(secondsMax)
    return seconds * 1_000_000_000
  }
}

/// What has been counted since the service was well.
struct BreakerCounts: Equatable {
  /// Not forgotten until ``BreakerLimits/successes`` have come one behind the other.
  var failures: UInt32 = 0
  var successes: UInt32 = 0

  init() {}

  /// In one word, so that both change at once.
  init(packed: UInt64) {
    failures = UInt32(truncatingIfNeeded: packed)
    successes = UInt32(truncatingIfNeeded: packed >> 32)
  }

  var packed: UInt64 { UInt64(successes) << 32 | UInt64(failures) }

  /// - Returns: whether the breaker opens.
  mutating func fail(_ limits: BreakerLimits) -> Bool {
    if failures < .max { failures += 1 }
    successes = 0
    return failures % limits.failures == 0
  }

  /// - Returns: whether the service is well again.
  mutating func succeed(_ limits: BreakerLimits) -> Bool {
    if failures == 0 { return false }
    successes += 1
    guard successes >= limits.successes else { return false }
    self = BreakerCounts()
    return true
  }
}

/// A breaker that all workers share. Asking costs a load, and a success of a service that is well another one.
final class Breaker: Sendable {
  private let limits: BreakerLimits
  private let counts = Atomic<UInt64>(0)
  /// No request passes before; 0: it has not opened.
  private let openUntil = Atomic<Int64>(0)

  init(_ limits: BreakerLimits) { self.limits = limits }

  /// Nanoseconds for which no request passes; 0: requests pass.
  func openFor(at now: Int64) -> Int64 { max(0, openUntil.load(ordering: .relaxed) - now) }

  func note(isSuccess: Bool, at now: Int64) {
    if isSuccess { succeed(at: now) } else { fail(at: now) }
  }

  /// What comes in while it is open was sent before, and says nothing new.
  func fail(at now: Int64) {
    guard openFor(at: now) == 0 else { return }
    while true {
      let known = counts.load(ordering: .relaxed)
      var new = BreakerCounts(packed: known)
      let opens = new.fail(limits)
      guard counts.weakCompareExchange(expected: known, desired: new.packed, ordering: .relaxed).exchanged
      else { continue }
      if opens { openUntil.store(now + limits.openNanoseconds(after: new.failures), ordering: .relaxed) }
      return
    }
  }

  func succeed(at now: Int64) {
    if counts.load(ordering: .relaxed) == 0 || openFor(at: now) > 0 { return }
    while true {
      let known = counts.load(ordering: .relaxed)
      var new = BreakerCounts(packed: known)
      _ = new.succeed(limits)
      if new.packed == known { return }
      if counts.weakCompareExchange(expected: known, desired: new.packed, ordering: .relaxed).exchanged {
        return
      }
    }
  }
}
