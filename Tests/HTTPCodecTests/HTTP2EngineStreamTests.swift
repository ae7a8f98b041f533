import HTTPCodec
import Testing

@Suite("HTTP/2 engine: streams (RFC 9113 §5.1, §5.4)", .wholeAndByteByByte)
struct HTTP2EngineStreamTests {
  /// Streams 1 (open), 3 (half-closed by the client), 5 (reset by the client), 7 (reset by the server),
  /// 9 (complete), in slots 0 to 4.
  private func probe(freed: Bool = false) -> Probe {
    let probe = Probe.ready()
    probe.receive(
      .headers(1), .headers(3, end: true), .headers(5), .headers(7), .headers(9, end: true),
      .reset(5, .cancel))
    probe.engine.reset(slot: 3, code: .internalError, into: probe.output)
    probe.sendHead(4, end: true)
    if freed { for slot in 2...4 { probe.engine.free(slot: slot, into: probe.output) } }
    _ = probe.sent()
    return probe
  }

  private func sees(_ frame: Frame, freed: Bool = false) -> [Seen] {
    let probe = probe(freed: freed)
    return probe.receive(frame)
  }

  // MARK: Idle

  @Test("§5.1 idle: anything but HEADERS and PRIORITY is PROTOCOL_ERROR")
  func idle() {
    for frame in [Frame.data(11), .reset(11, .cancel), .windowUpdate(11, 1), .continuation(11, [])] {
      #expect(sees(frame) == [.error(.protocolError)])
    }
    #expect(sees(.priority(11)) == [])
    #expect(sees(.headers(11)) == [.headers(11, .request, end: false)])
  }

  @Test("§5.1.1: a client's streams have odd numbers")
  func evenStream() {
    for frame in [Frame.headers(12), .data(2), .reset(2, .cancel), .windowUpdate(2, 1)] {
      #expect(sees(frame) == [.error(.protocolError)])
    }
  }

  @Test("§5.1.1: identifiers grow; those that are passed over are closed")
  func identifierGoesBack() {
    let probe = Probe.ready()
    probe.receive(.headers(7))
    #expect(probe.receive(.headers(5)) == [.error(.protocolError)])
  }

  @Test("§5.1.1: the highest identifier can be used")
  func highestIdentifier() {
    let probe = Probe.ready()
    #expect(probe.receive(.headers(0x7FFF_FFFF)) == [.headers(0x7FFF_FFFF, .request, end: false)])
    #expect(probe.receive(.headers(0x7FFF_FFFD)) == [.error(.protocolError)])
  }

  // MARK: Half-closed (remote)

  @Test("§5.1 half-closed (remote): DATA and HEADERS are a stream error STREAM_CLOSED")
  func halfClosedRemote() {
    for frame in [Frame.data(3), .data(3, filler(9)), .headers(3, end: true)] {
      let probe = probe()
      #expect(probe.receive(frame) == [.failed(1, .streamClosed)])
      #expect(probe.sent() == [.reset(3, .streamClosed)])
      #expect(probe.isClosed(1))
    }
  }

  @Test("§5.1 half-closed (remote): WINDOW_UPDATE, PRIORITY and RST_STREAM are taken")
  func halfClosedRemoteTakes() {
    #expect(sees(.windowUpdate(3, 1)) == [])
    #expect(sees(.priority(3)) == [])
    #expect(sees(.reset(3, .cancel)) == [.reset(1, .cancel)])
  }

  // MARK: Half-closed (local)

