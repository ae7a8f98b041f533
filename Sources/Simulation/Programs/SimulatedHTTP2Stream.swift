import DataPlane
import HTTPCodec
import Runtime

/// A stream of HTTP/2 in the hands of a simulated client or origin.
public final class SimulatedHTTP2Stream {
  let connection: SimulatedHTTP2Connection
  let slot: Int
  /// Its identifier, also after it is over; a client's has one once its head was sent.
  public private(set) var number: UInt32
  /// The request's method, for a client: it decides what the response may have.
  var method = HTTPMethod.get
  /// What came of the request, at an origin.
  public private(set) var request = SimulatedRequest()
  /// What came of the response, at a client.
  public private(set) var response = SimulatedResponse()
  public private(set) var hasHead = false
  public private(set) var expectsContinue = false
  public private(set) var body: [UInt8] = []
  public private(set) var trailers: [SimulatedField] = []
  /// The other side has sent all that it will.
  public private(set) var hasEnded = false
  /// Why the other side reset it, or what rule it broke itself.
  public private(set) var resetCode: HTTP2ErrorCode?
  /// The other side broke a rule.
  public private(set) var violation: HTTP2ErrorCode?
  public private(set) var failure: StreamFailure?
  /// Content is released as it comes; otherwise with ``release(_:)``.
  public var releasesContent: Bool
  /// Content that came and was not released.
  public private(set) var heldCount = 0
  let news: Signal

  init(_ connection: SimulatedHTTP2Connection, slot: Int) {
    self.connection = connection
    self.slot = slot
    number = connection.engine.streamID(slot: slot)
    releasesContent = connection.releasesContent
    news = Signal(on: connection.worker)
  }

  public var streamID: UInt32 { connection.engine.streamID(slot: slot) }

  // MARK: What the connection reports

  func takeHeaders(_ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>) throws(HTTP2BlockError) {
    let sink = Buffer(capacity: 1_024)
    let limits = HTTP2HeadLimits(targetBytes: 1 << 20, headBytes: 1 << 20, fields: 1_000)
    switch block.kind {
    case .request:
      var head = RequestHead()
      try connection.engine.decodeRequest(block, of: bytes, into: sink, head: &head, limits: limits)
      request.method = sink.bytes.text(head.methodRange)
      request.target = sink.bytes.text(head.target)
      request.fields = sink.bytes.fields(head.fields)
      expectsContinue = head.expectsContinue
      if case .length(let length) = head.framing {
        _ = connection.engine.acceptHead(slot: slot, contentLength: length)
      }
      hasHead = true
    case .response:
      var head = ResponseHead()
      try connection.engine.decodeResponse(
        block, of: bytes, into: sink, head: &head, requestMethod: method, limits: limits)
      if head.status < 200 {
        response.interim.append(Int(head.status))
      } else {
        response.status = Int(head.status)
        response.fields = sink.bytes.fields(head.fields)
        var length: UInt64?
        if case .length(let announced) = head.framing { length = announced }
        guard connection.engine.acceptHead(slot: slot, contentLength: length) else {
          throw .malformed(.contentLengthDiffers)
        }
        hasHead = true
      }
    case .trailers:
      var fields: [Field] = []
      try connection.engine.decodeTrailers(block, of: bytes, into: sink, fields: &fields, limits: limits)
      trailers = sink.bytes.fields(fields)
    }
    if block.endsStream { hasEnded = true }
    news.notify()
  }

  func contentArrived(_ bytes: Span<UInt8>, endsStream: Bool) {
    // Copied during the call.
    unsafe bytes.withUnsafeBufferPointer { unsafe body.append(contentsOf: $0) }
    heldCount += bytes.count
    if releasesContent { release(heldCount) }
    if endsStream { hasEnded = true }
    news.notify()
  }

  func wasReset(_ code: HTTP2ErrorCode) {
    resetCode = code
    failure = failure ?? (code == .refusedStream ? .refused : .reset)
    news.notify()
  }

  func hasFailed(_ code: HTTP2ErrorCode) {
    violation = code
    wasReset(code)
  }

  func connectionEnded() {
    failure = failure ?? (hasHead ? .cutShort : connection.wasReset ? .reset : .closed)
    news.notify()
  }

  // MARK: Receiving

  /// Lets the other side send as much again.
  public func release(_ count: Int) {
    let count = min(count, heldCount)
    guard count > 0 else { return }
    heldCount -= count
    // Within an event, what this appends goes out behind it.
    connection.write { engine, output in engine.release(count, slot: slot, into: output) }
  }

  /// Waits until `isSatisfied`, or fails.
  public func wait(until isSatisfied: () -> Bool) async throws(StreamFailure) {
    let deadline = connection.worker.now.advanced(byNanoseconds: connection.patience.inNanoseconds)
    while !isSatisfied() {
      if let failure { throw failure }
      guard await news.wait(until: deadline) else { throw .timedOut }
    }
  }

  public func waitForHead() async throws(StreamFailure) { try await wait { hasHead } }

  public func waitForEnd() async throws(StreamFailure) { try await wait { hasEnded } }

  /// Reads a response to its end, and gives the stream back.
  public func readResponse() async throws(StreamFailure) -> SimulatedResponse {
    defer { connection.free(self) }
    try await waitForEnd()
    return wholeResponse
  }

  var wholeResponse: SimulatedResponse {
    var response = response
    response.body = body
    response.trailers = trailers
    response.isPersistent = true
    return response
  }

  // MARK: Sending

  /// Sends a head, interim or final, or trailers: `name: value` each. Those with a colon in front
  /// are pseudo-fields.
  public func sendHeaders(_ fields: [String], endStream: Bool) {
    connection.write { engine, output in
      guard engine.canSend(slot: slot) else { return }
      engine.encoder.begin()
      for field in fields {
        let colon = field.dropFirst().firstIndex(of: ":") ?? field.endIndex
        let name = Array(field[..<colon].lowercased().utf8)
        let value = Array(field[colon...].dropFirst(2).utf8)
        engine.encoder.encode(name: name.span, value: value.span)
      }
      engine.sendHeaders(slot: slot, endStream: endStream, into: output)
      number = engine.streamID(slot: slot)
    }
  }

  /// Sends content, in frames of `size` at most, as the windows allow.
  public func send(_ bytes: [UInt8], endStream: Bool = false, size: Int = .max) async throws(StreamFailure) {
    var position = 0
    if bytes.isEmpty { return endStream ? finish() : () }
    while position < bytes.count {
      try await wait {
        connection.engine.sendAllowance(slot: slot) > 0 || !connection.engine.canSend(slot: slot)
      }
      guard connection.isOpen, connection.engine.canSend(slot: slot) else { throw failure ?? .reset }
      let count = min(connection.engine.sendAllowance(slot: slot), size, bytes.count - position)
      let isLast = endStream && position + count == bytes.count
      connection.write { engine, output in
        engine.appendDataHeader(slot: slot, count: count, endStream: isLast, into: output)
        output.append(bytes.span.extracting(position..<position + count))
      }
      position += count
    }
  }

  /// Ends what this side sends.
  public func finish() { connection.write { engine, output in engine.endStream(slot: slot, into: output) } }

  public func reset(_ code: HTTP2ErrorCode = .cancel) {
    connection.write { engine, output in engine.reset(slot: slot, code: code, into: output) }
    failure = failure ?? .reset
    news.notify()
    connection.free(self)
  }

  public func sleep(_ duration: Duration) async {
    let worker = connection.worker
    await Waiter(on: worker).sleep(until: worker.now.advanced(byNanoseconds: duration.inNanoseconds))
  }
}
