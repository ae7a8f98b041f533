import DataPlane
import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

/// Asks the service `auth` about each request, and sends it a copy of what passes.
private struct Asking: RunnablePlugin {
  static let name = "asking"
  static let summary = "Asks."
  static let priority = 1
  static let options: [PluginOption] = []

  init(_ values: OptionValues) throws(OptionProblem) {}
  func plugin(at site: PluginSite) -> Plugin { AskingPlugin(site) }

  /// As a route has it.
  static func attachments() throws -> [PluginAttachment] {
    try ConfigurationFile.load(
      text: """
        listeners: [{name: web, address: "127.0.0.1:8080"}]
        services: [{name: app, endpoints: ["127.0.0.1:9000"]}]
        routes: [{name: all, service: app, plugins: {asking: {}}}]
        """, path: "test.yaml", plugins: PluginCatalog([Asking.self])
    ).routes[0].plugins
  }
}

private final class AskingPlugin: Plugin {
  private let service: NamedService
  private let counters: PluginCounters
  static let post = Array("POST".utf8)

  init(_ site: PluginSite) {
    service = site.service(named: "auth")
    counters = site.counters
    super.init([.requestHead, .upstreamChoice])
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict { .wait }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    var request = SideRequest(
      Self.post, Array("/ask".utf8) + exchange.target(), timeoutNanoseconds: 2_000_000_000)
    request.host = Array("auth.test".utf8)
    request.lines = Array("X-Asked: 1\r\n".utf8)
    request.content = Array(repeating: UInt8(ascii: "q"), count: exchange.target().count * 100)
    request.responseBytesMax = 10_000
    do throws(SideFailure) {
      let response = try await exchange.ask(service.current, request, countedBy: counters)
      guard response.status >= 300 else { return .next }
      return .answer(PluginAnswer(response.status, content: response.content))
    } catch {
      return .answer(PluginAnswer(403, content: Array("\(error.result.name)".utf8)))
    }
  }

  override func upstreamChoice(_ exchange: Exchange) throws(PluginFailure) {
    exchange.tapContent(Copying(service, counters))
  }
}

private final class Copying: ContentTap {
  private let service: NamedService
  private let counters: PluginCounters
  private var content: [UInt8] = []

  init(_ service: NamedService, _ counters: PluginCounters) {
    self.service = service
    self.counters = counters
  }

  override func take(_ bytes: Span<UInt8>, of exchange: Exchange) {
    for index in bytes.indices { content.append(bytes[index]) }
  }

  override func restart(_ exchange: Exchange) { content = [] }

  override func end(_ exchange: Exchange) {
    var request = SideRequest(
      AskingPlugin.post, Array("/copy".utf8) + exchange.target(), timeoutNanoseconds: 3_000_000_000)
    request.content = content
    request.keepsResponse = false
    exchange.sendAside(service.current, request, countedBy: counters)
  }
}

/// A scene whose requests all meet ``Asking``.
private struct AskingScene {
  let scene: Scene
  let auth: SimulatedOrigin

  init(
    seed: UInt64 = 1, link: Link = Link(), http: HTTPSettings = HTTPSettings(),
    auth version: Scene.Version = .http1, _ change: (inout Service) -> Void = { _ in }
  ) throws {
    scene = Scene(seed: seed, link: link, http: http)
    auth = SimulatedOrigin(
      scene.simulation, address: Scene.originAddress(9), speaksHTTP2: version == .http2)
    var service = Service(
      name: "auth",
      endpoints: [EndpointSpec(address: HostPort(host: auth.address.host, port: auth.address.port))])
    if version == .http2 { service.protocol = .http2 }
    service.retries = nil
    change(&service)
    var configuration = Configuration()
    configuration.http = http
    configuration.listeners = [Listener(name: "web", address: HostPort(host: "10.0.0.1", port: 8080))]
    let origin = scene.origin.address
    configuration.services = [
      Service(
        name: "origin", endpoints: [EndpointSpec(address: HostPort(host: origin.host, port: origin.port))]),
      service,
    ]
    var route = Route(name: "all", backends: [Backend(service: "origin")])
    route.plugins = try Asking.attachments()
    configuration.routes = [route]
    let resolved = ResolvedEndpoint(name: auth.address.description, address: auth.address, weight: 1)
    scene.apply(
      scene.tracker.delta(to: configuration, endpoints: ["origin": scene.endpoints, "auth": [resolved]]))
  }

  var figures: SideFigures {
    scene.gateway.snapshotCounters().plugins["asking"]?.sideRequests ?? SideFigures()
  }

  var inFlight: Int { scene.gateway.snapshotCounters().worker.sideRequestsInFlight }

