import DataPlane
import Resources
import Runtime
import Simulation
import Testing

@Suite("Changes of the configuration while requests are in flight, simulated")
struct ReloadTests {
  private static let otherAddress = SocketAddress(ipv4: 10, 0, 0, 1, port: 8081)
  private static let web = Listener(name: "web", address: HostPort(host: "10.0.0.1", port: 8080))
  private static let other = Listener(name: "other", address: HostPort(host: "10.0.0.1", port: 8081))

  /// Gives the scene's service other listeners and routes.
  private func apply(_ scene: Scene, listeners: [Listener], routes: [Route]) {
    var configuration = Configuration()
    configuration.listeners = listeners
    configuration.services = [scene.service.definition]
    configuration.routes = routes
    scene.apply(configuration)
  }

  private func route(_ name: String, listener: String) -> Route {
    var route = Route(name: name, backends: [Backend(service: "origin")])
    route.listeners = [listener]
    return route
  }

  private func route(_ name: String, path: String) -> Route {
    var route = Route(name: name, backends: [Backend(service: "origin")])
    route.matches[0].path = .prefix(path)
    return route
  }

  /// A scene with two listeners, each with a route of its own; the other is the first in the
  /// configuration, so that its place is the web listener's when it is gone.
  private func sceneWithTwoListeners() throws -> Scene {
    let scene = Scene()
    let routes = [route("other", listener: "other"), route("web", listener: "web")]
    apply(scene, listeners: [Self.other, Self.web], routes: routes)
    scene.origin.script = { request, _ in
      (request.target == "/slow" ? [.delay(.seconds(2))] : []) + OriginStep.answer(request.target)
    }
    return scene
  }

  private func removeOther(_ scene: Scene) {
    apply(scene, listeners: [Self.web], routes: [route("web", listener: "web")])
  }

  /// Starts a program with a connection to the other listener.
  private func startAtOther(
    _ scene: Scene, _ name: String, _ program: @escaping (SimulatedStream) async throws(StreamFailure) -> Void
  ) {
    scene.startUnconnected(name) { () throws(StreamFailure) in
      let stream = try await SimulatedStream.connect(to: Self.otherAddress, on: scene.client.worker)
      defer { stream.close() }
      try await program(stream)
    }
  }

  // MARK: Listeners

