import HTTPCodec
import Testing

/// One message of one stream: what it has to be, how much of it is done.
struct SimulatedMessage {
  var number: Int
  var size: Int
  var hasTrailers: Bool
  var announcesLength: Bool
  /// Bytes that were sent or received.
  var done = 0
  var hasHead = false
  var hasEnded = false

  init(_ number: Int, _ generator: inout SeededGenerator) {
    self.number = number
    size = Int.random(in: 0..<4, using: &generator) == 0 ? 0 : Int.random(in: 1...60_000, using: &generator)
    if Bool.random(using: &generator) { size /= 100 }
    hasTrailers = Int.random(in: 0..<3, using: &generator) == 0
    announcesLength = Bool.random(using: &generator)
  }

  func byte(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: number &* 31 &+ offset &* 7 &+ offset >> 8) }
}

/// A stream as one of the two ends sees it.
struct SimulatedStream {
  var number: Int
  var sending: SimulatedMessage
  var receiving: SimulatedMessage
  /// Content that was received and not released.
  var held = 0
  var isOver = false
}

/// One of two ends that talk to each other through bytes.
final class SimulatedEnd {
  let role: HTTP2Engine.Role
  var engine: HTTP2Engine
  var output = EngineOutput()
  /// Bytes that have come and are not done with.
  var input: [UInt8] = []
  var now: Int64 = 0
  /// By slot.
  var streams: [Int: SimulatedStream] = [:]
  /// The messages of all streams: what the one end sends is what the other has to receive.
  let requests: [SimulatedMessage]
  let responses: [SimulatedMessage]
  /// Streams of which everything arrived, and those that were reset.
  var completed: Set<Int> = []
  var reset: Set<Int> = []
  var faults: [String] = []

  init(
    _ role: HTTP2Engine.Role, _ settings: HTTP2LocalSettings, _ limits: HTTP2Limits,
    requests: [SimulatedMessage], responses: [SimulatedMessage]
  ) {
    self.role = role
    self.requests = requests
    self.responses = responses
    engine = HTTP2Engine(role: role, settings: settings, limits: limits)
    engine.begin(into: output)
  }

  // MARK: Receiving

  func receive(_ bytes: [UInt8]) {
    input += bytes
    let given = input
    var position = 0
    do throws(HTTP2ConnectionError) {
      while faults.isEmpty {
        let event = try engine.next(given.span, position: &position, now: now, into: output)
        if event == .needMore { break }
        handle(event, given)
      }
    } catch {
      faults.append("\(role): \(error)")
    }
    input.removeFirst(position)
    if input.count > HTTP2Engine.heldBytesMax { faults.append("\(role): \(input.count) bytes are held") }
  }

  private func handle(_ event: HTTP2Event, _ given: [UInt8]) {
    switch event {
    case .headers(let block): takeHeaders(block, given)
    case .content(let slot, let range, let end): takeContent(slot, Array(given[range.range]), end)
    case .streamReset(let slot, _): end(slot, wasReset: true)
    case .streamFailed(let slot, let code): faults.append("\(role): stream in slot \(slot) failed: \(code)")
    case .streamRefused(let slot): faults.append("\(role): slot \(slot) was refused")
    case .goAway: faults.append("\(role): the peer goes away")
    default: break
    }
  }

  private func takeHeaders(_ block: HTTP2HeaderBlock, _ given: [UInt8]) {
    let sink = EngineOutput()
    let limits = HTTP2HeadLimits()
    do throws(HTTP2BlockError) {
      switch block.kind {
      case .request:
        var head = RequestHead()
        try engine.decodeRequest(block, of: given.span, into: sink, head: &head, limits: limits)
        guard let number = Int(text(sink.bytes, head.path).dropFirst()) else {
          faults.append("a path that was not sent")
          return
        }
        streams[block.slot] = SimulatedStream(
          number: number, sending: responses[number], receiving: requests[number])
        acceptHead(block.slot, head.framing)
      case .response:
        var head = ResponseHead()
        try engine.decodeResponse(
          block, of: given.span, into: sink, head: &head, requestMethod: .post, limits: limits)
        if head.status != 200 { return }
        acceptHead(block.slot, head.framing)
      case .trailers:
        var fields: [Field] = []
        try engine.decodeTrailers(block, of: given.span, into: sink, fields: &fields, limits: limits)
        let stream = streams[block.slot]
        let expected = stream.map { "t\($0.number)" }
        if fields.count != 1 || text(sink.bytes, fields[0].value) != expected {
          faults.append("trailers differ")
        }
        if stream?.receiving.hasTrailers != true { faults.append("trailers that were not sent") }
      }
    } catch {
      faults.append("\(role): \(error)")
    }
    if block.endsStream { messageEnded(block.slot) }
  }

  private func acceptHead(_ slot: Int, _ framing: BodyFraming) {
    guard let stream = streams[slot] else { return faults.append("a head for no stream") }
    if stream.receiving.hasHead { faults.append("a second head") }
    streams[slot]?.receiving.hasHead = true
    var length: UInt64?
    if case .length(let announced) = framing { length = announced }
    if !engine.acceptHead(slot: slot, contentLength: length) { faults.append("the length is not kept") }
  }

