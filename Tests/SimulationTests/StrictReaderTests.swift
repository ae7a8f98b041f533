import Simulation
import Testing

@Suite("The strict readers of the simulation")
struct StrictReaderTests {
  private func read(_ text: String, requests: Bool, methods: [String] = []) throws(StrictFault)
    -> [StrictHTTP1Message]
  {
    var reader = StrictHTTP1Reader(readsRequests: requests)
    reader.expected = methods
    var messages: [StrictHTTP1Message] = []
    for byte in text.utf8 {
      reader.append([byte])
      while let event = try reader.next() {
        if case .message(let message) = event { messages.append(message) }
      }
    }
    return messages
  }

  @Test("Requests in a row, byte by byte")
  func requests() throws {
    let messages = try read(
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPUT /b HTTP/1.1\r\nHost: x\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\nx-t: 1\r\n\r\n"
        + "GET /c HTTP/1.1\r\nHost: x\r\n\r\n",
      requests: true)
    #expect(messages.map { $0.start[1] } == ["/a", "/b", "/c"])
    #expect(messages.map(\.content) == [Array("abc".utf8), Array("def".utf8), []])
    #expect(messages[1].trailers == [.init(name: "x-t", value: "1")])
  }

  @Test("Responses, by the requests that they answer")
  func responses() throws {
    let messages = try read(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
        + "HTTP/1.1 204 No Content\r\n\r\n"
        + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
      requests: false, methods: ["HEAD", "GET", "GET"])
    #expect(messages.map(\.status) == [200, 103, 204, 200])
    #expect(messages.last?.content == Array("z".utf8))
  }

  @Test(
    "What two recipients could read differently is a fault",
    arguments: [
      "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.0\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n a: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    ])
  func faults(text: String) {
    #expect(throws: StrictFault.self) { try read(text, requests: true) }
  }

  /// SETTINGS of both sides, and a client's head on stream 1.
  private func connection() throws -> StrictHTTP2 {
    var strict = StrictHTTP2(judgesClient: true)
    try strict.takeFromJudged(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
    try strict.takeFromJudged(SimulatedHTTP2Connection.frame(type: 4, streamID: 0))
    try strict.takeFromJudged(SimulatedHTTP2Connection.frame(type: 1, flags: 4, streamID: 1, [0x82]))
    return strict
  }

  @Test("Content by HTTP/2 is counted against the windows")
  func windows() throws {
    var strict = try connection()
    let content = SimulatedHTTP2Connection.frame(type: 0, streamID: 1, [UInt8](repeating: 1, count: 16_384))
    for _ in 0..<3 { try strict.takeFromJudged(content) }
    #expect(strict.content(of: 1)?.count == 3 * 16_384)
    #expect(throws: StrictFault.self) { try strict.takeFromJudged(content) }

    var opened = try connection()
    for stream: UInt32 in [0, 1] {
      opened.takeFromOther(
        SimulatedHTTP2Connection.frame(type: 8, streamID: stream, SimulatedHTTP2Connection.word(1)))
    }
    for _ in 0..<4 { try opened.takeFromJudged(content) }
    #expect(opened.content(of: 1)?.isWhole == false)
  }

  @Test("Frames behind the end of a stream, within a block, and of the wrong size are faults")
  func frames() throws {
    func fault(_ frames: [UInt8]...) throws {
      var strict = try connection()
      for frame in frames.dropLast() { try strict.takeFromJudged(frame) }
      #expect(throws: StrictFault.self) { try strict.takeFromJudged(frames.last ?? []) }
    }
    let end = SimulatedHTTP2Connection.frame(type: 0, flags: 1, streamID: 1)
    try fault(end, end)
    try fault(SimulatedHTTP2Connection.frame(type: 1, flags: 0, streamID: 3, [0x82]), end)
    try fault(SimulatedHTTP2Connection.frame(type: 0, streamID: 1, [UInt8](repeating: 0, count: 16_385)))
    try fault(SimulatedHTTP2Connection.frame(type: 8, streamID: 1, SimulatedHTTP2Connection.word(0)))
    try fault(SimulatedHTTP2Connection.frame(type: 4, flags: 1, streamID: 0))
    try fault(SimulatedHTTP2Connection.frame(type: 3, streamID: 9, SimulatedHTTP2Connection.word(8)))
  }
}
