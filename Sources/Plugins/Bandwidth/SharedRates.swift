import DataPlane
import Runtime
import Synchronization

/// One rate for each key, which requests on all workers share. It keeps none of them: workers do, while there is
/// anything to keep, and requests, while they are in flight.
final class SharedRates: Sendable {
  private struct Held: Sendable {
    weak var pace: SharedPace?
  }

  private struct Paces: Sendable {
    var held: [Int: Held] = [:]
    /// Above, those that nobody has any more are forgotten.
    var sweepAt = 1_024
  }

  private let rate: UInt64
  private let paces = Mutex(Paces())
  let seed = Int.random(in: .min ... .max)

  init(_ rate: UInt64) { self.rate = rate }

  /// Takes a lock: when a worker meets a key after a while, not for each request.
  func pace(for key: Int) -> SharedPace {
    paces.withLock { paces in
      if let known = paces.held[key]?.pace { return known }
      let new = SharedPace(rate: rate)
      paces.held[key] = Held(pace: new)
      if paces.held.count > paces.sweepAt {
        paces.held = paces.held.filter { $0.value.pace != nil }
        paces.sweepAt = max(1_024, paces.held.count * 2)
      }
      return new
    }
  }
}

/// What one worker has of them.
struct WorkerRates {
  /// Some 150 bytes each. When more are in use within the moment, they are looked up again, and those that no request
  /// has begin anew.
  static let pacesMax = 65_536

  private let shared: SharedRates
  private var paces: [Int: SharedPace] = [:]
  private var sweepAt = 1_024

  init(_ shared: SharedRates) { self.shared = shared }

  var count: Int { paces.count }

  mutating func pace(for exchange: Exchange, _ key: RequestKey, at now: MonotonicTime) -> SharedPace {
    pace(for: key.hash(of: exchange, seed: shared.seed), at: now)
  }

  mutating func pace(for key: Int, at now: MonotonicTime) -> SharedPace {
    if let known = paces[key] { return known }
    if paces.count >= sweepAt {
      paces = paces.filter { !$0.value.isIdle(at: now) }
      if paces.count >= Self.pacesMax { paces = [:] }
      sweepAt = min(max(1_024, paces.count * 2), Self.pacesMax)
    }
    let pace = shared.pace(for: key)
    paces[key] = pace
    return pace
  }
}