  @Test("A listener that is removed closes its idle connections, and no others")
  func removedListenerIdle() throws {
    let scene = try sceneWithTwoListeners()
    var rest: [UInt8]?
    startAtOther(scene, "idle") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
      rest = try await stream.readUntilClose()
    }
    var texts: [String] = []
    scene.start("web") { stream throws(StreamFailure) in
      for _ in 0..<2 {
        try await stream.send(SimulatedClient.request("GET", "/web"))
        texts.append(try await stream.readResponse().text)
        await stream.sleep(.seconds(3))
      }
    }
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.gateway.parkedCount == 2)
    removeOther(scene)
    try scene.simulation.run(limit: .seconds(1)) { rest != nil }
    #expect(rest == [])
    try scene.simulation.run()
    #expect(texts == ["/web", "/web"])
    try scene.finish()
  }

  @Test(
    "A request in flight on a listener that is removed is the last of its connection",
    arguments: [false, true])
  func removedListenerInFlight(hasPooledConnection: Bool) throws {
    let scene = try sceneWithTwoListeners()
    if hasPooledConnection { #expect(try scene.request().status == 200) }
    var response: SimulatedResponse?
    var rest: [UInt8]?
    startAtOther(scene, "busy") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("GET", "/slow"))
      await stream.sleep(.seconds(1))
      // After the removal: the connection must not reach what is left.
      try await stream.send(SimulatedClient.request("GET", "/next"))
      response = try await stream.readResponse()
      rest = try await stream.readUntilClose()
    }
    try scene.simulation.run(for: .milliseconds(500))
    removeOther(scene)
    try scene.simulation.run()
    #expect(response?.text == "/slow")
    #expect(response?["Connection"] == "close")
    #expect(rest == [])
    #expect(!scene.origin.requests.contains { $0.target == "/next" })
    try scene.finish()
  }

  @Test("A response that had begun when its listener was removed arrives whole, and is the last")
  func removedListenerInResponse() throws {
    let scene = try sceneWithTwoListeners()
    #expect(try scene.request().status == 200)
    scene.origin.script = { _, _ in
      let head = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
      return [.send(Array((head + "half").utf8)), .delay(.seconds(2)), .send(Array("half".utf8))]
    }
    var response: SimulatedResponse?
    var rest: [UInt8]?
    startAtOther(scene, "busy") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      response = try await stream.readResponse()
      rest = try await stream.readUntilClose()
    }
    try scene.simulation.run(for: .seconds(1))
    removeOther(scene)
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(response?.text == "halfhalf")
    #expect(rest == [])
    // Not after the idle timeout.
    #expect(elapsed < 2)
    try scene.finish()
  }

  @Test("A request that was still coming when its listener was removed reaches no other listener's route")
  func removedListenerHalfHead() throws {
    let scene = try sceneWithTwoListeners()
    var response: SimulatedResponse?
    var rest: [UInt8]?
    startAtOther(scene, "half") { stream throws(StreamFailure) in
      let bytes = SimulatedClient.request("GET", "/half")
      try await stream.trickle(bytes, size: bytes.count / 2 + 1, pause: .seconds(1))
      response = try await stream.readResponse()
      rest = try await stream.readUntilClose()
    }
    try scene.simulation.run(for: .milliseconds(500))
    removeOther(scene)
    try scene.simulation.run()
    #expect(response?.status == 404)
    #expect(response?["Connection"] == "close")
    #expect(rest == [])
    #expect(scene.requestCount == 0)
    try scene.finish()
  }

  // MARK: Counters

  @Test(
    "A request in flight counts for its own route when a change orders them anew", arguments: [false, true])
  func countersOfReorderedRoutes(hasPooledConnection: Bool) throws {
    let scene = Scene()
    let routes = [route("first", path: "/first"), route("second", path: "/second")]
    apply(scene, listeners: [Self.web], routes: routes)
    if hasPooledConnection { #expect(try scene.request("GET", "/second").status == 200) }
    scene.origin.script = { _, _ in [.delay(.seconds(2))] + OriginStep.answer("slow") }
    var text = ""
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("GET", "/first"))
      text = try await stream.readResponse().text
    }
    try scene.simulation.run(for: .seconds(1))
    apply(scene, listeners: [Self.web], routes: routes.reversed())
    try scene.simulation.run()
    #expect(text == "slow")
    let counted = scene.gateway.snapshotCounters().routes
    #expect(counted.first { $0.route == "first" }?.durations.count == 1)
    #expect(counted.first { $0.route == "second" }?.durations.count == (hasPooledConnection ? 1 : nil))
    try scene.finish()
  }

  @Test("The number of access log lines does not fall when the log's format changes")
  func accessLogLines() throws {
    let scene = Scene()
    let writer = try AccessLogWriter(path: "/dev/null") { _ in }
    func lines() -> UInt64 { scene.gateway.snapshotCounters().worker.accessLogLines }
    scene.gateway.setAccessLog(writer, format: .json)
    for _ in 0..<3 { #expect(try scene.request().status == 200) }
    try scene.simulation.run(for: .seconds(1))
    #expect(lines() == 3)
    #expect(try scene.request().status == 200)
    // The last line has not been handed over yet, and is counted all the same.
    scene.gateway.setAccessLog(writer, format: .common)
    #expect(lines() == 4)
    #expect(try scene.request().status == 200)
    try scene.simulation.run(for: .seconds(1))
    #expect(lines() == 5)
    scene.gateway.setAccessLog(nil, format: .common)
    #expect(lines() == 5)
    #expect(writer.close())
    try scene.finish()
  }

  // MARK: Endpoints

  @Test("A sticky cookie names no other endpoint than the one that served the request")
  func stickyCookie() throws {
    let scene = Scene(origins: 2) { $0.balance = .sticky(cookie: "where") }
    for origin in scene.origins {
      origin.script = { _, _ in [.delay(.seconds(2))] + OriginStep.answer(origin.address.description) }
    }
    func cookie(_ response: SimulatedResponse) -> Substring? {
      response["Set-Cookie"]?.split(separator: ";").first
    }
    var cookies: [String: Substring] = [:]
    for _ in 0..<2 {
      let response = try scene.request()
      let named = try #require(cookie(response))
      cookies[response.text] = named
    }
    #expect(Set(cookies.values).count == 2)
    for _ in 0..<2 {
      var response: SimulatedResponse?
      scene.start { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request())
        response = try await stream.readResponse()
      }
      try scene.simulation.run(for: .seconds(1))
      let reversed = Array(scene.service.endpoints.reversed())
      scene.setEndpoints(
        reversed.map { ResolvedEndpoint(name: $0.name, address: $0.address, weight: 1) })
      try scene.simulation.run()
      let served = try #require(response)
      // None at all is allowed: the next response brings one.
      if let named = cookie(served) { #expect(named == cookies[served.text]) }
    }
    let stable = try scene.request()
    #expect(cookie(stable) == cookies[stable.text])
    try scene.finish()
  }
}
