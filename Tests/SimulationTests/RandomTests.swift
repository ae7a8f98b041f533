import DataPlane
import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

/// Random clients, origins, links and settings. Whatever happens, each request gets one response or
/// the end of its connection, content is what was sent, and nothing is left at the end.
///
/// A failure names its seed: run it alone with the seed as the only argument.
@Suite("Random scenarios, simulated")
struct RandomTests {
  @Test("Invariants hold whatever happens", arguments: 1...200)
  func invariants(seed: Int) throws {
    let scenario = Scenario(seed: UInt64(seed))
    try scenario.run()
    #expect(scenario.violations.isEmpty)
  }

  @Test("A seed replays a scenario exactly", arguments: [3, 77, 140])
  func replay(seed: Int) throws {
    func trace() throws -> (UInt64, Int) {
      let scenario = Scenario(seed: UInt64(seed))
      try scenario.run()
      return (
        scenario.scene.simulation.network.trace.fingerprint, scenario.scene.simulation.network.trace.count
      )
    }
    let first = try trace()
    #expect(first.1 > 50)
    #expect(try trace() == first)
  }
}

private final class Scenario {
  let scene: Scene
  private var random: SplitMix64
  private(set) var violations: [String] = []

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed &* 7_919)
    var link = random.next(below: 2) == 0 ? Link.rough : Link(latency: .microseconds(200))
    if random.next(below: 4) == 0 { link.bandwidth = 200_000 }
    var http = HTTPSettings()
    http.timeouts.idle = .seconds(Int64(2 + random.next(below: 30)))
    if random.next(below: 3) == 0 { http.limits.requestsPerConnection = 1 + random.next(below: 4) }
    let origins = 1 + random.next(below: 3)
    let workers = 1 + random.next(below: 2)
    let inFlight = random.next(below: 4) == 0 ? 1 + random.next(below: 3) : 1_000
    let connections = random.next(below: 4) == 0 ? 1 + random.next(below: 3) : 1_000
    let poolIdle = Int64(random.next(below: 3_000))
    let budget = ChangeBudget(
      nanoseconds: .max, entriesMax: 1 + random.next(below: 4),
      pauseNanoseconds: Int64(random.next(below: 2) * 50_000))
    scene = Scene(
      seed: seed, link: link, origins: origins, workers: workers, http: http, changeBudget: budget
    ) {
      $0.limits.inFlight = inFlight
      $0.limits.connections = connections
      $0.timeouts.response = .seconds(5)
      $0.timeouts.idle = .seconds(5)
      $0.timeouts.connect = .seconds(1)
      $0.pool.idleTimeout = .milliseconds(poolIdle)
      $0.retries?.on = [.connectFailure, .reset, .status(503)]
      $0.retries?.attempts = 2
    }
    self.random = random
    for origin in scene.origins { origin.script = { [unowned self] request, _ in self.steps(for: request) } }
  }

  func run() throws {
    for number in 0..<(1 + random.next(below: 6)) { startClient(number) }
    if random.next(below: 2) == 0 { try disturb() }
    try scene.simulation.run()
    checkRequests()
    for origin in scene.origins { scene.simulation.network.unsilence(origin.address) }
    try scene.finish()
  }

  // MARK: Disturbances

  /// Something happens to the gateway or an origin while requests are in flight.
  private func disturb() throws {
    let network = scene.simulation.network
    for _ in 0..<3 {
      try scene.simulation.run(for: .milliseconds(Int64(10 + random.next(below: 400))))
      let origin = scene.origins[random.next(below: scene.origins.count)]
      switch random.next(below: 7) {
      case 6: changeConfiguration()
      case 0:
        origin.stop(reset: true)
        try scene.simulation.run(for: .milliseconds(200))
        origin.restart()
      case 1: network.silence(origin.address)
      case 2: network.ignoreConnects(to: origin.address)
      case 3: origin.closeConnections()
      case 4:
        // Every endpoint but one goes, and comes back.
        for endpoints in [Array(scene.endpoints.prefix(1)), scene.endpoints] {
          scene.setEndpoints(endpoints)
          try scene.simulation.run(for: .milliseconds(300))
        }
      default: for gateway in scene.gateways { gateway.abortConnections() }
      }
    }
  }

  /// The service and its route become others, or the same with other settings; no request may notice.
  private func changeConfiguration() {
    var configuration = scene.tracker.configuration
    var service = configuration.services[0]
    switch random.next(below: 3) {
    case 0: service.balance = service.balance == .roundRobin ? .leastRequest : .roundRobin
    case 1: configuration.routes[0].name += "'"
    default: configuration.http.limits.targetBytes += 1
    }
    configuration.services[0] = service
    scene.apply(configuration)
  }

  // MARK: The origins

  /// What was sent for `/<seed>/<bytes>` is answered with as many bytes of that seed's pattern.
  private func steps(for request: SimulatedRequest) -> [OriginStep] {
    let parts = request.target.split(separator: "/").compactMap { Int($0) }
    guard parts.count == 2 else { return [.close] }
    let body = pattern(parts[1], seed: parts[0])
    let delay = OriginStep.delay(.milliseconds(Int64(random.next(below: 300))))
    switch random.next(below: 20) {
    case 0: return [.reset]
    case 1: return [.readContent, .close]
    case 2: return [.hang]
    case 3: return [delay, .respond(503)]
    case 4:
      let length = "HTTP/1.1 200 OK\r\nContent-Length: \(body.count + 10)\r\n\r\n"
      return [.readContent, .send(Array(length.utf8) + body), delay, .close]
    case 5:
      return [.readContent, .send(Array("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8) + body), .close]
    case 6: return [.respond(200, body: body), delay]
    case 7: return [.readContent, .respond(200, body: body), delay, .close]
    case 8:
      return [
        .send(Array("HTTP/1.1 103 Early Hints\r\n\r\n".utf8)), .readContent, delay, .respond(200, body: body),
      ]
    case 9:
      return [.pace(.init(bytes: 500, pause: .milliseconds(2))), .readContent, .respond(200, body: body)]
    case 10...13:
      return [.readContent, delay, .respondChunked(200, body: body, size: 1 + random.next(below: 2_000))]
    default: return [.readContent, delay, .respond(200, body: body)]
    }
  }

  // MARK: The clients

  private func startClient(_ number: Int) {
    let requests = 1 + random.next(below: 4)
    let pipelines = random.next(below: 4) == 0
    let leavesEarly = random.next(below: 8) == 0
    var own = SplitMix64(seed: random.next())
    scene.start("client \(number)", mayFail: true) { [unowned self] stream throws(StreamFailure) in
      stream.patience = .seconds(100)
      if own.next(below: 4) == 0 { stream.pace = .init(bytes: 700, pause: .milliseconds(1)) }
      var sent: [(seed: Int, bytes: Int)] = []
      for index in 0..<requests {
        let request = (
          seed: number * 100 + index,
          bytes: own.next(below: 3) == 0 ? own.next(below: 20_000) : own.next(below: 200)
        )
        sent.append(request)
        try await self.send(request, on: stream, &own)
        if leavesEarly && index == requests - 1 { return stream.reset() }
        if !pipelines {
          guard try await self.read(request, from: stream) else { return }
          if own.next(below: 3) == 0 { await stream.sleep(.milliseconds(Int64(own.next(below: 4_000)))) }
        }
      }
      for request in sent where pipelines {
        guard try await self.read(request, from: stream) else { return }
      }
      await stream.sleep(.seconds(1))
      if stream.hasUnreadBytes { self.violations.append("client \(number) got more than it asked for") }
    }
  }

  private func send(
    _ request: (seed: Int, bytes: Int), on stream: SimulatedStream, _ random: inout SplitMix64
  ) async throws(StreamFailure) {
    let target = "/\(request.seed)/\(request.bytes)"
    let content = pattern(request.bytes, seed: request.seed + 1)
    switch random.next(below: 4) {
    case 0: try await stream.send(SimulatedClient.request("GET", target))
    case 1: try await stream.send(SimulatedClient.request("PUT", target, body: content))
    case 2:
      try await stream.send(SimulatedClient.request("POST", target, fields: ["Transfer-Encoding: chunked"]))
      try await stream.send(SimulatedClient.chunks(content, size: 1 + random.next(below: 3_000)))
    default:
      let bytes = SimulatedClient.request("POST", target, body: content)
      try await stream.trickle(bytes, size: 1 + bytes.count / 5, pause: .milliseconds(20))
    }
  }

  /// - Returns: whether the connection may carry on.
  private func read(_ request: (seed: Int, bytes: Int), from stream: SimulatedStream)
    async throws(StreamFailure) -> Bool
  {
    let response: SimulatedResponse
    do throws(StreamFailure) {
      response = try await stream.readResponse()
    } catch {
      if case .malformed(let error) = error { violations.append("malformed response: \(error)") }
      if error == .timedOut { violations.append("no response and no end for \(request)") }
      throw error
    }
    switch response.status {
    case 200:
      if response.body != pattern(request.bytes, seed: request.seed) {
        violations.append("content of \(request) is not what was sent: \(response.body.count) bytes")
      }
    case 502, 503, 504: break
    default: violations.append("status \(response.status) for \(request)")
    }
    return response.isPersistent
  }

  private func checkRequests() {
    var posts: [String: Int] = [:]
    for request in scene.origins.flatMap(\.requests) {
      let parts = request.target.split(separator: "/").compactMap { Int($0) }
      if request.isComplete && request.method != "GET"
        && request.body != pattern(parts[1], seed: parts[0] + 1)
      {
        violations.append("content of \(request.target) arrived changed: \(request.body.count) bytes")
      }
      if request.method == "POST" { posts[request.target, default: 0] += 1 }
    }
    for (target, count) in posts where count > 1 { violations.append("\(target) was sent \(count) times") }
  }
}
