import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

@Suite("Calls of gRPC, simulated")
struct CallTests {
  private static let fields = ["content-type: application/grpc", "te: trailers"]
  private static let head = OriginStep.head(200, fields: ["content-type: application/grpc"])

  private func call(
    _ connection: SimulatedHTTP2Connection, fields: [String] = [], body: [UInt8] = [0, 0, 0, 0, 1, 9]
  ) async throws(StreamFailure) -> SimulatedResponse {
    try await connection.request(
      "POST", "/shop.Orders/Get", fields: Self.fields + fields, body: body, announcesLength: false)
  }

  private func run(
    _ scene: Scene, fields: [String] = [], _ check: @escaping (SimulatedResponse) -> Void
  ) throws {
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in check(try await call(connection, fields: fields)) }
    try scene.simulation.run()
  }

  private func status(_ response: SimulatedResponse) -> String? {
    response["grpc-status"] ?? response.trailers.first { $0.name == "grpc-status" }?.value
  }

  @Test("A unary call: messages and trailers go through")
  func unary() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.script = { _, _ in
      [.readContent, Self.head, .content([0, 0, 0, 0, 1, 7]), .end(trailers: ["grpc-status: 0"])]
    }
    try run(scene, fields: ["grpc-timeout: 5S"]) { response in
      #expect(response.status == 200)
      #expect(response.body == [0, 0, 0, 0, 1, 7])
      #expect(response.trailers == [SimulatedField(name: "grpc-status", value: "0")])
    }
    #expect(scene.origin.requests[0]["te"] == "trailers")
    #expect(scene.origin.requests[0]["grpc-timeout"] == "5S")
    try scene.finish()
  }

  @Test("Trailers only")
  func trailersOnly() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.script = { _, _ in
      [.head(200, fields: ["content-type: application/grpc", "grpc-status: 5"], ends: true)]
    }
    try run(scene) { response in
      #expect(response["grpc-status"] == "5")
      #expect(response.body.isEmpty)
    }
    try scene.finish()
  }

  @Test("Messages of both directions go on as they come")
  func bidirectional() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.script = { _, _ in
      [
        Self.head, .content([1]), .delay(.seconds(1)), .content([2]), .readContent, .content([3]),
        .end(trailers: ["grpc-status: 0"]),
      ]
    }
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open("POST", "/a.B/C", fields: Self.fields, endStream: false)
      try await stream.wait { stream.body == [1] }
      try await stream.send([9])
      try await stream.wait { stream.body == [1, 2] }
      try await stream.send([8], endStream: true)
      #expect(try await stream.readResponse().body == [1, 2, 3])
    }
    try scene.simulation.run()
    #expect(scene.origin.requests[0].body == [9, 8])
    try scene.finish()
  }

  @Test("A deadline before the head: DEADLINE_EXCEEDED, and the endpoint's stream is reset")
  func deadlineBeforeHead() throws {
    let scene = Scene(endpoints: .http2) { $0.retries = nil }
    scene.origin.script = { _, _ in [.readContent, .hang] }
    let elapsed = try scene.seconds {
      try run(scene, fields: ["grpc-timeout: 700m"]) { #expect(self.status($0) == "4") }
    }
    #expect(elapsed >= 0.7 && elapsed < 0.8)
    try scene.simulation.run(for: .seconds(1))
    #expect(scene.origin.http2Connections.first?.openStreamCount == 0)
    try scene.finish()
  }

  @Test("A deadline behind the head: what has come ends with the status")
  func deadlineAfterHead() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.script = { _, _ in [Self.head, .content([0, 0, 0, 0, 1, 7]), .hang] }
    let elapsed = try scene.seconds {
      try run(scene, fields: ["grpc-timeout: 2S"]) { response in
        #expect(response.body == [0, 0, 0, 0, 1, 7])
        #expect(self.status(response) == "4")
      }
    }
    #expect(elapsed >= 2 && elapsed < 2.1)
    try scene.finish()
  }

  @Test("A deadline holds while the client does not read")
  func deadlineBlocked() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.script = { _, _ in [Self.head, .content(pattern(200_000)), .hang] }
    let connection = try scene.connectHTTP2()
    connection.releasesContent = false
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open(
        "POST", "/a.B/C", fields: Self.fields + ["grpc-timeout: 3S"], endStream: true)
      try? await stream.waitForEnd()
    }
    let elapsed = try scene.seconds {
      try scene.simulation.run { scene.requestCount == 1 && scene.service.inFlight == 0 }
    }
    #expect(elapsed >= 3 && elapsed < 3.1)
    try scene.finish()
  }

  @Test("A deadline holds while a connection is made, and while the call waits for its turn")
  func deadlineBeforeSending() throws {
    let scene = Scene(endpoints: .http2) {
      $0.timeouts.connect = .seconds(10)
      $0.limits.pendingTimeout = .seconds(10)
      $0.limits.inFlight = 1
      $0.retries = nil
    }
    scene.simulation.network.ignoreConnects(to: scene.origin.address)
    let connection = try scene.connectHTTP2()
    for _ in 0..<3 {
      scene.startUnconnected { () throws(StreamFailure) in
        #expect(self.status(try await self.call(connection, fields: ["grpc-timeout: 1S"])) == "4")
      }
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(elapsed >= 1 && elapsed < 1.2)
    try scene.finish()
  }

  @Test(
    "Timeouts of all sizes",
    arguments: ["99999999H", "99999999M", "99999999n", "1n", "0S", "5", "x", "123456789S", ""])
  func timeouts(value: String) throws {
    let scene = Scene(endpoints: .http2) { $0.ejection = Ejection() }
    scene.origin.script = { _, _ in [.readContent, Self.head, .end(trailers: ["grpc-status: 0"])] }
    for _ in 0..<7 {
      try run(scene, fields: ["grpc-timeout: \(value)"]) { response in
        #expect(self.status(response) == "0" || self.status(response) == "4")
      }
    }
    // A client's impatience ejects nobody.
    try run(scene) { #expect(self.status($0) == "0") }
    #expect(scene.service.endpoints[0].ejectionCount == 0)
    try scene.finish()
  }

  @Test("A status that the settings name is tried again; messages never are")
  func retries() throws {
    for (answer, expected) in [("14", "0"), ("5", "5")] {
      let scene = Scene(origins: 2, endpoints: .http2) { $0.retries?.on = [.grpcStatus(14)] }
      var count = 0
      for origin in scene.origins {
        origin.script = { _, _ in
          count += 1
          return count == 1
            ? [
              .readContent,
              .head(200, fields: ["content-type: application/grpc", "grpc-status: \(answer)"], ends: true),
            ]
            : [.readContent, Self.head, .content([1]), .end(trailers: ["grpc-status: 0"])]
        }
      }
      try run(scene) { #expect(self.status($0) == expected) }
      for request in scene.origins.flatMap(\.requests) { #expect(request.body == [0, 0, 0, 0, 1, 9]) }
      try scene.finish()
    }
    let scene = Scene(endpoints: .http2) { $0.retries?.on = [.grpcStatus(14)] }
    scene.origin.script = { _, _ in
      [.readContent, Self.head, .content([1]), .end(trailers: ["grpc-status: 14"])]
    }
    try run(scene) { #expect(self.status($0) == "14") }
    #expect(scene.requestCount == 1)
    try scene.finish()
  }

  @Test("What the gateway answers itself is a status of gRPC in a response of trailers only")
  func gatewayAnswers() throws {
    let scene = Scene(endpoints: .http2) {
      $0.retries = nil
      $0.ejection = nil
    }
    scene.origin.script = { _, _ in [.close] }
    func check(_ status: String) -> (SimulatedResponse) -> Void {
      { response in
        #expect(response.status == 200)
        #expect(response["grpc-status"] == status)
        #expect(response["content-type"] == "application/grpc")
        #expect(response.body.isEmpty && response.trailers.isEmpty)
      }
    }
    try run(scene, check("14"))
    scene.origin.stop(reset: true)
    try run(scene, check("14"))
    scene.setEndpoints([])
    try run(scene, check("14"))
    try scene.finish()
  }

  @Test("A call that is cut in the middle of its response is reset")
  func cut() throws {
    let scene = Scene(endpoints: .http2)
    scene.origin.script = { _, _ in
      [Self.head, .content([1, 2]), .delay(.milliseconds(5)), .resetStream(.internalError)]
    }
    let connection = try scene.connectHTTP2()
    scene.startUnconnected { () throws(StreamFailure) in
      let stream = try await connection.open("POST", "/a.B/C", fields: Self.fields, endStream: true)
      try? await stream.waitForEnd()
      #expect(stream.resetCode != nil && stream.resetCode != .noError)
      #expect(stream.body == [1, 2])
    }
    try scene.simulation.run()
    try scene.finish()
  }
}
