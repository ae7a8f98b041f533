import HTTPCodec
import Testing

@Suite("HTTP/2 engine: DATA and flow control (RFC 9113 §5.2, §6.1, §6.9)", .wholeAndByteByByte)
struct HTTP2EngineFlowTests {
  /// Windows of 1,000 bytes for a stream and 65,535 for the connection; stream 1 is open.
  private func probe(_ window: Int = 1_000) -> Probe {
    let probe = Probe.ready(
      .server, HTTP2LocalSettings(streamWindowBytes: window, connectionWindowBytes: 65_535))
    probe.receive(.headers(1))
    return probe
  }

  // MARK: DATA

  @Test("§6.1: content is delivered as it arrives, and ends the stream")
  func content() {
    let probe = probe()
    let frame = Frame.data(1, [1, 2, 3, 4], end: true).encoded()
    #expect(probe.feed(Array(frame[..<9])) == [])
    #expect(probe.feed(Array(frame[9..<11])) == [.content(0, [1, 2], end: false)])
    #expect(!probe.hasReceivedEnd(0))
    #expect(probe.feed(Array(frame[11...])) == [.content(0, [3, 4], end: true)])
    #expect(probe.hasReceivedEnd(0))
  }

  @Test("§6.1: DATA on stream 0 is PROTOCOL_ERROR")
  func streamZero() {
    let probe = probe()
    #expect(probe.receive(.data(0, [1])) == [.error(.protocolError)])
  }

