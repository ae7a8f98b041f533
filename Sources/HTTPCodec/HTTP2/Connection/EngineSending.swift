extension HTTP2Engine {
  // MARK: The beginning, and settings

  /// Appends what a connection begins with (RFC 9113 §3.4): a client's preface, SETTINGS, and a
  /// WINDOW_UPDATE where the connection's window is larger than the protocol's.
  public mutating func begin<Sink: ByteSink>(into output: Sink) {
    if role == .client { output.append(HTTP2Preface.text.span) }
    var entries = [(identifier: UInt16, value: Int)]()
    if role == .client {
      entries.append((HTTP2SettingIdentifier.enablePush, 0))
    } else {
      entries.append((HTTP2SettingIdentifier.maxConcurrentStreams, localSettings.concurrentStreams))
      if localSettings.allowsExtendedConnect {
        entries.append((HTTP2SettingIdentifier.enableConnectProtocol, 1))
      }
    }
    entries.append((HTTP2SettingIdentifier.noRFC7540Priorities, 1))
    var protocols = HTTP2LocalSettings()
    protocols.headerTableBytes = 4_096
    protocols.streamWindowBytes = HTTP2Window.initial
    protocols.frameBytes = HTTP2FrameBytes.initial
    protocols.headBytes = nil
    appendChanges(from: protocols, &entries)
    appendSettings(entries, output)
    raiseConnectionWindow(output)
  }

  /// Announces other settings. They count once the peer has acknowledged them; until then the more
  /// lenient of old and new do. Extended CONNECT cannot be taken back (RFC 8441 §3), nor can the
  /// connection's window shrink.
  ///
  /// - Returns: false, and nothing is done, where earlier ones are not acknowledged yet.
  public mutating func announce<Sink: ByteSink>(_ settings: HTTP2LocalSettings, into output: Sink) -> Bool {
    guard !awaitsSettingsAcknowledgement else { return false }
    let old = localSettings
    localSettings = settings.clamped
    localSettings.allowsExtendedConnect = settings.allowsExtendedConnect || old.allowsExtendedConnect
    localSettings.connectionWindowBytes = max(localSettings.connectionWindowBytes, old.connectionWindowBytes)
    var entries = [(identifier: UInt16, value: Int)]()
    if role == .server {
      if localSettings.concurrentStreams != old.concurrentStreams {
        entries.append((HTTP2SettingIdentifier.maxConcurrentStreams, localSettings.concurrentStreams))
      }
      if localSettings.allowsExtendedConnect != old.allowsExtendedConnect {
        entries.append((HTTP2SettingIdentifier.enableConnectProtocol, 1))
      }
    }
    appendChanges(from: old, &entries)
    appendSettings(entries, output)
    raiseConnectionWindow(output)
    return true
  }

  private func appendChanges(
    from old: HTTP2LocalSettings, _ entries: inout [(identifier: UInt16, value: Int)]
  ) {
    if localSettings.headerTableBytes != old.headerTableBytes {
      entries.append((HTTP2SettingIdentifier.headerTableSize, localSettings.headerTableBytes))
    }
    if localSettings.streamWindowBytes != old.streamWindowBytes {
      entries.append((HTTP2SettingIdentifier.initialWindowSize, localSettings.streamWindowBytes))
    }
    if localSettings.frameBytes != old.frameBytes {
      entries.append((HTTP2SettingIdentifier.maxFrameSize, localSettings.frameBytes))
    }
    if localSettings.headBytes != old.headBytes {
      entries.append((HTTP2SettingIdentifier.maxHeaderListSize, localSettings.headBytes ?? Int(UInt32.max)))
    }
  }

  private mutating func appendSettings<Sink: ByteSink>(
    _ entries: [(identifier: UInt16, value: Int)], _ output: Sink
  ) {
    HTTP2FrameWriter.appendHeader(
      type: HTTP2FrameType.settings, flags: 0, streamID: 0, length: entries.count &* 6, to: output)
    for entry in entries { HTTP2FrameWriter.appendSetting(entry.identifier, entry.value, to: output) }
    awaitsSettingsAcknowledgement = true
    frameBytesMax = max(frameBytesMax, localSettings.frameBytes)
    if role == .server { peerStreamsMax = max(peerStreamsMax, localSettings.concurrentStreams) }
    let difference = localSettings.streamWindowBytes &- streamReceiveWindow
    guard difference > 0 else { return }
    streamReceiveWindow = localSettings.streamWindowBytes
    for slot in streams.slots where streams[slot].has(.inUse) {
      streams[slot].receiveWindow &+= difference
    }
  }

  private mutating func raiseConnectionWindow<Sink: ByteSink>(_ output: Sink) {
    let missing = localSettings.connectionWindowBytes &- connectionWindowAnnounced
    guard missing > 0 else { return }
    HTTP2FrameWriter.appendWindowUpdate(streamID: 0, increment: missing, to: output)
    connectionWindowAnnounced &+= missing
    connectionReceiveWindow &+= missing
  }

  // MARK: Heads and trailers

  /// Sends the block that ``encoder`` holds: a head, an interim head, or trailers. Encode it with
  /// `encoder.begin()` and one call for each field, right before this call and only where
  /// ``canSend(slot:)``: a block that is not sent puts the peer's decoder out of step.
  ///
  /// - Parameter endStream: whether nothing follows.
  public mutating func sendHeaders<Sink: ByteSink>(slot: Int, endStream: Bool, into output: Sink) {
    guard canSend(slot: slot) else {
      assertionFailure("a head for a stream that is over")
      return
    }
    if !streams[slot].has(.opened) {
      streams.open(slot, nextLocalStream)
      nextLocalStream &+= 2
    }
    let streamID = streams[slot].streamID
    let flags = endStream ? HTTP2FrameFlags.endStream : 0
    let count = encoder.blockCount
    if count <= peerSettings.frameBytes {
      HTTP2FrameWriter.appendHeader(
        type: HTTP2FrameType.headers, flags: flags | HTTP2FrameFlags.endHeaders, streamID: streamID,
        length: count, to: output)
      encoder.append(0..<count, to: output)
    } else {
      appendInPieces(streamID, flags, count, output)
    }
    if endStream { sendEnd(slot) }
  }

  /// A block that does not fit one frame goes on in CONTINUATION (RFC 9113 §6.10).
  @inline(never)
  private func appendInPieces<Sink: ByteSink>(
    _ streamID: UInt32, _ flags: UInt8, _ count: Int, _ output: Sink
  ) {
    var start = 0
    while start < count {
      let end = min(start &+ peerSettings.frameBytes, count)
      let isFirst = start == 0
      HTTP2FrameWriter.appendHeader(
        type: isFirst ? HTTP2FrameType.headers : HTTP2FrameType.continuation,
        flags: (isFirst ? flags : 0) | (end == count ? HTTP2FrameFlags.endHeaders : 0), streamID: streamID,
        length: end &- start, to: output)
      encoder.append(start..<end, to: output)
      start = end
    }
  }

  // MARK: Content

  /// How many bytes of content the stream may send now in one frame: what its window, the
  /// connection's, and the peer's largest frame let through. 0 where it must wait, is not open yet,
  /// or has ended.
  @inline(__always)
  public func sendAllowance(slot: Int) -> Int {
    guard canSend(slot: slot), streams[slot].has(.opened) else { return 0 }
    return max(0, min(streams[slot].sendWindow, connectionSendWindow, peerSettings.frameBytes))
  }

  /// Begins a DATA frame: appends its header and takes its bytes from the windows. The caller appends
  /// the `count` bytes of content next.
  ///
  /// - Parameters:
  ///   - count: at most ``sendAllowance(slot:)``.
  ///   - endStream: whether nothing follows.
  public mutating func appendDataHeader<Sink: ByteSink>(
    slot: Int, count: Int, endStream: Bool, into output: Sink
  ) {
    precondition(canSend(slot: slot) && streams[slot].has(.opened), "content for a stream that is over")
    assert(count <= sendAllowance(slot: slot), "more content than the windows let through")
    streams[slot].sendWindow &-= count
    connectionSendWindow &-= count
    HTTP2FrameWriter.appendHeader(
      type: HTTP2FrameType.data, flags: endStream ? HTTP2FrameFlags.endStream : 0,
      streamID: streams[slot].streamID, length: count, to: output)
    if count > 0 { floods.contentSent(now: clock) }
    if endStream { sendEnd(slot) }
  }

  /// Ends what this end sends on the stream, with an empty DATA frame, which needs no window. Does
  /// nothing where it has ended.
  public mutating func endStream<Sink: ByteSink>(slot: Int, into output: Sink) {
    guard canSend(slot: slot), streams[slot].has(.opened) else { return }
    appendDataHeader(slot: slot, count: 0, endStream: true, into: output)
  }

  // MARK: PING and GOAWAY

  /// Sends a PING; its answer is ``HTTP2Event/pingAcknowledged(payload:)``.
  public func ping<Sink: ByteSink>(_ payload: UInt64, into output: Sink) {
    HTTP2FrameWriter.appendPing(payload, to: output)
  }

  /// Begins an orderly end: tells the client to open no more streams, and still takes those that are
  /// under way. After a round trip or longer (a ``ping(_:into:)`` tells), call
  /// ``goAway(_:debug:into:)`` with NO_ERROR, and close when ``slotCount`` is 0 (RFC 9113 §6.8).
  public func beginShutdown<Sink: ByteSink>(into output: Sink) {
    guard !goesAway else { return }
    let last = role == .server ? HTTP2StreamID.max : 0
    HTTP2FrameWriter.appendGoAway(lastStreamID: last, code: .noError, debug: "", to: output)
  }

  /// Sends the last GOAWAY: streams that the peer opens from now on are dropped.
  ///
  /// - Parameters:
  ///   - code: NO_ERROR for an orderly end; else close when the output is sent.
  ///   - debug: for people, such as ``HTTP2ConnectionError/reason``.
  public mutating func goAway<Sink: ByteSink>(
    _ code: HTTP2ErrorCode, debug: StaticString = "", into output: Sink
  ) {
    if !goesAway { lastStreamTaken = highestPeerStream }
    goesAway = true
    HTTP2FrameWriter.appendGoAway(lastStreamID: lastStreamTaken, code: code, debug: debug, to: output)
  }
}
