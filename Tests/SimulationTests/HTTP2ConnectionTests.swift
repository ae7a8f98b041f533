import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

@Suite("HTTP/2 with clients, simulated")
struct HTTP2ConnectionTests {
  // MARK: Flow control

  @Test("A stream that is not read holds up its endpoint, and no other stream")
  func backPressure() throws {
    let scene = Scene()
    scene.origin.script = { request, _ in
      request.target == "/large" ? [.respond(200, body: pattern(1_000_000))] : OriginStep.answer("small")
    }
    let connection = try scene.connectHTTP2()
    let before = scene.gateway.worker.buffers.lentCount
    var slow: SimulatedHTTP2Stream?
    scene.startUnconnected("slow") { () throws(StreamFailure) in
      let stream = try await connection.open("GET", "/large")
      stream.releasesContent = false
      slow = stream
      try await stream.waitForHead()
      await stream.sleep(.seconds(20))
      stream.releasesContent = true
      stream.release(stream.heldCount)
      #expect(difference(try await stream.readResponse().body, pattern(1_000_000)) == nil)
    }
    try scene.simulation.run(for: .seconds(2))
    let held = try #require(slow).heldCount
    let sent = scene.origin.newestStream?.sentCount ?? 0
    #expect(held == HTTP2LocalSettings().streamWindowBytes)
    // The kernel's buffers, and one of the gateway's.
    #expect(sent < held + 2 * 65_536 + 2 * BufferPool.bufferBytes)
    #expect(scene.gateway.worker.buffers.lentCount <= before + 2 * Scene.buffersPerExchange)
    for _ in 0..<20 {
      scene.startUnconnected { () throws(StreamFailure) in
        #expect(try await connection.request("GET", "/small").text == "small")
      }
    }
    let elapsed = try scene.seconds { try scene.simulation.run { scene.requestCount == 21 } }
    #expect(elapsed < 1)
    try scene.finish()
  }

  @Test("A stream whose window never opens is reset after the send timeout; others go on")
  func closedWindow() throws {
    var http = HTTPSettings()
    http.timeouts.send = .seconds(10)
    let scene = Scene(http: http)
    scene.origin.script = { _, _ in [.respond(200, body: pattern(2_000))] }
    var settings = HTTP2LocalSettings()
    settings.streamWindowBytes = 100
    let connection = try scene.connectHTTP2(settings: settings)
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open("GET", "/")
      stream.releasesContent = false
      try? await stream.waitForEnd()
      #expect(stream.resetCode != nil)
      #expect(stream.body.count == 100)
      #expect(try await connection.request("GET", "/").body == pattern(2_000))
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(elapsed >= 10 && elapsed < 11)
    #expect(scene.service.inFlight == 0)
    try scene.finish()
  }

