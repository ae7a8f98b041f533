import HTTPCodec
import Testing

@Suite("HTTP/2 engine: limits against abuse (RFC 9113 §10.5)", .wholeAndByteByByte)
struct HTTP2EngineLimitTests {
  /// How many frames are taken before ENHANCE_YOUR_CALM; nil if all of `count` are.
  private func taken(
    _ count: Int, of probe: Probe, every nanoseconds: Int64 = 0, _ frames: (Int) -> [Frame]
  ) -> Int? {
    for index in 0..<count {
      probe.now += nanoseconds
      let seen = probe.receive(bytes: frames(index).flatMap { $0.encoded() })
      if seen.last == .error(.enhanceYourCalm) { return index }
      if case .error(let code)? = seen.last { Issue.record("frame \(index): \(code)") }
      _ = probe.sent()
      for slot in 0..<4 where probe.isClosed(slot) {
        probe.engine.free(slot: slot, into: probe.output)
      }
    }
    return nil
  }

  private func limits(_ change: (inout HTTP2Limits) -> Void) -> Probe {
    var limits = HTTP2Limits()
    change(&limits)
    return Probe.ready(limits: limits)
  }

  /// The same with stream 1 open, in slot 0.
  private func open(_ change: (inout HTTP2Limits) -> Void) -> Probe {
    let probe = limits(change)
    probe.receive(.headers(1))
    return probe
  }

  private let rate = HTTP2RateLimit(burst: 10, perSecond: 2)
  private let second: Int64 = 1_000_000_000

  // MARK: Streams that come to nothing

  @Test("Rapid reset (CVE-2023-44487): requests that are reset at once")
  func rapidReset() {
    let change = { (limits: inout HTTP2Limits) in limits.resets = rate }
    let frames = { (index: Int) in
      [Frame.headers(UInt32(index * 2 + 1)), .reset(UInt32(index * 2 + 1), .cancel)]
    }
    #expect(taken(20, of: limits(change), frames) == 10)
    #expect(taken(100, of: limits(change), every: second / 2, frames) == nil)
    #expect(taken(40, of: limits(change), every: second / 4, frames) == 19)
  }

  @Test("Streams that are completed make up for resets")
  func resetsAndResponses() {
    let probe = limits { $0.resets = rate }
    for index in 0..<100 {
      let stream = UInt32(index * 4 + 1)
      #expect(probe.feed(Frame.headers(stream).encoded() + Frame.reset(stream, .cancel).encoded()).count == 2)
      probe.engine.free(slot: probe.lastSlot, into: probe.output)
      #expect(probe.feed(Frame.headers(stream + 2, end: true).encoded()).count == 1)
      probe.sendHead(probe.lastSlot, end: true)
      probe.engine.free(slot: probe.lastSlot, into: probe.output)
      _ = probe.sent()
    }
  }

  @Test("A reset after the response was sent costs nothing")
  func resetAfterResponse() {
    let probe = limits { $0.resets = HTTP2RateLimit(burst: 1, perSecond: 1) }
    for index in 0..<50 {
      let stream = UInt32(index * 2 + 1)
      probe.feed(Frame.headers(stream).encoded())
      probe.sendHead(probe.lastSlot, end: true)
      #expect(probe.feed(Frame.reset(stream, .cancel).encoded()) == [.reset(probe.lastSlot, .cancel)])
      probe.engine.free(slot: probe.lastSlot, into: probe.output)
      _ = probe.sent()
    }
  }

