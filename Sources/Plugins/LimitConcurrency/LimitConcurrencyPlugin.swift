import DataPlane
import Resources
import Synchronization

extension LimitConcurrency: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { LimitConcurrencyPlugin(self, site) }
}

/// What is in flight for one key, on all workers.
private final class InFlight: Sendable {
  private let count = Atomic<Int>(0)
  /// Far below zero: it is forgotten, and another one counts for the key.
  private static let forgotten = Int.min / 2

  enum Entry {
    case entered, full, forgotten
  }

  func enter(_ limit: Int) -> Entry {
    let new = count.wrappingAdd(1, ordering: .relaxed).newValue
    if new > 0, new <= limit { return .entered }
    count.wrappingSubtract(1, ordering: .relaxed)
    return new > 0 ? .full : .forgotten
  }

  func leave() { count.wrappingSubtract(1, ordering: .relaxed) }

  /// Whether it could be forgotten: nothing is in flight.
  func forget() -> Bool {
    count.compareExchange(expected: 0, desired: Self.forgotten, ordering: .relaxed).exchanged
  }
}

private final class LimitConcurrencyState: Sendable {
  private let keys = Mutex<[Int: InFlight]>([:])
  let seed = Int.random(in: .min ... .max)
  private static let sweepAt = 100_000

  /// Takes a lock: when a worker meets a key after a while, not for each request.
  func inFlight(of key: Int) -> InFlight {
    keys.withLock { keys in
      if let known = keys[key] { return known }
      if keys.count >= Self.sweepAt { keys = keys.filter { !$0.value.forget() } }
      let new = InFlight()
      keys[key] = new
      return new
    }
  }
}

final class LimitConcurrencyPlugin: Plugin {
  private let settings: LimitConcurrency
  private let state: LimitConcurrencyState
  private let seed: Int
  private let refusal: PluginAnswer
  private var keys = HashedTable<InFlight?>(empty: nil)
  /// Above, they are looked up again.
  private static let keysMax = 10_000

  init(_ settings: LimitConcurrency, _ site: PluginSite) {
    self.settings = settings
    state = site.sharedState { LimitConcurrencyState() }
    seed = state.seed
    refusal = PluginAnswer(settings.status, settings.message, lines: Array("Retry-After: 1\r\n".utf8))
    super.init([.requestHead, .end])
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    let key = settings.key.hash(of: exchange, seed: seed)
    while true {
      let inFlight = inFlight(of: key)
      switch inFlight.enter(settings.requests) {
      case .entered:
        exchange.keep(inFlight, for: self)
        return .next
      case .full: return .answer(refusal)
      case .forgotten: keys.remove(key)
      }
    }
  }

  override func end(_ exchange: Exchange) {
    guard let inFlight = exchange.kept(for: self) as? InFlight else { return }
    inFlight.leave()
  }

  private func inFlight(of key: Int) -> InFlight {
    if let slot = keys.slot(of: key), let known = keys[slot] { return known }
    if keys.count >= Self.keysMax { keys.removeAll() }
    let found = state.inFlight(of: key)
    _ = keys.slot(of: key, orInsert: found)
    return found
  }
}
