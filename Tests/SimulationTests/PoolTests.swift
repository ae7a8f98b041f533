import Resources
import Runtime
import Simulation
import Testing

@Suite("Connection pools and limits, simulated")
struct PoolTests {
  @Test("A connection that was used is used again")
  func reuse() throws {
    let scene = Scene()
    for _ in 0..<5 { #expect(try scene.request().status == 200) }
    #expect(scene.origin.connectionCount == 1)
    #expect(scene.service.idleConnectionCount == 1)
    try scene.finish()
  }

  @Test("An idle connection is closed after the pool's idle timeout")
  func idleTimeout() throws {
    let scene = Scene { $0.pool.idleTimeout = .seconds(10) }
    _ = try scene.request()
    try scene.simulation.run(for: .seconds(9))
    #expect(scene.origin.openCount == 1)
    try scene.simulation.run(for: .seconds(2))
    #expect(scene.origin.openCount == 0)
    #expect(scene.service.connectionCount == 0)
    #expect(try scene.request().status == 200)
    try scene.finish()
  }

  @Test("A connection that has lived for long is not used again")
  func lifetime() throws {
    let scene = Scene { $0.pool.lifetime = .seconds(100) }
    for _ in 0..<8 {
      #expect(try scene.request().status == 200)
      try scene.simulation.run(for: .seconds(20))
    }
    #expect(scene.origin.connectionCount == 2)
    try scene.finish()
  }

  @Test(
    "A server that closes an idle connection, or speaks unasked, takes it out of the pool",
    arguments: [OriginStep.close, .reset, .send([65])])
  func closedByServer(end: OriginStep) throws {
    let scene = Scene { $0.retries = nil }
    scene.origin.script = { _, number in
      OriginStep.answer("ok") + (number == 0 ? [.delay(.seconds(3)), end] : [])
    }
    #expect(try scene.request().status == 200)
    #expect(scene.service.idleConnectionCount == 1)
    try scene.simulation.run(for: .seconds(4))
    #expect(scene.service.idleConnectionCount == 0)
    #expect(try scene.request("POST", body: [1]).status == 200)
    #expect(scene.origin.connectionCount == 2)
    try scene.finish()
  }

  @Test("A response that asks for the end of its connection gets it")
  func connectionClose() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in [.respond(200, fields: ["Connection: close"], body: [1])] }
    for _ in 0..<3 { #expect(try scene.request().isPersistent) }
    #expect(scene.origin.connectionCount == 3)
    #expect(scene.service.idleConnectionCount == 0)
    try scene.finish()
  }

