import Resources
import Runtime

/// A route as a worker uses it. Belongs to one worker's thread.
///
/// What a request touches is this worker's own: the definition's texts and lists are shared with other
/// threads, and so would be the reference counts that using them changes. They are used when the route
/// comes and goes, and with its first request.
public final class CompiledRoute {
  /// A service that takes a share of a route's requests.
  struct Target {
    /// The service's number; -1 where there is none.
    let service: Int
    let weight: Int
  }

  /// Whether a route takes requests before and after the change that is being made.
  enum Phase: UInt8 {
    case settled
    /// Comes with the change.
    case arriving
    /// Goes with it.
    case leaving
    /// Is no more; requests that have it keep it.
    case gone
  }

  // What a request looks at comes first, in the cache line of the object's head: of 100,000 routes, no cache
  // holds more than a few.

  /// Where its requests are counted; made with the first one.
  var counters: RouteCounters?
  /// The service of the only backend with a weight, or -1; -2 where there are several.
  private let onlyService: Int
  private let hasRedirect: Bool
  private let hasStrictTransportSecurity: Bool
  var phase = Phase.settled

  /// Of its plugins, those of its service and those for everything, as of ``chainRevision``.
  var chain: PluginChain?
  var chainRevision: UInt32 = 0
  /// ``name`` for logs; made for the first one.
  private(set) lazy var nameBytes: [UInt8] = {
    let bytes = Array(definition.name.utf8)
    namePlace = MemoryPlace(of: bytes)
    return bytes
  }()
  private var namePlace = MemoryPlace.nowhere

  /// Given by the control plane; used again when the route is gone.
  public let number: Int
  /// Decides between routes where all else is equal, before their names.
  let order: UInt64

  /// Nil where it has nothing of it, as most routes.
  private let details: Details?

  // Of its ``RouteIndex``.
  var slot = Pool<Rule>.none
  /// The first of its rules, which follow by ``Rule/nextOfRoute``.
  var firstRule = Pool<Rule>.none
  /// The one of its number that it replaces, until the change is done.
  var predecessor: CompiledRoute?

  private let shared: SharedDefinition<Route>
  /// Its own, made for the first request.
  private(set) lazy var plugins = AttachedPlugin.list(definition.plugins, .route(definition.name))
  /// Any of its requests may, as of ``chainRevision``.
  var mayMeetPlugins = false
  /// Where there are several services, by their numbers.
  var chainsByService: [Int: PluginChain?] = [:]

  init(_ entry: RouteEntry) {
    let route = entry.definition.value
    shared = entry.definition
    hasRedirect = route.redirect != nil
    hasStrictTransportSecurity = route.hsts != nil
    number = entry.number
    order = entry.order
    var weighted = 0
    var only = -1
    for (index, backend) in route.backends.enumerated() where backend.weight > 0 {
      weighted += 1
      only = index < entry.services.count ? entry.services[index] : -1
    }
    onlyService = weighted > 1 ? -2 : only
    let hasDetails = weighted > 1 || route.hsts != nil || !entry.listeners.isEmpty
    details = hasDetails ? Details(entry, hasTargets: weighted > 1) : nil
  }

  /// What few routes have.
  private final class Details {
    let strictTransportSecurity: [UInt8]?
    /// Listeners that it is attached to, a bit for each; empty: all.
    let listeners: [UInt64]
    /// Only where there are several with a weight.
    let targets: [Target]
    let totalWeight: Int

    init(_ entry: RouteEntry, hasTargets: Bool) {
      let route = entry.definition.value
      strictTransportSecurity = Override.resolve(route.hsts, inherited: nil).map { Array($0.fieldValue.utf8) }
      listeners = Self.bits(entry.listeners)
      targets = hasTargets ? Self.targets(route.backends, entry.services) : []
      totalWeight = targets.reduce(0) { $0 + $1.weight }
    }

    private static func targets(_ backends: [Backend], _ services: [Int]) -> [Target] {
      backends.enumerated().map { index, backend in
        Target(service: index < services.count ? services[index] : -1, weight: max(0, backend.weight))
      }
    }

    private static func bits(_ listeners: [Int]) -> [UInt64] {
      guard let highest = listeners.max() else { return [] }
      var words = [UInt64](repeating: 0, count: highest / 64 + 1)
      for listener in listeners { words[listener / 64] |= 1 << UInt64(listener % 64) }
      return words
    }
  }

  var definition: Route { shared.value }

  public var name: String { definition.name }

  /// Has what is counted and logged of an exchange that has begun brought near.
  @inline(__always)
  func prepare() {
    counters?.prepare()
    namePlace.prepare(bytes: 64)
  }

  /// The route's own answer to requests that come without TLS.
  var redirect: Override<HTTPSRedirect>? { hasRedirect ? definition.redirect : nil }

  /// Protocols that its requests may switch to, in lower case.
  var upgrades: [String] { definition.upgrades }

  /// The value of `Strict-Transport-Security`, its own or its listener's.
  func strictTransportSecurity(inherited: [UInt8]?) -> [UInt8]? {
    hasStrictTransportSecurity ? details?.strictTransportSecurity : inherited
  }

  /// A service's number: each in proportion to its weight; -1 where no backend has a weight, and for
  /// the share of a service that does not exist.
  public func pickBackend(random: inout SplitMix64) -> Int {
    if onlyService >= -1 { return onlyService }
    guard let details else { return -1 }
    var rest = random.next(below: details.totalWeight)
    for target in details.targets {
      if rest < target.weight { return target.service }
      rest &-= target.weight
    }
    return -1
  }

  /// All of its requests go to one service, or to none.
  var hasOneTarget: Bool { onlyService >= -1 }

  /// Takes over the state of plugins that are as they were.
  func inheritPlugins(of old: CompiledRoute) {
    guard !definition.plugins.isEmpty, !old.definition.plugins.isEmpty else { return }
    plugins = AttachedPlugin.list(definition.plugins, .route(definition.name), before: old.plugins)
  }

  /// The service's number of a backend with a weight; nil for one without.
  func service(ofBackend index: Int) -> Int? {
    guard definition.backends[index].weight > 0 else { return nil }
    guard let targets = details?.targets, !targets.isEmpty else { return onlyService }
    return targets[index].service
  }

  var isAttachedToAllListeners: Bool { details?.listeners.isEmpty ?? true }

  /// Whether requests of a listener may take it.
  func isAttached(to listener: Int) -> Bool {
    guard let listeners = details?.listeners, !listeners.isEmpty else { return true }
    let word = listener &>> 6
    return word >= 0 && word < listeners.count && listeners[word] &>> UInt64(listener & 63) & 1 == 1
  }

  /// Whether it is tried before another where all else is equal.
  func comes(before other: CompiledRoute) -> Bool {
    if order != other.order { return order < other.order }
    if name != other.name { return name < other.name }
    // One replaces the other: only one of them is there for any request.
    return slot < other.slot
  }
}