  private func takeContent(_ slot: Int, _ bytes: [UInt8], _ end: Bool) {
    guard let stream = streams[slot] else { return faults.append("content for no stream") }
    for (index, byte) in bytes.enumerated() where byte != stream.receiving.byte(stream.receiving.done + index)
    {
      return faults.append("content differs")
    }
    streams[slot]?.receiving.done += bytes.count
    streams[slot]?.held += bytes.count
    if end {
      if stream.receiving.hasTrailers { faults.append("trailers are missing") }
      messageEnded(slot)
    }
  }

  private func messageEnded(_ slot: Int) {
    guard let stream = streams[slot] else { return faults.append("an end of no stream") }
    if stream.receiving.done != stream.receiving.size { faults.append("content is missing") }
    streams[slot]?.receiving.hasEnded = true
  }

  // MARK: Sending

  /// Opens a stream for the next request; false when none can be opened.
  func openRequest(_ number: Int) -> Bool {
    guard let slot = engine.openStream() else { return false }
    streams[slot] = SimulatedStream(
      number: number, sending: requests[number], receiving: responses[number])
    return true
  }

  /// Does the next thing that a stream has to send.
  func send(_ slot: Int, _ generator: inout SeededGenerator) {
    guard let stream = streams[slot], engine.canSend(slot: slot) else { return }
    let message = stream.sending
    if !message.hasHead {
      sendHead(slot, message, &generator)
    } else if message.done < message.size {
      let most = min(engine.sendAllowance(slot: slot), message.size - message.done)
      guard most > 0 else { return }
      let count = Bool.random(using: &generator) ? most : Int.random(in: 1...most, using: &generator)
      let ends =
        message.done + count == message.size && !message.hasTrailers && Bool.random(using: &generator)
      engine.appendDataHeader(slot: slot, count: count, endStream: ends, into: output)
      for offset in 0..<count { output.append(message.byte(message.done + offset)) }
      streams[slot]?.sending.done += count
      if ends { streams[slot]?.sending.hasEnded = true }
    } else if message.hasTrailers {
      engine.encoder.begin()
      encode("trailer", "t\(stream.number)")
      engine.sendHeaders(slot: slot, endStream: true, into: output)
      streams[slot]?.sending.hasEnded = true
    } else {
      engine.endStream(slot: slot, into: output)
      streams[slot]?.sending.hasEnded = true
    }
  }

  private func sendHead(_ slot: Int, _ message: SimulatedMessage, _ generator: inout SeededGenerator) {
    engine.encoder.begin()
    if role == .client {
      let path = bytes("/\(message.number)")
      let authority = bytes("a.example")
      engine.encoder.encode(method: .post, .empty, in: path.span)
      engine.encoder.encode(schemeIsHTTPS: true)
      engine.encoder.encode(authority: authority.span)
      engine.encoder.encode(path: path.span)
    } else if Int.random(in: 0..<4, using: &generator) == 0 {
      engine.encoder.encode(status: 103)
      engine.sendHeaders(slot: slot, endStream: false, into: output)
      return
    } else {
      engine.encoder.encode(status: 200)
    }
    encode("x-\(message.number % 7)", "\(message.number % 3)")
    if message.announcesLength { encode("content-length", "\(message.size)") }
    let ends = message.size == 0 && !message.hasTrailers
    engine.sendHeaders(slot: slot, endStream: ends, into: output)
    streams[slot]?.sending.hasHead = true
    if ends { streams[slot]?.sending.hasEnded = true }
  }

  private func encode(_ name: String, _ value: String) {
    let name = bytes(name)
    let value = bytes(value)
    engine.encoder.encode(name: name.span, value: value.span, indexing: .automatic)
  }

  /// Releases some of the content that is held.
  func release(_ slot: Int, _ count: Int) {
    guard let held = streams[slot]?.held else { return }
    let count = min(count, held)
    engine.release(count, slot: slot, into: output)
    streams[slot]?.held -= count
  }

  // MARK: Ending

  /// Ends a stream before its time.
  func abort(_ slot: Int) {
    guard let stream = streams[slot] else { return }
    // A request whose head was not sent is unknown at the other end: it must not miss it there.
    if engine.streamID(slot: slot) == 0 { return }
    _ = stream
    engine.reset(slot: slot, code: .internalError, into: output)
    end(slot, wasReset: true)
  }

  /// Gives back the slots of streams that are complete.
  func freeCompleted() {
    for (slot, stream) in streams where stream.sending.hasEnded && stream.receiving.hasEnded {
      if !engine.isClosed(slot: slot) { faults.append("a complete stream is not closed") }
      if stream.held == 0 { end(slot, wasReset: false) }
    }
  }

  private func end(_ slot: Int, wasReset: Bool) {
    guard let stream = streams.removeValue(forKey: slot) else { return faults.append("an end of no stream") }
    if wasReset { reset.insert(stream.number) } else { completed.insert(stream.number) }
    engine.free(slot: slot, into: output)
  }
}
