extension HTTP2Engine {
  // MARK: DATA (RFC 9113 §6.1)

  @inline(__always)
  mutating func takeData<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.streamID != 0 else {
      throw HTTP2ConnectionError(.protocolError, "DATA on stream 0 (RFC 9113 §6.1)")
    }
    var overhead = 0
    var padding = 0
    if header.has(HTTP2FrameFlags.padded) {
      guard header.length > 0 else {
        throw HTTP2ConnectionError(.frameSizeError, "DATA is too short (RFC 9113 §6.1)")
      }
      let start = position &+ HTTP2FrameHeader.byteCount
      guard start < bytes.count else { return .needMore }
      padding = Int(bytes[start])
      overhead = 1
      guard padding < header.length else {
        throw HTTP2ConnectionError(.protocolError, "there is more padding than payload (RFC 9113 §6.1)")
      }
    }
    // All of the payload counts, padding included, whatever becomes of it (RFC 9113 §6.9.1).
    guard header.length <= connectionReceiveWindow else {
      throw HTTP2ConnectionError(.flowControlError, "more content than the window (RFC 9113 §6.9.1)")
    }
    connectionReceiveWindow &-= header.length
    position &+= HTTP2FrameHeader.byteCount &+ overhead
    let count = header.length &- overhead &- padding
    let endsStream = header.has(HTTP2FrameFlags.endStream)

    guard let slot = streams.slot(of: header.streamID), !streams[slot].has(.closed) else {
      try dropContentOfAbsent(header)
      remainder.skip(count &+ padding)
      try credit(header.length, output)
      return nil
    }
    if let code = fault(slot, header.length, count, endsStream) {
      remainder.skip(count &+ padding)
      try credit(header.length, output)
      return try failStream(slot, code, output)
    }
    streams[slot].receiveWindow &-= header.length
    if overhead > 0 {
      try credit(overhead &+ padding, output)
      if !endsStream { try credit(overhead &+ padding, slot, output) }
    }
    remainder = FrameRemainder(
      kind: .content, endsStream: endsStream, slot: slot, count: count, padding: padding)
    if count > 0 {
      floods.usefulFrameReceived(now: clock)
      return takeContent(bytes, &position)
    }
    remainder.finish()
    guard endsStream else {
      guard floods.emptyFrames.add(now: clock) else { throw Self.tooManyEmptyFrames }
      return nil
    }
    receiveEnd(slot)
    return .content(slot: slot, range: ByteRange(start: position, count: 0), endsStream: true)
  }

  /// Delivers what has come of a frame's content. It ends the stream when it is complete, whether or
  /// not the padding behind it has come.
  @inline(__always)
  mutating func takeContent(_ bytes: Span<UInt8>, _ position: inout Int) -> HTTP2Event {
    let count = min(remainder.count, bytes.count &- position)
    guard count > 0 else { return .needMore }
    let slot = remainder.slot
    let range = ByteRange(start: position, count: count)
    position &+= count
    remainder.count &-= count
    streams[slot].unreleased &+= count
    var endsStream = false
    if remainder.count == 0 {
      endsStream = remainder.endsStream
      remainder.finish()
      if endsStream { receiveEnd(slot) }
    }
    return .content(slot: slot, range: range, endsStream: endsStream)
  }

  /// What is wrong with a DATA frame on a stream that is not closed.
  @inline(__always)
  private mutating func fault(
    _ slot: Int, _ length: Int, _ count: Int, _ endsStream: Bool
  ) -> HTTP2ErrorCode? {
    let flags = streams[slot].flags
    if flags.contains(.receivedEnd) { return .streamClosed }
    // Content before the final response (RFC 9113 §8.1).
    if role == .client, !flags.contains(.hasHead) { return .protocolError }
    // The window may be less than zero, which an empty frame does not mind (RFC 9113 §6.9.1).
    if length > 0, length > streams[slot].receiveWindow { return .flowControlError }
    let announced = streams[slot].contentRemaining
    guard announced >= 0 else { return nil }
    let remaining = announced &- Int64(count)
    // RFC 9113 §8.1.1: the content has to be as long as was announced.
    if remaining < 0 || endsStream && remaining != 0 { return .protocolError }
    streams[slot].contentRemaining = remaining
    return nil
  }

  /// Whether content for a stream that is closed can be dropped.
  @inline(never)
  private mutating func dropContentOfAbsent(_ header: HTTP2FrameHeader) throws(HTTP2ConnectionError) {
    if let slot = streams.slot(of: header.streamID) {
      guard streams[slot].has(.dropsFrames) else { throw Self.contentAfterEnd }
    } else {
      switch absence(of: header.streamID) {
      case .idle: throw HTTP2ConnectionError(.protocolError, "DATA on an idle stream (RFC 9113 §5.1)")
      case .ended, .unknown: throw Self.contentAfterEnd
      case .dropped: break
      }
    }
    // Content that was under way costs the peer as much as this end.
    if header.length == 0 { try countIgnoredFrame() }
  }

  private static let contentAfterEnd = HTTP2ConnectionError(
    .streamClosed, "DATA after the end of the stream (RFC 9113 §5.1)")

  // MARK: Windows for what is received (RFC 9113 §6.9)

  /// Tells the peer that content was dealt with, so that it may send more. Window updates are sent
  /// when half of a window is free.
  ///
  /// - Parameter bytes: content of events that was passed on; what was not reported is left out.
  public mutating func release<Sink: ByteSink>(_ bytes: Int, slot: Int, into output: Sink) {
    guard streams.isUsed(slot) else { return }
    let count = min(bytes, streams[slot].unreleased)
    guard count > 0 else { return }
    streams[slot].unreleased &-= count
    _ = returnCredit(count, output)
    if !streams[slot].has(.receivedEnd), !streams[slot].has(.closed) {
      _ = returnCredit(count, slot, output)
    }
  }

  /// Credit that the peer's own frames cause counts as an answer.
  @inline(__always)
  private mutating func credit<Sink: ByteSink>(
    _ bytes: Int, _ output: Sink
  ) throws(HTTP2ConnectionError) {
    if returnCredit(bytes, output) { try countAnswer(13) }
  }

  private mutating func credit<Sink: ByteSink>(
    _ bytes: Int, _ slot: Int, _ output: Sink
  ) throws(HTTP2ConnectionError) {
    if returnCredit(bytes, slot, output) { try countAnswer(13) }
  }

  /// Gives back some of the connection's window; returns whether the peer was told.
  @inline(__always)
  mutating func returnCredit<Sink: ByteSink>(_ bytes: Int, _ output: Sink) -> Bool {
    connectionReleasePending &+= bytes
    guard connectionReleasePending &* 2 >= localSettings.connectionWindowBytes else { return false }
    HTTP2FrameWriter.appendWindowUpdate(streamID: 0, increment: connectionReleasePending, to: output)
    connectionReceiveWindow &+= connectionReleasePending
    connectionReleasePending = 0
    return true
  }

  /// Gives back some of a stream's window; returns whether the peer was told.
  @inline(__always)
  mutating func returnCredit<Sink: ByteSink>(_ bytes: Int, _ slot: Int, _ output: Sink) -> Bool {
    streams[slot].releasePending &+= bytes
    let pending = streams[slot].releasePending
    guard pending > 0, pending &* 2 >= streamReceiveWindow else { return false }
    HTTP2FrameWriter.appendWindowUpdate(
      streamID: streams[slot].streamID, increment: pending, to: output)
    streams[slot].receiveWindow &+= pending
    streams[slot].releasePending = 0
    return true
  }
}
