import Resources
import Runtime
import Simulation
import Testing

@Suite("Exchanges, simulated")
struct ExchangeTests {
  @Test("A request is passed on and its response comes back")
  func plain() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in
      [
        .readContent,
        .respond(201, fields: ["X-Made-By: origin", "Connection: X-Hop", "X-Hop: 1"], body: pattern(100)),
      ]
    }
    let response = try scene.request("POST", "/orders?id=1", body: pattern(2_000))
    #expect(response.status == 201)
    #expect(response.body == pattern(100))
    #expect(response["X-Made-By"] == "origin")
    #expect(response["X-Hop"] == nil)
    let received = try #require(scene.origin.requests.first)
    #expect(received.method == "POST")
    #expect(received.target == "/orders?id=1")
    #expect(received.body == pattern(2_000))
    #expect(received["X-Forwarded-For"] == "10.0.2.1")
    #expect(received["Via"] == "1.1 penstock")
    try scene.finish()
  }

  @Test("Pipelined requests are answered in their order")
  func pipelining() throws {
    let scene = Scene()
    scene.origin.script = { request, _ in OriginStep.answer(request.target) }
    var answers: [String] = []
    scene.start { stream throws(StreamFailure) in
      var bytes: [UInt8] = []
      for number in 0..<150 {
        bytes += SimulatedClient.request(
          number % 3 == 0 ? "POST" : "GET", "/\(number)", body: number % 3 == 0 ? [1] : nil)
      }
      try await stream.send(bytes)
      for _ in 0..<150 { answers.append(try await stream.readResponse().text) }
    }
    try scene.simulation.run()
    #expect(answers == (0..<150).map { "/\($0)" })
    #expect(scene.origin.connectionCount == 1)
    try scene.finish()
  }

  @Test("Chunked content passes both ways, whatever its pieces")
  func chunked() throws {
    let scene = Scene(link: .rough)
    scene.origin.script = { _, _ in [.readContent, .respondChunked(200, body: pattern(30_000), size: 999)] }
    var response: SimulatedResponse?
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("PUT", "/", fields: ["Transfer-Encoding: chunked"]))
      try await stream.send(SimulatedClient.chunks(pattern(20_000, seed: 1), size: 333))
      response = try await stream.readResponse()
    }
    try scene.simulation.run()
    #expect(response?.body == pattern(30_000))
    #expect(scene.origin.requests.first?.body == pattern(20_000, seed: 1))
    try scene.finish()
  }

  @Test("A head that comes byte by byte is one request")
  func trickledHead() throws {
    let scene = Scene()
    var status = 0
    scene.start { stream throws(StreamFailure) in
      try await stream.trickle(SimulatedClient.request(), size: 1, pause: .milliseconds(50))
      status = try await stream.readResponse().status
    }
    try scene.simulation.run()
    #expect(status == 200)
    #expect(scene.origin.requests.count == 1)
    try scene.finish()
  }

  @Test("An early response reaches a client that is still sending; its connection ends")
  func earlyResponse() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in
      [.respond(413, body: Array("too large".utf8)), .delay(.seconds(1)), .close]
    }
    var response: SimulatedResponse?
    var wasClosed = false
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("POST", "/", fields: ["Content-Length: 1000000"]))
      try await stream.send(pattern(50_000))
      response = try await stream.readResponse()
      try await stream.waitForClose()
      wasClosed = true
    }
    try scene.simulation.run()
    #expect(response?.status == 413)
    #expect(response?.text == "too large")
    #expect(response?.isPersistent == false)
    #expect(wasClosed)
    try scene.finish()
  }

  @Test("A response that begins before the request's end passes while the content goes on")
  func bothWaysAtOnce() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in
      [
        .send(Array("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe".utf8)), .readContent,
        .send(Array("re".utf8)),
      ]
    }
    var text = ""
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request("POST", "/", fields: ["Content-Length: 6"]))
      try await stream.trickle([1, 2, 3, 4, 5, 6], size: 1, pause: .milliseconds(500))
      text = try await stream.readResponse(to: .post).text
    }
    try scene.simulation.run()
    #expect(text == "here")
    #expect(scene.origin.requests.first?.body == [1, 2, 3, 4, 5, 6])
    try scene.finish()
  }

  @Test("Expect: 100-continue: the client sends its content when the origin asks for it")
  func expectContinue() throws {
    let scene = Scene()
    var response: SimulatedResponse?
    scene.start { stream throws(StreamFailure) in
      try await stream.send(
        SimulatedClient.request("POST", "/", fields: ["Content-Length: 3", "Expect: 100-continue"]))
      try await stream.sendAfterContinue([7, 8, 9])
      response = try await stream.readResponse(to: .post)
    }
    try scene.simulation.run()
    #expect(response?.status == 200)
    #expect(scene.origin.requests.first?.body == [7, 8, 9])
    try scene.finish()
  }

  @Test("Interim responses pass")
  func interim() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in
      [
        .send(Array("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".utf8)), .delay(.seconds(1)),
        .respond(200),
      ]
    }
    let response = try scene.request()
    #expect(response.interim == [103])
    #expect(response.status == 200)
    try scene.finish()
  }

  @Test("A client that leaves takes its request with it")
  func clientLeaves() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in [.hang] }
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      await stream.sleep(.seconds(2))
      stream.reset()
    }
    let elapsed = try scene.seconds {
      try scene.simulation.run()
      #expect(scene.origin.openCount == 1)
      try scene.simulation.run(limit: .seconds(5)) { scene.origin.openCount == 0 }
    }
    #expect(elapsed < 3)
    try scene.finish()
  }

  @Test(
    "A response that is cut short is cut short for the client too", arguments: [OriginStep.close, .reset])
  func cutShort(end: OriginStep) throws {
    let scene = Scene()
    scene.origin.script = { _, _ in
      [.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf".utf8)), .delay(.seconds(1)), end]
    }
    let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      _ = try await stream.readResponse()
    }
    try scene.simulation.run()
    #expect(program.failure == .cutShort || program.failure == .reset)
    #expect(scene.requestCount == 1)
    try scene.finish()
  }

  @Test("An origin that dies before it answers is a bad gateway for a POST")
  func diesBeforeAnswer() throws {
    let scene = Scene()
    scene.origin.script = { _, _ in [.readContent, .reset] }
    #expect(try scene.request("POST", body: [1]).status == 502)
    #expect(scene.requestCount == 1)
    try scene.finish()
  }

  @Test("A slow reader holds the origin back: what the gateway holds is bounded")
  func downloadBackPressure() throws {
    var link = Link()
    link.sendBufferBytes = 8_192
    link.receiveBufferBytes = 8_192
    let scene = Scene(link: link)
    let body = pattern(2_000_000)
    scene.origin.script = { _, _ in [.respond(200, body: body)] }
    var stream: SimulatedStream?
    var received: [UInt8]?
    scene.start { opened throws(StreamFailure) in
      stream = opened
      try await opened.send(SimulatedClient.request())
      opened.pace = SimulatedStream.Pace(bytes: 4_000, pause: .milliseconds(5))
      received = try await opened.readResponse().body
    }
    // Both connections' buffers, and one buffer of the gateway with a head.
    let bound = 4 * 8_192 + BufferPool.bufferBytes + 1_000
    var most = 0
    try scene.simulation.run {
      if let stream, let sent = scene.origin.newestStream?.sentCount {
        most = max(most, sent - stream.receivedCount)
        if most > bound { return true }
      }
      return scene.simulation.runningPrograms.isEmpty
    }
    #expect(most <= bound)
    #expect(most > 8_192)
    #expect(received == body)
    try scene.finish()
  }

  @Test("A slow origin holds the client back")
  func uploadBackPressure() throws {
    var link = Link()
    link.sendBufferBytes = 8_192
    link.receiveBufferBytes = 8_192
    let scene = Scene(link: link)
    let body = pattern(1_000_000)
    scene.origin.script = { _, _ in
      [.pace(.init(bytes: 4_000, pause: .milliseconds(5))), .readContent, .respond(200)]
    }
    var stream: SimulatedStream?
    var status = 0
    scene.start { opened throws(StreamFailure) in
      stream = opened
      try await opened.send(SimulatedClient.request("POST", "/", body: body))
      status = try await opened.readResponse(to: .post).status
    }
    let bound = 4 * 8_192 + BufferPool.bufferBytes + 1_000
    var most = 0
    try scene.simulation.run {
      if let stream {
        most = max(most, stream.sentCount - (scene.origin.newestStream?.receivedCount ?? 0))
        if most > bound { return true }
      }
      return scene.simulation.runningPrograms.isEmpty
    }
    #expect(most <= bound)
    #expect(status == 200)
    #expect(scene.origin.requests.first?.body == body)
    try scene.finish()
  }
}
