import HTTPCodec
import Testing

@Suite("HTTP/2 engine: two ends through bytes that are cut anywhere")
struct HTTP2EngineRandomTests {
  private static let streamCount = 120

  /// Limits that what happens here by intention does not reach.
  private var limits: HTTP2Limits {
    var limits = HTTP2Limits()
    let many = HTTP2RateLimit(burst: 100_000, perSecond: 1_000)
    limits.resets = many
    limits.settings = many
    limits.pings = many
    limits.windowUpdates = many
    limits.tinyWindowUpdates = many
    limits.ignoredFrames = many
    limits.responseHeads = 100
    return limits
  }

  private func settings(_ generator: inout SeededGenerator) -> HTTP2LocalSettings {
    let windows = [1, 100, 5_000, 65_535, 200_000]
    return HTTP2LocalSettings(
      headerTableBytes: [0, 100, 4_096, 10_000].randomElement(using: &generator) ?? 0,
      concurrentStreams: Int.random(in: 1...40, using: &generator),
      streamWindowBytes: windows.randomElement(using: &generator) ?? 0,
      connectionWindowBytes: Bool.random(using: &generator) ? 65_535 : 150_000,
      frameBytes: Bool.random(using: &generator) ? 16_384 : 20_000)
  }

  /// Moves some of what one end has sent to the other.
  private func transfer(_ from: SimulatedEnd, _ to: SimulatedEnd, _ count: Int) {
    let count = min(count, from.output.count)
    guard count > 0 else { return }
    let bytes = Array(from.output.bytes[..<count])
    from.output.bytes.removeFirst(count)
    from.engine.outputSent(count, remaining: from.output.count)
    to.receive(bytes)
  }

  @Test("Everything arrives, windows hold, and no slot is lost", arguments: 1...12)
  func exchange(seed: Int) {
    var generator = SeededGenerator(state: UInt64(seed))
    let requests = (0..<Self.streamCount).map { SimulatedMessage($0, &generator) }
    let responses = (0..<Self.streamCount).map { SimulatedMessage($0, &generator) }
    let client = SimulatedEnd(
      .client, settings(&generator), limits, requests: requests, responses: responses)
    let server = SimulatedEnd(
      .server, settings(&generator), limits, requests: requests, responses: responses)
    let ends = [client, server]
    var opened = 0
    for step in 0..<200_000 {
      let isDraining = step > 20_000
      let end = ends[Int.random(in: 0..<2, using: &generator)]
      end.now += 1_000_000
      let slot = end.streams.keys.sorted().randomElement(using: &generator)
      switch Int.random(in: 0..<100, using: &generator) {
      case 0..<30: transfer(client, server, Int.random(in: 1...3_000, using: &generator))
      case 30..<60: transfer(server, client, Int.random(in: 1...3_000, using: &generator))
      case 60..<85:
        if let slot { end.send(slot, &generator) }
      case 85..<95:
        if let slot { end.release(slot, Int.random(in: 1...50_000, using: &generator)) }
      case 95: end.freeCompleted()
      case 96:
        if let slot, !isDraining, Int.random(in: 0..<12, using: &generator) == 0 { end.abort(slot) }
      case 97:
        if !isDraining { _ = end.engine.announce(settings(&generator), into: end.output) }
      case 98: end.engine.ping(UInt64(step), into: end.output)
      default:
        if isDraining {
          // Windows large enough to come to an end.
          _ = end.engine.announce(HTTP2LocalSettings(), into: end.output)
        }
      }
      if opened < Self.streamCount, client.openRequest(opened) { opened += 1 }
      if !client.faults.isEmpty || !server.faults.isEmpty { break }
      let isDone = client.completed.count + client.reset.count == Self.streamCount
      if isDone, server.streams.isEmpty, client.output.count + server.output.count == 0 { break }
    }
    check(client, server)
  }

  private func check(_ client: SimulatedEnd, _ server: SimulatedEnd) {
    #expect(client.faults.isEmpty && server.faults.isEmpty, "\(client.faults) \(server.faults)")
    #expect(client.completed.count + client.reset.count == Self.streamCount)
    // The end that resets a stream may have had it complete at the other.
    #expect(client.completed.isSubset(of: server.completed.union(server.reset)))
    #expect(client.completed.count > Self.streamCount / 4)
    for end in [client, server] {
      #expect(end.engine.slotCount == 0 && end.engine.activeStreams == 0)
      #expect(end.input.isEmpty)
      // All content was released: at most half of the window is still to be told.
      #expect(end.engine.connectionSendWindow >= 65_535 / 2)
    }
  }
}

