import HTTPCodec
import Runtime

/// A connection of HTTP/2, in either role: the socket, the engine, and the streams that it carries.
///
/// What is received in one read is taken apart first; then every stream that it brought news for is
/// told, once. What the streams send is collected, and goes out in one call at the end of the round.
/// A peer that sends much at once has several turns, between which others have theirs.
class HTTP2Connection: Watcher {
  final let data: DataPlaneWorker
  final let socket: Socket
  final var engine: HTTP2Engine
  final let isTLS: Bool
  /// By slot.
  final var streams: [HTTP2Stream?] = []
  /// A frame's beginning that was received; a buffer is held only while there is one.
  final var input: Buffer?
  /// What is to be sent; a buffer is held only while there is something.
  final var output: Buffer?
  /// Streams that wait for a window, or for room in the output, in the order in which they began to.
  final var blocked: [HTTP2Stream] = []
  final var touched: [HTTP2Stream] = []
  private final var isFlushAsked = false
  private final var mustUnblock = false
  /// Another turn was asked for.
  private final var isGoingOn = false
  /// It has had a turn.
  private final var hasBegun = false
  /// What is left of this turn's ``workPerTurn``.
  private final var workLeft = 0
  /// Frames that were received wait for the next turn.
  private final var hasFramesLeft = false
  /// Blocked streams, the first of them, that have sent nothing since they were let go last.
  final var unservedCount = 0
  /// The peer takes too little of what it is sent: nothing more is received from it.
  private final var isHeld = false
  /// When something was received last.
  private(set) final var lastReceive: MonotonicTime
  /// No more is read; the socket closes when the output is sent.
  final var isClosing = false
  final var isClosed = false
  /// All was sent, and the peer was told so.
  final var isFinishing = false
  /// It was closed so that the peer sees a reset.
  final var wasReset = false
  final var lastSendProgress: MonotonicTime

  /// Output above this blocks streams: what one connection may hold of what its peer does not read.
  static let outputBytesMax = 65_536
  /// Output above this, of heads and answers, stops a client that hardly reads from asking for more.
  static let heldOutputBytes = 4 * outputBytesMax
  /// Receives before others have their turn.
  static let receivesPerRound = 16
  /// The same of what is not looked at any more: a few hundred KB would otherwise be copied in one go.
  private static let dropsPerRound = 2
  /// What one turn takes apart, for the same reason, in frames that are reported: 80 KB may hold 128 requests,
  /// or 8,000 frames of a byte. Envoy's `max_requests_per_io_cycle` is for the former.
  private static let workPerTurn = 1_024
  /// What a head counts as: 32 of them are a turn.
  private static let headWork = 32

  init(
    _ socket: Socket, role: HTTP2Engine.Role, settings: HTTP2LocalSettings, isTLS: Bool,
    data: DataPlaneWorker
  ) {
    self.data = data
    self.isTLS = isTLS
    self.socket = socket
    var limits = HTTP2Limits()
    limits.blockBytes = max(limits.blockBytes, 2 * data.settings.http2HeadLimits.headBytes)
    engine = HTTP2Engine(role: role, settings: settings, limits: limits)
    lastSendProgress = data.worker.now
    lastReceive = data.worker.now
    super.init(on: data.worker)
    socket.watcher = self
    socket.interest = [.readable, .peerClosed]
  }

  // MARK: For the roles

  /// A complete header block came; it must be decoded before this returns.
  func headersArrived(_ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>) throws(HTTP2ConnectionError) {
    preconditionFailure("abstract")
  }
  /// All that was received with a stream's news was taken apart.
  func hasNews(_ stream: HTTP2Stream) { stream.tellWatcher() }
  /// Ends what came and was reset before anything was done for it.
  /// - Returns: false where somebody has to be told.
  func endUnserved(_ stream: HTTP2Stream) -> Bool { false }
  /// The number of streams, or what the peer said of the connection, has changed.
  func stateChanged() {}
  /// The socket is closed; streams have been told.
  func ended() { preconditionFailure("abstract") }

  // MARK: Receiving

  override final func socketIsReady(_ transport: Transport) {
    if isClosed { return }
    if (output != nil || socket.interest.contains(.writable)) && socket.readiness.contains(.writable) {
      askFlush()
    }
    // It has its turn behind the others'.
    if isGoingOn { return }
    if isClosing { return drop() }
    receiveInTurn()
  }

  /// Has the turn that it has asked for.
  final func goOn() {
    isGoingOn = false
    if isClosed { return }
    if isClosing { drop() } else { receive() }
  }

  private func receiveInTurn() {
    if isDoubtful, !data.turns.mayPass() { goOnLater() } else { receive() }
  }

  /// A client that has had no turn yet, or has sent requests that came to nothing: so does a flood of resets begin, and
  /// go on.
  private var isDoubtful: Bool {
    engine.role == .server && (!hasBegun || engine.hasWastedStreams(now: worker.now.nanoseconds))
  }

  /// Begins with bytes that were received before.
  final func process(early: Buffer) {
    let buffer = worker.buffers.take()
    buffer.append(early, range: 0..<early.count)
    input = buffer
    hasFramesLeft = true
    receiveInTurn()
  }

