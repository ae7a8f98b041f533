import HTTPCodec
import Testing

@Suite("HTTP/2 engine: preface and frames (RFC 9113 §3.4, §4)", .wholeAndByteByByte)
struct HTTP2EngineFramingTests {
  private func error(_ frames: Frame..., after first: [Frame] = []) -> HTTP2ErrorCode? {
    let probe = Probe.ready()
    probe.receive(bytes: first.flatMap { $0.encoded() })
    guard case .error(let code)? = probe.receive(bytes: frames.flatMap { $0.encoded() }).last else {
      return nil
    }
    return code
  }

  // MARK: §3.4

  @Test("A server takes the preface and SETTINGS")
  func preface() {
    let probe = Probe()
    #expect(probe.receive(bytes: Probe.preface + Frame.settings().encoded()) == [.settingsChanged])
    #expect(probe.receive(.settingsAcknowledgement) == [.settingsAcknowledged])
  }

  @Test("§3.4: a server refuses whatever is not the preface, at the first byte that differs")
  func wrongPreface() {
    for index in 0..<24 {
      var bytes = Array(Probe.preface[...index])
      bytes[index] ^= 1
      let probe = Probe()
      #expect(probe.receive(bytes: bytes) == [.error(.protocolError)], "byte \(index)")
    }
    let probe = Probe()
    #expect(probe.receive(bytes: bytes("GET / HTTP/1.1\r\n\r\n")) == [.error(.protocolError)])
  }

  @Test("The preface is told from HTTP/1 before it is complete")
  func matchPreface() {
    for count in 0..<24 {
      #expect(match(Array(Probe.preface[..<count])) == .partial)
    }
    #expect(match(Probe.preface) == .complete)
    #expect(match(Probe.preface + [0]) == .complete)
    #expect(match(bytes("PRI * HTTP/1.1")) == .different)
    #expect(match(bytes("PUT /")) == .different)
    #expect(match(bytes("G")) == .different)
  }

  private func match(_ bytes: [UInt8]) -> HTTP2Preface.Match { HTTP2Preface.match(bytes.span) }

  @Test(
    "§3.4: the first frame has to be SETTINGS, at both ends", arguments: [HTTP2Engine.Role.server, .client])
  func firstFrame(role: HTTP2Engine.Role) {
    let preface = role == .server ? Probe.preface : []
    for frame in [Frame.ping(), .settingsAcknowledgement, .windowUpdate(0, 1), .headers(1), Frame(type: 77)] {
      let probe = Probe(role)
      #expect(probe.receive(bytes: preface + frame.encoded()) == [.error(.protocolError)])
    }
  }

  @Test("§3.4: a client begins with the preface and SETTINGS that forbid push")
  func clientBegins() {
    let probe = Probe(.client)
    #expect(probe.output.bytes.starts(with: Probe.preface))
    let frames = Frame.parse(Array(probe.output.bytes[24...]))
    #expect(frames.map(\.type) == [4, 8])
    #expect(frames.first?.payload.starts(with: [0, 2, 0, 0, 0, 0]) == true)
    #expect(frames.last == .windowUpdate(0, 1_048_576 - 65_535))
  }

  @Test("§3.4: a server begins with SETTINGS that say what it takes")
  func serverBegins() {
    let settings = HTTP2LocalSettings(
      headerTableBytes: 8_192, concurrentStreams: 7, streamWindowBytes: 100_000,
      connectionWindowBytes: 65_535, frameBytes: 32_768, headBytes: 9_000, allowsExtendedConnect: true)
    let probe = Probe(.server, settings)
    let expected: [(UInt16, UInt32)] = [
      (3, 7), (8, 1), (9, 1), (1, 8_192), (4, 100_000), (5, 32_768), (6, 9_000),
    ]
    #expect(Frame.parse(probe.output.bytes) == [.settings(expected)])
  }

