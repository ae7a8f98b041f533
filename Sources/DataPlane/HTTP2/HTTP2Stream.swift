import HTTPCodec
import Runtime

/// A stream of an HTTP/2 connection, in either role, as a transport of content: its readiness is that
/// of content received and of the send windows.
///
/// Reused by its owner for one stream after another.
final class HTTP2Stream: Transport {
  /// The connection that it belongs to now; `nil` while it is not in use.
  private(set) var connection: HTTP2Connection?
  private(set) var slot = -1
  /// Content that nobody has taken yet; a buffer is held only while there is some.
  private var received: Buffer?
  /// The peer has sent END_STREAM, and all before it was received.
  private(set) var hasEnded = false
  /// END_STREAM was sent.
  private(set) var hasFinished = false
  /// The stream is over before its time.
  private(set) var isReset = false
  /// The peer says that it has not begun to process it: safe to repeat (RFC 9113 §8.7).
  private(set) var isRefused = false
  /// The next bytes that are sent are the last: END_STREAM goes with them.
  var endsWithNextSend = false
  /// A head has been decoded, and nobody has looked at it.
  var hasPendingHead = false
  /// What the response's head was refused for.
  var headError: HTTP2BlockError?
  /// In the server role, who serves it.
  var side: ClientStream?
  /// In the client role, where responses are decoded to.
  var exchange: Exchange?
  /// Trailer lines that were received, and their fields.
  private(set) var trailers: Buffer?
  var trailerFields: [Field] = []
  /// Waits among the connection's blocked streams.
  var isBlocked = false
  /// Is among those that have news.
  var isTouched = false

  init(on worker: Worker) {
    super.init(on: worker, readiness: [])
    isOpen = false
  }

  /// Takes up a new stream.
  func begin(_ connection: HTTP2Connection, slot: Int) {
    self.connection = connection
    self.slot = slot
    isOpen = true
    readiness = .writable
    interest = []
    hasEnded = false
    hasFinished = false
    isReset = false
    isRefused = false
    endsWithNextSend = false
    hasPendingHead = false
    headError = nil
    exchange = nil
    isTouched = false
    isBlocked = false
  }

  // MARK: What the connection reports

  func contentArrived(_ bytes: Span<UInt8>) {
    let holdsMore = received == nil
    let buffer = received ?? worker.buffers.take()
    received = buffer
    buffer.append(bytes)
    becomeReady(.readable)
    if holdsMore { connection?.data.lookAtBuffers() }
  }

  func peerEnded() {
    hasEnded = true
    becomeReady(.readable)
  }

  /// A buffer for trailer lines.
  func trailersBuffer() -> Buffer {
    let buffer = trailers ?? worker.buffers.take()
    trailers = buffer
    buffer.removeAll()
    return buffer
  }

  var hasTrailers: Bool { !trailerFields.isEmpty }

  func wasReset(isRefused: Bool) {
    // Of trailers that could not be decoded, nothing may be used.
    if !hasEnded { trailerFields.removeAll(keepingCapacity: true) }
    isReset = true
    self.isRefused = isRefused
    slot = -1
    becomeReady([.readable, .writable, .peerClosed])
  }

  // MARK: Transport

  /// Content that can be received without waiting.
  var availableBytes: Int { received?.count ?? 0 }

  override func receive(into buffer: Buffer, atMost limit: Int) -> IOResult {
    guard let received, !received.isEmpty else {
      // A reset behind the end takes nothing back (RFC 9113 §8.1).
      if hasEnded { return IOResult(code: 0) }
      if isReset { return .failed(.connectionReset) }
      readiness.remove(.readable)
      return .wouldBlock
    }
    let count = min(limit, received.count)
    buffer.append(received, range: 0..<count)
    received.consume(count)
    if received.isEmpty {
      worker.buffers.give(received)
      self.received = nil
      if !hasEnded && !isReset { readiness.remove(.readable) }
    }
    if slot >= 0, let connection { connection.contentTaken(count, slot: slot) }
    return IOResult(code: count)
  }

  override func send(_ buffer: Buffer) -> IOResult { send(buffer, range: 0..<buffer.count) }

  override func send(_ buffer: Buffer, range: Range<Int>) -> IOResult {
    guard slot >= 0, let connection else { return .failed(.connectionReset) }
    let sent = connection.appendContent(buffer, range, slot: slot, isLast: endsWithNextSend)
    if sent == range.count {
      if endsWithNextSend { hasFinished = true }
      return IOResult(code: sent)
    }
    readiness.remove(.writable)
    connection.block(self, hasSent: sent > 0)
    return sent > 0 ? IOResult(code: sent) : .wouldBlock
  }

  override func send(_ first: Buffer, _ second: Buffer, range: Range<Int>) -> IOResult {
    let isLast = endsWithNextSend
    endsWithNextSend = false
    let result = send(first)
    endsWithNextSend = isLast
    guard result.bytes == first.count else { return result }
    let rest = send(second, range: range)
    if rest.isWouldBlock { return result }
    return rest.isError ? rest : IOResult(code: result.bytes + rest.bytes)
  }

  override func shutdownSending() { finish() }

  /// Ends this side of the stream, unless the last send did.
  func finish() {
    guard !hasFinished, slot >= 0, let connection else { return }
    hasFinished = true
    connection.appendEnd(slot: slot)
  }

  /// A head or trailers that end the stream were sent.
  func noteFinished() { hasFinished = true }

  override func close(reset: Bool) {
    dropContent()
    if isBlocked { connection?.unblock(closed: self) }
    // What is not over is reset by that.
    if let connection, slot >= 0 { connection.freeSlot(slot) }
    slot = -1
    connection = nil
    exchange = nil
    isOpen = false
    watcher = nil
    interest = []
  }

  /// Resets it with a code of the caller's.
  func fail(_ code: HTTP2ErrorCode) {
    guard let connection, slot >= 0 else { return }
    connection.resetStream(slot: slot, code)
    hasFinished = true
  }

  private func dropContent() {
    if let received {
      if slot >= 0, let connection { connection.contentTaken(received.count, slot: slot) }
      worker.buffers.give(received)
    }
    if let trailers { worker.buffers.give(trailers) }
    received = nil
    trailers = nil
    trailerFields.removeAll(keepingCapacity: true)
  }
}
