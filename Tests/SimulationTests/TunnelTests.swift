import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

@Suite("Tunnels, simulated")
struct TunnelTests {
  private static let fields = [
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ]
  private static let handshake = SimulatedClient.request("GET", "/chat", fields: fields)
  /// What an endpoint answers that has understood the key (RFC 6455 §4.2.2).
  private static func accepted(_ request: SimulatedRequest) -> [UInt8] {
    SimulatedWebSocket.acceptance(of: request)
  }
  private static let text: [UInt8] = [0x81, 2, 72, 105]
  private static let goingAway: [UInt8] = [0x88, 2, 3, 0xE9]
  private static let goingAwayMasked: [UInt8] = [0x88, 0x82, 0, 0, 0, 0, 3, 0xE9]

  /// An origin that switches, and then does what `program` says.
  private func scene(
    link: Link = Link(), http: HTTPSettings = HTTPSettings(), tunnel: Duration = .seconds(3_600),
    _ program: @escaping (SimulatedStream) async throws(StreamFailure) -> Void
  ) -> Scene {
    let scene = Scene(link: link, http: http) {
      $0.timeouts.tunnel = tunnel
      $0.retries = nil
    }
    scene.origin.script = { request, _ in [.send(Self.accepted(request)), .tunnel(program)] }
    return scene
  }

  /// The client's end of a tunnel, by whatever protocol.
  private struct End {
    let send: ([UInt8]) async throws(StreamFailure) -> Void
    let read: (Int) async throws(StreamFailure) -> [UInt8]
    let readToEnd: () async throws(StreamFailure) -> [UInt8]
    let finish: () -> Void
    let reset: () -> Void
    let sleep: (Duration) async -> Void
  }

  /// Opens a tunnel, and runs `program` with its end.
  @discardableResult
  private func open(
    _ scene: Scene, _ version: Scene.Version, early: [UInt8] = [], mayFail: Bool = false,
    _ program: @escaping (End) async throws(StreamFailure) -> Void
  ) throws -> SimulatedProgram {
    if version == .http1 {
      return scene.start(mayFail: mayFail) { stream throws(StreamFailure) in
        try await stream.send(Self.handshake + early)
        let response = try await stream.readResponse()
        #expect(response.interim == [101] || response.status == 101)
        try await program(
          End(
            send: { bytes throws(StreamFailure) in try await stream.send(bytes) },
            read: { count throws(StreamFailure) in try await stream.read(count) },
            readToEnd: { () throws(StreamFailure) in try await stream.readUntilClose() },
            finish: { stream.finish() }, reset: { stream.reset() }, sleep: { await stream.sleep($0) }))
      }
    }
    let connection = try scene.connectHTTP2()
    try scene.simulation.run(for: .milliseconds(50))
    #expect(connection.peerSettings.allowsExtendedConnect)
    return scene.startUnconnected(mayFail: mayFail) { () throws(StreamFailure) in
      let stream = try await connection.open(
        "CONNECT", "/chat", protocol: "websocket", fields: ["sec-websocket-version: 13"], endStream: false)
      if !early.isEmpty { try await stream.send(early) }
      try await stream.waitForHead()
      #expect(stream.response.status == 200)
      var taken = 0
      try await program(
        End(
          send: { bytes throws(StreamFailure) in try await stream.send(bytes) },
          read: { count throws(StreamFailure) in
            try await stream.wait { stream.body.count >= taken + count }
            defer { taken += count }
            return Array(stream.body[taken..<taken + count])
          },
          readToEnd: { () throws(StreamFailure) in
            try await stream.waitForEnd()
            defer { taken = stream.body.count }
            return Array(stream.body[taken...])
          },
          finish: { stream.finish() }, reset: { stream.reset() }, sleep: { await stream.sleep($0) }))
      if stream.failure == nil { stream.finish() }
      connection.close()
    }
  }

