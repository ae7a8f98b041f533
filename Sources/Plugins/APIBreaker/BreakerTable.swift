import Synchronization

/// Breakers of one use of the plugin that is for many services: one for each.
final class BreakerTable: Sendable {
  /// Some 200 bytes each. Above, which takes names that come and go without end, all begin anew.
  private static let servicesMax = 100_000

  private let limits: BreakerLimits
  private let breakers = Mutex<[[UInt8]: Breaker]>([:])
  private let clearings = Atomic<Int>(0)

  init(_ limits: BreakerLimits) { self.limits = limits }

  /// Grows when all begin anew.
  var clearingCount: Int { clearings.load(ordering: .acquiring) }

  /// Takes a lock: when a worker meets a service for the first time, not for each request.
  func breaker(of service: [UInt8]) -> Breaker {
    breakers.withLock { breakers in
      if let known = breakers[service] { return known }
      if breakers.count >= Self.servicesMax {
        breakers = [:]
        clearings.add(1, ordering: .releasing)
      }
      let new = Breaker(limits)
      breakers[service] = new
      return new
    }
  }
}

/// What one worker has of a ``BreakerTable``.
struct WorkerBreakers {
  private let shared: BreakerTable
  private var known: [[UInt8]: Breaker] = [:]
  private var clearingCount: Int

  init(_ shared: BreakerTable) {
    self.shared = shared
    clearingCount = shared.clearingCount
  }

  mutating func breaker(of service: [UInt8]) -> Breaker {
    let count = shared.clearingCount
    if count != clearingCount {
      clearingCount = count
      known = [:]
    }
    if let breaker = known[service] { return breaker }
    let breaker = shared.breaker(of: service)
    known[service] = breaker
    return breaker
  }
}