  @Test("§6.1: padding is taken off; as much as the payload is PROTOCOL_ERROR")
  func padding() {
    let probe = probe()
    #expect(
      probe.receive(
        .padded(1, [1, 2], padding: 200), .padded(1, [3], padding: 0), .padded(1, [], padding: 5, end: true))
        == [.content(0, [1, 2, 3], end: true)])
    for payload: [UInt8] in [[1], [3, 1, 1], [255, 1]] {
      let other = self.probe()
      #expect(
        other.receive(Frame(type: 0, flags: 8, stream: 1, payload: payload)) == [.error(.protocolError)])
    }
  }

  @Test("The end of the stream does not wait for the padding behind it")
  func endBeforePadding() {
    let probe = probe()
    let frame = Frame.padded(1, [7], padding: 100, end: true).encoded()
    #expect(probe.feed(Array(frame[..<11])) == [.content(0, [7], end: true)])
    // The stream may be gone before the padding has come.
    probe.sendHead(0, end: true)
    probe.engine.release(1, slot: 0, into: probe.output)
    probe.engine.free(slot: 0, into: probe.output)
    #expect(
      probe.feed(Array(frame[11...]) + Frame.headers(3).encoded()) == [.headers(3, .request, end: false)])
  }

  @Test("§8.1.1: content has to be as long as was announced")
  func contentLength() {
    func sees(_ length: UInt64, _ frames: Frame...) -> [Seen] {
      let probe = probe()
      #expect(probe.acceptHead(0, length))
      return probe.receive(bytes: frames.flatMap { $0.encoded() })
    }
    let failed = Seen.failed(0, .protocolError)
    #expect(sees(3, .data(1, [1]), .data(1, [2, 3], end: true)) == [.content(0, [1, 2, 3], end: true)])
    #expect(sees(3, .data(1, [1, 2, 3]), .data(1, end: true)) == [.content(0, [1, 2, 3], end: true)])
    #expect(sees(3, .data(1, [1, 2, 3]), .headers(1, end: true)).last == .headers(1, .trailers, end: true))
    #expect(sees(3, .padded(1, [1, 2, 3], padding: 9, end: true)) == [.content(0, [1, 2, 3], end: true)])
    // Too much: nothing of the frame is delivered.
    #expect(sees(3, .data(1, [1, 2, 3, 4])) == [failed])
    #expect(sees(0, .data(1, [1])) == [failed])
    // Too little.
    #expect(sees(3, .data(1, [1, 2], end: true)) == [failed])
    #expect(sees(3, .data(1, end: true)) == [failed])
    #expect(sees(3, .data(1, [1, 2]), .headers(1, end: true)).last == failed)
    #expect(sees(.max, .data(1, end: true)) == [failed])
  }

  @Test("§8.1.1: a length without content is malformed, unless it is zero")
  func lengthWithoutContent() {
    let probe = probe()
    probe.receive(.headers(3, end: true))
    #expect(!probe.acceptHead(1, 1))
    #expect(probe.acceptHead(1, 0))
    #expect(probe.acceptHead(1, nil))
    #expect(probe.acceptHead(99, 1))
  }

  // MARK: Windows for what is received

  @Test("§6.9.1: more than the stream's window is a stream error FLOW_CONTROL_ERROR")
  func streamWindow() {
    let probe = probe()
    #expect(probe.receive(.data(1, filler(1_000))) == [.content(0, filler(1_000), end: false)])
    #expect(probe.receive(.data(1, end: true)) == [.content(0, [], end: true)])
    probe.receive(.headers(3), .data(3, filler(600)))
    #expect(probe.receive(.data(3, filler(401))) == [.failed(1, .flowControlError)])
    #expect(probe.sent() == [.reset(3, .flowControlError)])
  }

  @Test("§6.9.1: an empty frame may end the stream whatever the windows are")
  func emptyFrameNeedsNoWindow() {
    let probe = probe()
    probe.receive(.data(1, filler(900)))
    var smaller = probe.localSettings
    smaller.streamWindowBytes = 100
    #expect(probe.announce(smaller))
    probe.receive(.settingsAcknowledgement)
    #expect(probe.receive(.data(1, end: true)) == [.content(0, [], end: true)])
  }

  @Test("§6.9.1: padding and its length count")
  func paddingCounts() {
    let probe = probe()
    #expect(probe.receive(.padded(1, filler(744), padding: 255)).count == 1)
    let other = self.probe()
    #expect(other.receive(.padded(1, filler(745), padding: 255)) == [.failed(0, .flowControlError)])
  }

  @Test("§6.9.1: more than the connection's window is the connection error FLOW_CONTROL_ERROR")
  func connectionWindow() {
    let probe = probe(100_000)
    for _ in 0..<4 { probe.feed(Frame.data(1, filler(16_000)).encoded()) }
    #expect(probe.receive(.data(1, filler(1_535))).count == 1)
    #expect(probe.receive(.data(1, filler(1))) == [.error(.flowControlError)])
  }

  @Test("§6.9.1: padding counts for the connection too")
  func paddingCountsForConnection() {
    for (count, isLast) in [(1_279, false), (1_280, true)] {
      let probe = probe(100_000)
      for _ in 0..<4 { probe.feed(Frame.data(1, filler(16_000)).encoded()) }
      let seen = probe.receive(.padded(1, filler(count), padding: 255))
      #expect((seen == [.error(.flowControlError)]) == isLast)
      #expect(probe.receive(.data(1, [1])) == [.error(.flowControlError)])
    }
  }

  @Test("§6.9: content that a stream still held when it was freed is given back to the connection")
  func freedContent() {
    let probe = probe(100_000)
    probe.feed(Frame.data(1, filler(16_384)).encoded() + Frame.data(1, filler(16_384), end: true).encoded())
    probe.sendHead(0, end: true)
    #expect(probe.isClosed(0))
    _ = probe.sent()
    probe.engine.free(slot: 0, into: probe.output)
    #expect(probe.sent() == [.windowUpdate(0, 32_768)])
  }

  @Test("§6.9: content that was released is given back when half of a window is free")
  func release() {
    let probe = probe()
    probe.receive(.data(1, filler(800)))
    probe.engine.release(499, slot: 0, into: probe.output)
    #expect(probe.sent().isEmpty)
    probe.engine.release(1, slot: 0, into: probe.output)
    #expect(probe.sent() == [.windowUpdate(1, 500)])
    // What was not received cannot be released.
    probe.engine.release(5_000, slot: 0, into: probe.output)
    probe.engine.release(-5, slot: 0, into: probe.output)
    probe.engine.release(5, slot: 9, into: probe.output)
    #expect(probe.sent().isEmpty)
    #expect(probe.receive(.data(1, filler(700))).count == 1)
    #expect(probe.receive(.data(1, filler(1))) == [.failed(0, .flowControlError)])
  }

  @Test("§6.9: the connection's window is given back too, whatever became of the streams")
  func connectionRelease() {
    let probe = probe(60_000)
    probe.feed(Frame.data(1, filler(16_000)).encoded())
    probe.feed(Frame.data(1, filler(16_000)).encoded())
    probe.engine.release(32_000, slot: 0, into: probe.output)
    #expect(probe.sent() == [.windowUpdate(1, 32_000)])
    // The stream has ended: its own window is of no use.
    probe.feed(Frame.data(1, filler(768), end: true).encoded())
    probe.engine.release(768, slot: 0, into: probe.output)
    #expect(probe.sent() == [.windowUpdate(0, 32_768)])
  }

  @Test("Padding is given back at once")
  func paddingRelease() {
    let probe = probe()
    for _ in 0..<2 { probe.receive(.padded(1, [1], padding: 249)) }
    #expect(probe.sent() == [.windowUpdate(1, 500)])
  }

  @Test("§6.9.1: content of streams that are over is given back to the connection at once")
  func deadContent() {
    let probe = probe(100_000)
    probe.feed(Frame.data(1, filler(16_384)).encoded())
    probe.engine.reset(slot: 0, code: .cancel, into: probe.output)
    #expect(probe.sent() == [.reset(1, .cancel)])
    // With the 16,384 that the caller held, half of the window is free.
    probe.feed(Frame.data(1, filler(16_384)).encoded())
    #expect(probe.sent() == [.windowUpdate(0, 32_768)])
    probe.engine.release(16_384, slot: 0, into: probe.output)
    probe.engine.free(slot: 0, into: probe.output)
    for _ in 0..<2 { probe.feed(Frame.data(1, filler(16_384)).encoded()) }
    #expect(probe.sent() == [.windowUpdate(0, 32_768)])
  }

  @Test("The rest of a frame whose stream is reset meanwhile is dropped and given back")
  func resetWithinFrame() {
    let probe = probe(100_000)
    let frame = Frame.padded(1, filler(16_000), padding: 100).encoded()
    probe.feed(Array(frame[..<5_000]))
    probe.engine.reset(slot: 0, code: .cancel, into: probe.output)
    probe.engine.free(slot: 0, into: probe.output)
    #expect(
      probe.feed(Array(frame[5_000...]) + Frame.headers(3).encoded()) == [.headers(3, .request, end: false)])
    // 16,101 bytes are free; 16,667 more make half of the window.
    probe.feed(Frame.data(3, filler(16_384)).encoded())
    probe.engine.release(16_384, slot: probe.lastSlot, into: probe.output)
    probe.feed(Frame.data(3, filler(283)).encoded())
    _ = probe.sent()
    probe.engine.release(282, slot: probe.lastSlot, into: probe.output)
    #expect(probe.sent().isEmpty)
    probe.engine.release(1, slot: probe.lastSlot, into: probe.output)
    #expect(probe.sent() == [.windowUpdate(0, 32_768)])
  }

  // MARK: Windows for what is sent

  @Test("§6.9.1: as much is sent as both windows and the largest frame let through")
  func allowance() {
    let probe = Probe.ready(.server, peer: [(4, 20_000)])
    probe.receive(.headers(1), .headers(3), .headers(5), .headers(7))
    #expect(probe.sendAllowance(0) == 16_384)
    for slot in 0..<3 {
      probe.sendContent(slot, 16_384)
      #expect(probe.sendAllowance(slot) == 3_616)
      probe.sendContent(slot, 3_616)
      #expect(probe.sendAllowance(slot) == 0)
    }
    #expect(probe.engine.connectionSendWindow == 5_535)
    #expect(probe.sendAllowance(3) == 5_535)
    probe.sendContent(3, 5_535)
    #expect(probe.sendAllowance(3) == 0)
    #expect(probe.sendWindow(3) == 14_465)
  }

  @Test("§6.9: a window that was used up is reported when it opens, others are not")
  func opening() {
    let probe = Probe.ready(.server, peer: [(4, 100)])
    probe.receive(.headers(1), .headers(3))
    #expect(probe.receive(.windowUpdate(1, 5)) == [])
    probe.sendContent(0, 105)
    #expect(probe.receive(.windowUpdate(1, 5)) == [.windowOpened(0)])
    #expect(probe.receive(.windowUpdate(1, 5)) == [])
    #expect(probe.sendAllowance(0) == 10)
    // The connection.
    #expect(probe.receive(.settings([(4, 100_000)])) == [.settingsChanged])
    while probe.sendAllowance(1) > 0 {
      probe.sendContent(1, probe.sendAllowance(1))
    }
    #expect(probe.engine.connectionSendWindow == 0)
    #expect(probe.receive(.windowUpdate(0, 9)) == [.connectionWindowOpened])
    #expect(probe.receive(.windowUpdate(0, 9)) == [])
    #expect(probe.sendAllowance(1) == 18)
  }

  @Test("§6.9.2: a smaller initial window may make windows negative, which is waited for")
  func negativeWindow() {
    let probe = Probe.ready(.server, peer: [(4, 100)])
    probe.receive(.headers(1))
    probe.sendContent(0, 60)
    probe.receive(.settings([(4, 10)]))
    #expect(probe.sendWindow(0) == -50 && probe.sendAllowance(0) == 0)
    #expect(probe.receive(.windowUpdate(1, 50)) == [])
    #expect(probe.sendAllowance(0) == 0)
    #expect(probe.receive(.windowUpdate(1, 1)) == [.windowOpened(0)])
    #expect(probe.sendAllowance(0) == 1)
    probe.receive(.settings([(4, 50)]))
    #expect(probe.sendAllowance(0) == 41)
    // An empty frame ends the stream whatever the window is.
    probe.receive(.settings([(4, 0)]))
    probe.engine.endStream(slot: 0, into: probe.output)
    #expect(probe.sent().last == .data(1, end: true))
    probe.engine.endStream(slot: 0, into: probe.output)
    #expect(probe.sent().isEmpty)
  }

  @Test("§6.9: an increment of 0 is PROTOCOL_ERROR, of the stream or the connection")
  func zeroIncrement() {
    let probe = probe()
    #expect(probe.receive(.windowUpdate(1, 0)) == [.failed(0, .protocolError)])
    #expect(probe.sent() == [.reset(1, .protocolError)])
    #expect(probe.receive(.windowUpdate(0, 0)) == [.error(.protocolError)])
  }

  @Test("§6.9: the reserved bit of the increment is ignored")
  func reservedBit() {
    let probe = probe()
    #expect(probe.receive(.windowUpdate(1, 0x8000_0001)) == [])
    #expect(probe.sendWindow(0) == 65_536)
    #expect(probe.receive(.windowUpdate(1, 0x8000_0000)) == [.failed(0, .protocolError)])
  }

  @Test("§6.9.1: a window above 2^31-1 is FLOW_CONTROL_ERROR, of the stream or the connection")
  func overflow() {
    let probe = probe()
    #expect(probe.receive(.windowUpdate(1, 0x7FFF_FFFF - 65_535)) == [])
    #expect(probe.receive(.windowUpdate(1, 1)) == [.failed(0, .flowControlError)])
    #expect(probe.receive(.windowUpdate(0, 0x7FFF_FFFF - 65_535)) == [])
    #expect(probe.receive(.windowUpdate(0, 1)) == [.error(.flowControlError)])
  }

  @Test("§6.9.2: an initial window that makes a stream's too large is FLOW_CONTROL_ERROR")
  func settingsOverflow() {
    let probe = probe()
    #expect(probe.receive(.windowUpdate(1, 0x7FFF_FFFF - 65_535)) == [])
    #expect(probe.receive(.settings([(4, 65_536)])) == [.error(.flowControlError)])
  }
}
