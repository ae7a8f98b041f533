import Resources
import Runtime

/// A route as a worker uses it. Belongs to one worker's thread.
public final class CompiledRoute {
  /// A service that takes a share of a route's requests.
  public struct Target: Equatable {
    /// Index into the configuration's services; -1 where there is no such service.
    public let service: Int
    public let weight: Int
  }

  public let name: String
  /// ``name`` for logs and counters.
  public let nameBytes: [UInt8]
  /// Index into the configuration's routes.
  public let index: Int
  public let backends: [Target]
  /// Where its requests are counted; requests that it takes count there whatever comes after it.
  var counters: RouteCounters?

  /// Protocols that its requests may switch to, in lower case.
  let upgrades: [[UInt8]]
  /// The route's own answer to requests that come without TLS.
  let redirect: Override<HTTPSRedirect>?
  private let isStrictTransportSecurityInherited: Bool
  private let strictTransportSecurity: [UInt8]?

  /// What to remove when the route goes.
  let definition: Route
  /// Listeners that it is attached to, a bit for each; empty: all.
  private let listeners: [UInt64]
  private let totalWeight: Int
  /// The service of the only backend with a weight, or -1; -2 where there are several.
  private let onlyService: Int

  init(
    _ route: Route, index: Int, services: borrowing [String: Int],
    listeners listenerIndices: borrowing [String: Int]
  ) {
    self.index = index
    definition = route
    // Bytes of this worker's own: the configuration's are shared with other threads, and so would
    // be the reference count that using them changes.
    nameBytes = Array(route.name.utf8)
    name = String(decoding: nameBytes, as: UTF8.self)
    upgrades = route.upgrades.map { Array($0.utf8) }
    redirect = route.redirect
    isStrictTransportSecurityInherited = route.hsts == nil
    strictTransportSecurity = Override.resolve(route.hsts, inherited: nil).map { Array($0.fieldValue.utf8) }
    var targets: [Target] = []
    targets.reserveCapacity(route.backends.count)
    for backend in route.backends {
      targets.append(Target(service: services[backend.service] ?? -1, weight: max(0, backend.weight)))
    }
    backends = targets
    totalWeight = targets.reduce(0) { $0 + $1.weight }
    let weighted = targets.filter { $0.weight > 0 }
    onlyService = weighted.isEmpty ? -1 : weighted.count == 1 ? weighted[0].service : -2
    var words: [UInt64] = []
    if !route.listeners.isEmpty {
      words = [UInt64](repeating: 0, count: listenerIndices.count / 64 + 1)
      for name in route.listeners {
        guard let listener = listenerIndices[name] else { continue }
        words[listener / 64] |= 1 << UInt64(listener % 64)
      }
    }
    listeners = words
  }

  /// The value of `Strict-Transport-Security`, its own or its listener's.
  func strictTransportSecurity(inherited: [UInt8]?) -> [UInt8]? {
    isStrictTransportSecurityInherited ? inherited : strictTransportSecurity
  }

  /// Index into the configuration's services: each in proportion to its weight; -1 where no backend
  /// has a weight, and for the share of a service that does not exist.
  public func pickBackend(random: inout SplitMix64) -> Int {
    if onlyService >= -1 { return onlyService }
    var rest = random.next(below: totalWeight)
    for backend in backends {
      if rest < backend.weight { return backend.service }
      rest &-= backend.weight
    }
    return -1
  }

  var isAttachedToAllListeners: Bool { listeners.isEmpty }

  /// Whether requests of a listener may take it.
  func isAttached(to listener: Int) -> Bool {
    if listeners.isEmpty { return true }
    let word = listener &>> 6
    return word >= 0 && word < listeners.count && listeners[word] &>> UInt64(listener & 63) & 1 == 1
  }
}
