import Resources
import Runtime
import Simulation
import Testing

@Suite("Timeouts, simulated")
struct TimeoutTests {
  @Test("No answer to the connection attempt: 504 after the connect timeout")
  func connect() throws {
    let scene = Scene {
      $0.timeouts.connect = .seconds(2)
      $0.retries = nil
    }
    scene.simulation.network.ignoreConnects(to: scene.origin.address)
    var response: SimulatedResponse?
    let elapsed = try scene.seconds { response = try scene.request() }
    #expect(response?.status == 504)
    #expect(elapsed >= 2 && elapsed < 2.1)
    try scene.finish()
  }

  @Test("A full accept queue: 504, and the gateway goes on")
  func fullAcceptQueue() throws {
    let scene = Scene(backlog: 0, originsAccept: false) {
      $0.timeouts.connect = .milliseconds(500)
      $0.timeouts.response = .seconds(1)
      $0.retries = nil
    }
    // The first takes the queue's only place, and nobody accepts it.
    #expect(try scene.request().status == 504)
    scene.start("waits") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      #expect(try await stream.readResponse().status == 504)
    }
    #expect(try scene.request().status == 504)
    scene.origin.startAccepting()
    #expect(try scene.request().status == 200)
    try scene.finish()
  }

  @Test("No response: 504 after the response timeout")
  func response() throws {
    let scene = Scene {
      $0.timeouts.response = .seconds(10)
      $0.retries = nil
    }
    scene.origin.script = { _, _ in [.readContent, .hang] }
    var response: SimulatedResponse?
    let elapsed = try scene.seconds { response = try scene.request("POST", body: pattern(10)) }
    #expect(response?.status == 504)
    #expect(elapsed >= 10 && elapsed < 10.1)
    try scene.simulation.run(limit: .seconds(1)) { scene.origin.openCount == 0 }
    try scene.finish()
  }

  @Test("A host that falls silent after it got the request: 504")
  func silentHost() throws {
    let scene = Scene {
      $0.timeouts.response = .seconds(10)
      $0.retries = nil
    }
    scene.origin.script = { _, _ in
      scene.simulation.network.silence(scene.origin.address)
      return OriginStep.answer("lost")
    }
    #expect(try scene.request().status == 504)
    scene.simulation.network.unsilence(scene.origin.address)
    scene.origin.script = { _, _ in OriginStep.answer("back") }
    #expect(try scene.request().text == "back")
    scene.origin.closeConnections()
    try scene.finish()
  }

  @Test("A response that stops is cut after the idle timeout")
  func stalledResponse() throws {
    let scene = Scene { $0.timeouts.idle = .seconds(5) }
    scene.origin.script = { _, _ in
      [.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf".utf8)), .hang]
    }
    let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(program.failure == .cutShort || program.failure == .reset)
    #expect(elapsed >= 5 && elapsed < 5.1)
    try scene.finish()
  }

  @Test("A response that trickles is not cut")
  func tricklingResponse() throws {
    let scene = Scene { $0.timeouts.idle = .seconds(5) }
    scene.origin.script = { _, _ in
      var steps: [OriginStep] = [.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".utf8))]
      for _ in 0..<10 { steps += [.delay(.seconds(4)), .send([65])] }
      return steps
    }
    #expect(try scene.request().text == "AAAAAAAAAA")
    try scene.finish()
  }

  @Test("A head that does not come in time: 408, and nothing reaches the origin")
  func slowHead() throws {
    var http = HTTPSettings()
    http.timeouts.head = .seconds(15)
    let scene = Scene(http: http)
    var status = 0
    scene.start { stream throws(StreamFailure) in
      try await stream.send("GET / HTTP/1.1\r\nHost: a")
      status = try await stream.readResponse().status
      try await stream.waitForClose()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(status == 408)
    #expect(elapsed >= 15 && elapsed < 18)
    #expect(scene.requestCount == 0)
    try scene.finish()
  }

  @Test("Content that does not come in time: 408")
  func slowContent() throws {
    var http = HTTPSettings()
    http.timeouts.body = .seconds(20)
    let scene = Scene(http: http)
    var status = 0
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("POST", "/", fields: ["Content-Length: 10"]))
      try await stream.send([1, 2, 3])
      status = try await stream.readResponse(to: .post).status
      try await stream.waitForClose()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(status == 408)
    #expect(elapsed >= 20 && elapsed < 23)
    try scene.simulation.run(limit: .seconds(1)) { scene.origin.openCount == 0 }
    #expect(scene.origin.requests.first?.isComplete == false)
    try scene.finish()
  }

  @Test("A client that does not read is cut after the send timeout, and the origin is let go")
  func slowReader() throws {
    var http = HTTPSettings()
    http.timeouts.send = .seconds(30)
    let scene = Scene(http: http)
    scene.origin.script = { _, _ in [.respond(200, body: pattern(3_000_000))] }
    scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      await stream.sleep(.seconds(100))
    }
    let elapsed = try scene.seconds {
      try scene.simulation.run { scene.origin.openCount == 1 }
      try scene.simulation.run { scene.origin.openCount == 0 }
    }
    #expect(elapsed >= 30 && elapsed < 31)
    try scene.finish()
  }

  @Test("An idle client's connection is closed after the idle timeout; parked, it needs no exchange")
  func idleClient() throws {
    var http = HTTPSettings()
    http.timeouts.idle = .seconds(75)
    let scene = Scene(http: http)
    var texts: [String] = []
    scene.start { stream throws(StreamFailure) in
      for _ in 0..<2 {
        try await stream.send(SimulatedClient.request())
        texts.append(try await stream.readResponse().text)
        await stream.sleep(.seconds(20))
      }
      try await stream.waitForClose()
    }
    try scene.simulation.run(for: .seconds(10))
    #expect(scene.gateway.parkedCount == 1)
    var other = 0
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      other = try await stream.readResponse().status
    }
    try scene.simulation.run(limit: .seconds(1)) { other == 200 }
    // One exchange served both connections.
    #expect(scene.gateway.worker.buffers.lentCount == Scene.buffersPerExchange)
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(texts == ["ok", "ok"])
    // 75 s after the second request, which came after 20 s; 10 s have passed. The worker may keep the
    // connection's task for a second before the timeout begins.
    #expect(elapsed > 84.9 && elapsed < 86.2)
    try scene.finish()
  }

  @Test("A connection on which nothing ever comes is closed without an answer")
  func nothingSent() throws {
    let scene = Scene()
    var received: [UInt8]?
    scene.start { stream throws(StreamFailure) in received = try await stream.readUntilClose() }
    try scene.simulation.run()
    #expect(received == [])
    try scene.finish()
  }
}
