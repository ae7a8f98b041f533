import DataPlane
import Resources
import Runtime
import Simulation
import Testing

/// The usual request is served without a task, on a connection of the pool; what is unusual about
/// one must not make a difference that a client can see.
@Suite("Requests served without a task, simulated")
struct FastPathTests {
  /// A scene whose pool holds a connection, so that the next request needs no task.
  private func warmScene(
    http: HTTPSettings = HTTPSettings(), _ change: (inout Service) -> Void = { _ in }
  ) throws -> Scene {
    let scene = Scene(http: http) { service in
      service.retries = nil
      change(&service)
    }
    #expect(try scene.request().status == 200)
    #expect(scene.service.idleConnectionCount == 1)
    return scene
  }

  // MARK: Empty lines

  @Test(
    "An empty line in front of a request is accepted, wherever the bytes are split", arguments: [1, 2], 1...6)
  func emptyLine(lines: Int, split: Int) throws {
    let scene = Scene()
    let bytes = Array(repeating: [13, 10], count: lines).flatMap { $0 } + SimulatedClient.request()
    var statuses: [Int] = []
    scene.start { stream throws(StreamFailure) in
      // On a new connection, and again on the same, which by then is served without a task.
      for _ in 0..<3 {
        try await stream.send(Array(bytes[..<split]))
        await stream.sleep(.milliseconds(100))
        try await stream.send(Array(bytes[split...]))
        statuses.append(try await stream.readResponse().status)
      }
    }
    try scene.simulation.run()
    #expect(statuses == [200, 200, 200])
    #expect(scene.requestCount == 3)
    try scene.finish()
  }

  @Test("A request after an empty line that comes byte by byte is accepted")
  func emptyLineByByte() throws {
    let scene = try warmScene()
    var status = 0
    scene.start { stream throws(StreamFailure) in
      try await stream.trickle([13, 10] + SimulatedClient.request(), size: 1, pause: .milliseconds(20))
      status = try await stream.readResponse().status
    }
    try scene.simulation.run()
    #expect(status == 200)
    try scene.finish()
  }

  @Test("A lone empty line after a response does not begin a request: no 408", arguments: [1, 2])
  func emptyLineAfterResponse(piece: Int) throws {
    var http = HTTPSettings()
    http.timeouts.head = .seconds(15)
    http.timeouts.idle = .seconds(75)
    let scene = try warmScene(http: http)
    var statuses: [Int] = []
    var rest: [UInt8]?
    scene.start { stream throws(StreamFailure) in
      for _ in 0..<2 {
        try await stream.send(SimulatedClient.request("POST", body: [1]))
        statuses.append(try await stream.readResponse(to: .post).status)
        try await stream.trickle([13, 10], size: piece, pause: .milliseconds(100))
        await stream.sleep(.seconds(30))
      }
      rest = try await stream.readUntilClose()
    }
    try scene.simulation.run()
    #expect(statuses == [200, 200])
    #expect(rest == [])
    try scene.finish()
  }

  // MARK: While the response is awaited

  @Test("The response timeout applies: 504")
  func responseTimeout() throws {
    let scene = try warmScene { $0.timeouts.response = .seconds(10) }
    scene.origin.script = { _, _ in [.hang] }
    var response: SimulatedResponse?
    let elapsed = try scene.seconds { response = try scene.request() }
    #expect(response?.status == 504)
    #expect(elapsed >= 10 && elapsed < 10.1)
    #expect(scene.gateway.counters.figures.poolReused == 1)
    try scene.simulation.run(limit: .seconds(1)) { scene.origin.openCount == 0 }
    try scene.finish()
  }

