import Runtime
import Synchronization

/// A rate that many requests share, of all workers. From any thread, without a lock.
///
/// It is one number, the time at which everything that was taken will have gone at the rate (the generic cell rate
/// algorithm). Who takes gets a time from which its bytes may go, behind all that was taken before: so those that share
/// it have their turns one after the other, and none can take what another waits for.
public final class SharedPace: Sendable {
  /// Bytes a second.
  let rate: Int64
  /// What one takes at a time: as ``Pace`` has it, sixteen times a second is often enough, and 64 KiB is what a socket
  /// takes at once.
  let turnBytes: Int
  /// What may go at once after a pause, as a time: an eighth of a second, or that of 1 KiB.
  private let burst: Int64
  private let emptyAt = Atomic<Int64>(0)

  private static let turnBytesMax: Int64 = 65_536

  /// - rate: Bytes a second, 1 to 2⁴⁰.
  public init(rate: UInt64) {
    self.rate = Int64(clamping: rate)
    turnBytes = Int(max(1, min(self.rate / 16, Self.turnBytesMax)))
    burst = max(125_000_000, 1_024 * 1_000_000_000 / self.rate)
  }

  /// When a turn begins, and when what was taken with it will have gone at the rate.
  struct Turn {
    let from: MonotonicTime
    let until: MonotonicTime
  }

  /// - bytes: At most ``turnBytes``.
  func take(_ bytes: Int, at now: MonotonicTime) -> Turn {
    let time = duration(of: bytes)
    var known = emptyAt.load(ordering: .relaxed)
    while true {
      let new = max(known, now.nanoseconds) + time
      let (isDone, actual) = emptyAt.weakCompareExchange(expected: known, desired: new, ordering: .relaxed)
      if isDone {
        return Turn(
          from: MonotonicTime(nanoseconds: max(now.nanoseconds, new - burst)),
          until: MonotonicTime(nanoseconds: new))
      }
      known = actual
    }
  }

  /// Of a turn, so many bytes did not go. What its time has passed over is nobody's any more.
  func giveBack(_ bytes: Int, of turn: Turn, at now: MonotonicTime) {
    let left = min(duration(of: bytes), turn.until.nanoseconds(since: now))
    if left > 0 { emptyAt.subtract(left, ordering: .relaxed) }
  }

  /// Nothing of what was taken counts any more: it is as good as new.
  public func isIdle(at now: MonotonicTime) -> Bool { emptyAt.load(ordering: .relaxed) <= now.nanoseconds }

  /// Rounded up: never more than the rate.
  private func duration(of bytes: Int) -> Int64 { (Int64(bytes) * 1_000_000_000 + rate - 1) / rate }
}

/// What one request has of a ``SharedPace``: bytes that it has taken, and the time from which they may go.
struct PaceShare {
  let pace: SharedPace
  private var bytes = 0
  private var turn = SharedPace.Turn(from: .never, until: .never)
  /// What goes without being counted: a head.
  var free = 0

  /// What was not used after so long goes back: many that wait for their endpoints must not have saved it up.
  private static let keepNanoseconds: Int64 = 250_000_000

  init(_ pace: SharedPace) { self.pace = pace }

  /// When its turn begins.
  var from: MonotonicTime { turn.from }

  /// What may go now; 0: nothing before ``from``.
  /// - wanted: What there is to send, more than 0.
  mutating func allowed(_ wanted: Int, at now: MonotonicTime) -> Int {
    if bytes > 0, now.nanoseconds(since: from) >= Self.keepNanoseconds { giveBack(at: now) }
    if bytes == 0, wanted > free {
      bytes = min(wanted - free, pace.turnBytes)
      turn = pace.take(bytes, at: now)
    }
    return free + (from <= now ? bytes : 0)
  }

  mutating func moved(_ count: Int) {
    let fromFree = min(free, count)
    free -= fromFree
    bytes -= min(bytes, count - fromFree)
  }

  mutating func giveBack(at now: MonotonicTime) {
    if bytes > 0 { pace.giveBack(bytes, of: turn, at: now) }
    bytes = 0
  }
}
