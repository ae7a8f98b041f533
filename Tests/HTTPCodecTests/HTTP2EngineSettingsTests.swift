import HTTPCodec
import Testing

@Suite("HTTP/2 engine: SETTINGS (RFC 9113 §6.5)", .wholeAndByteByByte)
struct HTTP2EngineSettingsTests {
  private func applied(_ role: HTTP2Engine.Role, _ entries: [(UInt16, UInt32)]) -> [Seen] {
    let probe = Probe.ready(role)
    return probe.receive(.settings(entries))
  }

  @Test("§6.5.3: SETTINGS is applied and acknowledged")
  func applies() {
    let probe = Probe.ready(.client)
    let entries: [(UInt16, UInt32)] = [
      (1, 100), (2, 0), (3, 17), (4, 70_000), (5, 20_000), (6, 5_000), (8, 1), (9, 1), (0xFAFA, 77),
    ]
    #expect(probe.receive(.settings(entries)) == [.settingsChanged])
    #expect(probe.sent() == [.settingsAcknowledgement])
    let settings = probe.peerSettings
    #expect(settings.headerTableBytes == 100 && settings.concurrentStreams == 17)
    #expect(settings.streamWindowBytes == 70_000 && settings.frameBytes == 20_000)
    #expect(settings.headBytes == 5_000 && settings.allowsExtendedConnect)
  }

  @Test("§6.5.2: until the peer says otherwise, the protocol's values hold")
  func initialValues() {
    let settings = Probe(.client).engine.peerSettings
    #expect(settings.headerTableBytes == 4_096 && settings.concurrentStreams == nil)
    #expect(settings.streamWindowBytes == 65_535 && settings.frameBytes == 16_384)
    #expect(settings.headBytes == nil && !settings.allowsExtendedConnect)
  }

  @Test("§6.5: parameters are applied in order, the last one counts")
  func order() {
    let probe = Probe.ready()
    probe.receive(.headers(1))
    #expect(probe.receive(.settings([(4, 10), (4, 30), (4, 20)])) == [.settingsChanged])
    #expect(probe.sendWindow(0) == 20)
  }

  @Test("§6.5: SETTINGS on a stream is PROTOCOL_ERROR")
  func onStream() {
    let probe = Probe.ready()
    #expect(probe.receive(Frame(type: 4, stream: 1)) == [.error(.protocolError)])
    let other = Probe.ready()
    #expect(other.receive(Frame(type: 4, flags: 1, stream: 1)) == [.error(.protocolError)])
  }

  @Test("§6.5.2: invalid values are connection errors")
  func invalidValues() {
    #expect(applied(.server, [(2, 2)]) == [.error(.protocolError)])
    #expect(applied(.server, [(4, 0x8000_0000)]) == [.error(.flowControlError)])
    #expect(applied(.server, [(5, 16_383)]) == [.error(.protocolError)])
    #expect(applied(.server, [(5, 16_777_216)]) == [.error(.protocolError)])
    #expect(applied(.client, [(8, 2)]) == [.error(.protocolError)])
    #expect(applied(.server, [(9, 2)]) == [.error(.protocolError)])
  }

  @Test("§6.5.2: a server may not enable push, a client may")
  func push() {
    #expect(applied(.client, [(2, 1)]) == [.error(.protocolError)])
    #expect(applied(.server, [(2, 1)]) == [.settingsChanged])
  }

  @Test("RFC 8441 §3: extended CONNECT is not taken back")
  func extendedConnect() {
    #expect(applied(.client, [(8, 1), (8, 0)]) == [.error(.protocolError)])
    #expect(applied(.client, [(8, 0), (8, 1), (8, 1)]) == [.settingsChanged])
  }

  @Test("§6.5: an acknowledgement of nothing is PROTOCOL_ERROR")
  func needlessAcknowledgement() {
    let probe = Probe.ready()
    #expect(probe.receive(.settingsAcknowledgement) == [.error(.protocolError)])
  }

