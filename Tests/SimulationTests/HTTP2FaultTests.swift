import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

@Suite("Faults and floods of HTTP/2 clients, simulated")
struct HTTP2FaultTests {
  @Test("A malformed request resets its stream; the connection goes on")
  func malformedRequests() throws {
    let scene = Scene()
    let connection = try scene.connectHTTP2()
    let heads = [
      [":method: GET", ":scheme: http", ":path: /"] + ["connection: close", "host: a"],
      [":method: GET", ":scheme: http"],
      [":method: GET", ":scheme: http", ":path: /", ":authority: a", ":unknown: b"],
      [":method: GET", ":scheme: http", ":path: /", ":authority: a", "te: gzip"],
    ]
    scene.startUnconnected { () throws(StreamFailure) in
      for head in heads {
        let stream = try await connection.openStream()
        stream.sendHeaders(head, endStream: true)
        try? await stream.waitForEnd()
        #expect(stream.resetCode == .protocolError)
      }
      // Shorter than announced.
      let stream = try await connection.open("POST", "/", fields: ["content-length: 10"], endStream: false)
      try? await stream.send([1, 2, 3], endStream: true)
      try? await stream.waitForEnd()
      #expect(stream.resetCode == .protocolError)
      #expect(try await connection.request("GET", "/").text == "ok")
    }
    try scene.simulation.run()
    try scene.finish()
  }

  @Test("A request that is refused is answered, whatever was on the exchange before")
  func refusedRequests() throws {
    var http = HTTPSettings()
    http.limits.headBytes = 2_000
    http.limits.bodyBytes = 50_000
    let scene = Scene(http: http)
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      for _ in 0..<3 {
        #expect(try await connection.request("POST", "/", body: pattern(100)).status == 200)
        let large = String(repeating: "a", count: 4_000)
        #expect(try await connection.request("GET", "/", fields: ["x-large: \(large)"]).status == 431)
        #expect(
          try await connection.request("POST", "/\(String(repeating: "a", count: 9_000))").status >= 400)
        #expect(try await connection.request("POST", "/", body: pattern(60_000)).status == 413)
        let unknown = try await connection.request(
          "POST", "/", body: pattern(200_000), announcesLength: false)
        #expect(unknown.status == 413)
        #expect(try await connection.request("TRACE", "/").status == 405)
      }
    }
    try scene.simulation.run()
    #expect(connection.isOpen)
    try scene.finish()
  }

  @Test("Floods end their connection, and no other")
  func floods() throws {
    let scene = Scene()
    scene.mayBreakRules = true
    let other = try scene.connectHTTP2()
    let ping = SimulatedHTTP2Connection.frame(type: 6, streamID: 0, [UInt8](repeating: 0, count: 8))
    let unknown = SimulatedHTTP2Connection.frame(type: 0xEE, streamID: 0)
    let empty = SimulatedHTTP2Connection.frame(type: 8, streamID: 0, [0, 0, 0, 1])
    for frame in [ping, unknown, empty] {
      let connection = try scene.connectHTTP2()
      scene.startUnconnected { () throws(StreamFailure) in
        for _ in 0..<2_000 where connection.isOpen { connection.sendRaw(frame) }
        try await connection.waitForClose()
      }
      try scene.simulation.run()
      #expect(connection.goAways.last?.code == .enhanceYourCalm)
    }
    let rapid = try scene.connectHTTP2()
    scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
      for _ in 0..<1_000 {
        let stream = try await rapid.open("GET", "/")
        stream.reset()
      }
      try await rapid.waitForClose()
    }
    try scene.simulation.run()
    #expect(!rapid.isOpen)
    scene.startUnconnected { () throws(StreamFailure) in
      #expect(try await other.request("GET", "/").text == "ok")
    }
    try scene.simulation.run(for: .seconds(3))
    #expect(scene.service.inFlight == 0)
    try scene.finish()
  }

  @Test("A client that breaks a rule and does not read is not kept")
  func brokenAndNotReading() throws {
    let scene = Scene()
    scene.mayBreakRules = true
    scene.origin.script = { _, _ in [.respond(200, body: pattern(1_000_000))] }
    var settings = HTTP2LocalSettings()
    settings.streamWindowBytes = 3_000_000
    settings.connectionWindowBytes = 3_000_000
    let connection = try scene.connectHTTP2(settings: settings)
    scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
      _ = try await connection.request("GET", "/")
    }
    connection.isReading = false
    try scene.simulation.run(for: .seconds(1))
    connection.sendRaw(SimulatedHTTP2Connection.frame(type: 0, streamID: 0, [1]))
    try scene.simulation.run(for: .seconds(5))
    #expect(scene.gateway.connectionCount == 0)
    connection.isReading = true
    try scene.finish()
  }

  @Test("More streams than allowed are refused; clients that wait are all served")
  func streamLimit() throws {
    var http = HTTPSettings()
    http.http2.streams = 4
    let scene = Scene(http: http)
    scene.origin.script = { _, _ in [.delay(.milliseconds(50))] + OriginStep.answer("ok") }
    let connection = try scene.connectHTTP2()
    try scene.simulation.run(for: .milliseconds(10))
    for _ in 0..<20 {
      scene.startUnconnected { () throws(StreamFailure) in
        #expect(try await connection.request("GET", "/").text == "ok")
      }
    }
    try scene.simulation.run()
    #expect(scene.requestCount == 20)
    try scene.finish()
  }
}
