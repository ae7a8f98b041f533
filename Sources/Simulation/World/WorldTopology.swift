import DataPlane
import Resources
import Runtime

/// The configurations of a ``World``, one after another, and what each of them says of a request.
final class WorldTopology {
  /// What one configuration means to requests.
  struct Version {
    var routes: [WorldPlace: String] = [:]
    /// Plugins of the routes that have any.
    var plugins: [WorldPlace: WorldPluginSet] = [:]
    /// Numbers of origins, by service.
    var endpoints: [String: Set<Int>] = [:]
    /// `Forwarded` is added: shows by which version's settings a request was forwarded.
    var addsForwarded = false
    // What it limits, for the process.
    var limits = MessageLimits()
    var services: [String: ServiceLimits] = [:]
    /// Listeners that limit their connections.
    var listenerConnections: [String: Int] = [:]
  }

  let plan: WorldPlan
  var random: SplitMix64
  private let tracker = ConfigurationTracker()
  let plugins: WorldPlugins
  private let sideServices: [Service]
  /// By the route's name: which of the plugins' sets it has.
  private var pluginSets: [String: Int] = [:]
  private(set) var configuration = Configuration()
  private(set) var versions: [Version] = [Version()]
  /// The last version that each worker has said to serve.
  private(set) var served: [Int]
  private(set) var widestRetries = 0
  private(set) var repeatsAnything = false
  private var endpoints: [String: [Int]] = [:]

  init(_ plan: WorldPlan, random: SplitMix64) {
    self.plan = plan
    var random = random
    plugins = WorldPlugins(plan, random: &random)
    sideServices = WorldPlugins.services(plan, &random)
    self.random = random
    served = Array(repeating: 0, count: plan.workers)
    configuration.http = settings()
    configuration.listeners = [listener(0)]
    if plan.hasSecondListener { configuration.listeners.append(listener(1)) }
    // At least one for each origin's protocol.
    for origin in plan.origins.indices { addService("s\(origin)", origins: [origin]) }
    for place in WorldPlace.all { setRoute(place) }
  }

  var newest: Int { versions.count - 1 }
  /// The version that requests see from now on, if not a later one.
  var servedByAll: Int { served.min() ?? 0 }

  /// The configuration with what plugins need.
  var published: Configuration {
    var published = configuration
    published.services += sideServices
    published.consumers = plugins.consumers
    return published
  }

  private func listener(_ number: Int) -> Listener {
    var listener = Listener(
      name: "listener \(number)",
      address: HostPort(host: World.gatewayHost.host, port: World.listenerPort(number)))
    if plan.isTight && random.chance(3) { listener.connections = 1 + random.next(below: 8) }
    return listener
  }

  // MARK: Settings

  private func settings() -> HTTPSettings {
    var http = HTTPSettings()
    http.timeouts.idle = .seconds(Int64(plan.isCalm ? 60 : 2 + random.next(below: 30)))
    http.timeouts.head = .seconds(10)
    http.timeouts.send = .seconds(20)
    http.timeouts.body = .seconds(20)
    if random.chance(3) { http.limits.requestsPerConnection = 1 + random.next(below: 6) }
    if !plan.isCalm && random.chance(6) { http.limits.connections = 1 + random.next(below: 4) }
    if plan.isTight { tighten(&http) }
    if random.chance(4) { http.http2.streams = 1 + random.next(below: 4) }
    if random.chance(3) { http.http2.windowBytes = 300 + random.next(below: 2_000) }
    if random.chance(3) { http.http2.connectionWindowBytes = 65_535 }
    if random.chance(4) {
      http.http2.connectionAge = .milliseconds(Int64(100 + random.next(below: 3_000)))
      http.http2.connectionAgeGrace = .seconds(Int64(plan.isCalm ? 300 : 1 + random.next(below: 3)))
    }
    // It is that of the time when the age is reached, also where there is none any more by then.
    if plan.isCalm { http.http2.connectionAgeGrace = .seconds(300) }
    http.forwarding.forwarded = random.chance(2)
    http.forwarding.via = random.chance(2)
    return http
  }

  /// Limits above which clients are refused or cut off.
  private func tighten(_ http: inout HTTPSettings) {
    if random.chance(3) { http.limits.connections = 1 + random.next(below: 20) }
    if random.chance(2) { http.limits.connectionsPerAddress = 1 + random.next(below: 10) }
    if random.chance(2) { http.limits.inFlight = 1 + random.next(below: 8) }
    if let bytes = plan.bufferBytes { http.limits.bufferBytes = bytes }
    http.rates.window = .seconds(Int64(1 + random.next(below: 5)))
    if random.chance(3) { http.rates.body = 200 + random.next(below: 20_000) }
    if random.chance(3) { http.rates.response = 200 + random.next(below: 20_000) }
    http.admission = random.chance(4) ? nil : Admission()
    http.admission?.delay = .microseconds(Int64(1 + random.next(below: 3_000)))
  }