  @Test("§5.1 half-closed (local): the peer may send all frames, and end the stream")
  func halfClosedLocal() {
    let probe = probe()
    probe.sendHead(0, end: true)
    #expect(
      probe.receive(.windowUpdate(1, 5), .priority(1), .data(1, [1]), .headers(1, end: true))
        == [.content(0, [1], end: false), .headers(1, .trailers, end: true)])
    #expect(probe.isClosed(0))
    #expect(!probe.canSend(0))
  }

  // MARK: Closed

  @Test(
    "§5.1 closed by both: DATA and HEADERS are the connection error STREAM_CLOSED", arguments: [false, true])
  func closedByBoth(freed: Bool) {
    #expect(sees(.data(9, [1]), freed: freed) == [.error(.streamClosed)])
    #expect(sees(.headers(9, end: true), freed: freed) == [.error(.streamClosed)])
  }

  @Test("§5.1 closed by the peer's reset: DATA and HEADERS are STREAM_CLOSED", arguments: [false, true])
  func closedByPeer(freed: Bool) {
    #expect(sees(.data(5, [1]), freed: freed) == [.error(.streamClosed)])
    #expect(sees(.headers(5, end: true), freed: freed) == [.error(.streamClosed)])
  }

  @Test("§5.1 closed: WINDOW_UPDATE, RST_STREAM and PRIORITY are ignored", arguments: [false, true])
  func closedIgnores(freed: Bool) {
    for stream: UInt32 in [5, 7, 9] {
      for frame in [
        Frame.windowUpdate(stream, 1), .windowUpdate(stream, 0), .reset(stream, .cancel), .priority(stream),
      ] {
        #expect(sees(frame, freed: freed) == [])
      }
    }
  }

  @Test("§5.1 closed by our reset: what was under way is dropped", arguments: [false, true])
  func closedByUs(freed: Bool) {
    for frame in [
      Frame.data(7, [1]), .padded(7, [1], padding: 9), .headers(7, end: true), .windowUpdate(7, 1),
    ] {
      let probe = probe(freed: freed)
      #expect(probe.receive(frame, .ping()) == [])
      #expect(probe.sent().map(\.type) == [6])
    }
  }

  @Test("§5.1 closed by our reset after the peer's end: nothing can be under way", arguments: [false, true])
  func closedByUsAfterEnd(freed: Bool) {
    for frame in [Frame.data(3, [1]), .headers(3, end: true)] {
      let probe = probe()
      probe.engine.reset(slot: 1, code: .internalError, into: probe.output)
      if freed { probe.engine.free(slot: 1, into: probe.output) }
      #expect(probe.receive(frame) == [.error(.streamClosed)])
    }
  }

  @Test("Streams that were reset long ago may still have content under way")
  func forgottenResets() {
    let probe = Probe.ready()
    for index in 0..<600 {
      let stream = UInt32(index * 2 + 1)
      probe.now += 1_000_000_000
      #expect(probe.feed(Frame.headers(stream).encoded()) == [.headers(stream, .request, end: false)])
      probe.engine.reset(slot: probe.lastSlot, code: .cancel, into: probe.output)
      probe.engine.free(slot: probe.lastSlot, into: probe.output)
    }
    #expect(probe.receive(.data(1, [1]), .headers(3, end: true), .data(1_199, [1])) == [])
    #expect(probe.slotCount == 0)
  }

  // MARK: Concurrency

  @Test("§5.1.2: streams above the limit are refused, and may come again")
  func concurrency() {
    let probe = Probe.ready(.server, HTTP2LocalSettings(concurrentStreams: 2))
    #expect(probe.receive(.headers(1), .headers(3, end: true), .headers(5)).count == 2)
    #expect(probe.sent() == [.reset(5, .refusedStream)])
    // Its content is dropped.
    #expect(probe.receive(.data(5, [1]), .data(5, end: true)) == [])
    probe.sendHead(1, end: true)
    #expect(probe.receive(.headers(7)) == [.headers(7, .request, end: false)])
  }

  @Test("Slots that the caller holds count: resets do not make room for more work")
  func heldSlots() {
    let probe = Probe.ready(.server, HTTP2LocalSettings(concurrentStreams: 2))
    for index in 0..<4 {
      let stream = UInt32(index * 2 + 1)
      #expect(probe.receive(.headers(stream), .reset(stream, .cancel)).count == 2)
    }
    #expect(probe.activeStreams == 0 && probe.slotCount == 4)
    _ = probe.sent()
    #expect(probe.receive(.headers(9)) == [])
    #expect(probe.sent() == [.reset(9, .refusedStream)])
    probe.engine.free(slot: 2, into: probe.output)
    #expect(probe.receive(.headers(11)) == [.headers(11, .request, end: false)])
    #expect(probe.lastSlot == 2)
  }

  // MARK: What the caller ends

  @Test("A reset is sent once, and not for what is closed")
  func resetOnce() {
    let probe = probe()
    probe.engine.reset(slot: 0, code: .internalError, into: probe.output)
    probe.engine.reset(slot: 0, code: .cancel, into: probe.output)
    probe.engine.reset(slot: 4, code: .cancel, into: probe.output)
    probe.engine.reset(slot: 99, code: .cancel, into: probe.output)
    probe.engine.reset(slot: -1, code: .cancel, into: probe.output)
    #expect(probe.sent() == [.reset(1, .internalError)])
  }

  @Test("§8.1: a stream that is freed is reset: with NO_ERROR after a complete response")
  func freeResets() {
    let probe = probe()
    probe.engine.free(slot: 1, into: probe.output)
    #expect(probe.sent() == [.reset(3, .cancel)])
    probe.sendHead(0, end: true)
    _ = probe.sent()
    probe.engine.free(slot: 0, into: probe.output)
    #expect(probe.sent() == [.reset(1, .noError)])
    for slot in 2...4 { probe.engine.free(slot: slot, into: probe.output) }
    probe.engine.free(slot: 4, into: probe.output)
    #expect(probe.sent().isEmpty)
    #expect(probe.slotCount == 0 && probe.activeStreams == 0)
  }

  @Test("Slots are reused, and identifiers lead to the right ones, however many there are")
  func slots() {
    let probe = Probe.ready(.server, HTTP2LocalSettings(concurrentStreams: 500))
    var generator = SeededGenerator(state: 7)
    var open: [(stream: UInt32, slot: Int)] = []
    var stream: UInt32 = 1
    for _ in 0..<4_000 {
      if open.count < 300 || Bool.random(using: &generator), open.count < 500 {
        #expect(probe.feed(Frame.headers(stream).encoded()).count == 1)
        open.append((stream, probe.lastSlot))
        // Identifiers that fall on the same place of the index are the worst case.
        stream += Bool.random(using: &generator) ? 2 : 1_024
      } else {
        let one = open.remove(at: Int.random(in: 0..<open.count, using: &generator))
        #expect(probe.streamID(one.slot) == one.stream)
        probe.engine.reset(slot: one.slot, code: .cancel, into: probe.output)
        probe.engine.free(slot: one.slot, into: probe.output)
      }
      guard let one = open.randomElement(using: &generator) else { continue }
      #expect(probe.feed(Frame.data(one.stream, [1]).encoded()) == [.content(one.slot, [1], end: false)])
      probe.engine.release(1, slot: one.slot, into: probe.output)
    }
    #expect(Set(open.map(\.slot)).count == open.count)
    #expect(probe.slotCount == open.count && probe.activeStreams == open.count)
  }
}
