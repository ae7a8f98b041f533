import DataPlane
import Resources
import Runtime
import Simulation
import Testing

@Suite("Changes that are made in slices, simulated")
struct ChangeTests {
  /// One entry, then two milliseconds of traffic: the strictest test of what is visible when.
  static let slow = ChangeBudget(nanoseconds: .max, entriesMax: 1, pauseNanoseconds: 2_000_000)

  private static let web = Listener(name: "web", address: HostPort(host: "10.0.0.1", port: 8080))

  private static func route(_ name: String, _ path: String, _ service: String) -> Route {
    var route = Route(name: name, backends: [Backend(service: service)])
    route.matches[0].path = .exact(path)
    return route
  }

  private func makeScene(origins: Int = 2, changeBudget: ChangeBudget = slow) -> Scene {
    let scene = Scene(link: Link(latency: .microseconds(200)), origins: origins, changeBudget: changeBudget)
    for (number, origin) in scene.origins.enumerated() {
      origin.script = { _, _ in OriginStep.answer("\(number)") }
    }
    return scene
  }

  private func endpoint(_ origin: Int) -> [ResolvedEndpoint] {
    let address = Scene.originAddress(origin)
    return [ResolvedEndpoint(name: address.description, address: address, weight: 1)]
  }

  /// Pairs of a route and a service, all of which go to one origin.
  private func pairs(_ count: Int, version: Int, _ scene: Scene) -> Delta {
    var configuration = Configuration()
    configuration.listeners = [Self.web]
    var endpoints: [String: [ResolvedEndpoint]] = [:]
    for number in 0..<count {
      // Every third service is another one in each version, and gets the number of one that goes.
      let service = number % 3 == 0 ? "s\(number)v\(version)" : "s\(number)"
      configuration.services.append(Service(name: service, endpoints: []))
      configuration.routes.append(Self.route("r\(number)", "/\(number)", service))
      endpoints[service] = endpoint(version % 2)
    }
    return scene.tracker.delta(to: configuration, endpoints: endpoints)
  }