  @Test("A response that stops is cut after the idle timeout")
  func idleTimeout() throws {
    let scene = try warmScene {
      $0.timeouts.response = .seconds(10)
      $0.timeouts.idle = .seconds(5)
    }
    scene.origin.script = { _, _ in
      [.delay(.seconds(8)), .send(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".utf8)), .hang]
    }
    let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(program.failure == .cutShort || program.failure == .reset)
    #expect(elapsed >= 13 && elapsed < 13.1)
    try scene.finish()
  }

  @Test("A client that leaves takes the request to the endpoint with it", arguments: [false, true])
  func clientLeaves(withReset: Bool) throws {
    let scene = try warmScene()
    scene.origin.script = { _, _ in [.hang] }
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      await stream.sleep(.seconds(1))
      if withReset { stream.reset() }
    }
    try scene.simulation.run()
    #expect(scene.requestCount == 2)
    try scene.simulation.run(limit: .seconds(1)) { scene.origin.openCount == 0 }
    #expect(scene.service.inFlight == 0)
    #expect(scene.gateway.connectionCount == 0)
    #expect(scene.gateway.counters.figures.poolReused == 1)
    try scene.finish()
  }

  @Test("Aborting ends the request at once, at both ends")
  func abort() throws {
    let scene = try warmScene()
    scene.origin.script = { _, _ in [.hang] }
    let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
    }
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.requestCount == 2)
    var isDrained = false
    scene.gateway.beginDrain { isDrained = true }
    scene.gateway.abortConnections()
    try scene.simulation.run(limit: .seconds(1))
    #expect(program.failure == .reset)
    try scene.simulation.run(limit: .seconds(1)) { isDrained && scene.origin.openCount == 0 }
    try scene.finish()
  }

  @Test("A drain lets the request finish, and its connection end")
  func drain() throws {
    let scene = try warmScene()
    scene.origin.script = { _, _ in [.delay(.seconds(10))] + OriginStep.answer("done") }
    var response: SimulatedResponse?
    var rest: [UInt8]?
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      response = try await stream.readResponse()
      rest = try await stream.readUntilClose()
    }
    try scene.simulation.run(for: .seconds(1))
    var isDrained = false
    scene.gateway.beginDrain { isDrained = true }
    try scene.simulation.run(for: .seconds(1))
    #expect(!isDrained)
    try scene.simulation.run(limit: .seconds(20)) { isDrained }
    try scene.simulation.run(limit: .seconds(1))
    #expect(response?.text == "done")
    #expect(response?.isPersistent == false)
    #expect(rest == [])
    try scene.finish()
  }

  // MARK: The last request of a connection

  @Test(
    "What is pipelined behind a last request is not served, and the response arrives whole",
    arguments: [false, true], [1, 50_000])
  func pipelinedBehindLast(hasPooledConnection: Bool, furtherRequests: Int) throws {
    let scene = hasPooledConnection ? try warmScene() : Scene()
    let served = scene.requestCount
    let body = pattern(60_000)
    scene.origin.script = { _, _ in [.respond(200, body: body)] }
    var response: SimulatedResponse?
    var rest: [UInt8]?
    scene.start { stream throws(StreamFailure) in
      let further = SimulatedClient.request("GET", "/not-served")
      try await stream.send(
        SimulatedClient.request("GET", "/last", fields: ["Connection: close"])
          + Array(repeatElement(further, count: furtherRequests).joined()))
      // Slower than the gateway waits for what the client may still send.
      stream.pace = .init(bytes: 2_000, pause: .milliseconds(200))
      response = try await stream.readResponse()
      rest = try await stream.readUntilClose()
    }
    try scene.simulation.run()
    #expect(response?.body == body)
    #expect(response?.isPersistent == false)
    #expect(rest == [])
    #expect(scene.origin.requests.dropFirst(served).map(\.target) == ["/last"])
    try scene.finish()
  }

  @Test("Pipelined requests are all served, in their order, when the first of them needs no task")
  func pipelined() throws {
    let scene = try warmScene()
    scene.origin.script = { request, _ in OriginStep.answer(request.target) }
    let targets = (0..<100).map { "/\($0)" }
    var texts: [String] = []
    scene.start { stream throws(StreamFailure) in
      try await stream.send(targets.flatMap { SimulatedClient.request("GET", $0) })
      for _ in targets { texts.append(try await stream.readResponse().text) }
    }
    try scene.simulation.run()
    #expect(texts == targets)
    try scene.finish()
  }

  // MARK: Connections of the pool

  @Test("A connection that its server is closing is not used for a request that is still coming")
  func staleConnectionAndStreamedContent() throws {
    let scene = try warmScene { $0.limits.inFlight = 1 }
    scene.origin.script = { request, _ in
      (request.method == "GET" ? [.delay(.seconds(1))] : []) + OriginStep.answer("ok")
    }
    scene.start("before") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
    }
    var status = 0
    scene.start("streams") { stream throws(StreamFailure) in
      await stream.sleep(.milliseconds(100))
      try await stream.send(SimulatedClient.request("PUT", "/", fields: ["Content-Length: 4"]))
      // Behind the head, so that it is read and let go once the request is on its way.
      await stream.sleep(.milliseconds(100))
      try await stream.send([1, 2, 3, 4])
      status = try await stream.readResponse().status
    }
    try scene.simulation.run { scene.requestCount == 2 && scene.service.inFlight == 0 }
    #expect(scene.service.idleConnectionCount == 1)
    #expect(scene.service.pendingCount == 1)
    // The server's end arrives just before the request's turn, and the worker has not been told.
    scene.origin.closeConnections()
    scene.simulation.network.pass(.milliseconds(1))
    try scene.simulation.run()
    #expect(status == 200)
    #expect(scene.origin.requests.last?.body == [1, 2, 3, 4])
    #expect(scene.origin.connectionCount == 2)
    try scene.finish()
  }
}