  @Test("Resets that the peer provokes (CVE-2025-8671) count as its own")
  func provokedResets() {
    let change = { (limits: inout HTTP2Limits) in limits.resets = rate }
    let provocations: [(UInt32) -> Frame] = [
      { .windowUpdate($0, 0) }, { .windowUpdate($0, 0x7FFF_FFFF) },
      { Frame(type: 2, stream: $0, payload: [1]) },
      { .headers($0) },
    ]
    for provocation in provocations {
      #expect(
        taken(20, of: limits(change)) {
          [Frame.headers(UInt32($0 * 2 + 1)), provocation(UInt32($0 * 2 + 1))]
        } == 10)
    }
    #expect(
      taken(20, of: limits(change)) { index in
        let stream = UInt32(index * 2 + 1)
        return [.headers(stream, end: true), .data(stream)]
      } == 10)
  }

  @Test("Resets that the caller makes because the peer broke a rule count; others do not")
  func callersResets() {
    for (code, error) in [(HTTP2ErrorCode.protocolError, 10), (.internalError, nil)]
      as [(HTTP2ErrorCode, Int?)]
    {
      let probe = limits { $0.resets = rate }
      var failed: Int?
      for index in 0..<20 where failed == nil {
        let seen = probe.feed(Frame.headers(UInt32(index * 2 + 1)).encoded())
        probe.engine.reset(slot: probe.lastSlot, code: code, into: probe.output)
        probe.engine.free(slot: probe.lastSlot, into: probe.output)
        if seen == [.error(.enhanceYourCalm)] { failed = index - 1 }
      }
      #expect(failed == error)
    }
  }

  @Test("Streams above the limit count once the client knows it")
  func refusedStreams() {
    var limits = HTTP2Limits()
    limits.resets = rate
    let settings = HTTP2LocalSettings(concurrentStreams: 0)
    let probe = Probe.ready(.server, settings, limits: limits)
    #expect(taken(20, of: probe) { [.headers(UInt32($0 * 2 + 1), end: true)] } == 10)
    let unaware = Probe(.server, settings, limits: limits)
    unaware.feed(Probe.preface + Frame.settings().encoded())
    #expect(taken(100, of: unaware) { [.headers(UInt32($0 * 2 + 1), end: true)] } == nil)
  }

  @Test("A client does not count what its server resets")
  func clientResets() {
    var limits = HTTP2Limits()
    limits.resets = rate
    let probe = Probe.ready(.client, limits: limits)
    for index in 0..<50 {
      let slot = probe.request()
      #expect(
        probe.feed(Frame.reset(UInt32(index * 2 + 1), .refusedStream).encoded()) == [
          .reset(slot, .refusedStream)
        ])
      probe.engine.free(slot: slot, into: probe.output)
      _ = probe.sent()
    }
  }

  // MARK: Header blocks

  @Test("CONTINUATION flood (CVE-2024-27316): frames and bytes of a block are bounded")
  func continuations() {
    let probe = Probe.ready()
    probe.receive(.headers(1, whole: false))
    for _ in 0..<8 { #expect(probe.receive(.continuation(1, [0x82], whole: false)) == []) }
    #expect(probe.receive(.continuation(1, [0x82])) == [.error(.enhanceYourCalm)])

    let large = Probe.ready()
    large.feed(Frame.headers(1, Array(repeating: 0x82, count: 16_384), whole: false).encoded())
    large.feed(Frame.continuation(1, Array(repeating: 0x82, count: 16_384), whole: false).encoded())
    // Known by its header, before its bytes are taken.
    #expect(large.feed(Frame.continuation(1, []).encoded(length: 1)) == [.error(.enhanceYourCalm)])
  }

  @Test("A block that is too long is refused by its header")
  func blockBytes() {
    let probe = limits { $0.blockBytes = 100 }
    #expect(probe.receive(.headers(1, Array(repeating: 0x82, count: 100))).count == 1)
    #expect(probe.feed(Frame.headers(3).encoded(length: 101)) == [.error(.enhanceYourCalm)])
  }

  // MARK: Frames that carry nothing

  @Test("SETTINGS flood (CVE-2019-9515), and SETTINGS with many parameters (CVE-2020-11080)")
  func settings() {
    let change = { (limits: inout HTTP2Limits) in limits.settings = rate }
    // One came with the preface.
    #expect(taken(20, of: limits(change)) { _ in [.settings()] } == 9)
    #expect(taken(60, of: limits(change), every: second / 2) { _ in [.settings()] } == nil)
    let many = Probe.ready()
    #expect(many.receive(.settings(Array(repeating: (0xF0F0, 1), count: 32))) == [.settingsChanged])
    #expect(many.feed(Frame.settings().encoded(length: 33 * 6)) == [.error(.enhanceYourCalm)])
  }

  @Test("PING flood (CVE-2019-9512); frames that carry something make up for as many")
  func pings() {
    let change = { (limits: inout HTTP2Limits) in limits.pings = rate }
    #expect(taken(20, of: limits(change)) { _ in [.ping()] } == 10)
    #expect(taken(20, of: limits(change)) { _ in [.ping(acknowledges: true)] } == 10)
    #expect(taken(60, of: limits(change), every: second / 2) { _ in [.ping()] } == nil)
    #expect(taken(60, of: limits(change)) { [.headers(UInt32($0 * 2 + 1)), .ping()] } == nil)
    #expect(taken(60, of: open(change)) { _ in [.data(1, [1]), .ping()] } == nil)
    let probe = open(change)
    for _ in 0..<60 {
      probe.sendContent(0, 1)
      #expect(probe.feed(Frame.ping().encoded()) == [])
      _ = probe.sent()
    }
  }

  @Test("Frames without content (CVE-2019-9518)")
  func emptyFrames() {
    let change = { (limits: inout HTTP2Limits) in
      limits.emptyFrames = rate
      limits.continuations = 1_000
    }
    #expect(
      taken(20, of: limits(change)) {
        $0 == 0 ? [.headers(1, [], whole: false)] : [.continuation(1, [], whole: false)]
      } == 10)
    #expect(taken(20, of: open(change)) { _ in [.data(1)] } == 10)
    #expect(taken(20, of: open(change)) { _ in [.padded(1, [], padding: 9)] } == 10)
    #expect(taken(60, of: open(change), every: second / 2) { _ in [.data(1)] } == nil)
    #expect(taken(60, of: open(change)) { _ in [.data(1, [1]), .data(1)] } == nil)
  }

  @Test("WINDOW_UPDATE flood; content that is sent makes up for it")
  func windowUpdates() {
    let change = { (limits: inout HTTP2Limits) in limits.windowUpdates = rate }
    #expect(taken(20, of: limits(change)) { _ in [.windowUpdate(0, 1)] } == 10)
    #expect(taken(60, of: limits(change), every: second / 2) { _ in [.windowUpdate(0, 1)] } == nil)
    #expect(taken(20, of: open(change)) { _ in [.windowUpdate(1, 1)] } == 10)
    let probe = open(change)
    for _ in 0..<60 {
      probe.sendContent(0, 100)
      for stream: UInt32 in [0, 0, 1, 1] {
        #expect(probe.feed(Frame.windowUpdate(stream, 50).encoded()) == [])
      }
      _ = probe.sent()
    }
  }

  @Test("Windows that open a few bytes at a time (CVE-2019-9511)")
  func tinyWindowUpdates() {
    var limits = HTTP2Limits()
    limits.tinyWindowUpdates = rate
    func taken(_ increment: UInt32) -> Int? {
      let probe = Probe.ready(limits: limits, peer: [(4, 0)])
      probe.feed(Frame.headers(1).encoded())
      for index in 0..<50 {
        let seen = probe.feed(Frame.windowUpdate(1, increment).encoded())
        if seen == [.error(.enhanceYourCalm)] { return index }
        #expect(seen == [.windowOpened(0)])
        probe.sendContent(0, probe.sendAllowance(0))
        _ = probe.sent()
      }
      return nil
    }
    #expect(taken(1) == 10)
    #expect(taken(255) == 10)
    #expect(taken(256) == nil)
    // Windows that are open anyway may open further by little.
    let probe = Probe.ready(limits: limits)
    probe.receive(.headers(1))
    for _ in 0..<50 { #expect(probe.feed(Frame.windowUpdate(1, 1).encoded()) == []) }
  }

  @Test("Priority flood (CVE-2019-9513); new streams make up for some")
  func priorities() {
    let change = { (limits: inout HTTP2Limits) in limits.priorities = rate }
    #expect(taken(20, of: limits(change)) { [.priority(UInt32($0) + 1)] } == 10)
    #expect(taken(20, of: limits(change)) { [.priorityUpdate(UInt32($0 * 2 + 1))] } == 10)
    #expect(
      taken(20, of: limits(change)) { index in
        [.headers(UInt32(index * 2 + 1), end: true)] + Array(repeating: .priority(1), count: 5)
      } == nil)
  }

  @Test("Frames that mean nothing")
  func ignoredFrames() {
    let change = { (limits: inout HTTP2Limits) in limits.ignoredFrames = rate }
    #expect(taken(20, of: limits(change)) { [Frame(type: UInt8(0x20 + $0))] } == 10)
    #expect(taken(60, of: limits(change), every: second / 2) { _ in [Frame(type: 0x20)] } == nil)
    #expect(taken(20, of: limits(change)) { _ in [.goAway(0, .noError)] } == 10)
    func over() -> Probe {
      let probe = open(change)
      probe.engine.free(slot: 0, into: probe.output)
      return probe
    }
    #expect(taken(20, of: over()) { _ in [.reset(1, .cancel)] } == 10)
    #expect(taken(20, of: over()) { _ in [.headers(1, end: true)] } == 10)
    #expect(taken(20, of: over()) { _ in [.data(1)] } == 10)
    // Content that was under way is paid for by the one who sends it.
    #expect(taken(60, of: over()) { _ in [.data(1, [1])] } == nil)
  }

  // MARK: Answers that are not read

  @Test("Answers that the peer does not read are bounded")
  func unsentAnswers() {
    var limits = HTTP2Limits()
    limits.unsentAnswerBytes = 170
    let probe = Probe.ready(limits: limits)
    for _ in 0..<10 { #expect(probe.feed(Frame.ping().encoded()) == []) }
    #expect(probe.feed(Frame.ping().encoded()) == [.error(.enhanceYourCalm)])

    let reading = Probe.ready(limits: limits)
    for _ in 0..<100 {
      #expect(reading.feed(Frame.ping().encoded()) == [])
      reading.engine.outputSent(17, remaining: 100_000)
    }
    let slow = Probe.ready(limits: limits)
    var answered = 0
    while slow.feed(Frame.ping().encoded()) == [] {
      answered += 1
      slow.engine.outputSent(1, remaining: 100_000)
    }
    #expect(answered == 10)
  }
}
