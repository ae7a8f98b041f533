import HTTPCodec
import Testing

@Suite(
  "HTTP/2 engine: PRIORITY, RST_STREAM, PUSH_PROMISE, PING and GOAWAY (RFC 9113 §6.3 to §6.8)",
  .wholeAndByteByByte)
struct HTTP2EngineControlTests {
  // MARK: §6.3, RFC 9218

  @Test("§6.3: PRIORITY is checked and dropped")
  func priority() {
    let probe = Probe.ready()
    #expect(probe.receive(.priority(9), .headers(1), .priority(1)) == [.headers(1, .request, end: false)])
    #expect(probe.receive(.priority(0)) == [.error(.protocolError)])
  }

  @Test("§6.3: PRIORITY of another length is FRAME_SIZE_ERROR, of the stream where there is one")
  func priorityLength() {
    let probe = Probe.ready()
    probe.receive(.headers(1))
    #expect(probe.receive(Frame(type: 2, stream: 1, payload: filler(4))) == [.failed(0, .frameSizeError)])
    #expect(probe.sent() == [.reset(1, .frameSizeError)])
    #expect(probe.receive(Frame(type: 2, stream: 3, payload: filler(6))) == [.error(.frameSizeError)])
  }

  @Test("RFC 9218 §7.1: PRIORITY_UPDATE is checked and dropped")
  func priorityUpdate() {
    let probe = Probe.ready()
    #expect(probe.receive(.priorityUpdate(1), .priorityUpdate(0x8000_0003), .headers(1)).count == 1)
    for frame in [
      Frame.priorityUpdate(0), .priorityUpdate(2), Frame(type: 16, stream: 1, payload: filler(5)),
    ] {
      let other = Probe.ready()
      #expect(other.receive(frame) == [.error(.protocolError)])
    }
    let client = Probe.ready(.client)
    #expect(client.receive(.priorityUpdate(1)) == [.error(.protocolError)])
  }

  // MARK: §6.4

  @Test("§6.4: RST_STREAM closes the stream, with whatever code")
  func reset() {
    let probe = Probe.ready()
    probe.receive(.headers(1))
    let code = HTTP2ErrorCode(rawValue: 0xDEAD_BEEF)
    #expect(probe.receive(.reset(1, code)) == [.reset(0, code)])
    #expect(probe.isClosed(0) && probe.activeStreams == 0)
    #expect(probe.sendAllowance(0) == 0)
    probe.engine.free(slot: 0, into: probe.output)
    #expect(probe.sent().isEmpty)
  }

  @Test("§6.4: RST_STREAM on stream 0 is PROTOCOL_ERROR")
  func resetStreamZero() {
    let probe = Probe.ready()
    #expect(probe.receive(.reset(0, .cancel)) == [.error(.protocolError)])
  }

  // MARK: §6.6

  @Test("§6.6, §8.4: PUSH_PROMISE is PROTOCOL_ERROR, at both ends")
  func pushPromise() {
    let probe = Probe.ready()
    let frame = Frame(type: 5, flags: 4, stream: 1, payload: bigEndian(2) + Frame.get)
    #expect(probe.receive(.headers(1), frame).last == .error(.protocolError))
    let client = Probe.ready(.client)
    _ = client.request()
    #expect(client.receive(frame) == [.error(.protocolError)])
  }

  // MARK: §6.7

  @Test("§6.7: PING is answered with its payload")
  func ping() {
    let probe = Probe.ready()
    #expect(probe.receive(.ping([9, 8, 7, 6, 5, 4, 3, 2])) == [])
    #expect(probe.sent() == [.ping([9, 8, 7, 6, 5, 4, 3, 2], acknowledges: true)])
    #expect(probe.receive(Frame(type: 6, stream: 1, payload: filler(8))) == [.error(.protocolError)])
  }

  @Test("§6.7: the answer to a PING is reported, and not answered")
  func pong() {
    let probe = Probe.ready()
    probe.engine.ping(0x0102_0304_0506_0708, into: probe.output)
    #expect(probe.sent() == [.ping()])
    #expect(probe.receive(.ping(acknowledges: true)) == [.pong(0x0102_0304_0506_0708)])
    #expect(probe.sent().isEmpty)
  }

  // MARK: §6.8

