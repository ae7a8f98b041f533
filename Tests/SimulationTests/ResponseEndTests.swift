import DataPlane
import Resources
import Runtime
import Simulation
import Testing

@Suite("Interim responses and the ends of responses, simulated")
struct ResponseEndTests {
  private static let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
  private static let unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

  @Test(
    "Interim responses of an attempt that is retried are not passed on, and do not stop the retry",
    arguments: [false, true])
  func interimOfRetriedAttempt(hasPooledConnections: Bool) throws {
    let scene = Scene(origins: 3) {
      $0.retries?.on = [.status(503)]
      $0.retries?.attempts = 2
      $0.ejection = nil
    }
    if hasPooledConnections {
      for _ in 0..<3 { #expect(try scene.request().status == 200) }
    }
    var attempts = 0
    for origin in scene.origins {
      origin.script = { _, _ in
        attempts += 1
        // Both heads come at once, so that nothing was passed on when the status is seen.
        return attempts < 3 ? [.send(Array((Self.hints + Self.unavailable).utf8))] : OriginStep.answer("good")
      }
    }
    let response = try scene.request()
    #expect(response.status == 200)
    #expect(response.text == "good")
    #expect(response.interim == [])
    #expect(attempts == 3)
    try scene.finish()
  }

  @Test("The last attempt's interim response is passed on, once")
  func interimOfLastAttempt() throws {
    let scene = Scene(origins: 2) {
      $0.retries?.on = [.status(503)]
      $0.ejection = nil
    }
    var attempts = 0
    for origin in scene.origins {
      origin.script = { _, _ in
        attempts += 1
        if attempts == 1 { return [.send(Array((Self.hints + Self.unavailable).utf8))] }
        return [.send(Array(Self.hints.utf8))] + OriginStep.answer("good")
      }
    }
    let response = try scene.request()
    #expect(response.status == 200)
    #expect(response.interim == [103])
    try scene.finish()
  }

  /// When a client sends more than its request.
  enum FurtherBytes: CaseIterable {
    case none
    case withRequest
    case duringResponse
  }

  @Test(
    "A response cut short ends with a reset for a client of HTTP/1.0, whatever else the client has sent",
    arguments: FurtherBytes.allCases, ["Content-Type: text/plain", "Transfer-Encoding: chunked"])
  func cutShortForHTTP10(further: FurtherBytes, framing: String) throws {
    for hasPooledConnection in [false, true] {
      let scene = Scene { $0.retries = nil }
      if hasPooledConnection { #expect(try scene.request().status == 200) }
      scene.origin.script = { _, _ in
        [
          .send(Array("HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n5\r\nhello\r\n".utf8)),
          .delay(.seconds(1)), .reset,
        ]
      }
      let request = "GET / HTTP/1.0\r\nHost: gateway.test\r\n\r\n"
      var hasEnded = false
      let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
        try await stream.send(further == .withRequest ? request + request : request)
        if further == .duringResponse {
          await stream.sleep(.milliseconds(500))
          try await stream.send(request)
        }
        _ = try await stream.readUntilClose()
        hasEnded = true
      }
      try scene.simulation.run()
      #expect(!hasEnded, "looked like the end of the content")
      #expect(program.failure == .reset)
      #expect(scene.gateway.connectionCount == 0)
      try scene.finish()
    }
  }

  @Test("Chunks without their end are a response cut short for a client of HTTP/1.0")
  func missingLastChunk() throws {
    let scene = Scene { $0.retries = nil }
    scene.origin.script = { _, _ in
      [
        .send(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".utf8)),
        .delay(.seconds(1)), .close,
      ]
    }
    let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send("GET / HTTP/1.0\r\nHost: gateway.test\r\n\r\nfurther bytes")
      _ = try await stream.readUntilClose()
    }
    try scene.simulation.run()
    #expect(program.failure == .reset)
    try scene.finish()
  }
}
