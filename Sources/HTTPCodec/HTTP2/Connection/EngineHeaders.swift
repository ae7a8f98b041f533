extension HTTP2Engine {
  // MARK: HEADERS and CONTINUATION (RFC 9113 §6.2, §6.10)

  @inline(__always)
  mutating func takeHeaders<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.streamID != 0 else {
      throw HTTP2ConnectionError(.protocolError, "HEADERS on stream 0 (RFC 9113 §6.2)")
    }
    var start = position &+ HTTP2FrameHeader.byteCount
    var count = header.length
    var padding = 0
    if header.flags & (HTTP2FrameFlags.padded | HTTP2FrameFlags.priority) != 0 {
      guard let prefix = try headersPrefix(header, bytes, start) else { return .needMore }
      start &+= prefix.count
      padding = prefix.padding
      count &-= prefix.count &+ padding
    }
    guard count <= limits.blockBytes else { throw Self.blockTooLong }
    let endsStream = header.has(HTTP2FrameFlags.endStream)
    let isWhole = header.has(HTTP2FrameFlags.endHeaders)
    if isWhole, isComplete(header, bytes, position) {
      position &+= HTTP2FrameHeader.byteCount &+ header.length
      let range = ByteRange(start: start, count: count)
      return try takeBlock(header.streamID, endsStream, range, bytes.extracting(range.range), output)
    }
    let isSmall = HTTP2FrameHeader.byteCount &+ header.length <= Self.heldBytesMax
    if isWhole, isSmall { return .needMore }
    if count == 0 { try countEmptyFrame() }
    block.begin(header.streamID, endsStream: endsStream)
    position = start
    beginFragment(count, padding, isLast: isWhole)
    return nil
  }

  /// The pad length and the priority fields, which mean nothing any more (RFC 9113 §5.3.2): how many
  /// bytes they have, and how many bytes of padding follow the block. Nil when they are not complete.
  private func headersPrefix(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ start: Int
  ) throws(HTTP2ConnectionError) -> (count: Int, padding: Int)? {
    let isPadded = header.has(HTTP2FrameFlags.padded)
    let count = (isPadded ? 1 : 0) &+ (header.has(HTTP2FrameFlags.priority) ? 5 : 0)
    guard header.length >= count else {
      throw HTTP2ConnectionError(.frameSizeError, "HEADERS is too short (RFC 9113 §6.2)")
    }
    guard bytes.count &- start >= count else { return nil }
    let padding = isPadded ? Int(bytes[start]) : 0
    guard count &+ padding <= header.length else {
      throw HTTP2ConnectionError(.protocolError, "there is more padding than payload (RFC 9113 §6.2)")
    }
    return (count, padding)
  }

  @inline(never)
  mutating func takeContinuation(
    _ header: HTTP2FrameHeader, _ position: inout Int
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    block.continuations &+= 1
    guard block.continuations <= limits.continuations else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "a header block has too many frames")
    }
    let isLast = header.has(HTTP2FrameFlags.endHeaders)
    if header.length == 0, !isLast { try countEmptyFrame() }
    guard block.bytes.count &+ header.length <= limits.blockBytes else { throw Self.blockTooLong }
    position &+= HTTP2FrameHeader.byteCount
    beginFragment(header.length, 0, isLast: isLast)
    return nil
  }

  private mutating func beginFragment(_ count: Int, _ padding: Int, isLast: Bool) {
    block.isLastFragment = isLast
    remainder.kind = .fragment
    remainder.count = count
    remainder.padding = padding
  }

  @inline(never)
  mutating func finishAssembledBlock<Sink: ByteSink>(
    _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    let streamID = block.streamID
    block.streamID = 0
    let assembled = block.bytes
    let event = try takeBlock(streamID, block.endsStream, nil, assembled.span, output)
    if !owesDecoding { block.clear() }
    return event
  }

  private mutating func countEmptyFrame() throws(HTTP2ConnectionError) {
    guard floods.emptyFrames.add(now: clock) else { throw Self.tooManyEmptyFrames }
  }

  static let blockTooLong = HTTP2ConnectionError(.enhanceYourCalm, "a header block is too long")
  static let tooManyEmptyFrames = HTTP2ConnectionError(.enhanceYourCalm, "too many empty frames")

  // MARK: Whose block it is

  /// - Parameter range: where the block is in the caller's bytes; nil when the engine holds it.
  @inline(__always)
  private mutating func takeBlock<Sink: ByteSink>(
    _ streamID: UInt32, _ endsStream: Bool, _ range: ByteRange?, _ bytes: Span<UInt8>, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    floods.usefulFrameReceived(now: clock)
    guard let slot = streams.slot(of: streamID) else {
      guard role == .server, streamID > highestPeerStream else {
        try dropBlockOfAbsent(streamID, bytes)
        return nil
      }
      guard let slot = try openPeerStream(streamID, endsStream, bytes, output) else { return nil }
      return report(slot, .request, endsStream, range)
    }
    let flags = streams[slot].flags
    if flags.contains(.closed) {
      guard flags.contains(.dropsFrames) else {
        throw HTTP2ConnectionError(.streamClosed, "HEADERS after the end of the stream (RFC 9113 §5.1)")
      }
      try countIgnoredFrame()
      try skip(bytes)
      return nil
    }
    let kind: HTTP2BlockKind = role == .server || flags.contains(.hasHead) ? .trailers : .response
    if let code = fault(slot, kind, endsStream) {
      try skip(bytes)
      return try failStream(slot, code, output)
    }
    return report(slot, kind, endsStream, range)
  }

  /// What is wrong with a block on an open stream, before it is decoded.
  private mutating func fault(_ slot: Int, _ kind: HTTP2BlockKind, _ endsStream: Bool) -> HTTP2ErrorCode? {
    if streams[slot].has(.receivedEnd) { return .streamClosed }
    if kind == .response {
      guard Int(streams[slot].responseHeads) < min(limits.responseHeads, 255) else { return .enhanceYourCalm }
      streams[slot].responseHeads &+= 1
      return nil
    }
    // RFC 9113 §8.1: a second block ends the stream. And the content was not shorter than announced.
    return endsStream && streams[slot].contentRemaining <= 0 ? nil : .protocolError
  }

  @inline(__always)
  private mutating func report(
    _ slot: Int, _ kind: HTTP2BlockKind, _ endsStream: Bool, _ range: ByteRange?
  ) -> HTTP2Event {
    if endsStream { receiveEnd(slot) }
    owesDecoding = true
    return .headers(
      HTTP2HeaderBlock(
        streamID: streams[slot].streamID, slotNumber: Int32(truncatingIfNeeded: slot),
        range: range ?? .empty, kind: kind, endsStream: endsStream, isAssembled: range == nil))
  }

  /// A block for a stream that is not in the table, and is not new.
  @inline(never)
  private mutating func dropBlockOfAbsent(
    _ streamID: UInt32, _ bytes: Span<UInt8>
  ) throws(HTTP2ConnectionError) {
    switch absence(of: streamID) {
    case .idle: throw HTTP2ConnectionError(.protocolError, "HEADERS on an idle stream (RFC 9113 §5.1)")
    case .ended:
      throw HTTP2ConnectionError(.streamClosed, "HEADERS after the end of the stream (RFC 9113 §5.1)")
    case .unknown:
      throw HTTP2ConnectionError(.protocolError, "a stream identifier goes back (RFC 9113 §5.1.1)")
    case .dropped:
      try countIgnoredFrame()
      try skip(bytes)
    }
  }

  /// Opens a stream for a request; nil where it is not taken.
  @inline(__always)
  private mutating func openPeerStream<Sink: ByteSink>(
    _ streamID: UInt32, _ endsStream: Bool, _ bytes: Span<UInt8>, _ output: Sink
  ) throws(HTTP2ConnectionError) -> Int? {
    guard streamID & 1 == 1 else {
      throw HTTP2ConnectionError(.protocolError, "a client's stream has an even number (RFC 9113 §5.1.1)")
    }
    highestPeerStream = streamID
    // Slots that the caller still holds count too: streams that are reset leave work behind.
    guard streamID <= lastStreamTaken, activeStreams < peerStreamsMax,
      streams.usedCount < peerStreamsMax &* 2
    else {
      try refuse(streamID, endsStream, bytes, output)
      return nil
    }
    floods.streamOpened(now: clock)
    let slot = takeSlot()
    streams.open(slot, streamID)
    return slot
  }

  @inline(never)
  private mutating func refuse<Sink: ByteSink>(
    _ streamID: UInt32, _ endsStream: Bool, _ bytes: Span<UInt8>, _ output: Sink
  ) throws(HTTP2ConnectionError) {
    try skip(bytes)
    guard streamID <= lastStreamTaken else {
      // This end has sent GOAWAY: the client knows that the request is not processed.
      try countIgnoredFrame()
      return
    }
    // Before it acknowledges, the client may not know the limit (RFC 9113 §5.1.2).
    if !awaitsSettingsAcknowledgement { try countReset() }
    HTTP2FrameWriter.appendReset(streamID: streamID, code: .refusedStream, to: output)
    try countAnswer(13)
    if endsStream { closedStreams.appendEnded(streamID) } else { closedStreams.appendDropped(streamID) }
  }

  // MARK: Decoding

  private mutating func skip(_ bytes: Span<UInt8>) throws(HTTP2ConnectionError) {
    do throws(HTTP2BlockError) {
      try decoder.skip(bytes)
    } catch {
      throw HTTP2ConnectionError(.compressionError, "a header block cannot be decoded (RFC 9113 §4.3)")
    }
  }

  /// Decodes the block of a request; see ``HPACKDecoder``.
  ///
  /// - Parameters:
  ///   - block: what the event said.
  ///   - bytes: the bytes that `next` was given.
  /// - Throws: ``HTTP2BlockError/connection(_:)``: end the connection with this code;
  ///   ``HTTP2BlockError/malformed(_:)``: reset the stream with PROTOCOL_ERROR;
  ///   ``HTTP2BlockError/refused(_:)``: answer the request with this error's status.
  public mutating func decodeRequest<Sink: ByteSink>(
    _ block: HTTP2HeaderBlock, of bytes: Span<UInt8>, into sink: Sink, head: inout RequestHead,
    limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    defer { finishDecoding(block) }
    do throws(HTTP2BlockError) {
      if block.isAssembled {
        let assembled = self.block.bytes
        try decoder.decodeRequest(
          assembled.span, into: sink, head: &head, endStream: block.endsStream, limits: limits)
      } else {
        try decoder.decodeRequest(
          bytes.bytes(in: block.range), into: sink, head: &head, endStream: block.endsStream,
          limits: limits)
      }
    } catch {
      noteFailure(error)
      throw error
    }
  }

  /// Decodes the block of a response, interim or final. After a final one, call
  /// ``acceptHead(slot:contentLength:)``.
  public mutating func decodeResponse<Sink: ByteSink>(
    _ block: HTTP2HeaderBlock, of bytes: Span<UInt8>, into sink: Sink, head: inout ResponseHead,
    requestMethod: HTTPMethod, limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    defer { finishDecoding(block) }
    do throws(HTTP2BlockError) {
      if block.isAssembled {
        let assembled = self.block.bytes
        try decoder.decodeResponse(
          assembled.span, into: sink, head: &head, requestMethod: requestMethod,
          endStream: block.endsStream, limits: limits)
      } else {
        try decoder.decodeResponse(
          bytes.bytes(in: block.range), into: sink, head: &head, requestMethod: requestMethod,
          endStream: block.endsStream, limits: limits)
      }
    } catch {
      noteFailure(error)
      throw error
    }
  }

  /// Decodes the block of trailers.
  public mutating func decodeTrailers<Sink: ByteSink>(
    _ block: HTTP2HeaderBlock, of bytes: Span<UInt8>, into sink: Sink, fields: inout [Field],
    limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    defer { finishDecoding(block) }
    do throws(HTTP2BlockError) {
      if block.isAssembled {
        let assembled = self.block.bytes
        try decoder.decodeTrailers(assembled.span, into: sink, fields: &fields, limits: limits)
      } else {
        try decoder.decodeTrailers(
          bytes.bytes(in: block.range), into: sink, fields: &fields, limits: limits)
      }
    } catch {
      noteFailure(error)
      throw error
    }
  }

  /// Decodes a block that is not wanted, to keep the compression context in step.
  public mutating func skipBlock(
    _ block: HTTP2HeaderBlock, of bytes: Span<UInt8>
  ) throws(HTTP2ConnectionError) {
    defer { finishDecoding(block) }
    do throws(HTTP2ConnectionError) {
      if block.isAssembled {
        let assembled = self.block.bytes
        try skip(assembled.span)
      } else {
        try skip(bytes.bytes(in: block.range))
      }
    } catch {
      noteFailure(.connection(error.code))
      throw error
    }
  }

  @inline(__always)
  private mutating func finishDecoding(_ block: HTTP2HeaderBlock) {
    owesDecoding = false
    if block.isAssembled { self.block.clear() }
  }

  private mutating func noteFailure(_ error: HTTP2BlockError) {
    guard case .connection(let code) = error else { return }
    failure = HTTP2ConnectionError(code, "a header block cannot be decoded (RFC 9113 §4.3)")
    expectation = .nothing
  }
}
