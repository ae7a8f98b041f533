import HTTPCodec

/// A connection of HTTP/2, in either role. The input is what the peer sends; a server's has the preface
/// in front unless it brings its own.
///
/// - What arrives in pieces causes the same events, with the same heads and content, and the same answers.
/// - The position never goes beyond what came, and little has to be held back.
/// - What is sent are whole frames; unread answers are bounded by the limit, whatever comes.
/// - An error stays, and no stream is lost or counted twice.
enum HTTP2Checks {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  static func check(_ input: [UInt8], role: HTTP2Engine.Role) throws(BrokenProperty) {
    let ownPreface = role == .client || input.starts(with: preface.prefix(3))
    let bytes = ownPreface ? input : preface + input
    let whole = try run(bytes, [bytes.count], role)
    for ends in Pieces.ways(of: bytes) {
      let cut = try run(bytes, ends, role)
      try require(
        cut.seen == whole.seen,
        "in pieces that end at \(ends.prefix(40)): \(cut.seen)\nas a whole: \(whole.seen)")
      try require(cut.sent == whole.sent, "sent in pieces: \(cut.sent), as a whole: \(whole.sent)")
    }
    try checkBusyCaller(bytes, role)
  }

  private static func run(
    _ input: [UInt8], _ ends: [Int], _ role: HTTP2Engine.Role
  ) throws(BrokenProperty) -> (seen: [Seen], sent: [UInt8]) {
    let connection = CheckedConnection(role)
    for end in ends { try connection.receive(input, upTo: end) }
    try connection.checkState()
    return (connection.seen, connection.output.bytes)
  }

  /// The same with a caller that does what it may at any time: resets, frees, releases, sends, announces.
  /// What it does depends on when pieces come, so nothing is compared.
  private static func checkBusyCaller(
    _ input: [UInt8], _ role: HTTP2Engine.Role
  ) throws(BrokenProperty) {
    var pieces = Pieces(of: input)
    let connection = CheckedConnection(role)
    for end in pieces.ends(input.count) {
      try connection.receive(input, upTo: end)
      connection.act(&pieces)
      try connection.checkState()
    }
  }
}

/// What an engine reported, with ranges made into bytes.
enum Seen: Equatable {
  case head(stream: UInt32, HTTP2BlockKind, end: Bool, [UInt8], [FieldText])
  case badHead(stream: UInt32, HTTP2BlockKind, HTTP2BlockError)
  case content(slot: Int, [UInt8], end: Bool)
  case other(HTTP2Event)
  case error(HTTP2ErrorCode, String)
}

/// An engine with a caller that answers every request, and frees streams when they are over.
final class CheckedConnection {
  private var engine: HTTP2Engine
  let output = Sink()
  private(set) var seen: [Seen] = []
  private let beginning: Int
  /// How much of the input the engine is done with.
  private var done = 0
  private var isOver = false
  /// The methods of requests that were sent, by slot.
  private var methods: [HTTPMethod] = []

  private static let settings = HTTP2LocalSettings(
    concurrentStreams: 4, streamWindowBytes: 70_000, connectionWindowBytes: 70_000,
    allowsExtendedConnect: true)
  private static let limits = HTTP2HeadLimits(
    targetBytes: 200, headBytes: 1_000, fields: 10, allowsExtendedConnect: true)

  init(_ role: HTTP2Engine.Role) {
    engine = HTTP2Engine(role: role, settings: Self.settings)
    engine.begin(into: output)
    if role == .client {
      for method in [HTTPMethod.get, .head, .post] { Self.open(method, &engine, output, &methods) }
    }
    beginning = output.count
  }

  private static func open(
    _ method: HTTPMethod, _ engine: inout HTTP2Engine, _ output: Sink, _ methods: inout [HTTPMethod]
  ) {
    guard let slot = engine.openStream() else { return }
    engine.encoder.begin()
    let text = Array("GETHEADPOST".utf8)
    let range = ByteRange(start: method == .get ? 0 : method == .head ? 3 : 7, count: method == .get ? 3 : 4)
    engine.encoder.encode(method: method, range, in: text.span)
    engine.sendHeaders(slot: slot, endStream: method != .post, into: output)
    while methods.count <= slot { methods.append(.get) }
    methods[slot] = method
  }