  @Test("A change of routes and services is seen whole or not at all, while it is made entry by entry")
  func atomic() throws {
    let scene = makeScene()
    let count = 20
    scene.apply(pairs(count, version: 0, scene))
    try scene.simulation.run(for: .seconds(1))
    for version in 1...4 {
      var seen: [String] = []
      var isApplied = false
      scene.start { stream throws(StreamFailure) in
        var number = 0
        var after = 0
        // Before, during and after the change, over all routes.
        while after < count {
          if isApplied { after += 1 }
          try await stream.send(SimulatedClient.request("GET", "/\(number % count)"))
          let response = try await stream.readResponse()
          seen.append(response.status == 200 ? response.text : "\(response.status)")
          number += 1
        }
      }
      try scene.simulation.run(for: .milliseconds(20))
      scene.gateway.apply(pairs(count, version: version, scene)) {
        #expect($0.isEmpty)
        isApplied = true
      }
      try scene.simulation.run()
      let before = seen.prefix { $0 == "\((version - 1) % 2)" }
      #expect(before.count > count)
      #expect(seen.dropFirst(before.count).allSatisfy { $0 == "\(version % 2)" }, "\(seen)")
      #expect(seen.count > before.count)
    }
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.gateway.services.count == count)
    try scene.finish()
  }

  @Test("Another definition of a service is seen with the routes of its change, and not before")
  func serviceSettings() throws {
    let scene = makeScene()
    var service = Service(name: "s", endpoints: [])
    var configuration = Configuration()
    configuration.listeners = [Self.web]
    configuration.services = [service]
    configuration.routes = (0..<10).map { Self.route("r\($0)", "/\($0)", "s") }
    scene.apply(scene.tracker.delta(to: configuration, endpoints: ["s": endpoint(0)]))
    try scene.simulation.run(for: .seconds(1))
    // The policy shows by its cookie, and the endpoint by its origin.
    service.balance = .sticky(cookie: "c")
    configuration.services = [service]
    configuration.routes = (0..<10).map { Self.route("new r\($0)", "/\($0)", "s") }
    var seen: [String] = []
    scene.start { stream throws(StreamFailure) in
      for number in 0..<200 {
        try await stream.send(SimulatedClient.request("GET", "/\(number % 10)"))
        let response = try await stream.readResponse()
        seen.append("\(response.text)\(response["Set-Cookie"] == nil ? "" : " cookie")")
      }
    }
    try scene.simulation.run(for: .milliseconds(10))
    scene.apply(scene.tracker.delta(to: configuration, endpoints: ["s": endpoint(1)]))
    try scene.simulation.run()
    let before = seen.prefix { $0 == "0" }
    #expect(before.count > 10)
    #expect(seen.count > before.count + 10)
    #expect(seen.dropFirst(before.count).allSatisfy { $0 == "1 cookie" }, "\(seen)")
    try scene.finish()
  }

  @Test("Changes are made in their order, and each is reported when it is seen")
  func order() throws {
    let scene = makeScene()
    var reported: [Int] = []
    for version in 1...5 {
      scene.gateway.apply(pairs(6, version: version, scene)) { _ in reported.append(version) }
    }
    #expect(reported.isEmpty)
    try scene.simulation.run(for: .seconds(5))
    #expect(reported == [1, 2, 3, 4, 5])
    #expect(scene.gateway.revision == scene.tracker.revision)
    #expect(try scene.request("GET", "/3").text == "1")
    try scene.finish()
  }

  @Test("A small change is made at once, a larger one lets requests go between")
  func slices() throws {
    let scene = makeScene(changeBudget: .standard)
    var isReported = false
    scene.gateway.apply(pairs(3, version: 0, scene)) { _ in isReported = true }
    #expect(isReported)
    try scene.finish()
  }

  @Test("A request in flight keeps its route and service when both are removed")
  func removalInFlight() throws {
    let scene = makeScene()
    scene.origins[0].script = { _, _ in [.delay(.seconds(2))] + OriginStep.answer("slow") }
    scene.apply(pairs(6, version: 0, scene))
    try scene.simulation.run(for: .seconds(1))
    var text = ""
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("GET", "/4"))
      text = try await stream.readResponse().text
    }
    try scene.simulation.run(for: .milliseconds(500))
    scene.apply(pairs(0, version: 1, scene))
    try scene.simulation.run(for: .milliseconds(500))
    #expect(scene.gateway.services.isEmpty)
    #expect(try scene.request("GET", "/4").status == 404)
    try scene.simulation.run()
    #expect(text == "slow")
    #expect(scene.gateway.worker.openSocketCount == 1 + 1)
    try scene.finish()
  }

  @Test("A listener gets another address, name or number, and no connection notices a mere rename")
  func listeners() throws {
    let scene = makeScene()
    func configuration(_ listeners: [Listener]) -> Configuration {
      var configuration = Configuration()
      configuration.listeners = listeners
      configuration.services = [Service(name: "s", endpoints: [])]
      var route = Self.route("r", "/", "s")
      route.listeners = [listeners[0].name]
      configuration.routes = [route]
      return configuration
    }
    var renamed = Self.web
    renamed.name = "renamed"
    scene.apply(scene.tracker.delta(to: configuration([Self.web]), endpoints: ["s": endpoint(0)]))
    try scene.simulation.run(for: .seconds(1))
    var statuses: [Int] = []
    scene.start { stream throws(StreamFailure) in
      for _ in 0..<100 {
        try await stream.send(SimulatedClient.request())
        statuses.append(try await stream.readResponse().status)
      }
    }
    try scene.simulation.run(for: .milliseconds(5))
    scene.apply(scene.tracker.delta(to: configuration([renamed]), endpoints: ["s": endpoint(0)]))
    try scene.simulation.run()
    #expect(statuses == Array(repeating: 200, count: 100))
    let states = scene.gateway.listenerStates()
    #expect(states.mapValues(\.isOpen) == ["renamed": true])
    renamed.address.port = 9_999
    scene.apply(scene.tracker.delta(to: configuration([renamed]), endpoints: ["s": endpoint(0)]))
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.gateway.connectionCount == 0)
    var status = 0
    scene.startUnconnected { () throws(StreamFailure) in
      let address = SocketAddress(ipv4: 10, 0, 0, 1, port: 9_999)
      let stream = try await SimulatedStream.connect(to: address, on: scene.client.worker)
      defer { stream.close() }
      try await stream.send(SimulatedClient.request())
      status = try await stream.readResponse().status
    }
    try scene.simulation.run()
    #expect(status == 200)
    try scene.finish()
  }

  @Test("An address that cannot be had is reported, and tried again with the listener's next change")
  func unavailable() throws {
    let scene = makeScene(changeBudget: .standard)
    var configuration = Configuration()
    configuration.listeners = [Self.web, Listener(name: "b", address: HostPort(host: "10.0.0.1", port: 81))]
    configuration.services = [scene.service.definition]
    let delta = scene.tracker.delta(to: configuration)
    let number = try #require(scene.tracker.number(ofListener: "b"))
    var failures: [ListenFailure] = []
    scene.gateway.apply(delta, unavailable: [number: "taken"]) { failures = $0 }
    #expect(failures.map(\.description) == ["listener b: taken"])
    #expect(scene.gateway.listenerStates()["b"]?.problem == "taken")
    configuration.listeners[1].h2c = false
    scene.apply(scene.tracker.delta(to: configuration))
    #expect(scene.gateway.listenerStates()["b"]?.isOpen == true)
    #expect(scene.gateway.listenerStates()["b"]?.problem == nil)
    try scene.finish()
  }

  @Test("Figures are the same whether they are copied at once or in slices")
  func figures() throws {
    let scene = makeScene()
    scene.apply(pairs(9, version: 0, scene))
    try scene.simulation.run(for: .seconds(1))
    for number in [0, 4, 4, 7] { #expect(try scene.request("GET", "/\(number)").status == 200) }
    #expect(try scene.request("GET", "/none").status == 404)
    var collected: CountersSnapshot?
    scene.gateway.collectCounters { collected = $0 }
    #expect(collected == nil)
    try scene.simulation.run(for: .seconds(1))
    let copied = try #require(collected)
    for snapshot in [copied, scene.gateway.snapshotCounters()] {
      let counts = snapshot.routes.map { ($0.route, $0.durations.count) }
      #expect(Dictionary(uniqueKeysWithValues: counts) == ["r0": 1, "r4": 2, "r7": 1, "": 1])
      #expect(snapshot.services.count == 9)
      #expect(snapshot.services.flatMap(\.endpoints).reduce(0) { $0 + $1.requests } == 4)
      #expect(snapshot.worker.requests == 5 && snapshot.worker.poolIdle == 3)
    }
    // What is gone is not told of any more, and its connections are closed.
    scene.apply(pairs(3, version: 2, scene))
    try scene.simulation.run(for: .seconds(1))
    let after = scene.gateway.snapshotCounters()
    #expect(Set(after.routes.map(\.route)) == ["r0", ""])
    #expect(after.services.count == 3 && after.worker.poolIdle == 0)
    try scene.finish()
  }
}