@Suite("HTTP/2 engine: nonsense")
struct HTTP2EngineGarbageTests {
  /// A valid conversation for each role, as frames.
  private func frames(_ role: HTTP2Engine.Role, _ generator: inout SeededGenerator) -> [Frame] {
    var frames: [Frame] = [.settings([(4, 100), (5, 20_000)]), .settingsAcknowledgement]
    for _ in 0..<20 {
      let stream = UInt32.random(in: 0...12, using: &generator) | (Bool.random(using: &generator) ? 1 : 0)
      let block: [UInt8] = [0x82, 0x40, 0x01, 0x61, 0x01, 0x62]
      let all: [Frame] = [
        .headers(stream, block, end: Bool.random(using: &generator)), .headers(stream, block, whole: false),
        .continuation(stream, block), .data(stream, filler(50)), .padded(stream, filler(9), padding: 30),
        .data(stream, end: true), .reset(stream, .cancel), .windowUpdate(stream, 1_000), .ping(),
        .priority(stream),
        .settings([(4, UInt32.random(in: 0...100_000, using: &generator))]), .goAway(stream, .noError),
        .priorityUpdate(stream), Frame(type: UInt8.random(in: 0...20, using: &generator), stream: stream),
      ]
      frames.append(all.randomElement(using: &generator) ?? .ping())
    }
    return frames
  }

  private func mutate(_ input: inout [UInt8], _ generator: inout SeededGenerator) {
    for _ in 0..<Int.random(in: 0...4, using: &generator) where !input.isEmpty {
      let index = Int.random(in: 0..<input.count, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: input[index] = UInt8.random(in: 0...255, using: &generator)
      case 1: input[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 2: input.remove(at: index)
      case 3: input.insert(UInt8.random(in: 0...255, using: &generator), at: index)
      default: input.removeSubrange(index...)
      }
    }
  }

  @Test(
    "Whatever comes, nothing traps, an error stays, and answers are whole frames",
    arguments: [HTTP2Engine.Role.server, .client])
  func mutants(role: HTTP2Engine.Role) {
    var generator = SeededGenerator(state: role == .server ? 11 : 12)
    var errors = 0
    for round in 0..<3_000 {
      let probe = Probe(role)
      if role == .client {
        _ = probe.request()
        _ = probe.request(end: false)
        _ = probe.openStream()
      }
      var input: [UInt8] = []
      for frame in frames(role, &generator) { input += frame.encoded() }
      mutate(&input, &generator)
      if role == .server { input = Probe.preface + input }
      errors += play(input, probe, &generator, round)
    }
    #expect(errors > 1_500 && errors < 3_000)
  }

  @Test("Random bytes")
  func randomBytes() {
    var generator = SeededGenerator(state: 13)
    for round in 0..<500 {
      let probe = Probe.ready(round % 2 == 0 ? .server : .client)
      if round % 2 == 1 { _ = probe.request() }
      var input: [UInt8] = []
      for _ in 0..<Int.random(in: 1...300, using: &generator) {
        input.append(UInt8.random(in: 0...(Bool.random(using: &generator) ? 255 : 10), using: &generator))
      }
      _ = play(input, probe, &generator, round)
    }
  }

  /// Feeds bytes in pieces, while the caller does what it may; returns 1 when it ended in an error.
  private func play(_ input: [UInt8], _ probe: Probe, _ generator: inout SeededGenerator, _ round: Int) -> Int
  {
    var rest = input[...]
    var failure: Seen?
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...60, using: &generator))
      rest = rest.dropFirst(piece.count)
      let seen = probe.feed(Array(piece))
      if let failure {
        #expect(seen == [failure], "round \(round)")
      } else if case .error? = seen.last {
        failure = seen.last
      }
      let slot = Int.random(in: -1...4, using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: probe.engine.reset(slot: slot, code: .cancel, into: probe.output)
      case 1: probe.engine.free(slot: slot, into: probe.output)
      case 2, 3:
        probe.engine.release(Int.random(in: 0...100, using: &generator), slot: slot, into: probe.output)
      case 4:
        let count = min(probe.sendAllowance(slot), 100)
        if count > 0 { probe.sendContent(slot, count, end: Bool.random(using: &generator)) }
      case 5:
        _ = probe.engine.acceptHead(slot: slot, contentLength: UInt64.random(in: 0...60, using: &generator))
      default: break
      }
    }
    _ = probe.sent()
    #expect(probe.activeStreams >= 0 && probe.activeStreams <= probe.slotCount)
    #expect(probe.engine.connectionSendWindow >= 0)
    return failure == nil ? 0 : 1
  }
}
