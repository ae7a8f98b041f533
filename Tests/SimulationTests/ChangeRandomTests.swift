import DataPlane
import Resources
import Runtime
import Simulation
import Testing

/// Random changes, made entry by entry, while clients send requests: each answer is what one of the
/// configurations says that there were while the request was under way, and no client sees an earlier
/// one after a later one.
///
/// A failure names its seed: run it alone with the seed as the only argument.
@Suite("Random changes under traffic, simulated")
struct ChangeRandomTests {
  @Test("Every request sees all of a change or nothing of it", arguments: 1...40)
  func atomic(seed: Int) throws {
    let scenario = ChangeScenario(seed: UInt64(seed))
    try scenario.run()
    #expect(scenario.violations.isEmpty)
    // Else the test would say nothing.
    #expect(scenario.answers > 100)
    #expect(scenario.versions.count > 10)
  }
}

private final class ChangeScenario {
  /// What a configuration answers to each path, as far as it has a route.
  typealias Version = [String: Int]

  let scene: Scene
  private var random: SplitMix64
  private(set) var violations: [String] = []
  private(set) var answers = 0
  private(set) var versions: [Version] = [[:]]
  /// The latest that all requests see.
  private var served = 0
  private var isOver = false
  private var configuration = Configuration()
  private var endpoints: [String: [ResolvedEndpoint]] = [:]

  private static let origins = 3
  private static let paths = (0..<6).map { "/\($0)" }

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed &* 15_485_863)
    let budget = ChangeBudget(
      nanoseconds: .max, entriesMax: 1 + random.next(below: 3),
      pauseNanoseconds: Int64(1 + random.next(below: 2_000_000)))
    scene = Scene(
      seed: seed, link: Link(latency: .microseconds(150)), origins: Self.origins, changeBudget: budget)
    self.random = random
    configuration.listeners = [Listener(name: "web", address: HostPort(host: "10.0.0.1", port: 8080))]
    for (number, origin) in scene.origins.enumerated() {
      origin.script = { _, _ in OriginStep.answer("\(number)") }
    }
  }

  func run() throws {
    change()
    try scene.simulation.run(for: .seconds(1))
    for number in 0..<3 { startClient(number) }
    for _ in 0..<40 {
      try scene.simulation.run(for: .microseconds(Int64(random.next(below: 30_000))))
      change()
    }
    try scene.simulation.run(limit: .seconds(60)) { self.served == self.versions.count - 1 }
    isOver = true
    try scene.simulation.run()
    try scene.simulation.run(for: .seconds(1))
    if scene.gateway.services.count != configuration.services.count { violations.append("services are left") }
    try scene.finish()
  }

  // MARK: Changes

  /// A few changes of all kinds, in one go.
  private func change() {
    for _ in 0..<(1 + random.next(below: 6)) {
      switch random.next(below: 5) {
      case 0: addService()
      case 1: removeService()
      case 2: if !configuration.routes.isEmpty { configuration.routes.remove(at: pick(configuration.routes)) }
      default: setRoute()
      }
    }
    if random.next(below: 4) == 0 { configuration.routes.reverse() }
    if random.next(below: 4) == 0, !configuration.services.isEmpty {
      let index = pick(configuration.services)
      configuration.services[index].limits.pending = 1_000 + random.next(below: 1_000)
    }
    versions.append(version())
    let number = versions.count - 1
    let delta = scene.tracker.delta(to: configuration, endpoints: endpoints)
    scene.gateway.apply(delta) { failures in
      if !failures.isEmpty { self.violations.append("\(failures)") }
      self.served = number
    }
  }

  private func pick<Element>(_ elements: [Element]) -> Int { random.next(below: elements.count) }

  /// A service goes to one origin for as long as it lives; names come back.
  private func addService() {
    let name = "s\(random.next(below: 8))"
    if configuration.services.contains(where: { $0.name == name }) { return }
    configuration.services.append(Service(name: name, endpoints: []))
    let address = Scene.originAddress(random.next(below: Self.origins))
    endpoints[name] = [ResolvedEndpoint(name: address.description, address: address, weight: 1)]
  }

  private func removeService() {
    guard !configuration.services.isEmpty else { return }
    let name = configuration.services.remove(at: pick(configuration.services)).name
    endpoints[name] = nil
    configuration.routes.removeAll { $0.backends[0].service == name }
  }

  /// Adds a route or replaces one. Paths may collide: the first in the order wins.
  private func setRoute() {
    guard !configuration.services.isEmpty else { return }
    let service = configuration.services[pick(configuration.services)].name
    var route = Route(name: "r\(random.next(below: 10))", backends: [Backend(service: service)])
    route.matches[0].path = .exact(Self.paths[pick(Self.paths)])
    if let index = configuration.routes.firstIndex(where: { $0.name == route.name }) {
      configuration.routes[index] = route
    } else {
      configuration.routes.append(route)
    }
  }

  private func version() -> Version {
    var version: Version = [:]
    for route in configuration.routes {
      guard case .exact(let path) = route.matches[0].path, version[path] == nil,
        let address = endpoints[route.backends[0].service]?.first?.address
      else { continue }
      version[path] = scene.origins.firstIndex { $0.address == address }
    }
    return version
  }

  // MARK: Clients

  private func startClient(_ number: Int) {
    var own = SplitMix64(seed: random.next())
    scene.start("client \(number)") { [unowned self] stream throws(StreamFailure) in
      var latest = self.served
      while !self.isOver {
        let path = Self.paths[own.next(below: Self.paths.count)]
        // What had been reported by now must be seen.
        latest = max(latest, self.served)
        try await stream.send(SimulatedClient.request("GET", path))
        let response = try await stream.readResponse()
        let answer = response.status == 404 ? nil : Int(response.text)
        if response.status != 404, answer == nil { self.violations.append("status \(response.status)") }
        let fitting = (latest..<self.versions.count).first { self.versions[$0][path] == answer }
        guard let fitting else {
          let expected = self.versions[latest...].map { $0[path] }
          self.violations.append("\(path) is \(answer as Int?), not one of \(expected)")
          return
        }
        latest = fitting
        self.answers += 1
        if own.next(below: 3) == 0 { await stream.sleep(.microseconds(Int64(own.next(below: 3_000)))) }
      }
    }
  }
}