  /// Takes what came, up to an index of the input.
  func receive(_ input: [UInt8], upTo end: Int) throws(BrokenProperty) {
    let held = Array(input[done..<end])
    var position = 0
    // Each event takes bytes, or ends a stream.
    for _ in 0...(held.count + 1_000) {
      let before = position
      let event: HTTP2Event
      do throws(HTTP2ConnectionError) {
        event = try engine.next(held.span, position: &position, now: 0, into: output)
      } catch {
        try fail(error)
        done += position
        return
      }
      try require(!isOver, "an event after an error: \(event)")
      try require(before...held.count ~= position, "the position went from \(before) to \(position)")
      if event == .needMore {
        try require(held.count - position <= HTTP2Engine.heldBytesMax, "\(held.count - position) are held")
        done += position
        return
      }
      try take(event, held)
    }
    throw BrokenProperty("events without an end")
  }

  private func fail(_ error: HTTP2ConnectionError) throws(BrokenProperty) {
    let failure = Seen.error(error.code, error.description)
    if isOver {
      try require(seen.last == failure, "another error: \(error)")
    } else {
      isOver = true
      seen.append(failure)
    }
  }

  private func take(_ event: HTTP2Event, _ held: [UInt8]) throws(BrokenProperty) {
    switch event {
    case .headers(let block): try take(block, held)
    case .content(let slot, let range, let end):
      try requireWithin(held.count, [range])
      noteContent(slot, Array(held[range.range]), end)
      if end { finish(slot) }
    case .streamReset(let slot, _), .streamFailed(let slot, _), .streamRefused(let slot):
      seen.append(.other(event))
      try require(engine.isClosed(slot: slot), "a stream that is over is not closed")
      engine.free(slot: slot, into: output)
    default: seen.append(.other(event))
    }
  }

  private func noteContent(_ slot: Int, _ bytes: [UInt8], _ end: Bool) {
    if case .content(slot: slot, let earlier, end: false)? = seen.last {
      seen[seen.count - 1] = .content(slot: slot, earlier + bytes, end: end)
    } else {
      seen.append(.content(slot: slot, bytes, end: end))
    }
  }

  private func take(_ block: HTTP2HeaderBlock, _ held: [UInt8]) throws(BrokenProperty) {
    try requireWithin(held.count, [block.range])
    let sink = Sink()
    do throws(HTTP2BlockError) {
      let fields = try decode(block, held, sink)
      let text = fields.map { FieldText($0, in: sink.bytes) }
      seen.append(.head(stream: block.streamID, block.kind, end: block.endsStream, sink.bytes, text))
    } catch {
      seen.append(.badHead(stream: block.streamID, block.kind, error))
      if case .connection = error { return }
      engine.reset(slot: block.slot, code: .protocolError, into: output)
      engine.free(slot: block.slot, into: output)
      return
    }
    try require(sink.count <= 4_000, "a head of \(sink.count) bytes passed a limit of 1,000")
    if block.endsStream { finish(block.slot) }
  }

  private func decode(
    _ block: HTTP2HeaderBlock, _ held: [UInt8], _ sink: Sink
  ) throws(HTTP2BlockError) -> [Field] {
    switch block.kind {
    case .request:
      var head = RequestHead()
      try engine.decodeRequest(block, of: held.span, into: sink, head: &head, limits: Self.limits)
      accept(block.slot, head.framing)
      return head.fields
    case .response:
      var head = ResponseHead()
      let method = methods.indices.contains(block.slot) ? methods[block.slot] : .get
      try engine.decodeResponse(
        block, of: held.span, into: sink, head: &head, requestMethod: method, limits: Self.limits)
      if head.status >= 200 { accept(block.slot, head.framing) }
      return head.fields
    case .trailers:
      var fields: [Field] = []
      try engine.decodeTrailers(block, of: held.span, into: sink, fields: &fields, limits: Self.limits)
      return fields
    }
  }