  private func receive() {
    let buffer = input ?? worker.buffers.take()
    input = nil
    var isLost = false
    var receivesLeft = Self.receivesPerRound
    hasBegun = true
    workLeft = Self.workPerTurn
    while !isClosing && !isClosed {
      if engine.role == .server && (output?.count ?? 0) >= Self.heldOutputBytes {
        isHeld = true
        break
      }
      if receivesLeft == 0 || workLeft <= 0 {
        goOnLater()
        break
      }
      if hasFramesLeft {
        _ = take(buffer)
        continue
      }
      receivesLeft -= 1
      guard !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) else { break }
      let result = socket.receive(into: buffer)
      if result.isWouldBlock { break }
      guard result.bytes > 0 else {
        isLost = true
        break
      }
      guard take(buffer) else { break }
    }
    keep(buffer)
    if isLost { close(reset: false) }
  }

  /// Goes on behind everybody else's news.
  private func goOnLater() {
    if isGoingOn { return }
    isGoingOn = true
    data.turns.add(self, isDoubtful: isDoubtful)
  }

  private func keep(_ buffer: Buffer) {
    if buffer.isEmpty || isClosed || isClosing { return worker.buffers.give(buffer) }
    input = buffer
  }

  /// What comes after the end is not looked at, but must not become a reset that destroys what was sent.
  final func drop() {
    let buffer = worker.buffers.take()
    defer { worker.buffers.give(buffer) }
    var receivesLeft = Self.dropsPerRound
    while !isClosed && !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) {
      if receivesLeft == 0 { return goOnLater() }
      receivesLeft -= 1
      buffer.removeAll()
      let result = socket.receive(into: buffer)
      if result.isWouldBlock { return }
      if result.bytes <= 0 { return close(reset: false) }
    }
  }

  /// Takes apart what was received, and tells the streams.
  /// - Returns: false when the connection has failed.
  private func take(_ buffer: Buffer) -> Bool {
    let output = outputBuffer()
    lastReceive = worker.now
    do {
      let consumed = try takeFrames(buffer.bytes, into: output)
      buffer.consume(consumed)
    } catch {
      fail(error)
    }
    if !output.isEmpty { askFlush() } else { releaseOutput() }
    tellTouched()
    return !isClosing && !isClosed
  }

  private func takeFrames(_ bytes: Span<UInt8>, into output: Buffer) throws(HTTP2ConnectionError) -> Int {
    var position = 0
    let now = worker.now.nanoseconds
    hasFramesLeft = false
    while true {
      // Before a head where one comes soon: a reset behind the last one ends it before anything is done for it.
      if workLeft <= -Self.headWork || workLeft <= 0 && HTTP2Engine.opensStream(bytes, at: position) {
        hasFramesLeft = true
        return position
      }
      workLeft -= 1
      switch try engine.next(bytes, position: &position, now: now, into: output) {
      case .needMore: return position
      case .headers(let block):
        workLeft -= Self.headWork - 1
        try headersArrived(block, bytes)
      case .content(let slot, let range, let endsStream):
        guard let stream = stream(at: slot) else {
          engine.release(Int(range.count), slot: slot, into: output)
          continue
        }
        if !range.isEmpty { stream.contentArrived(bytes.extracting(range.range)) }
        if endsStream { stream.peerEnded() }
        touch(stream)
      case .streamReset(let slot, let code): streamEnded(slot, isRefused: code == .refusedStream, code)
      case .streamFailed(let slot, let code): streamEnded(slot, isRefused: false, code)
      case .streamRefused(let slot): streamEnded(slot, isRefused: true, .refusedStream)
      case .windowOpened(let slot):
        guard let stream = stream(at: slot) else { continue }
        stream.becomeReady(.writable)
        touch(stream)
      case .connectionWindowOpened: mustUnblock = true
      case .settingsChanged:
        mustUnblock = true
        // Windows of streams may have opened.
        for case let stream? in streams {
          stream.becomeReady(.writable)
          touch(stream)
        }
        stateChanged()
      case .settingsAcknowledged, .pingAcknowledged: break
      case .goAway: stateChanged()
      }
    }
  }

  final func stream(at slot: Int) -> HTTP2Stream? { slot < streams.count ? streams[slot] : nil }

  private func streamEnded(_ slot: Int, isRefused: Bool, _ code: HTTP2ErrorCode) {
    guard let stream = stream(at: slot) else { return }
    forget(slot)
    stream.wasReset(isRefused: isRefused)
    if !endUnserved(stream) { touch(stream) }
  }

  /// Notes that the stream has news.
  final func touch(_ stream: HTTP2Stream) {
    if stream.isTouched { return }
    stream.isTouched = true
    touched.append(stream)
  }

  private func tellTouched() {
    var index = 0
    // Those that are told may bring news for others.
    while index < touched.count {
      let stream = touched[index]
      index += 1
      guard stream.isTouched else { continue }
      stream.isTouched = false
      hasNews(stream)
    }
    touched.removeAll(keepingCapacity: true)
    if mustUnblock { unblock() }
  }

  // MARK: Streams

  /// Gives a stream its place.
  final func insert(_ stream: HTTP2Stream, at slot: Int) {
    while streams.count <= slot { streams.append(nil) }
    streams[slot] = stream
    stream.begin(self, slot: slot)
  }

  private func forget(_ slot: Int) {
    streams[slot] = nil
    engine.free(slot: slot, into: outputBuffer())
    askFlush()
    stateChanged()
  }

  final func freeSlot(_ slot: Int) {
    guard stream(at: slot) != nil else { return }
    forget(slot)
  }

  final func resetStream(slot: Int, _ code: HTTP2ErrorCode) {
    engine.reset(slot: slot, code: code, into: outputBuffer())
    askFlush()
  }

  /// Content was taken: the peer may send as much again.
  final func contentTaken(_ count: Int, slot: Int) {
    engine.release(count, slot: slot, into: outputBuffer())
    askFlush()
  }

  // MARK: Sending

  /// Appends as much content as the windows and the output's bound allow.
  /// - Returns: how much that was.
  final func appendContent(_ source: Buffer, _ range: Range<Int>, slot: Int, isLast: Bool) -> Int {
    guard hasRoomToSend, engine.sendAllowance(slot: slot) > 0 else { return 0 }
    let output = outputBuffer()
    var position = range.lowerBound
    while position < range.upperBound, output.count < Self.outputBytesMax {
      let count = min(engine.sendAllowance(slot: slot), range.upperBound - position)
      if count <= 0 { break }
      let isEnd = isLast && position + count == range.upperBound
      engine.appendDataHeader(slot: slot, count: count, endStream: isEnd, into: output)
      output.append(source, range: position..<position + count)
      position += count
    }
    askFlush()
    return position - range.lowerBound
  }

  final func appendEnd(slot: Int) {
    engine.endStream(slot: slot, into: outputBuffer())
    askFlush()
  }

  /// Sends the header block that the encoder holds.
  final func appendHeaders(slot: Int, endStream: Bool) {
    engine.sendHeaders(slot: slot, endStream: endStream, into: outputBuffer())
    askFlush()
  }

  /// Whether the output's bound allows more content.
  final var hasRoomToSend: Bool { (output?.count ?? 0) < Self.outputBytesMax }

  /// Lets a stream wait until more can be sent. One that its own window holds up is told of that.
  /// Those that could send nothing stay in front of those that could.
  final func block(_ stream: HTTP2Stream, hasSent: Bool) {
    if stream.isBlocked { return }
    if hasRoomToSend && engine.connectionSendWindow > 0 { return }
    stream.isBlocked = true
    if hasSent {
      blocked.append(stream)
    } else {
      blocked.insert(stream, at: unservedCount)
      unservedCount += 1
    }
  }

  /// A stream that ends no longer waits, whatever its object is used for next.
  final func unblock(closed stream: HTTP2Stream) {
    stream.isBlocked = false
    guard let index = blocked.firstIndex(where: { $0 === stream }) else { return }
    blocked.remove(at: index)
    if index < unservedCount { unservedCount -= 1 }
  }

  /// All may try again, the longest waiting first.
  private func unblock() {
    mustUnblock = false
    if blocked.isEmpty { return }
    let waiting = blocked
    blocked.removeAll(keepingCapacity: true)
    unservedCount = 0
    for stream in waiting {
      stream.isBlocked = false
      guard stream.connection === self else { continue }
      stream.becomeReady(.writable)
      stream.tellWatcher()
    }
  }

  final func outputBuffer() -> Buffer {
    if let output { return output }
    let buffer = worker.buffers.take()
    output = buffer
    // How long the peer takes none of it counts from here.
    lastSendProgress = worker.now
    return buffer
  }

  private func releaseOutput() {
    guard let output, output.isEmpty else { return }
    worker.buffers.give(output)
    self.output = nil
  }

  final func askFlush() {
    if isFlushAsked || isClosed { return }
    isFlushAsked = true
    worker.callBeforePoll(self)
  }

  override final func beforePoll() {
    isFlushAsked = false
    if isClosed { return }
    flush()
  }

  final func flush() {
    if let output, !output.isEmpty, socket.readiness.contains(.writable) {
      let result = socket.send(output)
      if result.isError { return close(reset: false) }
      let sent = max(result.isWouldBlock ? 0 : result.bytes, 0)
      if sent > 0 { lastSendProgress = worker.now }
      output.consume(sent)
      engine.outputSent(sent, remaining: output.count)
    }
    releaseOutput()
    let isStuck = output != nil || socket.hasUnsentBytes
    if isStuck { socket.interest.insert(.writable) } else { socket.interest.remove(.writable) }
    if isClosing && !isStuck { return finishClosing() }
    if (output?.count ?? 0) < Self.outputBytesMax / 2 && engine.connectionSendWindow > 0 { unblock() }
    if isHeld && hasRoomToSend {
      isHeld = false
      goOnLater()
    }
    stateChanged()
  }

  /// Whether something waits for the peer to read.
  final var hasOutput: Bool { output != nil || socket.hasUnsentBytes }
}