  @Test("Settings are brought within what the protocol allows")
  func clampedSettings() {
    let wild = HTTP2LocalSettings(
      headerTableBytes: -1, concurrentStreams: -5, streamWindowBytes: .max, connectionWindowBytes: 0,
      frameBytes: 1, headBytes: nil)
    let probe = Probe(.server, wild)
    #expect(
      Frame.parse(probe.output.bytes) == [.settings([(3, 0), (9, 1), (1, 0), (4, 0x7FFF_FFFF)])])
  }

  // MARK: §4

  @Test("§4.1: the reserved bit of the stream identifier is ignored")
  func reservedBit() {
    let probe = Probe.ready()
    #expect(
      probe.receive(.headers(0x8000_0001), .data(0x8000_0001, end: true))
        == [.headers(1, .request, end: false), .content(0, [], end: true)])
  }

  @Test("§4.1, §5.5: frames of unknown types, and unknown flags, are ignored")
  func unknown() {
    let probe = Probe.ready()
    var headers = Frame.headers(1)
    headers.flags |= 0xD2
    #expect(
      probe.receive(Frame(type: 0xAA, flags: 0xFF, stream: 99, payload: filler(300)), headers)
        == [.headers(1, .request, end: false)])
    #expect(probe.sent().isEmpty)
  }

  @Test("§4.2: a frame larger than announced is FRAME_SIZE_ERROR, known by its header")
  func frameTooLarge() {
    for frame in [Frame.data(1), .headers(1), Frame(type: 0xAA), .settings(), .continuation(1, [])] {
      let probe = Probe.ready()
      probe.receive(.headers(1))
      #expect(probe.receive(bytes: frame.encoded(length: 16_385)) == [.error(.frameSizeError)])
    }
  }

  @Test("§4.2: the announced size is accepted, at once when larger")
  func largestFrame() {
    let probe = Probe(.server, HTTP2LocalSettings(frameBytes: 20_000))
    probe.receive(bytes: Probe.preface + Frame.settings().encoded())
    #expect(
      probe.receive(.headers(1), .data(1, filler(20_000)))
        == [.headers(1, .request, end: false), .content(0, filler(20_000), end: false)])
    #expect(probe.receive(bytes: Frame.data(1).encoded(length: 20_001)) == [.error(.frameSizeError)])
  }

  @Test("§4.2: frames that are too short or too long for their type are FRAME_SIZE_ERROR")
  func wrongLength() {
    let open = [Frame.headers(1)]
    #expect(error(Frame(type: 3, stream: 1, payload: [0, 0, 0]), after: open) == .frameSizeError)
    #expect(error(Frame(type: 3, stream: 1, payload: filler(5)), after: open) == .frameSizeError)
    #expect(error(Frame(type: 8, stream: 1, payload: [0, 0, 1]), after: open) == .frameSizeError)
    #expect(error(Frame(type: 8, payload: filler(5))) == .frameSizeError)
    #expect(error(Frame(type: 6, payload: filler(7))) == .frameSizeError)
    #expect(error(Frame(type: 6, payload: filler(9))) == .frameSizeError)
    #expect(error(Frame(type: 7, payload: filler(7))) == .frameSizeError)
    #expect(error(Frame(type: 4, payload: filler(5))) == .frameSizeError)
    #expect(error(Frame(type: 4, flags: 1, payload: filler(6))) == .frameSizeError)
    #expect(error(Frame(type: 16, payload: filler(3))) == .frameSizeError)
    #expect(error(Frame(type: 0, flags: 8, stream: 1), after: open) == .frameSizeError)
    #expect(error(Frame(type: 1, flags: 0xC, stream: 1)) == .frameSizeError)
    #expect(error(Frame(type: 1, flags: 0x24, stream: 1, payload: filler(4))) == .frameSizeError)
    #expect(error(Frame(type: 1, flags: 0x2C, stream: 1, payload: filler(5))) == .frameSizeError)
  }

  @Test("§5.4.1: after an error every call throws it again, and nothing is read")
  func afterError() {
    let probe = Probe.ready()
    #expect(probe.receive(.ping(filler(7))) == [.error(.frameSizeError)])
    #expect(probe.receive(.headers(1)) == [.error(.frameSizeError)])
    #expect(probe.engine.highestPeerStream == 0)
    #expect(probe.sent().isEmpty)
    probe.engine.goAway(.frameSizeError, debug: "x", into: probe.output)
    #expect(probe.sent() == [.goAway(0, .frameSizeError, debug: bytes("x"))])
  }

  @Test("A block has to be decoded before the next event")
  func undecodedBlock() throws {
    let probe = Probe.ready()
    let input = Frame.headers(1).encoded()
    var position = 0
    let event = try probe.engine.next(input.span, position: &position, now: 0, into: probe.output)
    guard case .headers = event else {
      Issue.record("no headers: \(event)")
      return
    }
    #expect(probe.feed([]) == [.error(.internalError)])
  }

  @Test("What must be held while a frame is not complete is bounded")
  func heldBytes() {
    let frames: [Frame] = [
      .headers(3, filler(16_384)), .headers(3, filler(4_000)),
      .settings(Array(repeating: (99, 1), count: 32)),
      .goAway(0, .noError, debug: filler(16_000)), Frame(type: 99, payload: filler(16_384)),
      .data(1, filler(16_384)), .priorityUpdate(1),
    ]
    for frame in frames {
      let probe = Probe.ready()
      probe.receive(.headers(1))
      var held: [UInt8] = []
      for byte in frame.encoded().dropLast() {
        held.append(byte)
        var position = 0
        _ = try? probe.engine.next(held.span, position: &position, now: 0, into: probe.output)
        held.removeFirst(position)
        #expect(held.count < HTTP2Engine.heldBytesMax)
      }
    }
  }
}
