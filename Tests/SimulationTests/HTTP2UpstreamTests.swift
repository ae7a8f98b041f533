import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

@Suite("HTTP/2 with endpoints, simulated")
struct HTTP2UpstreamTests {
  /// Starts requests of HTTP/1 clients, and says what they were answered.
  private final class Answers {
    var statuses: [Int] = []
  }

  private func start(_ count: Int, _ scene: Scene, _ method: String = "GET", body: [UInt8]? = nil) -> Answers
  {
    let answers = Answers()
    for number in 0..<count {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request(method, "/", body: body))
        answers.statuses.append(try await stream.readResponse().status)
      }
    }
    return answers
  }

  @Test("Requests share a connection, and wait together while it is made")
  func sharing() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.script = { _, _ in [.delay(.milliseconds(100))] + OriginStep.answer("ok") }
    let answers = start(50, scene)
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(answers.statuses == Array(repeating: 200, count: 50))
    #expect(scene.origin.connectionCount == 1)
    #expect(elapsed < 0.2)
    #expect(scene.service.connectionCount == 1)
    try scene.finish()
  }

  @Test("More connections are made when the streams of all are taken, up to the limit")
  func growth() throws {
    for announced in [nil, 3] {
      let scene = Scene(endpoints: .http2) {
        $0.http2.streams = announced == nil ? 3 : 100
        $0.http2.connections = 4
      }
      if let announced { scene.origin.http2Settings.concurrentStreams = announced }
      scene.origin.script = { _, _ in [.delay(.milliseconds(500))] + OriginStep.answer("ok") }
      let answers = start(30, scene)
      try scene.simulation.run()
      #expect(answers.statuses == Array(repeating: 200, count: 30))
      #expect(scene.origin.connectionCount == 4)
      #expect(scene.service.pendingCount == 0)
      try scene.finish()
    }
  }

  @Test("Connections that are lost with many waiting are replaced within the limit")
  func growthAfterLoss() throws {
    let scene = Scene(endpoints: .http2) {
      $0.http2.streams = 1
      $0.http2.connections = 1
    }
    scene.origin.script = { _, number in
      number == 0
        ? [.delay(.milliseconds(500)), .close] : [.delay(.milliseconds(10))] + OriginStep.answer("ok")
    }
    let answers = start(10, scene)
    var most = 0
    try scene.simulation.run {
      most = max(most, scene.service.connectionCount)
      return scene.simulation.runningPrograms.isEmpty
    }
    #expect(answers.statuses == Array(repeating: 200, count: 10))
    #expect(most == 1)
    try scene.finish()
  }

  @Test("No answer to the connection attempt: all that wait for it are answered after the connect timeout")
  func connectTimeout() throws {
    let scene = Scene(endpoints: .http2) {
      $0.timeouts.connect = .seconds(2)
      $0.retries = nil
      $0.ejection = nil
    }
    scene.simulation.network.ignoreConnects(to: scene.origin.address)
    let answers = start(5, scene)
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(answers.statuses == Array(repeating: 504, count: 5))
    #expect(elapsed >= 2 && elapsed < 4.5)
    try scene.finish()
  }

  @Test("A refused connection: all that wait for it are answered")
  func connectRefused() throws {
    let scene = Scene(endpoints: .http2) { $0.retries = nil }
    scene.origin.stop()
    let answers = start(5, scene)
    try scene.simulation.run()
    #expect(answers.statuses == Array(repeating: 502, count: 5))
    try scene.finish()
  }

  @Test("The client that makes the connection leaves: those that wait get theirs")
  func connectorLeaves() throws {
    let scene = Scene(endpoints: .http2)
    scene.simulation.network.setLink(to: scene.origin.address, Link(latency: .milliseconds(200)))
    scene.start("leaves", mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      await stream.sleep(.milliseconds(100))
      stream.reset()
    }
    try scene.simulation.run(for: .milliseconds(20))
    let answers = start(3, scene)
    try scene.simulation.run()
    #expect(answers.statuses == [200, 200, 200])
    try scene.finish()
  }

  @Test(
    "GOAWAY: streams that were not processed are sent again, those that were finish",
    arguments: ["GET", "POST"])
  func goAway(method: String) throws {
    let scene = Scene(endpoints: .http2) { $0.retries = nil }
    scene.origin.script = { request, number in
      switch number {
      case 0: [.readContent, .delay(.milliseconds(300)), .respond(200, body: [1])]
      case 1: [.goAway(accepts: false)]
      default: OriginStep.answer("ok")
      }
    }
    let first = start(1, scene)
    try scene.simulation.run(for: .milliseconds(50))
    let second = start(1, scene, method, body: method == "POST" ? pattern(100) : nil)
    try scene.simulation.run()
    #expect(first.statuses == [200])
    #expect(second.statuses == [200])
    #expect(scene.origin.connectionCount == 2)
    #expect(scene.origin.requests.count == 3)
    try scene.finish()
  }

  @Test("REFUSED_STREAM: sent again for every method, but not for ever", arguments: ["GET", "POST"])
  func refusedStream(method: String) throws {
    let scene = Scene(endpoints: .http2) {
      $0.retries = nil
      $0.ejection = nil
    }
    scene.origin.script = { _, number in
      number < 2 || number > 10 ? [.resetStream(.refusedStream)] : OriginStep.answer("ok")
    }
    #expect(try scene.exchange(over: .http1, method, body: pattern(10)).status == 200)
    #expect(scene.requestCount == 3)
    scene.origin.script = { _, _ in [.resetStream(.refusedStream)] }
    #expect(try scene.exchange(over: .http1, method, body: pattern(10)).status == 502)
    #expect(scene.requestCount < 10)
    try scene.finish()
  }

  @Test("Resets of streams are retried as the settings say, and not for ever")
  func streamResets() throws {
    let scene = Scene(endpoints: .http2) { $0.ejection = nil }
    #expect(try scene.exchange(over: .http2).status == 200)
    scene.origin.script = { _, _ in [.resetStream(.internalError)] }
    // One retry by default; not for POST.
    #expect(try scene.exchange(over: .http2).status == 502)
    #expect(scene.requestCount == 3)
    #expect(try scene.exchange(over: .http2, "POST", body: [1]).status == 502)
    #expect(scene.requestCount == 4)
    #expect(scene.origin.connectionCount == 1)
    try scene.finish()
  }

  @Test("Content that came with the head is sent again with a retry", arguments: Pairing.all)
  func retriedContent(pairing: Pairing) throws {
    for announcesLength in [true, false] {
      for size in [10, 3_000] {
        let scene = pairing.scene {
          $0.retries?.on = [.status(503)]
          $0.retries?.attempts = 3
        }
        scene.origin.script = { _, number in
          [.readContent] + (number < 3 ? [.respond(503)] : [.respond(200, body: [1])])
        }
        let response = try scene.exchange(
          over: pairing.client, "PUT", body: pattern(size), announcesLength: announcesLength)
        // What a small request brings with its head may be sent again.
        if response.status == 200 {
          #expect(scene.requestCount == 4)
        } else {
          #expect(response.status == 503)
        }
        for request in scene.origin.requests { #expect(difference(request.body, pattern(size)) == nil) }
        try scene.finish()
      }
    }
  }

  @Test("An endpoint that closes an idle connection costs nobody anything")
  func idleClosed() throws {
    let scene = Scene(endpoints: .http2) { $0.retries = nil }
    #expect(try scene.exchange(over: .http1).status == 200)
    scene.origin.closeConnections()
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.service.connectionCount == 0)
    #expect(try scene.exchange(over: .http1, "POST", body: [1]).status == 200)
    try scene.finish()
  }

  @Test(
    "An idle connection is closed after the pool's idle timeout, and an old one when its streams are over")
  func idleAndAge() throws {
    let scene = Scene(endpoints: .http2) {
      $0.pool.idleTimeout = .seconds(10)
      $0.pool.lifetime = .seconds(30)
      $0.http2.connections = 1
    }
    #expect(try scene.exchange(over: .http1).status == 200)
    try scene.simulation.run(for: .seconds(13))
    #expect(scene.origin.openCount == 0)
    // A long stream on an old connection does not keep others from a new one.
    scene.origin.script = { request, _ in
      request.target == "/long" ? [.delay(.seconds(50))] + OriginStep.answer("long") : OriginStep.answer("ok")
    }
    var text = ""
    scene.start("long") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("GET", "/long"))
      text = try await stream.readResponse().text
    }
    try scene.simulation.run(for: .seconds(40))
    #expect(start(1, scene).statuses.isEmpty)
    let elapsed = try scene.seconds { try scene.simulation.run { scene.requestCount == 3 } }
    #expect(elapsed < 1)
    try scene.simulation.run()
    #expect(text == "long")
    try scene.finish()
  }

  @Test("An endpoint that lowers its limit of streams, even to none")
  func loweredLimit() throws {
    let scene = Scene(endpoints: .http2) { $0.http2.connections = 1 }
    var settings = HTTP2LocalSettings()
    settings.concurrentStreams = 1
    scene.origin.script = { _, number in
      (number == 0 ? [.delay(.milliseconds(5)), .announce(settings)] : []) + [.delay(.milliseconds(100))]
        + OriginStep.answer("ok")
    }
    #expect(try scene.exchange(over: .http1).status == 200)
    let answers = start(6, scene)
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(answers.statuses == Array(repeating: 200, count: 6))
    #expect(elapsed > 0.6)
    settings.concurrentStreams = 0
    scene.origin.http2Connections.first?.announce(settings)
    try scene.simulation.run(for: .milliseconds(10))
    #expect(try scene.exchange(over: .http1).status == 503)
    try scene.finish()
  }

  @Test("An endpoint whose windows never open: the request fails after the idle timeout")
  func closedWindow() throws {
    let scene = Scene(endpoints: .http2) {
      $0.timeouts.idle = .seconds(5)
      $0.retries = nil
    }
    scene.origin.http2Settings.streamWindowBytes = 1_000
    scene.origin.http2ReleasesContent = false
    scene.origin.script = { request, _ in request.method == "GET" ? OriginStep.answer("ok") : [.hang] }
    // The window is known from here on.
    #expect(try scene.exchange(over: .http1).status == 200)
    var status = 0
    let elapsed = try scene.seconds {
      status = try scene.exchange(over: .http1, "POST", body: pattern(10_000)).status
    }
    #expect(status == 504)
    #expect(elapsed >= 5 && elapsed < 6, "\(elapsed)")
    #expect(scene.service.inFlight == 0)
    try scene.finish()
  }

  @Test("A slow endpoint holds its client back")
  func uploadBackPressure() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.http2Settings.streamWindowBytes = 10_000
    scene.origin.script = { _, _ in
      [.pace(.init(bytes: 4_000, pause: .milliseconds(5))), .readContent, .respond(200)]
    }
    var stream: SimulatedStream?
    var status = 0
    scene.start { opened throws(StreamFailure) in
      stream = opened
      try await opened.send(SimulatedClient.request("POST", "/", body: pattern(1_000_000)))
      status = try await opened.readResponse(to: .post).status
    }
    try scene.simulation.run(for: .milliseconds(300))
    #expect((stream?.sentCount ?? 0) < 700_000)
    try scene.simulation.run()
    #expect(status == 200)
    #expect(difference(scene.origin.requests.first?.body, pattern(1_000_000)) == nil)
    try scene.finish()
  }

  @Test("Malformed heads of an endpoint fail their stream alone")
  func malformedResponses() throws {
    let scene = Scene(endpoints: .http2) {
      $0.retries = nil
      $0.ejection = nil
    }
    let heads: [[OriginStep]] = [
      [.head(200, fields: ["connection: close"], ends: true)], [.head(101)],
      [.head(200, fields: ["content-length: 5"], ends: true)],
      [.head(200, fields: ["content-length: 5"]), .content([1, 2, 3]), .end()],
      [.head(200), .content([1, 2, 3]), .end(trailers: [":status: 200"])],
    ]
    scene.origin.script = { request, _ in [.readContent] + heads[Int(request.target.dropFirst())!] }
    let connection = try scene.connectHTTP2()
    for index in heads.indices {
      scene.startUnconnected { () throws(StreamFailure) in
        let stream = try await connection.open("GET", "/\(index)")
        try? await stream.waitForEnd()
        #expect(stream.response.status == 502 || stream.resetCode != nil, "\(index)")
      }
    }
    try scene.simulation.run()
    scene.origin.script = { _, _ in OriginStep.answer("ok") }
    #expect(try scene.exchange(over: .http1).status == 200)
    #expect(scene.origin.connectionCount == 1)
    scene.origin.violations.removeAll()
    try scene.finish()
  }

  @Test("With as many connections as the service may have, an idle one makes room for another endpoint")
  func connectionLimit() throws {
    let scene = Scene(origins: 2, endpoints: .http2) { $0.limits.connections = 1 }
    for _ in 0..<4 {
      var status = 0
      let elapsed = try scene.seconds { status = try scene.exchange(over: .http1).status }
      #expect(status == 200)
      #expect(elapsed < 1)
    }
    #expect(scene.service.connectionCount == 1)
    try scene.finish()
  }
}
