extension HTTP2Engine {
  /// Whether what stands at `position`, where a frame begins, opens a stream.
  public static func opensStream(_ bytes: Span<UInt8>, at position: Int) -> Bool {
    HTTP2FrameHeader(bytes, at: position)?.type == HTTP2FrameType.headers
  }

  /// Finds the next event in what was received. Frames that need no attention are dealt with on the
  /// way; answers are appended to the output.
  ///
  /// - Parameters:
  ///   - bytes: what was received and is not done with; it need not begin at the same place each time.
  ///   - position: where to read on; moved behind what is done with. Content of an event is done with
  ///     as far as the engine goes: the caller may remove all bytes before the position once it has
  ///     dealt with the event.
  ///   - now: the time, in nanoseconds on a clock that does not go back.
  ///   - output: where answers go.
  /// - Throws: why the connection is over; every later call throws the same.
  public mutating func next<Sink: ByteSink>(
    _ bytes: Span<UInt8>, position: inout Int, now: Int64, into output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event {
    clock = now
    do throws(HTTP2ConnectionError) {
      return try read(bytes, &position, output)
    } catch {
      failure = error
      expectation = .nothing
      throw error
    }
  }

  @inline(__always)
  private mutating func read<Sink: ByteSink>(
    _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event {
    if owesDecoding { throw HTTP2ConnectionError(.internalError, "a header block was not decoded") }
    if refusalCursor != nil, let slot = nextRefused() { return .streamRefused(slot: slot) }
    if expectation != .frames, try !begins(bytes, &position) { return .needMore }
    while true {
      switch remainder.kind {
      case .none:
        guard let header = HTTP2FrameHeader(bytes, at: position) else { return .needMore }
        if let event = try take(header, bytes, &position, output) { return event }
      case .content:
        return takeContent(bytes, &position)
      case .fragment, .skipped:
        let count = min(remainder.count, bytes.count &- position)
        guard count > 0 || remainder.count == 0 else { return .needMore }
        if let event = try takeRest(bytes, &position, count, output) { return event }
      }
    }
  }

  /// What comes before the frames: the client's preface, and that the first frame is SETTINGS
  /// (RFC 9113 §3.4). Returns whether frames can be read.
  @inline(never)
  private mutating func begins(
    _ bytes: Span<UInt8>, _ position: inout Int
  ) throws(HTTP2ConnectionError) -> Bool {
    if let failure { throw failure }
    if expectation == .preface {
      while prefaceCount < HTTP2Preface.byteCount {
        guard position < bytes.count else { return false }
        guard bytes[position] == HTTP2Preface.text[prefaceCount] else {
          throw HTTP2ConnectionError(.protocolError, "no connection preface (RFC 9113 §3.4)")
        }
        prefaceCount &+= 1
        position &+= 1
      }
      expectation = .settings
    }
    guard let header = HTTP2FrameHeader(bytes, at: position) else { return false }
    guard header.type == HTTP2FrameType.settings, !header.has(HTTP2FrameFlags.acknowledgement) else {
      throw HTTP2ConnectionError(.protocolError, "the first frame is not SETTINGS (RFC 9113 §3.4)")
    }
    // Before all of it is there the peer has said nothing; one that is too large is refused at once.
    let frameCount = HTTP2FrameHeader.byteCount &+ header.length
    guard header.length > frameBytesMax || bytes.count &- position >= frameCount else { return false }
    expectation = .frames
    return true
  }

  /// Deals with one frame. Returns nil where it was dealt with and there is nothing to report.
  @inline(__always)
  private mutating func take<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.length <= frameBytesMax else {
      throw HTTP2ConnectionError(.frameSizeError, "a frame is larger than announced (RFC 9113 §4.2)")
    }
    if block.streamID != 0 {
      guard header.type == HTTP2FrameType.continuation, header.streamID == block.streamID else {
        throw HTTP2ConnectionError(.protocolError, "a header block is interrupted (RFC 9113 §6.10)")
      }
      return try takeContinuation(header, &position)
    }
    switch header.type {
    case HTTP2FrameType.data: return try takeData(header, bytes, &position, output)
    case HTTP2FrameType.headers: return try takeHeaders(header, bytes, &position, output)
    case HTTP2FrameType.windowUpdate: return try takeWindowUpdate(header, bytes, &position, output)
    default: return try takeRareFrame(header, bytes, &position, output)
    }
  }

  @inline(never)
  private mutating func takeRareFrame<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    switch header.type {
    case HTTP2FrameType.settings: return try takeSettings(header, bytes, &position, output)
    case HTTP2FrameType.ping: return try takePing(header, bytes, &position, output)
    case HTTP2FrameType.resetStream: return try takeReset(header, bytes, &position, output)
    case HTTP2FrameType.goAway: return try takeGoAway(header, bytes, &position, output)
    case HTTP2FrameType.priority: return try takePriority(header, &position, output)
    case HTTP2FrameType.priorityUpdate: return try takePriorityUpdate(header, bytes, &position)
    case HTTP2FrameType.continuation:
      throw HTTP2ConnectionError(.protocolError, "CONTINUATION without HEADERS (RFC 9113 §6.10)")
    case HTTP2FrameType.pushPromise:
      throw HTTP2ConnectionError(.protocolError, "PUSH_PROMISE, which is not enabled (RFC 9113 §8.4)")
    default:
      // RFC 9113 §5.5: frames of unknown types are discarded.
      try countIgnoredFrame()
      skipFrame(header, &position)
      return nil
    }
  }