  @Test("§6.8: GOAWAY on a stream, or that takes more streams than one before, is PROTOCOL_ERROR")
  func wrongGoAway() {
    let probe = Probe.ready()
    #expect(probe.receive(Frame(type: 7, stream: 1, payload: filler(8))) == [.error(.protocolError)])
    let other = Probe.ready(.client)
    #expect(
      other.receive(
        .goAway(0x7FFF_FFFF, .noError), .goAway(5, .noError), .goAway(5, .noError, debug: filler(50)))
        == [.goAway(0x7FFF_FFFF, .noError), .goAway(5, .noError), .goAway(5, .noError)])
    #expect(other.receive(.goAway(7, .noError)) == [.error(.protocolError)])
  }

  @Test("§6.8: requests that the server did not process are reported, all others go on")
  func goAway() {
    let probe = Probe.ready(.client)
    let first = probe.request(end: false)
    let second = probe.request()
    let third = probe.request()
    let unsent = probe.openStream()
    #expect(
      probe.receive(.goAway(1, .enhanceYourCalm, debug: bytes("calm")))
        == [.goAway(1, .enhanceYourCalm), .refused(second), .refused(third), .refused(unsent ?? -1)])
    #expect(probe.openStream() == nil && probe.streamsAvailable == 0)
    #expect(probe.canSend(first) && !probe.canSend(second))
    _ = probe.sent()
    for slot in [second, third, unsent ?? -1] { probe.engine.free(slot: slot, into: probe.output) }
    #expect(probe.sent().isEmpty)
    #expect(
      probe.receive(.headers(1, [0x88]), .data(1, [1], end: true), .headers(3, [0x88], end: true))
        == [.headers(1, .response, end: false), .content(first, [1], end: true)])
  }

  @Test("A slot that is freed before its refusal was told is not reported")
  func freedBeforeRefusal() throws {
    let probe = Probe.ready(.client)
    let first = probe.request()
    let second = probe.request()
    let input = Frame.goAway(0, .noError).encoded()
    var position = 0
    let event = try probe.engine.next(input.span, position: &position, now: 0, into: probe.output)
    #expect(event == .goAway(lastStreamID: 0, code: .noError))
    probe.engine.free(slot: first, into: probe.output)
    #expect(probe.feed([]) == [.refused(second)])
    #expect(probe.feed([]) == [])
  }

  @Test("§6.8: a server goes away in two steps: no request is lost between them")
  func shutdown() {
    let probe = Probe.ready()
    probe.receive(.headers(1))
    probe.engine.beginShutdown(into: probe.output)
    #expect(probe.sent() == [.goAway(0x7FFF_FFFF, .noError)])
    #expect(probe.receive(.headers(3)) == [.headers(3, .request, end: false)])
    probe.engine.goAway(.noError, into: probe.output)
    #expect(probe.sent() == [.goAway(3, .noError)])
    // What comes later is dropped, but keeps the compression context in step.
    let indexing: [UInt8] = [0x40, 0x01, 0x61, 0x01, 0x62]
    #expect(
      probe.receive(.headers(5, indexing), .data(5, [1], end: true), .windowUpdate(5, 1), .reset(5, .cancel))
        == [])
    #expect(probe.sent().isEmpty)
    #expect(
      probe.receive(.data(1, end: true), .headers(3, [0xBE], end: true))
        == [.content(0, [], end: true), .headers(3, .trailers, end: true)])
    probe.engine.beginShutdown(into: probe.output)
    #expect(probe.sent().isEmpty)
    probe.engine.goAway(.internalError, into: probe.output)
    #expect(probe.sent() == [.goAway(3, .internalError)])
  }

  @Test("§6.8: a client that goes away opens no more streams")
  func clientGoesAway() {
    let probe = Probe.ready(.client)
    let slot = probe.request()
    probe.engine.goAway(.noError, into: probe.output)
    #expect(probe.sent().last == .goAway(0, .noError))
    #expect(probe.openStream() == nil)
    #expect(probe.receive(.headers(1, [0x88], end: true)) == [.headers(1, .response, end: true)])
    #expect(probe.isClosed(slot))
  }

  @Test("§6.8: a server takes a client's GOAWAY, and finishes what was begun")
  func serverSeesGoAway() {
    let probe = Probe.ready()
    #expect(
      probe.receive(.headers(1), .goAway(0, .noError), .data(1, end: true))
        == [.headers(1, .request, end: false), .goAway(0, .noError), .content(0, [], end: true)])
    #expect(probe.canSend(0))
  }
}