  private func adjust(_ service: inout Service) {
    let isCalm = plan.isCalm
    service.limits.inFlight = random.chance(4) ? 1 + random.next(below: 3) : 1_000
    service.limits.connections = random.chance(3) ? 1 + random.next(below: 3) : 1_000
    service.limits.pending = !isCalm && random.chance(4) ? random.next(below: 4) : 1_000
    service.limits.adaptive = plan.isTight && random.chance(3) ? AdaptiveConcurrency() : nil
    service.limits.adaptive?.minimum = 1 + random.next(below: 4)
    service.limits.pendingTimeout = .seconds(isCalm ? 1_000 : 5)
    service.timeouts.response = .seconds(isCalm ? 300 : 5)
    service.timeouts.idle = .seconds(isCalm ? 60 : 5)
    service.timeouts.connect = .seconds(isCalm ? 300 : 1)
    service.timeouts.tunnel = .seconds(isCalm ? 600 : 4)
    service.pool.idleTimeout = .milliseconds(Int64(random.next(below: 3_000)))
    service.pool.idleMax = random.chance(3) ? random.next(below: 3) : 100
    if random.chance(4) { service.pool.lifetime = .milliseconds(Int64(random.next(below: 3_000))) }
    service.http2.streams = random.chance(3) ? 1 + random.next(below: 4) : 100
    service.http2.connections = 1 + random.next(below: 3)
    service.http2.windowBytes = random.chance(3) ? 1 + random.next(below: 3_000) : 65_536
    service.http2.connectionWindowBytes = random.chance(2) ? 65_535 : 1_048_576
    service.balance = random.pick([
      .roundRobin, .leastRequest, .hash(.clientIP), .hash(.header("x-key")), .sticky(cookie: "s"),
    ])
    if random.chance(4) { service.slowStart = .seconds(2) }
    service.retries = random.chance(4) ? nil : Retries()
    service.retries?.on = [.connectFailure, .reset, .status(503)]
    if random.chance(3) { service.retries?.on.insert(.responseTimeout) }
    service.retries?.attempts = 1 + random.next(below: 2)
    service.retries?.nonIdempotent = !isCalm && random.chance(8)
    service.ejection?.duration = .seconds(1)
  }

  // MARK: What there is

  private func addService(_ name: String, origins: [Int]) {
    var service = Service(name: name, endpoints: [])
    if plan.origins[origins[0]] { service.protocol = .http2 }
    adjust(&service)
    configuration.services.append(service)
    endpoints[name] = origins
  }

  /// Some of the origins that speak as one of them does.
  private func chooseOrigins() -> [Int] {
    let first = random.next(below: plan.origins.count)
    let alike = plan.origins.indices.filter { plan.origins[$0] == plan.origins[first] && $0 != first }
    return [first] + alike.filter { _ in random.chance(2) }
  }

  /// Adds a route to a place or replaces one. There may be two to the same: the first wins.
  private func setRoute(_ place: WorldPlace) {
    let service = random.pick(configuration.services).name
    let name = place.host + place.path + (random.chance(4) ? " again" : "")
    var route = Route(name: name, backends: [Backend(service: service)])
    route.hosts = [place.host]
    route.matches[0].path = .prefix(place.path)
    pluginSets[name] = nil
    if !plugins.sets.isEmpty, !random.chance(3) {
      let set = random.pick(plugins.sets)
      route.plugins = set.attachments
      pluginSets[name] = set.number
    }
    if let index = configuration.routes.firstIndex(where: { $0.name == name }) {
      configuration.routes[index] = route
    } else {
      configuration.routes.append(route)
    }
  }

  /// Their order is all that changes, or a name, or nothing that anybody should notice.
  private func shuffleRoutes() {
    if random.chance(2) { return configuration.routes.reverse() }
    guard let index = configuration.routes.indices.randomElement(using: &random) else { return }
    let route = configuration.routes[index]
    guard !configuration.routes.contains(where: { $0.name == route.name + "'" }) else { return }
    configuration.routes[index].name += "'"
    pluginSets[route.name + "'"] = pluginSets[route.name]
  }

  // MARK: Changes

  /// A few changes of all kinds, in one go.
  func change() {
    for _ in 0..<(1 + random.next(below: 4)) {
      switch random.next(below: 9) {
      case 0: addOrRemoveService()
      case 1: changeService { topology, service in topology.adjust(&service) }
      case 2:
        let service = random.pick(configuration.services)
        let alike = plan.origins.indices.filter { plan.origins[$0] == (service.protocol == .http2) }
        let kept = alike.filter { _ in random.chance(2) }
        endpoints[service.name] = kept.isEmpty ? [random.pick(alike)] : kept
      case 3: configuration.http = settings()
      case 4: configuration.routes.removeAll { _ in random.chance(4) }
      case 5: changeListeners()
      case 6: shuffleRoutes()
      default: setRoute(random.pick(WorldPlace.all))
      }
    }
  }