  /// Takes more of a fragment, or of what is skipped.
  @inline(never)
  private mutating func takeRest<Sink: ByteSink>(
    _ bytes: Span<UInt8>, _ position: inout Int, _ count: Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    let isFragment = remainder.kind == .fragment
    if isFragment { block.append(bytes.extracting(position..<(position &+ count))) }
    position &+= count
    remainder.count &-= count
    guard remainder.count == 0 else { return nil }
    remainder.finish()
    if isFragment, block.isLastFragment { return try finishAssembledBlock(output) }
    return nil
  }

  // MARK: For all frames

  /// Goes on behind a frame of which nothing is needed.
  mutating func skipFrame(_ header: HTTP2FrameHeader, _ position: inout Int) {
    position &+= HTTP2FrameHeader.byteCount
    remainder.skip(header.length)
  }

  /// Whether all of a frame has come.
  @inline(__always)
  func isComplete(_ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: Int) -> Bool {
    bytes.count &- position >= HTTP2FrameHeader.byteCount &+ header.length
  }

  mutating func countIgnoredFrame() throws(HTTP2ConnectionError) {
    guard floods.ignoredFrames.add(now: clock) else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "too many frames that mean nothing")
    }
  }

  /// Counts an answer of `bytes` that was appended because of what the peer sent.
  mutating func countAnswer(_ bytes: Int) throws(HTTP2ConnectionError) {
    unsentAnswers &+= bytes
    guard unsentAnswers <= limits.unsentAnswerBytes else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "too many answers wait to be read")
    }
  }

  /// Why a frame for a stream that is not in the table is what it is.
  enum Absence {
    /// The stream was never opened.
    case idle
    /// It was closed from this end: what arrives is dropped.
    case dropped
    /// The peer has ended or reset it.
    case ended
    /// It was passed over, or is too long ago to be remembered.
    case unknown
  }

  func absence(of streamID: UInt32) -> Absence {
    let isPeers = (streamID & 1 == 1) == (role == .server)
    if isPeers ? streamID > highestPeerStream : streamID >= nextLocalStream { return .idle }
    if isPeers, streamID > lastStreamTaken { return .dropped }
    if closedStreams.drops(streamID) { return .dropped }
    return closedStreams.hasEnded(streamID) ? .ended : .unknown
  }
}