  /// Until no request of the gateway's own is left.
  func settle() throws {
    try scene.simulation.run(limit: .seconds(60)) { inFlight == 0 }
    #expect(scene.gateway.snapshotCounters().worker.requestsInFlight == 0)
    #expect(scene.gateway.holdings.waitingBytes == 0)
  }

  func finish() throws {
    try settle()
    try scene.finish()
    #expect(auth.violations.isEmpty)
    auth.stop()
    try scene.simulation.run(for: .seconds(10))
    #expect(auth.openCount == 0)
  }
}

@Suite("Requests of the gateway's own, simulated")
struct SideRequestTests {
  @Test(
    "A service is asked, and gets a copy of what passes",
    arguments: Scene.Version.allCases, Scene.Version.allCases)
  func asks(client: Scene.Version, auth version: Scene.Version) throws {
    let asking = try AskingScene(auth: version)
    let response = try asking.scene.exchange(over: client, "PUT", "/a", body: pattern(5_000))
    #expect(response.status == 200)
    try asking.settle()
    let requests = asking.auth.requests
    #expect(requests.map(\.target) == ["/ask/a", "/copy/a"])
    #expect(requests.map(\.body.count) == [200, 5_000])
    #expect(requests.last?.body == pattern(5_000))
    #expect(asking.figures[.answered] == 2)
    // What clients have asked for.
    let counters = asking.scene.gateway.snapshotCounters()
    #expect(counters.worker.requests == 1)
    try asking.finish()
  }

  @Test("An answer that is none in time is given up, whatever part of it has come", arguments: [0, 10, 60])
  func timeout(part: Int) throws {
    let asking = try AskingScene()
    let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789012345678901234567890".utf8)
    asking.auth.script = { _, _ in [.readContent, .send(Array(answer.prefix(part))), .hang] }
    var response: SimulatedResponse?
    let elapsed = try asking.scene.seconds { response = try asking.scene.request() }
    #expect(response?.status == 403 && response?.text == "timeout")
    #expect(elapsed >= 2 && elapsed < 2.1)
    #expect(asking.scene.requestCount == 0)
    try asking.finish()
  }

  @Test("A service that cannot be reached, and one whose connections take too long")
  func unreachable() throws {
    let asking = try AskingScene { $0.timeouts.connect = .seconds(1) }
    asking.scene.simulation.network.ignoreConnects(to: asking.auth.address)
    #expect(try asking.scene.request().text == "connect_failure")
    let patient = try AskingScene { $0.timeouts.connect = .seconds(30) }
    patient.scene.simulation.network.ignoreConnects(to: patient.auth.address)
    #expect(try patient.scene.request().text == "timeout")
    try asking.finish()
    try patient.finish()
  }

  @Test("More than may be taken of an answer is not taken", arguments: Scene.Version.allCases)
  func tooLarge(version: Scene.Version) throws {
    let asking = try AskingScene(auth: version)
    asking.auth.script = { request, _ in
      request.target.hasPrefix("/copy")
        ? OriginStep.answer("") : [.readContent, .respondChunked(401, body: pattern(100_000))]
    }
    let response = try asking.scene.request()
    #expect(response.status == 401 && response.body == Array(pattern(100_000).prefix(10_000)))
    #expect(asking.figures[.tooLarge] == 1)
    try asking.finish()
  }