  private func addOrRemoveService() {
    let name = "s\(random.next(below: 8))"
    if !configuration.services.contains(where: { $0.name == name }) {
      return addService(name, origins: chooseOrigins())
    }
    guard configuration.services.count > 1 else { return }
    configuration.services.removeAll { $0.name == name }
    configuration.routes.removeAll { $0.backends[0].service == name }
    endpoints[name] = nil
  }

  private func changeService(_ body: (WorldTopology, inout Service) -> Void) {
    let index = random.next(below: configuration.services.count)
    var service = configuration.services[index]
    body(self, &service)
    configuration.services[index] = service
  }

  private func changeListeners() {
    // Those who connect to one that is gone are refused, which in a calm world nobody may be.
    if plan.isCalm { return }
    configuration.listeners[0] = listener(0)
    if !plan.hasSecondListener { return }
    if configuration.listeners.count > 1 {
      configuration.listeners.removeLast()
    } else {
      configuration.listeners.append(listener(1))
    }
  }

  /// Makes the configuration as it is now the next version.
  func publish() -> Delta {
    var version = Version(addsForwarded: configuration.http.forwarding.forwarded)
    for route in configuration.routes {
      let place = WorldPlace(host: route.hosts[0], path: Self.path(of: route))
      guard version.routes[place] == nil else { continue }
      version.routes[place] = route.backends[0].service
      if let set = pluginSets[route.name] { version.plugins[place] = plugins.sets[set] }
    }
    for (name, origins) in endpoints { version.endpoints[name] = Set(origins) }
    version.limits = configuration.http.limits
    for listener in configuration.listeners {
      version.listenerConnections[listener.name] = listener.connections
    }
    for service in published.services {
      version.services[service.name] = service.limits
      if sideServices.contains(where: { $0.name == service.name }) { continue }
      widestRetries = max(widestRetries, service.retries?.attempts ?? 0)
      if service.retries?.nonIdempotent == true { repeatsAnything = true }
    }
    versions.append(version)
    var reached = endpoints
    if plan.hasPlugins {
      reached[WorldPlugins.copies] = [WorldPlugins.copiesOrigin]
      reached[WorldPlugins.authority] = [WorldPlugins.authorityOrigin]
    }
    let resolved = reached.mapValues { origins in
      origins.map { origin in
        let address = World.originAddress(origin)
        return ResolvedEndpoint(name: address.description, address: address, weight: 1)
      }
    }
    return tracker.delta(to: published, endpoints: resolved)
  }

  private static func path(of route: Route) -> String {
    if case .prefix(let path) = route.matches[0].path { path } else { "" }
  }

  func serves(_ version: Int, worker: Int) { served[worker] = version }

  // MARK: What a request may see

  /// Whether one version, or one and for the endpoints a later one, explains what an origin got.
  func explains(origin: Int, place: WorldPlace, hasForwarded: Bool, from first: Int, to last: Int) -> Bool {
    for routed in first...last {
      guard versions[routed].addsForwarded == hasForwarded, let service = versions[routed].routes[place]
      else {
        continue
      }
      // A service may get other endpoints while a request waits for its turn.
      for later in routed...last where versions[later].endpoints[service]?.contains(origin) == true {
        return true
      }
    }
    return false
  }

  /// The first version that routes a request so that the origins that it came to are explained; nil where
  /// it came to none and all versions have a route for it.
  func firstExplaining(_ request: WorldRequest, from first: Int) -> Int? {
    let origins = Set(request.arrivals.map(\.origin))
    return (first...newest).first { routed in
      guard let service = versions[routed].routes[request.place] else { return origins.isEmpty }
      if origins.isEmpty { return false }
      return origins.allSatisfy { origin in
        (routed...newest).contains { versions[$0].endpoints[service]?.contains(origin) == true }
      }
    }
  }

  /// The plugins that versions have for a place; of those with a route for it.
  func pluginSets(of place: WorldPlace, from first: Int, to last: Int) -> [WorldPluginSet] {
    (first...last).compactMap { index in
      versions[index].routes[place] == nil ? nil : versions[index].plugins[place] ?? WorldPluginSet()
    }
  }

  /// Whether there was a version without a route for it.
  func mayLackRoute(_ place: WorldPlace, from first: Int, to last: Int) -> Bool {
    (first...last).contains { versions[$0].routes[place] == nil }
  }

  /// Whether a version sends it to endpoints that speak HTTP/2 only.
  func mayReachHTTP2(_ place: WorldPlace, from first: Int, to last: Int) -> Bool {
    (first...last).contains { index in
      guard let service = versions[index].routes[place] else { return false }
      return versions[index].endpoints[service]?.contains { plan.origins[$0] } == true
    }
  }
}
