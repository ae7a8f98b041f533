extension HTTP2Engine {
  // MARK: Opening

  /// How many streams a client may open now.
  public var streamsAvailable: Int {
    guard role == .client, !peerGoesAway, !goesAway, expectation != .nothing else { return 0 }
    let untilSettings = expectation == .settings ? Self.concurrentStreamsUntilSettings : Int(Int32.max)
    let limit = peerSettings.concurrentStreams ?? untilSettings
    let identifiers = Int(HTTP2StreamID.max &+ 2 &- min(nextLocalStream, HTTP2StreamID.max &+ 2)) / 2
    // Streams that are not opened yet need an identifier, too.
    return max(0, min(limit, identifiers) &- activeStreams)
  }

  /// Takes a slot for a request; its stream gets its identifier when its head is sent.
  ///
  /// - Returns: nil where the server's limit, its GOAWAY, or the end of the identifiers forbids it.
  public mutating func openStream() -> Int? {
    guard streamsAvailable > 0 else { return nil }
    return takeSlot()
  }

  mutating func takeSlot() -> Int {
    activeStreams &+= 1
    let slot = streams.take()
    streams[slot].sendWindow = peerSettings.streamWindowBytes
    streams[slot].receiveWindow = streamReceiveWindow
    return slot
  }

  /// Tells that the head of the request or the final response was decoded, and how much content it
  /// announced: the engine checks that as much comes (RFC 9113 §8.1.1). A client has to call it, as
  /// content and trailers may follow final responses only; a server where there is a length.
  ///
  /// - Parameter contentLength: `Content-Length`; nil where there is none, and for responses that
  ///   have no content whatever it says: those to HEAD, and 304 (RFC 9113 §8.1.1).
  /// - Returns: false where the stream has ended already and the length is not zero: the message is
  ///   malformed; reset the stream with PROTOCOL_ERROR.
  public mutating func acceptHead(slot: Int, contentLength: UInt64?) -> Bool {
    guard streams.isUsed(slot) else { return true }
    streams[slot].flags.insert(.hasHead)
    guard let contentLength else { return true }
    streams[slot].contentRemaining = Int64(min(contentLength, UInt64(Int64.max)))
    return contentLength == 0 || !streams[slot].has(.receivedEnd)
  }

  // MARK: Ending

  /// Ends a stream at once: RST_STREAM. Does nothing where it is closed. Content that the caller
  /// holds counts as released.
  ///
  /// With a code that blames the peer (PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED or
  /// FRAME_SIZE_ERROR) it counts against ``HTTP2Limits/resets``.
  public mutating func reset<Sink: ByteSink>(slot: Int, code: HTTP2ErrorCode, into output: Sink) {
    guard streams.isUsed(slot), !streams[slot].has(.closed) else { return }
    if streams[slot].has(.opened) {
      HTTP2FrameWriter.appendReset(streamID: streams[slot].streamID, code: code, to: output)
      noteProvokedReset(code)
    }
    close(slot, streams[slot].has(.receivedEnd) ? [] : .dropsFrames, output)
  }

  private mutating func noteProvokedReset(_ code: HTTP2ErrorCode) {
    switch code {
    case .protocolError, .flowControlError, .streamClosed, .frameSizeError:
      if role == .server, !floods.resets.add(now: clock), failure == nil {
        failure = Self.tooManyResets
        expectation = .nothing
      }
    default: break
    }
  }

  /// Gives a slot back; its number may stand for another stream from now on. A stream that is not
  /// closed is reset: with NO_ERROR where the response is complete and the rest of the request is not
  /// wanted (RFC 9113 §8.1), with CANCEL otherwise.
  public mutating func free<Sink: ByteSink>(slot: Int, into output: Sink) {
    guard streams.isUsed(slot) else { return }
    if !streams[slot].has(.closed) {
      let isAnswered = role == .server && streams[slot].has(.sentEnd)
      reset(slot: slot, code: isAnswered ? .noError : .cancel, into: output)
    }
    let record = streams[slot]
    if record.unreleased > 0 { _ = returnCredit(record.unreleased, output) }
    if record.streamID != 0 {
      if record.has(.dropsFrames) {
        closedStreams.appendDropped(record.streamID)
      } else {
        closedStreams.appendEnded(record.streamID)
      }
    }
    streams.free(slot)
  }

  /// Ends a stream on which the peer broke a rule (RFC 9113 §5.4.2).
  @inline(never)
  mutating func failStream<Sink: ByteSink>(
    _ slot: Int, _ code: HTTP2ErrorCode, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    try countReset()
    HTTP2FrameWriter.appendReset(streamID: streams[slot].streamID, code: code, to: output)
    try countAnswer(13)
    close(slot, .dropsFrames, output)
    return .streamFailed(slot: slot, code: code)
  }

  /// Closes a stream that is not closed, other than by its two ends.
  mutating func close<Sink: ByteSink>(_ slot: Int, _ flags: HTTP2StreamFlags, _ output: Sink) {
    streams[slot].flags.formUnion(flags.union(.closed))
    activeStreams &-= 1
    var freed = streams[slot].unreleased
    streams[slot].unreleased = 0
    if remainder.kind == .content, remainder.slot == slot {
      // The rest of the frame that is arriving is dropped.
      freed &+= remainder.count
      remainder.skip(remainder.count &+ remainder.padding)
    }
    if freed > 0, returnCredit(freed, output) { unsentAnswers &+= 13 }
  }

  @inline(__always)
  mutating func receiveEnd(_ slot: Int) {
    streams[slot].flags.insert(.receivedEnd)
    if streams[slot].has(.sentEnd) { completeStream(slot) }
  }

  @inline(__always)
  mutating func sendEnd(_ slot: Int) {
    streams[slot].flags.insert(.sentEnd)
    if streams[slot].has(.receivedEnd) { completeStream(slot) }
  }

  @inline(__always)
  private mutating func completeStream(_ slot: Int) {
    streams[slot].flags.insert(.closed)
    activeStreams &-= 1
    if role == .server { floods.resets.relieve(1, now: clock) }
  }

  /// Whether streams have come to nothing lately, more than were completed since; see ``HTTP2Limits/resets``.
  ///
  /// - now: Nanoseconds on the clock of ``next(_:position:now:into:)``.
  public func hasWastedStreams(now: Int64) -> Bool { floods.resets.isRaised(now: now) }

  // MARK: Streams that the peer's GOAWAY leaves behind

  mutating func refuseStreams<Sink: ByteSink>(above last: UInt32, _ output: Sink) {
    guard role == .client else { return }
    for slot in streams.slots where streams[slot].has(.inUse) && !streams[slot].has(.closed) {
      let streamID = streams[slot].streamID
      guard streamID == 0 || streamID > last else { continue }
      close(slot, [.dropsFrames, .refused], output)
      refusalCursor = 0
    }
  }

  mutating func nextRefused() -> Int? {
    var slot = refusalCursor ?? 0
    while slot < streams.slots.upperBound {
      if streams[slot].has(.refused) {
        streams[slot].flags.remove(.refused)
        refusalCursor = slot &+ 1
        return slot
      }
      slot &+= 1
    }
    refusalCursor = nil
    return nil
  }
}
