import Runtime
import Synchronization

/// One request's way to the endpoint that others for the same wait for. From any thread.
final class CacheFetch: Sendable {
  /// How it has ended.
  enum Outcome: Sendable {
    /// What came is stored.
    case stored
    /// It may not be stored, nor will what others get.
    case notStorable
    /// The service has failed, and what is stored may be sent in place of its answer.
    case staleInstead
    /// Nothing came, or nothing whole; another may have more luck.
    case failed
  }

  /// One request that waits. Made and let go of by its worker; others wake it.
  final class Waiter: Sendable {
    fileprivate enum Standing: UInt8, AtomicRepresentable { case waits, leads, left }

    private let handle: WakeHandle
    fileprivate let standing = Atomic(Standing.waits)

    fileprivate init(_ handle: WakeHandle) { self.handle = handle }

    fileprivate func wake() { handle.wake() }

    /// - Returns: false where it waits no more.
    fileprivate func giveLead() -> Bool {
      standing.compareExchange(expected: .waits, desired: .leads, ordering: .acquiringAndReleasing).exchanged
    }

    /// - Returns: whether it has been given the lead meanwhile.
    fileprivate func leave() -> Bool {
      !standing.compareExchange(expected: .waits, desired: .left, ordering: .acquiringAndReleasing).exchanged
    }
  }

  private struct Waiting {
    /// Those who came first are first; some have left.
    var waiters = FirstInFirstOut<Waiter>()
    /// Of them, those that have left.
    var leftCount = 0
    var outcome: Outcome?

    /// Looks at each, so it is done only where that is many of them.
    mutating func forgetThoseThatLeft() {
      for _ in 0..<waiters.count {
        guard let waiter = waiters.popFirst() else { break }
        if waiter.standing.load(ordering: .relaxed) != .left { waiters.append(waiter) }
      }
      leftCount = 0
    }
  }

  /// What waiting would come to.
  enum Place {
    case waits(Waiter)
    case ended(Outcome)
    /// As many wait as may.
    case full
  }

  let hash: UInt64
  /// Whoever comes after this takes the lead: nanoseconds of the monotonic clock.
  private let leadEnd: Atomic<Int64>
  private let waiting = Mutex(Waiting())

  init(_ hash: UInt64, leadUntil: Int64) {
    self.hash = hash
    leadEnd = Atomic(leadUntil)
  }

  var leadUntil: Int64 { leadEnd.load(ordering: .relaxed) }

  /// Requests that wait for one; more go on by themselves. As many as may wait for side requests on a worker.
  static let waitersMax = 10_000

  func add(_ handle: WakeHandle) -> Place {
    waiting.withLock { waiting in
      if let outcome = waiting.outcome { return .ended(outcome) }
      if waiting.waiters.count - waiting.leftCount >= Self.waitersMax { return .full }
      if waiting.leftCount > Self.waitersMax / 2 { waiting.forgetThoseThatLeft() }
      let waiter = Waiter(handle)
      waiting.waiters.append(waiter)
      return .waits(waiter)
    }
  }

  /// A waiter goes on, for whatever reason.
  /// - Returns: whether it has been given the lead meanwhile.
  func leave(_ waiter: Waiter) -> Bool {
    waiting.withLock { waiting in
      if waiter.leave() { return true }
      // Otherwise the end has taken all of them out.
      if waiting.outcome == nil { waiting.leftCount += 1 }
      return false
    }
  }

  /// How it has ended; nil: it has not.
  var outcome: Outcome? { waiting.withLock { $0.outcome } }

  /// The next of those who wait goes in its place, and the others wait for that one.
  /// - Returns: false where nobody waits.
  func passOn(leadUntil: Int64) -> Bool {
    let next = waiting.withLock { waiting -> Waiter? in
      guard waiting.outcome == nil else { return nil }
      while let waiter = waiting.waiters.popFirst() {
        if waiter.giveLead() { return waiter }
        waiting.leftCount -= 1
      }
      return nil
    }
    guard let next else { return false }
    leadEnd.store(leadUntil, ordering: .relaxed)
    next.wake()
    return true
  }

  func end(_ outcome: Outcome) {
    let waiters = waiting.withLock { waiting in
      waiting.outcome = outcome
      var waiters: [Waiter] = []
      while let waiter = waiting.waiters.popFirst() { waiters.append(waiter) }
      waiting.leftCount = 0
      return waiters
    }
    for waiter in waiters { waiter.wake() }
  }
}

/// The lead of a fetch. Who lets go of it without a word has failed. Belongs to one worker.
final class CacheTurn {
  private let fetch: CacheFetch
  private let zone: CacheZone
  private let worker: Worker
  /// How long the next one leads.
  private let leadNanoseconds: Int64
  private var hasEnded = false

  init(_ fetch: CacheFetch, in zone: CacheZone, on worker: Worker, leadNanoseconds: Int64) {
    self.fetch = fetch
    self.zone = zone
    self.worker = worker
    self.leadNanoseconds = leadNanoseconds
  }

  deinit { end(.failed) }

  func end(_ outcome: CacheFetch.Outcome) {
    if hasEnded { return }
    hasEnded = true
    zone.endTurn(fetch, outcome, at: worker.now.nanoseconds, leadNanoseconds: leadNanoseconds)
  }
}