  @Test(
    "Bytes go both ways, early ones and many at once", arguments: Scene.Version.allCases, [Link(), .rough])
  func bothWays(version: Scene.Version, link: Link) throws {
    let size = link == .rough ? 30_000 : 400_000
    let scene = scene(link: link) { stream throws(StreamFailure) in
      // Sent at once behind 101.
      try await stream.send(Self.text)
      #expect(try await stream.read(4) == [1, 2, 3, 4])
      #expect(difference(try await stream.read(size), pattern(size)) == nil)
      try await stream.send(pattern(size, seed: 4))
      #expect(try await stream.readUntilClose() == [5])
    }
    try open(scene, version, early: [1, 2, 3, 4]) { end throws(StreamFailure) in
      #expect(try await end.read(4) == Self.text)
      try await end.send(pattern(size))
      #expect(difference(try await end.read(size), pattern(size, seed: 4)) == nil)
      try await end.send([5])
      end.finish()
      #expect(try await end.readToEnd() == [])
    }
    try scene.simulation.run()
    let request = scene.origin.requests[0]
    #expect(request.method == "GET")
    #expect(request["upgrade"] == "websocket")
    #expect(request["connection"]?.lowercased() == "upgrade")
    #expect(request["sec-websocket-key"]?.count == 24)
    #expect(request["sec-websocket-version"] == "13")
    #expect(scene.service.inFlight == 0)
    try scene.finish()
  }

  @Test(
    "What the client sends before the endpoint has agreed is held back", arguments: Scene.Version.allCases)
  func heldBack(version: Scene.Version) throws {
    let scene = scene { stream throws(StreamFailure) in
      #expect(try await stream.read(3) == [7, 8, 9])
    }
    var wasEarly = false
    scene.origin.script = { request, _ in
      [
        .delay(.seconds(1)),
        .tunnel { stream throws(StreamFailure) in
          wasEarly = stream.hasUnreadBytes
          try await stream.send(Self.accepted(request))
          #expect(try await stream.read(3) == [7, 8, 9])
        },
      ]
    }
    try open(scene, version, early: [7, 8, 9]) { end throws(StreamFailure) in _ = try await end.readToEnd() }
    try scene.simulation.run()
    #expect(!wasEarly)
    try scene.finish()
  }