  @Test("A stream's window that opens by SETTINGS lets it go on")
  func windowBySettings() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in [.respond(200, body: pattern(2_000))] }
    var settings = HTTP2LocalSettings()
    settings.streamWindowBytes = 0
    let connection = try scene.connectHTTP2(settings: settings)
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open("GET", "/")
      try await stream.waitForHead()
      await stream.sleep(.seconds(1))
      #expect(stream.body.isEmpty)
      settings.streamWindowBytes = 10_000
      connection.announce(settings)
      #expect(try await stream.readResponse().body == pattern(2_000))
    }
    try scene.simulation.run(limit: .seconds(5))
    try scene.finish()
  }

  // MARK: Turns

  @Test("Of a hundred requests that come at once, most wait until others had their turn")
  func turns() throws {
    let scene = Scene()
    let crowd = try scene.connectHTTP2()
    let other = try scene.connectHTTP2()
    for number in 0..<100 {
      scene.startUnconnected { () throws(StreamFailure) in
        let response = try await crowd.request("POST", "/crowd", body: number % 2 == 0 ? nil : [1, 2, 3])
        #expect(response.status == 200)
      }
    }
    scene.startUnconnected { () throws(StreamFailure) in
      #expect(try await other.request("GET", "/other").status == 200)
    }
    try scene.simulation.run()
    #expect(scene.requestCount == 101)
    let position = try #require(scene.origin.requests.firstIndex { $0.target == "/other" })
    #expect(position < 50, "\(position) were begun before it")
    try scene.finish()
  }

  @Test("Of a crowd that resets its requests, most wait until others had their turn", arguments: 1...5)
  func doubtfulCrowd(seed: Int) throws {
    let scene = Scene(seed: UInt64(seed))
    var connections: [SimulatedHTTP2Connection] = []
    for _ in 0..<20 { connections.append(try scene.connectHTTP2()) }
    // Connections to the endpoint for all of them, so that nobody waits for one later.
    for connection in connections {
      scene.startUnconnected { () throws(StreamFailure) in
        #expect(try await connection.request("GET", "/").status == 200)
      }
    }
    try scene.simulation.run()
    let known = connections.removeLast()
    for connection in connections {
      scene.startUnconnected { () throws(StreamFailure) in
        for _ in 0..<3 { try await connection.open("GET", "/reset").reset() }
        #expect(try await connection.request("GET", "/crowd").status == 200)
      }
    }
    try scene.simulation.run()
    let before = scene.origin.requests.count
    // While the first is served, all others come.
    scene.makeCallsTake(nanoseconds: 50_000)
    for connection in connections + [known] {
      scene.startUnconnected { () throws(StreamFailure) in
        #expect(try await connection.request("GET", connection === known ? "/known" : "/crowd").status == 200)
      }
    }
    try scene.simulation.run()
    let position = try #require(scene.origin.requests.firstIndex { $0.target == "/known" }) - before
    #expect(position < 5, "\(position) were begun before it")
    try scene.finish()
  }

  @Test("What was received is taken apart to its end, whatever the number of frames")
  func manyFrames() throws {
    let scene = Scene()
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open("POST", "/", endStream: false)
      // Each in a frame of its own, and all of them in a few reads.
      try await stream.send(pattern(5_000), endStream: true, size: 1)
      #expect(try await stream.readResponse().status == 200)
    }
    try scene.simulation.run()
    #expect(difference(try #require(scene.origin.requests.first).body, pattern(5_000)) == nil)
    try scene.finish()
  }

  @Test("Requests that are reset at once take one exchange after the other's place")
  func resetAtOnce() throws {
    let scene = Scene()
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      for _ in 0..<150 { try await connection.open("GET", "/reset").reset() }
      #expect(try await connection.request("GET", "/kept").status == 200)
    }
    try scene.simulation.run()
    #expect(scene.origin.requests.map(\.target) == ["/kept"])
    #expect(scene.gateway.keptExchangeCount < 5)
    try scene.finish()
  }

  @Test("No turn ends between a head and its reset, so that nothing is done for it")
  func resetsAtTurnEnds() throws {
    let scene = Scene()
    scene.mayBreakRules = true
    let connection = try scene.connectHTTP2()
    // GET http://x/
    let block: [UInt8] = [0x82, 0x86, 0x84, 0x41, 1, UInt8(ascii: "x")]
    func sendPairs(_ numbers: Range<UInt32>) {
      connection.sendRaw(
        numbers.flatMap { number in
          SimulatedHTTP2Connection.frame(type: 1, flags: 5, streamID: 2 * number + 1, block)
            + SimulatedHTTP2Connection.frame(type: 3, streamID: 2 * number + 1, [0, 0, 0, 8])
        })
    }
    sendPairs(0..<150)
    try scene.simulation.run(for: .seconds(1))
    #expect(connection.isOpen && connection.goAways.isEmpty)
    sendPairs(150..<300)
    try scene.simulation.run(for: .seconds(1))
    // All were taken apart and counted, and none was begun.
    #expect(connection.goAways.last?.code == .enhanceYourCalm)
    #expect(scene.gateway.counters.figures.requests == 0)
    try scene.finish()
  }

  @Test("Tiny windows both ways", arguments: Scene.Version.allCases)
  func tinyWindows(endpoint: Scene.Version) throws {
    var http = HTTPSettings()
    http.http2.windowBytes = 300
    let scene = Scene(http: http, endpoints: endpoint) { $0.http2.windowBytes = 300 }
    scene.origin.http2Settings.streamWindowBytes = 300
    scene.origin.script = { _, _ in [.readContent, .respondChunked(200, body: pattern(20_000))] }
    var settings = HTTP2LocalSettings()
    settings.streamWindowBytes = 300
    let connection = try scene.connectHTTP2(settings: settings)
    for _ in 0..<3 {
      scene.startUnconnected { () throws(StreamFailure) in
        let response = try await connection.request(
          "POST", "/", body: pattern(20_000), announcesLength: false)
        #expect(difference(response.body, pattern(20_000)) == nil)
      }
    }
    try scene.simulation.run(limit: .seconds(20))
    for request in scene.origin.requests { #expect(difference(request.body, pattern(20_000)) == nil) }
    try scene.finish()
  }

  @Test("A client that does not read its socket is cut after the send timeout, with bounded memory")
  func socketNotRead() throws {
    var http = HTTPSettings()
    http.timeouts.send = .seconds(10)
    let scene = Scene(http: http)
    scene.origin.script = { _, _ in [.respond(200, body: pattern(1_000_000))] }
    let connection = try scene.connectHTTP2()
    for _ in 0..<10 {
      scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
        _ = try await connection.request("GET", "/")
      }
    }
    connection.isReading = false
    try scene.simulation.run(for: .seconds(5))
    #expect(scene.gateway.worker.buffers.lentCount <= 10 * Scene.buffersPerExchange + 12)
    try scene.simulation.run(for: .seconds(8))
    #expect(scene.gateway.connectionCount == 0)
    #expect(scene.service.inFlight == 0)
    connection.isReading = true
    try scene.finish()
  }

  @Test("An upload to a slow endpoint holds its stream back, and no other")
  func uploadBackPressure() throws {
    var http = HTTPSettings()
    http.http2.windowBytes = 65_536
    let scene = Scene(http: http)
    scene.origin.script = { request, _ in
      request.method == "POST" ? [.delay(.seconds(5)), .readContent, .respond(200)] : OriginStep.answer("ok")
    }
    let connection = try scene.connectHTTP2()
    var sent = 0
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open("POST", "/", endStream: false)
      for _ in 0..<100 {
        try await stream.send(pattern(10_000))
        sent += 10_000
      }
      stream.finish()
      #expect(try await stream.readResponse().status == 200)
    }
    try scene.simulation.run(for: .seconds(3))
    #expect(sent < 65_536 * 2 + 2 * 65_536 + BufferPool.bufferBytes)
    scene.startUnconnected { () throws(StreamFailure) in
      #expect(try await connection.request("GET", "/").text == "ok")
    }
    let elapsed = try scene.seconds { try scene.simulation.run { scene.requestCount == 2 } }
    #expect(elapsed < 1)
    try scene.simulation.run()
    #expect(scene.origin.requests.first { $0.method == "POST" }?.body.count == 1_000_000)
    try scene.finish()
  }

  // MARK: The life of a connection

  @Test("An idle connection ends after the idle timeout, with GOAWAY")
  func idle() throws {
    var http = HTTPSettings()
    http.timeouts.idle = .seconds(20)
    let scene = Scene(http: http)
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      await connection.sleep(.seconds(15))
      #expect(try await connection.request("GET", "/").status == 200)
      try await connection.waitForClose()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(elapsed >= 35 && elapsed < 38)
    #expect(connection.goAways.last?.code == .noError)
    try scene.finish()
  }

  @Test("A request after a long silence is answered: the send timeout counts what is not taken")
  func afterSilence() throws {
    var http = HTTPSettings()
    http.timeouts.send = .seconds(10)
    http.timeouts.idle = .seconds(300)
    let scene = Scene(http: http)
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      for _ in 0..<4 {
        #expect(try await connection.request("GET", "/").text == "ok")
        let stream = try await connection.open("GET", "/")
        await stream.sleep(.seconds(40))
        stream.reset()
      }
    }
    try scene.simulation.run()
    #expect(connection.isOpen)
    try scene.finish()
  }

  @Test("A response that comes late, to a full window, is not cut for its lateness")
  func lateResponse() throws {
    var http = HTTPSettings()
    http.timeouts.send = .seconds(10)
    let scene = Scene(http: http) { $0.timeouts.idle = .seconds(300) }
    scene.origin.script = { _, _ in [.delay(.seconds(30)), .respond(200, body: pattern(1_000))] }
    var settings = HTTP2LocalSettings()
    settings.streamWindowBytes = 10
    let connection = try scene.connectHTTP2(settings: settings)
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open("GET", "/")
      stream.releasesContent = false
      try await stream.waitForHead()
      await stream.sleep(.seconds(5))
      stream.releasesContent = true
      stream.release(10)
      #expect(try await stream.readResponse().body == pattern(1_000))
    }
    try scene.simulation.run()
    try scene.finish()
  }

  @Test("An old connection is sent GOAWAY twice; what is in flight may finish within the grace")
  func age() throws {
    var http = HTTPSettings()
    http.http2.connectionAge = .seconds(10)
    http.http2.connectionAgeGrace = .seconds(5)
    let scene = Scene(http: http)
    scene.origin.script = { request, _ in
      [.delay(.seconds(Int64(request.target.dropFirst())!))] + OriginStep.answer("ok")
    }
    let connection = try scene.connectHTTP2()
    scene.startUnconnected("in time") { () throws(StreamFailure) in
      await connection.sleep(.seconds(9))
      #expect(try await connection.request("GET", "/4").text == "ok")
    }
    let late = scene.startUnconnected("too late", mayFail: true) { () throws(StreamFailure) in
      _ = try await connection.request("GET", "/40")
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(late.failure != nil)
    #expect(elapsed >= 16 && elapsed < 17)
    #expect(connection.goAways.map(\.lastStreamID).first == 0x7FFF_FFFF)
    #expect(connection.goAways.map(\.lastStreamID).last == 3)
    #expect(connection.goAways.allSatisfy { $0.code == .noError })
    try scene.finish()
  }

  @Test("After the configured number of requests a connection is drained")
  func requestsPerConnection() throws {
    var http = HTTPSettings()
    http.limits.requestsPerConnection = 3
    let scene = Scene(http: http)
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      for _ in 0..<3 { #expect(try await connection.request("GET", "/").status == 200) }
      try await connection.waitForClose()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(elapsed < 5)
    #expect(connection.goAways.count >= 2)
    try scene.finish()
  }

  @Test("A drain lets streams finish, takes those that crossed GOAWAY, and closes idle connections")
  func drain() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in [.delay(.seconds(3))] + OriginStep.answer("ok") }
    let busy = try scene.connectHTTP2()
    let idle = try scene.connectHTTP2()
    var texts: [String] = []
    scene.startUnconnected("before") { () throws(StreamFailure) in
      texts.append(try await busy.request("GET", "/").text)
    }
    try scene.simulation.run(for: .milliseconds(100))
    var drained = false
    scene.gateway.beginDrain { drained = true }
    // Sent before the client has seen GOAWAY.
    scene.startUnconnected("crossing") { () throws(StreamFailure) in
      texts.append(try await busy.request("GET", "/").text)
    }
    try scene.simulation.run(for: .seconds(2))
    #expect(!idle.isOpen || !idle.goAways.isEmpty)
    #expect(busy.isOpen && !drained)
    try scene.simulation.run()
    #expect(texts == ["ok", "ok"])
    try scene.simulation.run(limit: .seconds(5)) { drained }
    #expect(busy.goAways.count == 2)
    #expect(busy.goAways.last?.lastStreamID == 3)
  }

  @Test("The end of a drain's patience aborts streams and connections")
  func drainAbort() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in [.readContent, .hang] }
    let connection = try scene.connectHTTP2()
    let program = scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
      _ = try await connection.request("POST", "/", body: pattern(10))
    }
    try scene.simulation.run(for: .seconds(1))
    var drained = false
    scene.gateway.beginDrain { drained = true }
    try scene.simulation.run(for: .seconds(5))
    #expect(!drained)
    scene.gateway.abortConnections()
    try scene.simulation.run(limit: .seconds(1)) { drained }
    try scene.simulation.run()
    #expect(program.failure != nil)
    #expect(scene.service.inFlight == 0)
  }

  @Test("The connection limit closes the longest idle connection of HTTP/2, once each")
  func connectionLimit() throws {
    var http = HTTPSettings()
    http.limits.connections = 3
    let scene = Scene(http: http)
    var connections: [SimulatedHTTP2Connection] = []
    for _ in 0..<6 { connections.append(try scene.connectHTTP2()) }
    try scene.simulation.run(for: .milliseconds(100))
    #expect(scene.gateway.connectionCount == 3)
    #expect(connections.map(\.isOpen) == [false, false, false, true, true, true])
    try scene.finish()
  }
}
