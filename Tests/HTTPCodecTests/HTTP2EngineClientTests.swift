import HTTPCodec
import Testing

@Suite("HTTP/2 engine: the client's role, and sending (RFC 9113 §5.1, §6.2, §8.1)", .wholeAndByteByByte)
struct HTTP2EngineClientTests {
  @Test("§5.1.1: streams get odd identifiers that grow, in the order of their heads")
  func identifiers() {
    let probe = Probe.ready(.client)
    let first = probe.openStream() ?? -1
    let second = probe.openStream() ?? -1
    #expect(probe.streamID(first) == 0 && probe.sendAllowance(first) == 0)
    probe.sendHead(second, end: true)
    probe.sendHead(first)
    probe.sendContent(first, 3, end: true)
    let sent = probe.sent()
    #expect(
      sent.map(\.stream) == [1, 3, 3] && sent.map(\.type) == [1, 1, 0] && sent.map(\.flags) == [5, 4, 1])
    #expect(probe.streamID(first) == 3)
  }

  @Test("A response: interim heads, head, content, trailers")
  func response() {
    let probe = Probe.ready(.client)
    probe.acceptsHeads = false
    let slot = probe.request()
    #expect(
      probe.receive(.headers(1, [0x08, 0x03, 0x31, 0x30, 0x33])) == [.headers(1, .response, end: false)])
    #expect(probe.receive(.headers(1, [0x88])) == [.headers(1, .response, end: false)])
    #expect(probe.acceptHead(slot, 2))
    #expect(
      probe.receive(.data(1, [1, 2]), .headers(1, [0x88], end: true))
        == [.content(slot, [1, 2], end: false), .headers(1, .trailers, end: true)])
    #expect(probe.isClosed(slot) && probe.activeStreams == 0)
  }

  @Test("§8.1: content before the final head is malformed")
  func contentBeforeHead() {
    let probe = Probe.ready(.client)
    probe.acceptsHeads = false
    let slot = probe.request()
    #expect(probe.receive(.data(1, [1])) == [.failed(slot, .protocolError)])
    let second = probe.request()
    #expect(
      probe.receive(.headers(3, [0x88]), .data(3, [1]))
        == [.headers(3, .response, end: false), .failed(second, .protocolError)])
  }

  @Test("§8.1: trailers that do not end the stream are malformed")
  func trailersWithoutEnd() {
    let probe = Probe.ready(.client)
    let slot = probe.request()
    #expect(
      probe.receive(.headers(1, [0x88]), .headers(1, [0x88]))
        == [.headers(1, .response, end: false), .failed(slot, .protocolError)])
  }

  @Test("Interim heads without end are ended")
  func interimHeads() {
    var limits = HTTP2Limits()
    limits.responseHeads = 3
    let probe = Probe.ready(.client, limits: limits)
    probe.acceptsHeads = false
    let slot = probe.request()
    for _ in 0..<3 { #expect(probe.receive(.headers(1, [0x88])) == [.headers(1, .response, end: false)]) }
    #expect(probe.receive(.headers(1, [0x88])) == [.failed(slot, .enhanceYourCalm)])
  }

  @Test("§5.1: a server that begins a stream, or uses one that is idle, is PROTOCOL_ERROR")
  func serversStream() {
    for frame in [
      Frame.headers(2), .headers(3), .data(2), .data(3), .reset(2, .cancel), .reset(3, .cancel),
      .windowUpdate(2, 1),
      .windowUpdate(3, 1),
    ] {
      let probe = Probe.ready(.client)
      _ = probe.request()
      #expect(probe.receive(frame) == [.error(.protocolError)])
    }
  }

  @Test("§5.1: what follows a complete response is STREAM_CLOSED")
  func afterResponse() {
    for frame in [Frame.data(1, [1]), .headers(1, [0x88], end: true)] {
      for frees in [false, true] {
        let probe = Probe.ready(.client)
        let slot = probe.request()
        probe.receive(.headers(1, [0x88], end: true))
        if frees { probe.engine.free(slot: slot, into: probe.output) }
        #expect(probe.receive(frame) == [.error(.streamClosed)])
      }
    }
  }

  @Test("What arrives for a request that was cancelled is dropped")
  func cancelled() {
    let probe = Probe.ready(.client)
    let slot = probe.request()
    probe.engine.free(slot: slot, into: probe.output)
    #expect(probe.sent().last == .reset(1, .cancel))
    #expect(probe.receive(.headers(1, [0x88]), .data(1, [1]), .headers(1, [0x88], end: true)) == [])
    #expect(probe.slotCount == 0 && probe.activeStreams == 0)
  }

  @Test("§8.1: after a complete response the server may refuse the rest of the request")
  func earlyResponse() {
    let probe = Probe.ready(.client)
    let slot = probe.request(end: false)
    #expect(
      probe.receive(.headers(1, [0x88], end: true), .reset(1, .noError))
        == [.headers(1, .response, end: true), .reset(slot, .noError)])
    #expect(!probe.canSend(slot))
  }

  // MARK: Limits of the server

  @Test("§5.1.2: no more streams than the server allows; those that are not sent yet count")
  func concurrency() {
    let probe = Probe.ready(.client, peer: [(3, 2)])
    #expect(probe.streamsAvailable == 2)
    let first = probe.request()
    let second = probe.openStream() ?? -1
    #expect(probe.openStream() == nil)
    probe.engine.free(slot: second, into: probe.output)
    #expect(probe.streamsAvailable == 1)
    #expect(probe.sent().map(\.type) == [1])
    _ = probe.request()
    probe.receive(.settings([(3, 1)]))
    probe.receive(.headers(1, [0x88], end: true))
    #expect(probe.isClosed(first) && probe.streamsAvailable == 0)
    probe.receive(.headers(3, [0x88], end: true))
    #expect(probe.streamsAvailable == 1)
  }

  @Test("Before the server's SETTINGS a client opens 100 streams at most")
  func beforeSettings() {
    let probe = Probe(.client)
    for _ in 0..<100 { #expect(probe.openStream() != nil) }
    #expect(probe.openStream() == nil)
    probe.receive(.settings([(3, 101)]))
    #expect(probe.openStream() != nil)
    #expect(probe.openStream() == nil)
  }

  @Test("The header of SETTINGS alone says nothing of how many streams there may be")
  func settingsInPieces() {
    let probe = Probe(.client)
    let settings = Frame.settings([(3, 2)]).encoded()
    for byte in settings.dropLast() {
      probe.feed([byte])
      let isKnown = probe.engine.hasReceivedSettings
      #expect(!isKnown)
      #expect(probe.streamsAvailable == 100)
    }
    probe.feed(Array(settings.suffix(1)))
    let isKnown = probe.engine.hasReceivedSettings
    #expect(isKnown)
    #expect(probe.streamsAvailable == 2)
  }

  @Test("A server opens no streams")
  func serverOpens() {
    let probe = Probe.ready()
    #expect(probe.openStream() == nil)
  }

  // MARK: Sending

  @Test("§4.3, §6.10: a block larger than a frame goes on in CONTINUATION")
  func largeBlock() {
    for (count, types) in [(16_300, [1]), (20_000, [1, 9]), (40_000, [1, 9, 9])] as [(Int, [UInt8])] {
      let probe = Probe.ready(.client)
      let slot = probe.openStream() ?? -1
      probe.engine.encoder.begin()
      let name = bytes("x")
      let value = filler(count)
      probe.engine.encoder.encode(name: name.span, value: value.span, indexing: .literal)
      let blockCount = probe.engine.encoder.blockCount
      probe.engine.sendHeaders(slot: slot, endStream: true, into: probe.output)
      let sent = probe.sent()
      #expect(sent.map(\.type) == types)
      #expect(sent.map(\.stream) == types.map { _ in 1 })
      #expect(
        sent.map(\.flags) == [types.count == 1 ? 5 : 1]
          + types.dropFirst().indices.map { $0 == types.count - 1 ? 4 : 0 })
      #expect(sent.dropLast().allSatisfy { $0.payload.count == 16_384 })
      #expect(sent.reduce(0) { $0 + $1.payload.count } == blockCount)
      // A server puts it together again.
      let server = Probe.ready(limits: largeBlocks)
      let received = sent.flatMap { $0.encoded() }
      #expect(server.feed(received) == [.headers(1, .request, end: true)])
    }
  }

  private var largeBlocks: HTTP2Limits {
    var limits = HTTP2Limits()
    limits.blockBytes = 100_000
    return limits
  }

  @Test("§4.2: frames are as large as the peer allows")
  func largeFrames() {
    let probe = Probe.ready(.server, peer: [(5, 30_000), (4, 100_000)])
    probe.receive(.headers(1))
    #expect(probe.sendAllowance(0) == 30_000)
  }

  @Test("A response that ends closes the stream when the request has ended")
  func completes() {
    let probe = Probe.ready()
    probe.receive(.headers(1, end: true), .headers(3))
    probe.sendHead(0)
    probe.sendContent(0, 5)
    probe.sendHead(0, end: true)
    #expect(probe.sent().map(\.flags) == [4, 0, 5])
    #expect(probe.isClosed(0) && probe.activeStreams == 1)
    probe.sendHead(1)
    probe.sendContent(1, 0, end: true)
    #expect(!probe.isClosed(1) && !probe.canSend(1))
    probe.receive(.data(3, end: true))
    #expect(probe.isClosed(1) && probe.activeStreams == 0)
  }

  @Test("Questions about slots that stand for nothing have answers")
  func unusedSlots() {
    let probe = Probe.ready()
    for slot in [-1, 0, 7, Int.max] {
      #expect(probe.isClosed(slot) && probe.hasReceivedEnd(slot))
      #expect(!probe.canSend(slot) && probe.sendAllowance(slot) == 0)
      #expect(probe.streamID(slot) == 0 && probe.sendWindow(slot) == 0)
      probe.engine.endStream(slot: slot, into: probe.output)
      probe.engine.free(slot: slot, into: probe.output)
    }
    #expect(probe.sent().isEmpty)
  }
}