  @Test("§6.5.2: the extreme values are accepted")
  func extremes() {
    #expect(
      applied(.server, [(1, .max), (3, .max), (4, 0x7FFF_FFFF), (5, 16_777_215), (6, .max)])
        == [.settingsChanged])
    #expect(applied(.server, [(1, 0), (3, 0), (4, 0), (5, 16_384), (6, 0)]) == [.settingsChanged])
  }

  // MARK: What this end announces

  @Test("§6.9.2: until it is acknowledged, a smaller window does not bind the peer")
  func smallerWindowLater() {
    let probe = Probe(.server, HTTP2LocalSettings(streamWindowBytes: 10))
    probe.receive(bytes: Probe.preface + Frame.settings().encoded())
    #expect(probe.receive(.headers(1), .data(1, filler(100))).count == 2)
    #expect(probe.awaitsAcknowledgement)
    #expect(probe.receive(.settingsAcknowledgement) == [.settingsAcknowledged])
    #expect(!probe.awaitsAcknowledgement)
    // The window is now 10 - 100.
    #expect(probe.receive(.data(1, [1])) == [.failed(0, .flowControlError)])
    #expect(probe.receive(.headers(3), .data(3, filler(10))).count == 2)
    #expect(probe.receive(.data(3, [1])) == [.failed(1, .flowControlError)])
  }

  @Test("§6.9.2: a window that shrank is opened again when its content was released before")
  func shrunkWindowOpens() {
    let probe = Probe.ready(.server, HTTP2LocalSettings(streamWindowBytes: 1_000))
    probe.receive(.headers(1), .data(1, filler(450)))
    probe.engine.release(450, slot: 0, into: probe.output)
    #expect(probe.sent().isEmpty)
    var smaller = probe.localSettings
    smaller.streamWindowBytes = 500
    #expect(probe.announce(smaller))
    #expect(probe.sent() == [.settings([(4, 500)])])
    #expect(probe.receive(.settingsAcknowledgement) == [.settingsAcknowledged])
    #expect(probe.sent() == [.windowUpdate(1, 450)])
    #expect(probe.receive(.data(1, filler(500))) == [.content(0, filler(500), end: false)])
    #expect(probe.receive(.data(1, filler(1))) == [.failed(0, .flowControlError)])
  }

  @Test("A larger window counts at once, for open streams too")
  func largerWindow() {
    let probe = Probe.ready(.server, HTTP2LocalSettings(streamWindowBytes: 1_000))
    probe.receive(.headers(1), .data(1, filler(1_000)))
    var larger = probe.localSettings
    larger.streamWindowBytes = 1_500
    larger.connectionWindowBytes += 100
    #expect(probe.announce(larger))
    #expect(probe.sent() == [.settings([(4, 1_500)]), .windowUpdate(0, 100)])
    #expect(probe.receive(.data(1, filler(500)), .headers(3), .data(3, filler(1_500))).count == 3)
    #expect(probe.receive(.data(1, [1])) == [.failed(0, .flowControlError)])
  }

  @Test("One change at a time; what cannot be taken back stays")
  func announceAgain() {
    let probe = Probe(.server, HTTP2LocalSettings(allowsExtendedConnect: true))
    var settings = HTTP2LocalSettings(
      headerTableBytes: 0, concurrentStreams: 1, connectionWindowBytes: 65_535, frameBytes: 20_000,
      headBytes: nil)
    #expect(probe.announce(settings) == false)
    probe.receive(bytes: Probe.preface + Frame.settings().encoded() + Frame.settingsAcknowledgement.encoded())
    _ = probe.sent()
    #expect(probe.announce(settings))
    #expect(probe.sent() == [.settings([(3, 1), (1, 0), (5, 20_000), (6, .max)])])
    settings = probe.localSettings
    #expect(settings.allowsExtendedConnect && settings.connectionWindowBytes == 1_048_576)
  }

  @Test("§5.1.2: a smaller limit of streams counts from the acknowledgement on")
  func fewerStreams() {
    let probe = Probe.ready(.server, HTTP2LocalSettings(concurrentStreams: 3))
    var fewer = probe.localSettings
    fewer.concurrentStreams = 1
    #expect(probe.announce(fewer))
    #expect(probe.receive(.headers(1), .headers(3)).count == 2)
    probe.receive(.settingsAcknowledgement)
    _ = probe.sent()
    #expect(probe.receive(.headers(5)) == [])
    #expect(probe.sent() == [.reset(5, .refusedStream)])
  }

  @Test("§4.2: a smaller frame size counts from the acknowledgement on")
  func smallerFrames() {
    let probe = Probe.ready(.server, HTTP2LocalSettings(frameBytes: 20_000))
    var smaller = probe.localSettings
    smaller.frameBytes = 16_384
    #expect(probe.announce(smaller))
    #expect(probe.receive(.headers(1), .data(1, filler(20_000))).count == 2)
    probe.receive(.settingsAcknowledgement)
    #expect(probe.receive(.data(1, filler(16_385))) == [.error(.frameSizeError)])
  }
}
