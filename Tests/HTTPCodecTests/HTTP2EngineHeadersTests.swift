import HTTPCodec
import Testing

@Suite("HTTP/2 engine: HEADERS and CONTINUATION (RFC 9113 §4.3, §6.2, §6.10)", .wholeAndByteByByte)
struct HTTP2EngineHeadersTests {
  @Test("§6.2: HEADERS opens a stream")
  func opens() {
    let probe = Probe.ready()
    #expect(probe.receive(.headers(1, end: true)) == [.headers(1, .request, end: true)])
    #expect(probe.hasReceivedEnd(0) && !probe.isClosed(0))
    #expect(probe.activeStreams == 1 && probe.engine.highestPeerStream == 1)
    #expect(probe.sent().isEmpty)
  }

  @Test("§6.2: HEADERS on stream 0 is PROTOCOL_ERROR")
  func streamZero() {
    let probe = Probe.ready()
    #expect(probe.receive(.headers(0)) == [.error(.protocolError)])
  }

  @Test("§6.2: padding and priority fields are taken off")
  func prefixes() {
    let probe = Probe.ready()
    let frame = Frame(
      type: 1, flags: 0x2C, stream: 1, payload: [3] + bigEndian(0x8000_0000) + [7] + Frame.get + [0, 0, 0])
    let bare = Frame(type: 1, flags: 0x24, stream: 3, payload: bigEndian(1) + [7] + Frame.get)
    let padded = Frame(type: 1, flags: 0xC, stream: 5, payload: [0] + Frame.get)
    #expect(
      probe.receive(frame, bare, padded)
        == [
          .headers(1, .request, end: false), .headers(3, .request, end: false),
          .headers(5, .request, end: false),
        ])
  }

  @Test("§6.2: padding that exceeds the payload is PROTOCOL_ERROR")
  func tooMuchPadding() {
    for padding: UInt8 in [2, 255] {
      let probe = Probe.ready()
      let frame = Frame(type: 1, flags: 0xC, stream: 1, payload: [padding] + Frame.get)
      #expect(probe.receive(frame) == [.error(.protocolError)])
    }
    let probe = Probe.ready()
    let frame = Frame(type: 1, flags: 0x2C, stream: 1, payload: [2, 0, 0, 0, 0, 1, 0x82])
    #expect(probe.receive(frame) == [.error(.protocolError)])
  }

  @Test("§4.3: a block may come in several frames, with the fields cut anywhere")
  func continuation() {
    let block: [UInt8] = [0x82, 0x00, 0x01, 0x61, 0x01, 0x62, 0x84]
    for cut in 0...block.count {
      let probe = Probe.ready()
      #expect(
        probe.receive(
          .headers(1, Array(block[..<cut]), end: true, whole: false),
          .continuation(1, [], whole: false), .continuation(1, Array(block[cut...])))
          == [.headers(1, .request, end: true)])
      #expect(probe.hasReceivedEnd(0))
    }
  }

  @Test("§4.3: padding stands before CONTINUATION")
  func paddedContinuation() {
    let probe = Probe.ready()
    let first = Frame(type: 1, flags: 0x8, stream: 1, payload: [4, 0x82, 0, 0, 0, 0])
    #expect(
      probe.receive(first, .continuation(1, [0x84]), .data(1, end: true))
        == [.headers(1, .request, end: false), .content(0, [], end: true)])
  }

  @Test("A large block in one frame is taken in pieces")
  func largeBlock() {
    let probe = Probe.ready()
    // `x` with a value of 127 + 0x50 + 0x60 * 128 bytes.
    let block: [UInt8] = [0x00, 0x01, 0x78, 0x7F, 0xD0, 0x60] + filler(12_495)
    let padded = Frame(type: 1, flags: 0xC, stream: 1, payload: [9] + block + filler(9))
    #expect(
      probe.receive(padded, .headers(3))
        == [.headers(1, .request, end: false), .headers(3, .request, end: false)])
  }

  @Test("§6.10: only CONTINUATION of the same stream may follow a block that is not complete")
  func interrupted() {
    let others = [
      Frame.headers(1), .headers(3), .data(1), .ping(), .settings(), .continuation(3, []), Frame(type: 99),
      .windowUpdate(0, 1), .priority(1), .reset(1, .cancel),
    ]
    for other in others {
      let probe = Probe.ready()
      #expect(probe.receive(.headers(1, whole: false), other) == [.error(.protocolError)])
    }
  }

  @Test("§6.10: CONTINUATION without a block before it is PROTOCOL_ERROR")
  func loneContinuation() {
    for first in [[], [Frame.headers(1)], [.headers(1, whole: false), .continuation(1, [])]] {
      let probe = Probe.ready()
      probe.receive(bytes: first.flatMap { $0.encoded() })
      #expect(probe.receive(.continuation(1, [])) == [.error(.protocolError)])
    }
    let probe = Probe.ready()
    #expect(probe.receive(.continuation(0, [])) == [.error(.protocolError)])
  }

  @Test("§4.3: a block that cannot be decoded is COMPRESSION_ERROR, also where nobody wants it")
  func compressionError() {
    let nonsense: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
    let probe = Probe.ready()
    #expect(probe.receive(.headers(1, nonsense)) == [.error(.compressionError)])
    #expect(probe.receive(.ping()) == [.error(.compressionError)])
    let dropped = Probe.ready()
    dropped.receive(.headers(1))
    dropped.engine.reset(slot: 0, code: .cancel, into: dropped.output)
    #expect(dropped.receive(.headers(1, nonsense, end: true)) == [.error(.compressionError)])
    let assembled = Probe.ready()
    #expect(
      assembled.receive(.headers(1, nonsense, whole: false), .continuation(1, nonsense))
        == [.error(.compressionError)])
  }

  @Test("§4.3: blocks that are dropped keep the compression context in step")
  func droppedBlocks() throws {
    // Stream 1 is refused, but its block puts `a: b` into the table, which stream 3 refers to.
    let probe = Probe.ready(.server, HTTP2LocalSettings(concurrentStreams: 0))
    let indexing: [UInt8] = [0x40, 0x01, 0x61, 0x01, 0x62]
    #expect(probe.receive(.headers(1, indexing, end: true)) == [])
    #expect(probe.receive(.headers(3, [0xBE], end: true)) == [])
    #expect(probe.sent() == [.reset(1, .refusedStream), .reset(3, .refusedStream)])
    #expect(probe.receive(.headers(5, [0xBF], end: true)) == [.error(.compressionError)])
  }

  @Test("§8.1: trailers end the stream; a second block that does not is a stream error")
  func trailers() {
    let probe = Probe.ready()
    #expect(
      probe.receive(.headers(1), .data(1, [1]), .headers(1, end: true))
        == [
          .headers(1, .request, end: false), .content(0, [1], end: false), .headers(1, .trailers, end: true),
        ])
    #expect(
      probe.receive(.headers(3), .headers(3))
        == [.headers(3, .request, end: false), .failed(1, .protocolError)])
    #expect(probe.sent() == [.reset(3, .protocolError)])
  }

  @Test("Requests and trailers are decoded, in one frame and in several")
  func decoding() throws {
    // GET https://a/ with `x: y`.
    let block: [UInt8] = [0x82, 0x87, 0x84, 0x01, 0x01, 0x61, 0x00, 0x01, 0x78, 0x01, 0x79]
    for frames in [
      [Frame.headers(1, block)], [.headers(1, [0x82], whole: false), .continuation(1, Array(block[1...]))],
    ] {
      let probe = Probe.ready()
      let input = frames.flatMap { $0.encoded() }
      var position = 0
      let event = try probe.engine.next(input.span, position: &position, now: 0, into: probe.output)
      guard case .headers(let location) = event else {
        Issue.record("no headers: \(event)")
        continue
      }
      let sink = EngineOutput()
      var head = RequestHead()
      try probe.engine.decodeRequest(
        location, of: input.span, into: sink, head: &head, limits: HTTP2HeadLimits())
      #expect(head.method == .get && head.fields.contains { text(sink.bytes, $0.name) == "x" })
      #expect(probe.receive(.data(1, [5], end: true)) == [.content(0, [5], end: true)])
    }
  }
}
