import DataPlane
import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

@Suite("Limits of clients, simulated")
struct LimitTests {
  @Test("A head in pieces is read, whatever the pieces, and holds no exchange meanwhile", arguments: 1...12)
  func headInPieces(size: Int) throws {
    let scene = Scene(seed: UInt64(size))
    let request = SimulatedClient.request("POST", "/pieces?a=b", body: pattern(5))
    scene.origin.script = { _, _ in OriginStep.answer("whole") }
    var answers = 0
    for number in 0..<3 {
      scene.start("sender \(number)") { stream throws(StreamFailure) in
        for _ in 0..<2 {
          for start in stride(from: 0, to: request.count, by: size) {
            try await stream.send(Array(request[start..<min(start + size, request.count)]))
            await stream.sleep(.milliseconds(10))
          }
          if try await stream.readResponse().text == "whole" { answers += 1 }
        }
      }
    }
    try scene.simulation.run(for: .milliseconds(40))
    #expect(scene.gateways[0].keptExchangeCount >= 1)
    #expect(
      scene.gateways[0].worker.buffers.lentCount == Scene.buffersPerExchange
        * scene.gateways[0].keptExchangeCount)
    try scene.simulation.run()
    #expect(answers == 6)
    try scene.finish()
  }

  @Test("A head that comes byte by byte has the timeout for all of it")
  func slowHead() throws {
    let scene = Scene()
    var status: Int?
    let elapsed = try scene.seconds {
      scene.start("slow") { stream throws(StreamFailure) in
        try await stream.send(Array("GET / HTTP/1.1\r\nX: ".utf8))
        for _ in 0..<14 {
          await stream.sleep(.seconds(1))
          try await stream.send([120])
        }
        status = try await stream.readResponse().status
      }
      try scene.simulation.run()
    }
    #expect(status == 408)
    #expect(elapsed >= 15 && elapsed < 18)
    #expect(scene.refusals(.slowHead) == 1)
    try scene.finish()
  }

  @Test("Content above the rate passes, content below it is 408", arguments: [(200, 200), (20, 408)])
  func bodyRate(bytesPerSecond: Int, status: Int) throws {
    var http = HTTPSettings()
    http.rates.body = 100
    let scene = Scene(http: http)
    scene.origin.script = { _, _ in [.readContent] + OriginStep.answer("all") }
    var answer: Int?
    let elapsed = try scene.seconds {
      scene.start("sender") { stream throws(StreamFailure) in
        let request = SimulatedClient.request("POST", "/", body: pattern(bytesPerSecond * 30))
        let head = request.count - bytesPerSecond * 30
        try await stream.send(Array(request[..<head]))
        do throws(StreamFailure) {
          for start in stride(from: head, to: request.count, by: bytesPerSecond) {
            await stream.sleep(.seconds(1))
            try await stream.send(Array(request[start..<start + bytesPerSecond]))
          }
        } catch {
          // The answer has come before the end of the content.
        }
        answer = try await stream.readResponse().status
      }
      try scene.simulation.run()
    }
    #expect(answer == status)
    #expect(status == 200 || elapsed < 35)
    #expect(scene.refusals(.slowBody) == (status == 200 ? 0 : 1))
    try scene.finish()
  }

  @Test("More requests than may be in flight are refused, and their clients stay")
  func inFlight() throws {
    var http = HTTPSettings()
    http.limits.inFlight = 2
    let scene = Scene(http: http)
    scene.origin.script = { _, _ in [.delay(.seconds(1))] + OriginStep.answer("served") }
    var statuses: [Int: Int] = [:]
    for number in 0..<10 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        await stream.sleep(.milliseconds(number))
        statuses[try await stream.request().status, default: 0] += 1
        await stream.sleep(.seconds(2 + 2 * number))
        statuses[try await stream.request().status, default: 0] += 1
      }
    }
    try scene.simulation.run()
    #expect(statuses == [200: 12, 503: 8])
    #expect(scene.refusals(.inFlight) == 8)
    #expect(scene.gateways[0].counters.figures.requestsInFlight == 0)
    try scene.finish()
  }

  @Test("What a burst has used of the memory is there again when it is over")
  func memoryAfterBurst() throws {
    var http = HTTPSettings()
    http.limits.bufferBytes = 1 << 20
    let scene = Scene(http: http)
    scene.origin.script = { _, _ in [.delay(.seconds(1))] + OriginStep.answer("served") }
    var burst: [Int: Int] = [:]
    for number in 0..<100 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        burst[try await stream.request().status, default: 0] += 1
      }
    }
    try scene.simulation.run()
    // Seven eighths of a mebibyte, at 16 KiB each.
    #expect(burst == [200: 56, 503: 44])
    #expect(scene.refusals(.memory) == 44)
    var later: Int?
    scene.start("another") { stream throws(StreamFailure) in
      later = try await stream.request().status
    }
    try scene.simulation.run()
    #expect(later == 200)
    try scene.finish()
  }

  @Test("Content that is kept until the response comes counts, whether a task waits for that or none")
  func contentWhileWaiting() throws {
    let scene = Scene()
    #expect(try scene.request().status == 200)
    scene.origin.script = { _, _ in [.delay(.seconds(1))] + OriginStep.answer("served") }
    let body = [UInt8](repeating: 1, count: 40_000)
    for number in 0..<2 {
      // The first one finds an idle connection.
      scene.start("client \(number)") { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request("POST", body: body))
        #expect(try await stream.readResponse().status == 200)
      }
    }
    try scene.simulation.run(for: .milliseconds(500))
    #expect(scene.gateways[0].holdings.waitingBytes >= 80_000)
    try scene.simulation.run()
    #expect(scene.gateways[0].holdings.waitingBytes == 0)
    try scene.finish()
  }

  @Test("What a slow client has taken counts while it is in memory, which is no longer than there is room")
  func memoryOfWhatWasTaken() throws {
    // Of what was read last, the client's connection takes a part.
    var link = Link()
    link.segmentBytesMax = 13_000
    let scene = Scene(link: link)
    let content = pattern(400_000)
    scene.origin.script = { _, _ in [.readContent, .respond(200, body: content)] }
    var response: SimulatedResponse?
    scene.start("slow") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      await stream.sleep(.seconds(25))
      response = try await stream.readResponse()
    }
    try scene.simulation.run(for: .seconds(5))
    let kept = scene.gateway.holdings.waitingBytes
    var configuration = scene.tracker.configuration
    configuration.http.limits.bufferBytes = 64 << 10
    scene.apply(configuration)
    // It is looked at again when it was waited for a while.
    try scene.simulation.run(for: .seconds(10))
    let left = scene.gateway.holdings.waitingBytes
    #expect(left > 0 && left < kept)
    try scene.simulation.run()
    #expect(response?.body == content)
    #expect(scene.gateway.holdings.waitingBytes == 0)
    try scene.finish()
  }

  @Test("Who waited for a turn is not begun beyond the limit of all requests")
  func inFlightAfterWaiting() throws {
    var http = HTTPSettings()
    http.limits.inFlight = 2
    let scene = Scene(http: http) { $0.limits.inFlight = 1 }
    var most = 0
    scene.origin.script = { _, _ in
      most = max(most, scene.gateways[0].counters.figures.requestsInFlight)
      return [.delay(.seconds(1))] + OriginStep.answer("served")
    }
    var statuses: [Int: Int] = [:]
    for number in 0..<4 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        await stream.sleep(.milliseconds(number))
        statuses[try await stream.request().status, default: 0] += 1
      }
    }
    try scene.simulation.run(for: .milliseconds(500))
    // All but the first wait; then all of them may begin, as far as the limit of the process goes.
    var configuration = scene.tracker.configuration
    configuration.services[0].limits.inFlight = 10
    scene.apply(configuration)
    try scene.simulation.run()
    #expect(most == 2)
    #expect(statuses == [200: 2, 503: 2])
    #expect(scene.refusals(.inFlight) == 2)
    try scene.finish()
  }

  @Test("The adaptive limit keeps the time of those served, where the static one lets all wait")
  func adaptive() throws {
    let scene = Scene { $0.limits.adaptive = AdaptiveConcurrency() }
    var serving = 0
    // Ten at a time, in 10 ms each.
    scene.origin.script = { _, _ in
      serving += 1
      return [.delay(.milliseconds(10 * max(serving / 10, 1)))] + OriginStep.answer("served")
    }
    var served = 0
    var refused = 0
    for number in 0..<200 {
      scene.start("client \(number)") { stream throws(StreamFailure) in
        for _ in 0..<30 {
          if try await stream.request().status == 200 {
            served += 1
            serving -= 1
          } else {
            refused += 1
          }
          await stream.sleep(.milliseconds(50))
        }
      }
    }
    try scene.simulation.run()
    #expect(served + refused == 6_000)
    #expect(refused > 0 && served > 600)
    #expect(scene.refusals(.serviceConcurrency) == UInt64(refused))
    try scene.finish()
  }

  @Test("One address has as many connections as it may")
  func addresses() throws {
    var http = HTTPSettings()
    http.limits.connectionsPerAddress = 3
    let scene = Scene(http: http)
    var served = 0
    for number in 0..<8 {
      scene.start("client \(number)", mayFail: true) { stream throws(StreamFailure) in
        if try await stream.request().status == 200 { served += 1 }
        await stream.sleep(.seconds(5))
      }
    }
    try scene.simulation.run()
    #expect(served == 3)
    #expect(scene.refusals(.addressConnections) == 5)
    try scene.finish()
  }

  @Test("A limit for addresses that is set counts the connections that were there before")
  func addressesBefore() throws {
    var http = HTTPSettings()
    http.limits.connectionsPerAddress = nil
    let scene = Scene(http: http)
    var served = 0
    func start(_ name: String, for duration: Duration) {
      scene.start(name, mayFail: true) { stream throws(StreamFailure) in
        if try await stream.request().status == 200 { served += 1 }
        await stream.sleep(duration)
      }
    }
    for number in 0..<4 { start("before \(number)", for: .seconds(2)) }
    try scene.simulation.run(for: .seconds(1))
    #expect(served == 4)
    var configuration = scene.tracker.configuration
    configuration.http.limits.connectionsPerAddress = 3
    scene.apply(configuration)
    start("one too many", for: .seconds(1))
    try scene.simulation.run(for: .milliseconds(500))
    #expect(served == 4)
    #expect(scene.refusals(.addressConnections) == 1)
    try scene.simulation.run()
    start("afterwards", for: .seconds(1))
    try scene.simulation.run()
    #expect(served == 5)
    try scene.finish()
  }
}