  @Test("No more than the pool's limit stay idle")
  func idleMax() throws {
    let scene = Scene { $0.pool.idleMax = 2 }
    scene.origin.script = { _, _ in [.delay(.seconds(1))] + OriginStep.answer("ok") }
    for number in 0..<6 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request())
        _ = try await stream.readResponse()
      }
    }
    try scene.simulation.run()
    #expect(scene.origin.connectionCount == 6)
    #expect(scene.service.idleConnectionCount == 2)
    try scene.finish()
  }

  /// Sends requests at once and counts the statuses of the responses.
  private func burst(_ scene: Scene, _ count: Int) throws -> [Int: Int] {
    var statuses: [Int: Int] = [:]
    for number in 0..<count {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request())
        let response = try await stream.readResponse()
        statuses[response.status, default: 0] += 1
        if response.status == 503 { #expect(response["Retry-After"] != nil) }
      }
    }
    try scene.simulation.run()
    return statuses
  }

  @Test("Requests beyond the limit in flight wait; those beyond the queue are refused with Retry-After")
  func inFlightLimit() throws {
    let scene = Scene {
      $0.limits.inFlight = 2
      $0.limits.pending = 3
    }
    scene.origin.script = { _, _ in [.delay(.seconds(1))] + OriginStep.answer("ok") }
    #expect(try burst(scene, 10) == [200: 5, 503: 5])
    #expect(scene.gateway.counters.figures.queueOverflows == 5)
    #expect(scene.origin.connectionCount == 2)
    #expect(try scene.request().status == 200)
    try scene.finish()
  }

  @Test("Requests beyond the limit of connections wait for one")
  func connectionLimit() throws {
    let scene = Scene {
      $0.limits.connections = 3
      $0.limits.pending = 4
    }
    scene.origin.script = { _, _ in [.delay(.seconds(1))] + OriginStep.answer("ok") }
    #expect(try burst(scene, 12) == [200: 7, 503: 5])
    #expect(scene.origin.connectionCount == 3)
    #expect(try scene.request().status == 200)
    try scene.finish()
  }

  @Test("A request that waits too long is refused")
  func pendingTimeout() throws {
    let scene = Scene {
      $0.limits.inFlight = 1
      $0.limits.pendingTimeout = .seconds(5)
    }
    scene.origin.script = { _, _ in [.delay(.seconds(8))] + OriginStep.answer("ok") }
    #expect(try burst(scene, 3) == [200: 1, 503: 2])
    #expect(scene.gateway.counters.figures.queueTimeouts == 2)
    try scene.finish()
  }

  @Test("With both limits at work nobody's turn is lost", arguments: 1...30)
  func bothLimits(seed: Int) throws {
    let scene = Scene(seed: UInt64(seed), origins: 2) {
      $0.limits.inFlight = 3
      $0.limits.connections = 1 + seed % 2
      $0.retries = nil
      $0.ejection = nil
    }
    // At most eight times 0.5 s on one connection: less than the 5 s that a request may wait.
    scene.origins[0].script = { _, _ in [.delay(.milliseconds(500))] + OriginStep.answer("ok") }
    scene.origins[1].script = { _, number in
      [.delay(.milliseconds(100))] + (number % 2 == 0 ? [.reset] : OriginStep.answer("ok"))
    }
    let statuses = try burst(scene, 8)
    #expect(statuses[503] == nil, "\(statuses)")
    try scene.finish()
  }

  @Test("Requests that wait are served in the order in which they came")
  func order() throws {
    let scene = Scene { $0.limits.inFlight = 1 }
    scene.origin.script = { _, _ in [.delay(.milliseconds(500))] + OriginStep.answer("ok") }
    for number in 0..<8 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        await stream.sleep(.milliseconds(10 * number))
        try await stream.send(SimulatedClient.request("GET", "/\(number)"))
        #expect(try await stream.readResponse().status == 200)
      }
    }
    try scene.simulation.run()
    #expect(scene.origin.requests.map(\.target) == (0..<8).map { "/\($0)" })
    try scene.finish()
  }

  @Test("A client that leaves while it waits gives its turn to the next")
  func leavesQueue() throws {
    let scene = Scene { $0.limits.inFlight = 1 }
    scene.origin.script = { _, _ in [.delay(.seconds(2))] + OriginStep.answer("ok") }
    var answers = 0
    for number in 0..<4 {
      scene.start("client \(number)", mayFail: true) { stream throws(StreamFailure) in
        await stream.sleep(.milliseconds(10 * number))
        try await stream.send(SimulatedClient.request())
        if number == 1 {
          await stream.sleep(.seconds(1))
          return
        }
        _ = try await stream.readResponse()
        answers += 1
      }
    }
    try scene.simulation.run()
    #expect(answers == 3)
    #expect(scene.requestCount == 3)
    try scene.finish()
  }

  @Test("Without free descriptors the gateway closes what is idle and goes on")
  func descriptorLimit() throws {
    let scene = Scene()
    scene.simulation.seam(of: scene.gateway.worker).descriptorLimit = 12
    let start = scene.simulation.now
    var answers = 0
    for number in 0..<30 {
      scene.startUnconnected("client \(number)") { () throws(StreamFailure) in
        await Waiter(on: scene.client.worker).sleep(
          until: start.advanced(byNanoseconds: Int64(number) * 100_000_000))
        let stream = try await scene.client.connect()
        defer { stream.close() }
        try await stream.send(SimulatedClient.request())
        _ = try await stream.readResponse()
        answers += 1
        try await stream.waitForClose()
      }
    }
    try scene.simulation.run()
    #expect(answers == 30)
    #expect(scene.gateway.counters.figures.acceptFailures > 0)
    try scene.finish()
  }

  @Test("A drain lets what is in flight finish, refuses new connections and closes idle ones")
  func drain() throws {
    let scene = Scene()
    scene.origin.script = { request, _ in
      request.target == "/slow" ? [.delay(.seconds(10))] + OriginStep.answer("done") : OriginStep.answer("ok")
    }
    var slow: SimulatedResponse?
    var idleWasClosed = false
    scene.start("slow") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("GET", "/slow"))
      slow = try await stream.readResponse()
    }
    scene.start("idle") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
      try await stream.waitForClose()
      idleWasClosed = true
    }
    try scene.simulation.run(for: .seconds(3))
    var isDrained = false
    scene.gateway.beginDrain { isDrained = true }
    let late = scene.start("late", mayFail: true) { _ throws(StreamFailure) in }
    try scene.simulation.run(for: .seconds(1))
    #expect(late.failure == .refused)
    #expect(idleWasClosed)
    #expect(!isDrained)
    try scene.simulation.run(limit: .seconds(30)) { isDrained }
    try scene.simulation.run()
    #expect(slow?.text == "done")
    #expect(slow?.isPersistent == false)
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.gateway.worker.openSocketCount == 0)
  }

  @Test("Aborting ends what is in flight at once")
  func abort() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in [.hang] }
    let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
    }
    try scene.simulation.run(for: .seconds(1))
    scene.gateway.beginDrain {}
    scene.gateway.abortConnections()
    try scene.simulation.run(limit: .seconds(1))
    #expect(program.failure == .reset || program.failure == .closed)
    try scene.finish()
  }
}