  @Test(
    "An endpoint that does not agree is heard, and its success is none", arguments: Scene.Version.allCases)
  func refused(version: Scene.Version) throws {
    let scene = Scene()
    for (status, expected) in [(403, 403), (503, 503), (200, version == .http2 ? 502 : 200)] {
      scene.origin.script = { _, _ in [.respond(status, body: pattern(100))] }
      if version == .http1 {
        scene.start { stream throws(StreamFailure) in
          try await stream.send(Self.handshake)
          let response = try await stream.readResponse()
          #expect(response.status == expected)
          #expect(response.body == pattern(100))
        }
      } else {
        let connection = try scene.connectHTTP2()
        scene.startUnconnected { () throws(StreamFailure) in
          let stream = try await connection.open("CONNECT", "/", protocol: "websocket", endStream: false)
          try await stream.waitForEnd()
          #expect(stream.response.status == expected)
          if expected == status { #expect(stream.body == pattern(100)) }
          connection.close()
        }
      }
      try scene.simulation.run()
    }
    try scene.finish()
  }

  @Test("Half a close leaves the other direction open", arguments: Scene.Version.allCases)
  func halfClose(version: Scene.Version) throws {
    for clientFirst in [true, false] {
      let scene = scene { stream throws(StreamFailure) in
        if clientFirst {
          #expect(try await stream.readUntilClose() == [1])
          await stream.sleep(.seconds(2))
          try await stream.send(pattern(100))
        } else {
          stream.finish()
          #expect(try await stream.readUntilClose() == pattern(100))
        }
      }
      try open(scene, version) { end throws(StreamFailure) in
        if clientFirst {
          try await end.send([1])
          end.finish()
          #expect(try await end.readToEnd() == pattern(100))
        } else {
          #expect(try await end.readToEnd() == [])
          await end.sleep(.seconds(2))
          try await end.send(pattern(100))
          end.finish()
          await end.sleep(.seconds(1))
        }
      }
      try scene.simulation.run()
      #expect(scene.service.inFlight == 0)
      try scene.finish()
    }
  }

  @Test("A tunnel without traffic ends after its idle timeout", arguments: Scene.Version.allCases)
  func idle(version: Scene.Version) throws {
    let scene = scene(tunnel: .seconds(20)) { stream throws(StreamFailure) in
      _ = try await stream.read(1)
      try await stream.waitForClose()
    }
    try open(scene, version, mayFail: true) { end throws(StreamFailure) in
      await end.sleep(.seconds(15))
      try await end.send([1])
      _ = try await end.readToEnd()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(elapsed >= 35 && elapsed < 36)
    #expect(scene.service.inFlight == 0)
    try scene.finish()
  }

  @Test("A reset of either end ends the other", arguments: Scene.Version.allCases)
  func resets(version: Scene.Version) throws {
    for phase in 0..<3 {
      let scene = scene { stream throws(StreamFailure) in
        if phase == 0 { return stream.reset() }
        try await stream.waitForClose()
        // Half closed by the client.
        await stream.sleep(.seconds(5))
        if phase == 2 { try await stream.send([1]) }
      }
      try open(scene, version, mayFail: true) { end throws(StreamFailure) in
        if phase == 0 {
          _ = try await end.readToEnd()
          return
        }
        if phase == 2 { end.finish() }
        await end.sleep(.seconds(1))
        end.reset()
      }
      try scene.simulation.run()
      try scene.simulation.run(for: .seconds(10))
      #expect(scene.service.inFlight == 0, "phase \(phase)")
      try scene.finish()
    }
  }

  @Test("A slow end holds the other back, on both protocols", arguments: Scene.Version.allCases)
  func backPressure(version: Scene.Version) throws {
    var sent = 0
    let scene = scene { stream throws(StreamFailure) in
      for _ in 0..<200 {
        try await stream.send(pattern(10_000))
        sent += 10_000
      }
    }
    if version == .http1 {
      scene.start { stream throws(StreamFailure) in
        try await stream.send(Self.handshake)
        await stream.sleep(.seconds(3))
        _ = try await stream.readResponse()
        #expect(try await stream.read(2_000_000).count == 2_000_000)
      }
    } else {
      let connection = try scene.connectHTTP2()
      connection.releasesContent = false
      scene.startUnconnected { () throws(StreamFailure) in
        let stream = try await connection.open("CONNECT", "/", protocol: "websocket", endStream: false)
        await stream.sleep(.seconds(3))
        stream.releasesContent = true
        stream.release(stream.heldCount)
        try await stream.wait { stream.body.count == 2_000_000 }
        stream.finish()
        try await stream.waitForEnd()
        connection.close()
      }
    }
    try scene.simulation.run(for: .seconds(2))
    #expect(sent < 700_000)
    try scene.simulation.run()
    #expect(sent == 2_000_000)
    try scene.finish()
  }

  @Test("A drain sends Close to both ends, at a frame's boundary", arguments: Scene.Version.allCases)
  func drain(version: Scene.Version) throws {
    var atOrigin: [UInt8] = []
    var atClient: [UInt8] = []
    let scene = scene { stream throws(StreamFailure) in
      try await stream.send(Array(Self.text.prefix(3)))
      await stream.sleep(.seconds(2))
      try await stream.send(Array(Self.text.suffix(1)))
      atOrigin = try await stream.read(8)
    }
    try open(scene, version) { end throws(StreamFailure) in atClient = try await end.readToEnd() }
    try scene.simulation.run(for: .seconds(1))
    var drained = false
    scene.gateway.beginDrain { drained = true }
    try scene.simulation.run()
    #expect(atOrigin == Self.goingAwayMasked)
    #expect(atClient == Self.text + Self.goingAway)
    try scene.simulation.run(limit: .seconds(10)) { drained }
    #expect(scene.service.inFlight == 0)
  }

  @Test("The end of a drain's patience aborts tunnels", arguments: Scene.Version.allCases)
  func abort(version: Scene.Version) throws {
    let scene = scene { stream throws(StreamFailure) in try await stream.waitForClose() }
    try open(scene, version, mayFail: true) { end throws(StreamFailure) in _ = try await end.readToEnd() }
    try scene.simulation.run(for: .seconds(1))
    var drained = false
    scene.gateway.beginDrain { drained = true }
    try scene.simulation.run(for: .milliseconds(1))
    scene.gateway.abortConnections()
    try scene.simulation.run(limit: .seconds(1)) { drained }
    try scene.simulation.run()
    #expect(scene.service.inFlight == 0)
    #expect(scene.gateway.connectionCount == 0)
  }

  @Test("A protocol that the route does not allow, and a service that cannot switch")
  func notAllowed() throws {
    let scene = Scene(endpoints: .http2)
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      for name in ["websocket", "other"] {
        let stream = try await connection.open("CONNECT", "/", protocol: name, endStream: false)
        try await stream.waitForEnd()
        #expect(stream.response.status == 501)
      }
      #expect(try await connection.request("GET", "/").status == 200)
    }
    scene.start { stream throws(StreamFailure) in
      try await stream.send(Self.handshake)
      #expect(try await stream.readResponse().status == 501)
    }
    try scene.simulation.run()
    #expect(scene.origin.connectionCount == 1)
    try scene.finish()
  }
}