  @Test(
    "A client that leaves ends what was asked for it, wherever that is",
    arguments: ["connecting", "queued", "sent", "answering"], Scene.Version.allCases)
  func clientLeaves(place: String, version: Scene.Version) throws {
    let asking = try AskingScene(auth: version) {
      $0.limits.inFlight = 1
      $0.timeouts.connect = .seconds(30)
    }
    let scene = asking.scene
    switch place {
    case "connecting": scene.simulation.network.ignoreConnects(to: asking.auth.address)
    case "answering":
      asking.auth.script = { _, _ in
        [.readContent, version == .http1 ? .send(Array("HTTP/1.1 200 OK\r\n".utf8)) : .head(200), .hang]
      }
    default: asking.auth.script = { _, _ in [.readContent, .hang] }
    }
    let count = place == "queued" ? 2 : 1
    for _ in 0..<count {
      scene.start(mayFail: true) { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request())
        await stream.sleep(.milliseconds(500))
        stream.reset()
      }
    }
    try scene.simulation.run(for: .milliseconds(400))
    #expect(asking.inFlight == count)
    try scene.simulation.run(for: .milliseconds(300))
    #expect(asking.inFlight == 0)
    #expect(asking.figures[.cancelled] == UInt64(count))
    #expect(scene.requestCount == 0)
    try asking.finish()
  }

  @Test("A drain waits for copies, and an abort ends them", arguments: [false, true])
  func drain(aborts: Bool) throws {
    let asking = try AskingScene()
    asking.auth.script = { request, _ in
      request.target.hasPrefix("/copy") ? [.readContent, .hang] : OriginStep.answer("")
    }
    let scene = asking.scene
    #expect(try scene.request().status == 200)
    var isDrained = false
    scene.gateway.beginDrain { isDrained = true }
    try scene.simulation.run(for: .seconds(1))
    #expect(!isDrained && asking.inFlight == 1)
    if aborts { scene.gateway.abortConnections() }
    // A copy has three seconds.
    try scene.simulation.run(for: .milliseconds(aborts ? 10 : 2_500))
    #expect(isDrained && asking.inFlight == 0)
    #expect(asking.figures[aborts ? .cancelled : .timeout] == 1)
    scene.origin.stop()
    asking.auth.stop()
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.gateway.worker.openSocketCount == 0)
    #expect(
      scene.gateway.worker.buffers.lentCount == Scene.buffersPerExchange * scene.gateway.keptExchangeCount)
  }

  @Test("An abort ends what is asked", arguments: Scene.Version.allCases)
  func abort(version: Scene.Version) throws {
    let asking = try AskingScene(auth: version)
    asking.auth.script = { _, _ in [.readContent, .hang] }
    let scene = asking.scene
    scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
    }
    scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
      let connection = try await scene.client.connectHTTP2()
      defer { connection.close() }
      _ = try await connection.request("GET", "/")
    }
    try scene.simulation.run(for: .milliseconds(500))
    #expect(asking.inFlight == 2)
    scene.gateway.abortConnections()
    try scene.simulation.run(for: .milliseconds(100))
    #expect(asking.inFlight == 0 && asking.figures[.cancelled] == 2)
    try asking.finish()
  }

  /// Clients that leave at any time, and a service that does anything: nothing may be left of it.
  @Test("Whatever happens, nothing is left over", arguments: 1...60)
  func storm(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var http = HTTPSettings()
    if random.next(below: 3) == 0 { http.limits.inFlight = 2 + random.next(below: 6) }
    let version: Scene.Version = random.next(below: 2) == 0 ? .http1 : .http2
    let inFlight = random.next(below: 2) == 0 ? 1 + random.next(below: 4) : 1_000
    let asking = try AskingScene(
      seed: UInt64(seed), link: .rough, http: http,
      auth: version
    ) {
      $0.limits.inFlight = inFlight
      $0.limits.pending = 3
      $0.limits.connections = 2
      $0.retries = Retries()
    }
    let scene = asking.scene
    scene.mayBreakRules = true
    asking.auth.script = { _, _ in Self.anything(version, &random) }
    for _ in 0..<40 {
      let start = Duration.milliseconds(Int64(random.next(below: 8_000)))
      let patience = Duration.milliseconds(Int64(1 + random.next(below: 3_000)))
      let leaves = random.next(below: 3) == 0
      let body = random.next(below: 2) == 0 ? pattern(random.next(below: 30_000)) : nil
      let speaksHTTP2 = random.next(below: 2) == 0
      scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
        if speaksHTTP2 {
          let connection = try await scene.client.connectHTTP2()
          defer { connection.close() }
          await connection.sleep(start)
          if leaves {
            _ = try await connection.open("POST", "/h2", endStream: body == nil)
            return await connection.sleep(patience)
          }
          _ = try await connection.request("POST", "/h2", body: body)
        } else {
          let stream = try await scene.client.connect()
          defer { stream.close() }
          await stream.sleep(start)
          try await stream.send(SimulatedClient.request("POST", "/h1", body: body))
          if leaves { return await stream.sleep(patience) }
          _ = try await stream.readResponse()
        }
      }
    }
    try scene.simulation.run(for: .seconds(30))
    #expect(asking.figures[.answered] > 0)
    try asking.finish()
  }

  private static func anything(_ version: Scene.Version, _ random: inout SplitMix64) -> [OriginStep] {
    switch random.next(below: 10) {
    case 0: [.readContent, .hang]
    case 1: version == .http1 ? [.reset] : [.resetStream(.internalError)]
    case 2: [.close]
    case 3: [.readContent, .delay(.milliseconds(Int64(random.next(below: 4_000)))), .respond(204)]
    case 4: [.readContent, .respondChunked(401, body: pattern(random.next(below: 40_000)))]
    case 5: [.respond(503, body: pattern(100))]
    default: [.readContent, .respond(200, body: pattern(random.next(below: 20_000)))]
    }
  }
}
