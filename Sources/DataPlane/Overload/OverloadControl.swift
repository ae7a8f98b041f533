/// When a worker has more to do than it can, and how many requests it begins in a round then: arithmetic
/// only.
///
/// Overload is noticed by how long ready sockets wait for their turn (as CoDel does, RFC 8289): a delay that
/// is there at every look for ``OverloadBounds/intervalNanoseconds`` is no burst. A delay behind few requests is none
/// either: the worker is slow, or has lost its core, and their clients wait for nobody else.
///
/// From then on the worker begins as many requests in a round of its loop as leave the round short, which
/// keeps short what those that were begun wait for. The limit follows the rounds' length, since what a
/// request costs is not known.
struct OverloadControl {
  let bounds: OverloadBounds
  private(set) var isOverloaded = false
  /// Since when every look has found the delay too long.
  private var longSince: Int64?
  private var lastRefusal: Int64 = 0
  private var limit: Double

  init(_ bounds: OverloadBounds = .standard) {
    self.bounds = bounds
    limit = bounds.firstLimit
  }

  /// Requests that may be begun in the next round.
  var requestsPerRound: Int { max(Int(limit), 1) }

  /// - Parameters:
  ///   - delay: how long a ready socket has waited just now, in nanoseconds.
  ///   - queue: what was done meanwhile, in requests.
  ///   - target: what it may wait.
  mutating func note(delay: Int64, behind queue: Int, target: Int64, now: Int64) {
    guard delay > target, queue >= bounds.queueMin else {
      longSince = nil
      return
    }
    let since = longSince ?? now
    longSince = since
    guard now - since >= bounds.intervalNanoseconds, !isOverloaded else { return }
    isOverloaded = true
    limit = bounds.firstLimit
    lastRefusal = now
  }

  /// - Parameters:
  ///   - spent: what the round took, without waiting.
  ///   - hasRefused: there were more requests than the limit.
  mutating func roundEnded(spent: Int64, hasRefused: Bool, now: Int64) {
    guard isOverloaded else { return }
    if hasRefused { lastRefusal = now }
    if spent > bounds.roundNanoseconds {
      // At most halved: one slow round says little.
      limit = max(limit * max(Double(bounds.roundNanoseconds) / Double(spent), 0.5), 1)
    } else if hasRefused {
      limit += 1
    }
    if now - lastRefusal >= bounds.calmNanoseconds {
      isOverloaded = false
      longSince = nil
    }
  }
}
