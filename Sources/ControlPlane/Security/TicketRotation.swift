import TLS

/// The ticket keys that the process makes for one listener, and when the next one is due.
struct TicketRotation: Sendable {
  /// Keys before the present one whose tickets are still good.
  static let kept = 2

  private(set) var keys = TicketKeys()
  private var begun: ContinuousClock.Instant
  var period: Duration

  init(every period: Duration, at now: ContinuousClock.Instant) {
    self.period = period
    begun = now
  }

  var due: ContinuousClock.Instant { begun + period }

  /// Makes a new key if it is time. A machine that has slept for several periods forgets all old keys.
  /// - Returns: whether there are other keys now.
  mutating func rotate(at now: ContinuousClock.Instant) -> Bool {
    guard due <= now else { return false }
    var count = 0
    while due <= now, count <= Self.kept {
      keys = keys.rotated(keeping: Self.kept)
      begun += period
      count += 1
    }
    if due <= now { begun = now }
    return true
  }
}
