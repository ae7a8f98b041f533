import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

/// Random clients, origins, links and settings as in ``RandomTests``, with HTTP/2 on either side or
/// both. Each request gets one response, or its stream or connection ends; content is what was sent,
/// and nothing is left at the end.
@Suite("Random scenarios with HTTP/2, simulated")
struct HTTP2RandomTests {
  @Test("Invariants hold whatever happens", arguments: 1...60)
  func invariants(seed: Int) throws {
    let scenario = HTTP2Scenario(seed: UInt64(seed))
    try scenario.run()
    #expect(scenario.violations.isEmpty)
  }

  @Test("A seed replays a scenario exactly", arguments: [3, 77, 140])
  func replay(seed: Int) throws {
    func trace() throws -> (UInt64, Int) {
      let scenario = HTTP2Scenario(seed: UInt64(seed))
      try scenario.run()
      let trace = scenario.scene.simulation.network.trace
      return (trace.fingerprint, trace.count)
    }
    let first = try trace()
    #expect(first.1 > 50)
    #expect(try trace() == first)
  }
}

private final class HTTP2Scenario {
  let scene: Scene
  private var random: SplitMix64
  private let endpoint: Scene.Version
  private(set) var violations: [String] = []
  /// Requests that were begun, and those that came to an end.
  private var begun = 0
  private var ended = 0

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed &* 104_729)
    var link = random.next(below: 2) == 0 ? Link.rough : Link(latency: .microseconds(200))
    if random.next(below: 4) == 0 { link.bandwidth = 300_000 }
    var http = HTTPSettings()
    http.timeouts.idle = .seconds(Int64(2 + random.next(below: 30)))
    http.timeouts.send = .seconds(20)
    http.timeouts.body = .seconds(20)
    if random.next(below: 4) == 0 { http.limits.requestsPerConnection = 1 + random.next(below: 8) }
    if random.next(below: 4) == 0 { http.http2.streams = 1 + random.next(below: 4) }
    if random.next(below: 4) == 0 { http.http2.windowBytes = 300 + random.next(below: 2_000) }
    if random.next(below: 4) == 0 {
      http.http2.connectionAge = .milliseconds(Int64(100 + random.next(below: 3_000)))
      http.http2.connectionAgeGrace = .seconds(Int64(1 + random.next(below: 3)))
    }
    let endpoint: Scene.Version = random.next(below: 3) == 0 ? .http1 : .http2
    let origins = 1 + random.next(below: 3)
    let inFlight = random.next(below: 4) == 0 ? 1 + random.next(below: 4) : 1_000
    let connections = random.next(below: 4) == 0 ? 1 + random.next(below: 3) : 1_000
    let streams = random.next(below: 3) == 0 ? 1 + random.next(below: 4) : 100
    let multiplexers = 1 + random.next(below: 3)
    let window = random.next(below: 4) == 0 ? 1 + random.next(below: 3_000) : 65_536
    let poolIdle = Int64(random.next(below: 3_000))
    let lifetime = random.next(below: 4) == 0 ? Int64(random.next(below: 3_000)) : 1_000_000
    self.endpoint = endpoint
    scene = Scene(
      seed: seed, link: link, origins: origins, workers: 1 + random.next(below: 2), http: http,
      endpoints: endpoint
    ) {
      $0.limits.inFlight = inFlight
      $0.limits.connections = connections
      $0.timeouts.response = .seconds(5)
      $0.timeouts.idle = .seconds(5)
      $0.timeouts.connect = .seconds(1)
      $0.pool.idleTimeout = .milliseconds(poolIdle)
      $0.pool.lifetime = .milliseconds(lifetime)
      $0.http2.streams = streams
      $0.http2.connections = multiplexers
      $0.http2.windowBytes = window
      $0.retries?.on = [.connectFailure, .reset, .status(503)]
      $0.retries?.attempts = 2
    }
    for origin in scene.origins {
      if random.next(below: 3) == 0 { origin.http2Settings.concurrentStreams = 1 + random.next(below: 4) }
      if random.next(below: 4) == 0 { origin.http2Settings.streamWindowBytes = 1 + random.next(below: 3_000) }
    }
    self.random = random
    for origin in scene.origins { origin.script = { [unowned self] request, _ in self.steps(for: request) } }
  }

  func run() throws {
    for number in 0..<(1 + random.next(below: 4)) { startClient(number) }
    if random.next(below: 2) == 0 { try disturb() }
    try scene.simulation.run()
    if begun != ended { violations.append("\(begun) requests, \(ended) ends") }
    checkRequests()
    for origin in scene.origins { scene.simulation.network.unsilence(origin.address) }
    try scene.finish()
  }

  private func disturb() throws {
    let network = scene.simulation.network
    for _ in 0..<3 {
      try scene.simulation.run(for: .milliseconds(Int64(10 + random.next(below: 400))))
      let origin = scene.origins[random.next(below: scene.origins.count)]
      switch random.next(below: 7) {
      case 0:
        origin.stop(reset: true)
        try scene.simulation.run(for: .milliseconds(200))
        origin.restart()
      case 1: network.silence(origin.address)
      case 2: network.ignoreConnects(to: origin.address)
      case 3: origin.closeConnections()
      case 4:
        for endpoints in [Array(scene.endpoints.prefix(1)), scene.endpoints] {
          scene.setEndpoints(endpoints)
          try scene.simulation.run(for: .milliseconds(300))
        }
      case 5:
        for connection in origin.http2Connections {
          var settings = origin.http2Settings
          settings.concurrentStreams = random.next(below: 4)
          settings.streamWindowBytes = random.next(below: 100_000)
          connection.announce(settings)
        }
      default: for gateway in scene.gateways { gateway.abortConnections() }
      }
    }
  }

  // MARK: The origins

  /// What was sent for `/<seed>/<bytes>` is answered with as many bytes of that seed's pattern.
  private func steps(for request: SimulatedRequest) -> [OriginStep] {
    let parts = request.target.split(separator: "/").compactMap { Int($0) }
    guard parts.count == 2 else { return [.close] }
    let body = pattern(parts[1], seed: parts[0])
    let delay = OriginStep.delay(.milliseconds(Int64(random.next(below: 300))))
    let trailers = random.next(below: 3) == 0 ? ["x-sum: 7"] : []
    switch random.next(below: 24) {
    case 0: return [.reset]
    case 1: return [.readContent, .close]
    case 2: return [.hang]
    case 3: return [delay, .respond(503)]
    case 4: return endpoint == .http2 ? [.resetStream(.internalError)] : [.reset]
    case 5: return endpoint == .http2 ? [.resetStream(.refusedStream)] : [.close]
    case 6: return endpoint == .http2 ? [.goAway(accepts: false)] : [.close]
    case 7:
      return endpoint == .http2
        ? [.readContent, .goAway(accepts: true), delay, .respond(200, body: body)] : [.close]
    case 8:
      return endpoint == .http2
        ? [.readContent, .head(200), .content(body), delay, .resetStream(.cancel)] : [.close]
    case 9: return [.respond(200, body: body), delay]
    case 10: return [.interim(103), .readContent, delay, .respond(200, body: body)]
    case 11:
      return [.pace(.init(bytes: 500, pause: .milliseconds(2))), .readContent, .respond(200, body: body)]
    case 12...16:
      let size = 1 + random.next(below: 20_000)
      return [.readContent, delay, .respondChunked(200, body: body, size: size, trailers: trailers)]
    default: return [.readContent, delay, .respond(200, body: body)]
    }
  }

  // MARK: The clients

  private func startClient(_ number: Int) {
    let requests = 1 + random.next(below: 8)
    var settings = HTTP2LocalSettings()
    if random.next(below: 3) == 0 { settings.streamWindowBytes = 300 + random.next(below: 3_000) }
    let isRude = random.next(below: 8) == 0
    let isSlow = random.next(below: 4) == 0
    var own = SplitMix64(seed: random.next())
    scene.startUnconnected("client \(number)", mayFail: true) { [unowned self] () throws(StreamFailure) in
      let connection = try await self.scene.client.connectHTTP2(settings: settings)
      connection.patience = .seconds(100)
      var left = requests
      let done = Signal(on: connection.worker)
      for index in 0..<requests {
        let request = (
          seed: number * 100 + index,
          bytes: own.next(below: 3) == 0 ? own.next(below: 100_000) : own.next(below: 200)
        )
        let seed = own.next()
        self.begun += 1
        connection.worker.spawn {
          var random = SplitMix64(seed: seed)
          await self.perform(request, on: connection, isSlow: isSlow, &random)
          self.ended += 1
          left -= 1
          done.notify()
        }
        if own.next(below: 3) == 0 { await connection.sleep(.milliseconds(Int64(own.next(below: 1_000)))) }
      }
      if isRude {
        await connection.sleep(.milliseconds(Int64(own.next(below: 500))))
        connection.reset()
      }
      while left > 0 { _ = await done.wait(until: .never) }
      if let violation = connection.violation { self.violations.append("gateway: \(violation)") }
      connection.close()
    }
  }

  private func perform(
    _ request: (seed: Int, bytes: Int), on connection: SimulatedHTTP2Connection, isSlow: Bool,
    _ random: inout SplitMix64
  ) async {
    let content = pattern(request.bytes, seed: request.seed + 1)
    let method = ["GET", "PUT", "POST"][random.next(below: 3)]
    let trailers = method != "GET" && random.next(below: 4) == 0 ? ["x-digest: 5"] : []
    let leavesAfter = random.next(below: 8) == 0 ? Int64(random.next(below: 400)) : -1
    do throws(StreamFailure) {
      let hasLength = method != "GET" && random.next(below: 2) == 0
      let stream = try await connection.open(
        method, "/\(request.seed)/\(request.bytes)",
        fields: hasLength ? ["content-length: \(content.count)"] : [],
        endStream: method == "GET")
      if leavesAfter >= 0 {
        connection.worker.spawn {
          await stream.sleep(.milliseconds(leavesAfter))
          stream.reset()
        }
      }
      if isSlow {
        stream.releasesContent = false
        connection.worker.spawn {
          while stream.failure == nil && connection.isOpen && !(stream.hasEnded && stream.heldCount == 0) {
            await stream.sleep(.milliseconds(5))
            stream.release(2_000)
          }
        }
      }
      let response = try await stream.exchange(body: method == "GET" ? nil : content, trailers: trailers)
      check(response, request)
      if stream.violation != nil { violations.append("the gateway broke a rule on \(request)") }
    } catch {
      if error == .timedOut { violations.append("no response and no end for \(request)") }
      if case .malformed(let error) = error { violations.append("malformed response: \(error)") }
    }
  }

  private func check(_ response: SimulatedResponse, _ request: (seed: Int, bytes: Int)) {
    switch response.status {
    case 200:
      if let difference = difference(response.body, pattern(request.bytes, seed: request.seed)) {
        violations.append("content of \(request) is not what was sent: \(difference)")
      }
    case 408, 502, 503, 504: break
    default: violations.append("status \(response.status) for \(request)")
    }
  }

  private func checkRequests() {
    var posts: [String: Int] = [:]
    for request in scene.origins.flatMap(\.requests) {
      let parts = request.target.split(separator: "/").compactMap { Int($0) }
      if request.isComplete && request.method != "GET",
        let difference = difference(request.body, pattern(parts[1], seed: parts[0] + 1))
      {
        violations.append("content of \(request.target) arrived changed: \(difference)")
      }
      if request.method == "POST" && request.isComplete { posts[request.target, default: 0] += 1 }
    }
    // A request that was refused, or that nobody has processed, may be sent again.
    for (target, count) in posts where count > 1 {
      violations.append("\(target) was processed \(count) times")
    }
  }
}