  private func accept(_ slot: Int, _ framing: BodyFraming) {
    var length: UInt64?
    if case .length(let count) = framing { length = count }
    if !engine.acceptHead(slot: slot, contentLength: length) {
      engine.reset(slot: slot, code: .protocolError, into: output)
    }
  }

  /// The peer has sent all of a message: answers it where it was a request, and frees what is over.
  private func finish(_ slot: Int) {
    if engine.role == .server, engine.canSend(slot: slot) { respond(slot, end: true) }
    if engine.isClosed(slot: slot) { engine.free(slot: slot, into: output) }
  }

  private func respond(_ slot: Int, end: Bool) {
    engine.encoder.begin()
    engine.encoder.encode(status: 200)
    engine.encoder.encode(.server, value: Array("penstock".utf8).span)
    engine.sendHeaders(slot: slot, endStream: end, into: output)
  }

  // MARK: A caller that does anything

  /// Does one of the things that a caller may do at any time.
  func act(_ pieces: inout Pieces) {
    let slot = pieces.next(below: 6) - 1
    switch pieces.next(below: 12) {
    case 0: engine.reset(slot: slot, code: .cancel, into: output)
    case 1: engine.free(slot: slot, into: output)
    case 2, 3: engine.release(pieces.next(below: 40_000), slot: slot, into: output)
    case 4, 5: send(slot, pieces.next(below: 100), end: pieces.next(below: 4) == 0)
    case 6: _ = engine.acceptHead(slot: slot, contentLength: UInt64(pieces.next(below: 40)))
    case 7:
      let settings = HTTP2LocalSettings(
        headerTableBytes: pieces.next(below: 5_000), concurrentStreams: pieces.next(below: 9),
        streamWindowBytes: pieces.next(below: 100_000))
      _ = engine.announce(settings, into: output)
    case 8: engine.endStream(slot: slot, into: output)
    case 9: if engine.role == .client { Self.open(.post, &engine, output, &methods) }
    case 10: engine.beginShutdown(into: output)
    default: engine.goAway(.noError, into: output)
    }
  }

  private func send(_ slot: Int, _ count: Int, end: Bool) {
    if engine.role == .server, engine.canSend(slot: slot), count % 3 == 0 { return respond(slot, end: end) }
    let count = min(count, engine.sendAllowance(slot: slot))
    guard count > 0 else { return }
    engine.appendDataHeader(slot: slot, count: count, endStream: end, into: output)
    for _ in 0..<count { output.append(0x61) }
  }

  // MARK: What holds at any time

  func checkState() throws(BrokenProperty) {
    try require(engine.activeStreams >= 0, "\(engine.activeStreams) active streams")
    try require(engine.activeStreams <= engine.slotCount, "more streams than slots")
    try require(engine.connectionSendWindow >= 0, "the window is \(engine.connectionSendWindow)")
    let answers = output.count - beginning
    // Nothing was told to be sent; what the caller itself sends is little.
    try require(answers <= engine.limits.unsentAnswerBytes + 65_536, "\(answers) bytes wait to be read")
    try checkFrames()
  }

  /// What was sent consists of whole frames of types that may be sent.
  private func checkFrames() throws(BrokenProperty) {
    let bytes = output.bytes
    var position = engine.role == .client ? HTTP2Preface.byteCount : 0
    while position < bytes.count {
      try require(position + 9 <= bytes.count, "what was sent ends within a frame's header")
      let length = Int(bytes[position]) << 16 | Int(bytes[position + 1]) << 8 | Int(bytes[position + 2])
      let type = bytes[position + 3]
      try require(type <= 9 && type != 2 && type != 5, "a frame of type \(type) was sent")
      try require(length <= max(engine.peerSettings.frameBytes, 16_384), "a frame of \(length) bytes")
      position += 9 + length
    }
    try require(position == bytes.count, "what was sent ends within a frame")
  }
}
