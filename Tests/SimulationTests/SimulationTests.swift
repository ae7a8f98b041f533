import Runtime
import Simulation
import Testing

private let originAddress = SocketAddress(ipv4: 10, 0, 0, 1, port: 80)
private let clientHost = SocketAddress(ipv4: 10, 0, 0, 2, port: 0)

@Suite("Simulation")
struct SimulationTests {
  @Test("Time passes only when every worker is idle, and exactly as far as needed")
  func sleeping() throws {
    let simulation = Simulation()
    let worker = simulation.addWorker(host: clientHost)
    let start = simulation.now
    var woken: MonotonicTime?
    simulation.start("sleeper", on: worker) {
      await Waiter(on: worker).sleep(until: start.advanced(byNanoseconds: 3_600_000_000_000))
      woken = worker.now
    }
    try simulation.run(limit: .seconds(4_000))
    let slept = try #require(woken).nanoseconds(since: start)
    #expect(slept >= 3_600_000_000_000)
    #expect(slept <= 3_600_004_000_000)
  }

  @Test("A task that nothing will ever resume is found")
  func stuck() throws {
    let simulation = Simulation()
    let worker = simulation.addWorker(host: clientHost)
    let waiter = Waiter(on: worker)
    simulation.start("forgotten", on: worker) { await waiter.sleep(until: .never) }
    let error = #expect(throws: SimulationError.self) { try simulation.run() }
    #expect(error?.reason == .stuck)
    #expect(error?.report.contains("forgotten") == true)
    waiter.wake()
    try simulation.run()
  }

  @Test("Time that runs out is reported")
  func outOfTime() throws {
    let simulation = Simulation()
    let worker = simulation.addWorker(host: clientHost)
    let waiter = Waiter(on: worker)
    let start = simulation.now
    simulation.start("late", on: worker) {
      await waiter.sleep(until: start.advanced(byNanoseconds: 2_000_000_000))
    }
    let error = #expect(throws: SimulationError.self) { try simulation.run(limit: .seconds(1)) }
    #expect(error?.reason == .outOfTime)
    try simulation.run()
  }

  @Test("Task.yield stays on the worker")
  func yielding() throws {
    let simulation = Simulation()
    let worker = simulation.addWorker(host: clientHost)
    var wasOnWorker = false
    simulation.start("yielder", on: worker) {
      for _ in 0..<100 { await Task.yield() }
      wasOnWorker = worker.isCurrent
    }
    try simulation.run()
    #expect(wasOnWorker)
  }

  @Test(
    "A client and an origin talk, byte by byte and by chance, and leave nothing behind", arguments: 1...20)
  func conversation(seed: Int) throws {
    let simulation = Simulation(seed: UInt64(seed), link: .rough)
    let origin = SimulatedOrigin(simulation, address: originAddress)
    let body = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    origin.script = { _, number in
      number == 1
        ? [.readContent, .respondChunked(200, body: body, size: 777)]
        : [.readContent, .respond(201, body: [1])]
    }
    let client = SimulatedClient(simulation, host: clientHost, gateway: originAddress)
    var responses: [SimulatedResponse] = []
    let program = client.start("client") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("POST", "/a", body: body))
      responses.append(try await stream.readResponse(to: .post))
      try await stream.trickle(SimulatedClient.request("GET", "/b"), size: 9, pause: .milliseconds(70))
      responses.append(try await stream.readResponse())
    }
    try simulation.run()
    #expect(program.failure == nil)
    #expect(responses.map(\.status) == [201, 200])
    #expect(responses.last?.body == body)
    #expect(origin.requests.map(\.target) == ["/a", "/b"])
    #expect(origin.requests.first?.body == body)
    try simulation.run(limit: .seconds(10)) { origin.openCount == 0 }
    origin.stop()
    try simulation.run(for: .seconds(1))
    #expect(simulation.workers.map(\.openSocketCount) == [0, 0])
    #expect(origin.failures.isEmpty)
  }

  @Test("The same seed makes the same trace, another one another")
  func replay() throws {
    func fingerprint(_ seed: UInt64) throws -> (UInt64, Int) {
      let simulation = Simulation(seed: seed, link: .rough)
      let origin = SimulatedOrigin(simulation, address: originAddress)
      origin.script = { _, _ in [.readContent, .respond(200, body: [UInt8](repeating: 1, count: 9_000))] }
      for number in 0..<4 {
        let host = SocketAddress(ipv4: 10, 0, 1, UInt8(number), port: 0)
        let client = SimulatedClient(simulation, host: host, gateway: originAddress)
        client.start("client \(number)") { stream throws(StreamFailure) in
          for _ in 0..<3 {
            try await stream.send(SimulatedClient.request())
            _ = try await stream.readResponse()
          }
        }
      }
      try simulation.run()
      origin.stop()
      return (simulation.network.trace.fingerprint, simulation.network.trace.count)
    }
    let first = try fingerprint(5)
    #expect(try fingerprint(5) == first)
    #expect(first.1 > 100)
    #expect(try fingerprint(6).0 != first.0)
  }
}
