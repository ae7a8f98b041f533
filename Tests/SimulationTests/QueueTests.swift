import DataPlane
import Resources
import Runtime
import Simulation
import Testing

@Suite("Requests that wait for their turn, simulated")
struct QueueTests {
  @Test(
    "While requests wait and give up, the endpoint is never idle, and they are served in their order",
    arguments: Array(stride(from: 200, through: 300, by: 4)))
  func overload(pendingMilliseconds: Int) throws {
    let scene = Scene {
      $0.limits.inFlight = 1
      $0.limits.pendingTimeout = .milliseconds(pendingMilliseconds)
    }
    var starts: [MonotonicTime] = []
    scene.origin.script = { _, _ in
      starts.append(scene.simulation.now)
      return [.delay(.milliseconds(100))] + OriginStep.answer("ok")
    }
    var statuses: [Int: Int] = [:]
    for number in 0..<60 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        await stream.sleep(.milliseconds(20 * number))
        try await stream.send(SimulatedClient.request("GET", "/\(number)"))
        statuses[try await stream.readResponse().status, default: 0] += 1
      }
    }
    try scene.simulation.run()
    let served = scene.origin.requests.compactMap { Int($0.target.dropFirst()) }
    #expect(served == served.sorted())
    // Requests come for 1.2 s, and the endpoint serves one in 0.1 s.
    #expect(statuses[200, default: 0] >= 12)
    #expect(statuses[503, default: 0] >= 12)
    let gaps = zip(starts, starts.dropFirst()).map { $1.nanoseconds(since: $0) / 1_000_000 }
    #expect(gaps.allSatisfy { $0 < 110 }, "milliseconds from one request to the next: \(gaps)")
    var later: SimulatedResponse?
    let elapsed = try scene.seconds { later = try scene.request() }
    #expect(later?.status == 200)
    #expect(elapsed < 0.11)
    try scene.finish()
  }

  @Test("A pipelined request does not overtake one that waits")
  func pipelinedRequestWaits() throws {
    let scene = Scene { $0.limits.inFlight = 1 }
    scene.origin.script = { _, _ in [.delay(.milliseconds(500))] + OriginStep.answer("ok") }
    var answers = 0
    scene.start("pipelines") { stream throws(StreamFailure) in
      let targets = ["/first", "/third", "/fourth"]
      try await stream.send(targets.flatMap { SimulatedClient.request("GET", $0) })
      for _ in targets {
        if try await stream.readResponse().status == 200 { answers += 1 }
      }
    }
    scene.start("waits") { stream throws(StreamFailure) in
      await stream.sleep(.milliseconds(100))
      try await stream.send(SimulatedClient.request("GET", "/second"))
      if try await stream.readResponse().status == 200 { answers += 1 }
    }
    try scene.simulation.run()
    #expect(answers == 4)
    #expect(scene.origin.requests.map(\.target) == ["/first", "/second", "/third", "/fourth"])
    try scene.finish()
  }

  /// What the requests wait for.
  enum Limit: CaseIterable {
    case inFlight
    case connections
  }

  @Test(
    "A client that leaves just when its turn comes gives it to the next",
    arguments: Limit.allCases, 1...10)
  func leavesAtItsTurn(limit: Limit, seed: Int) throws {
    let scene = Scene(seed: UInt64(seed)) {
      switch limit {
      case .inFlight: $0.limits.inFlight = 1
      case .connections: $0.limits.connections = 1
      }
      $0.limits.pendingTimeout = .seconds(5)
    }
    #expect(try scene.request().status == 200)
    scene.origin.script = { _, _ in [.delay(.seconds(1))] + OriginStep.answer("ok") }
    var statuses: [Int] = []
    var leaving: SimulatedStream?
    for number in 0..<3 {
      scene.start("client \(number)", mayFail: number == 1) { stream throws(StreamFailure) in
        await stream.sleep(.milliseconds(10 * number))
        if number == 1 { leaving = stream }
        try await stream.send(SimulatedClient.request())
        statuses.append(try await stream.readResponse().status)
      }
    }
    try scene.simulation.run { scene.service.pendingCount == 2 }
    let sentBefore = try #require(scene.origin.newestStream?.sentCount)
    try scene.simulation.run { scene.origin.newestStream?.sentCount != sentBefore }
    // The end of the first request and that of the client whose turn it is arrive at one moment.
    leaving?.close()
    try scene.simulation.run()
    #expect(statuses == [200, 200])
    try scene.finish()
  }

  @Test(
    "Those who wait give up at the moment in which the turn ends: nothing is lost", arguments: 95...105)
  func turnEndsWithTimeout(pendingMilliseconds: Int) throws {
    let scene = Scene {
      $0.limits.inFlight = 1
      $0.limits.pendingTimeout = .milliseconds(pendingMilliseconds)
    }
    scene.origin.script = { _, _ in [.delay(.milliseconds(100))] + OriginStep.answer("ok") }
    var statuses: [Int] = []
    for number in 0..<12 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        await stream.sleep(.milliseconds(number < 6 ? 0 : 20))
        try await stream.send(SimulatedClient.request())
        statuses.append(try await stream.readResponse().status)
      }
    }
    try scene.simulation.run()
    #expect(statuses.count == 12)
    // One of those that came later has its turn when the first is over.
    #expect(statuses.count { $0 == 200 } >= 2)
    #expect(scene.service.pendingCount == 0)
    var later: SimulatedResponse?
    let elapsed = try scene.seconds { later = try scene.request() }
    #expect(later?.status == 200)
    #expect(elapsed < 0.11)
    try scene.finish()
  }
}
