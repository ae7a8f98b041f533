extension HTTP2Engine {
  // MARK: WINDOW_UPDATE (RFC 9113 §6.9)

  @inline(__always)
  mutating func takeWindowUpdate<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.length == 4 else {
      throw HTTP2ConnectionError(.frameSizeError, "WINDOW_UPDATE has not 4 bytes (RFC 9113 §6.9)")
    }
    guard isComplete(header, bytes, position) else { return .needMore }
    let word = bytes.bigEndianWord(at: position &+ HTTP2FrameHeader.byteCount)
    let increment = Int(word & HTTP2StreamID.max)
    position &+= HTTP2FrameHeader.byteCount &+ 4
    guard floods.windowUpdates.add(now: clock) else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "too many WINDOW_UPDATE frames")
    }
    if header.streamID == 0 { return try openConnectionWindow(increment) }
    guard let slot = streams.slot(of: header.streamID) else {
      if absence(of: header.streamID) == .idle { throw Self.frameOnIdleStream }
      return nil
    }
    if streams[slot].has(.closed) { return nil }
    guard increment > 0 else { return try failStream(slot, .protocolError, output) }
    let window = streams[slot].sendWindow
    guard window &+ increment <= HTTP2Window.max else {
      return try failStream(slot, .flowControlError, output)
    }
    streams[slot].sendWindow = window &+ increment
    if streams[slot].has(.sentEnd) { return nil }
    try checkOpening(window, increment)
    return window <= 0 && window &+ increment > 0 ? .windowOpened(slot: slot) : nil
  }

  private mutating func openConnectionWindow(
    _ increment: Int
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard increment > 0 else {
      throw HTTP2ConnectionError(.protocolError, "WINDOW_UPDATE adds nothing (RFC 9113 §6.9)")
    }
    let window = connectionSendWindow
    guard window &+ increment <= HTTP2Window.max else {
      throw HTTP2ConnectionError(.flowControlError, "the window is too large (RFC 9113 §6.9.1)")
    }
    connectionSendWindow = window &+ increment
    try checkOpening(window, increment)
    return window <= 0 ? .connectionWindowOpened : nil
  }

  /// Counts windows that were used up and open by a few bytes.
  @inline(__always)
  private mutating func checkOpening(_ window: Int, _ increment: Int) throws(HTTP2ConnectionError) {
    guard window <= 0, increment < HTTP2Limits.tinyIncrement else { return }
    guard floods.tinyWindowUpdates.add(now: clock) else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "windows open by a few bytes at a time")
    }
  }

  private static let frameOnIdleStream = HTTP2ConnectionError(
    .protocolError, "a frame on an idle stream (RFC 9113 §5.1)")

  // MARK: RST_STREAM (RFC 9113 §6.4)

  mutating func takeReset<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.length == 4 else {
      throw HTTP2ConnectionError(.frameSizeError, "RST_STREAM has not 4 bytes (RFC 9113 §6.4)")
    }
    guard header.streamID != 0 else {
      throw HTTP2ConnectionError(.protocolError, "RST_STREAM on stream 0 (RFC 9113 §6.4)")
    }
    guard isComplete(header, bytes, position) else { return .needMore }
    let code = HTTP2ErrorCode(rawValue: bytes.bigEndianWord(at: position &+ HTTP2FrameHeader.byteCount))
    position &+= HTTP2FrameHeader.byteCount &+ 4
    guard let slot = streams.slot(of: header.streamID), !streams[slot].has(.closed) else {
      if streams.slot(of: header.streamID) == nil, absence(of: header.streamID) == .idle {
        throw Self.frameOnIdleStream
      }
      try countIgnoredFrame()
      return nil
    }
    // What the client gave up before it had the response was work for nothing.
    if !streams[slot].has(.sentEnd) { try countReset() }
    close(slot, [], output)
    return .streamReset(slot: slot, code: code)
  }

  /// Counts a stream that came to nothing; at a client it is the server's right.
  mutating func countReset() throws(HTTP2ConnectionError) {
    guard role == .server else { return }
    guard floods.resets.add(now: clock) else { throw Self.tooManyResets }
  }

  static let tooManyResets = HTTP2ConnectionError(.enhanceYourCalm, "too many streams come to nothing")

  // MARK: SETTINGS (RFC 9113 §6.5)

  mutating func takeSettings<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.streamID == 0 else {
      throw HTTP2ConnectionError(.protocolError, "SETTINGS on a stream (RFC 9113 §6.5)")
    }
    if header.has(HTTP2FrameFlags.acknowledgement) {
      guard header.length == 0 else {
        throw HTTP2ConnectionError(.frameSizeError, "an acknowledgement with a payload (RFC 9113 §6.5)")
      }
      guard awaitsSettingsAcknowledgement else {
        throw HTTP2ConnectionError(.protocolError, "an acknowledgement of nothing (RFC 9113 §6.5)")
      }
      position &+= HTTP2FrameHeader.byteCount
      settingsWereAcknowledged(output)
      return .settingsAcknowledged
    }
    guard header.length % 6 == 0 else {
      throw HTTP2ConnectionError(.frameSizeError, "SETTINGS has half a parameter (RFC 9113 §6.5)")
    }
    guard header.length <= min(limits.settingsEntries, HTTP2Limits.settingsEntriesMax) &* 6 else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "too many parameters in SETTINGS")
    }
    guard isComplete(header, bytes, position) else { return .needMore }
    guard floods.settings.add(now: clock) else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "too many SETTINGS frames")
    }
    position &+= HTTP2FrameHeader.byteCount
    let end = position &+ header.length
    while position < end {
      let identifier = UInt16(bytes[position]) &<< 8 | UInt16(bytes[position &+ 1])
      try apply(identifier, bytes.bigEndianWord(at: position &+ 2))
      position &+= 6
    }
    HTTP2FrameWriter.appendHeader(
      type: HTTP2FrameType.settings, flags: HTTP2FrameFlags.acknowledgement, streamID: 0, length: 0,
      to: output)
    try countAnswer(HTTP2FrameHeader.byteCount)
    return .settingsChanged
  }

  /// Applies one parameter of the peer's (RFC 9113 §6.5.2).
  private mutating func apply(_ identifier: UInt16, _ value: UInt32) throws(HTTP2ConnectionError) {
    let number = Int(value)
    switch identifier {
    case HTTP2SettingIdentifier.headerTableSize:
      peerSettings.headerTableBytes = number
      encoder.setPeerTableBytesMax(number)
    case HTTP2SettingIdentifier.enablePush:
      guard value == 0 || value == 1 && role == .server else {
        throw HTTP2ConnectionError(.protocolError, "SETTINGS_ENABLE_PUSH is invalid (RFC 9113 §6.5.2)")
      }
    case HTTP2SettingIdentifier.maxConcurrentStreams:
      peerSettings.concurrentStreams = number
    case HTTP2SettingIdentifier.initialWindowSize:
      try setPeerStreamWindow(number)
    case HTTP2SettingIdentifier.maxFrameSize:
      guard number >= HTTP2FrameBytes.initial, number <= HTTP2FrameBytes.max else {
        throw HTTP2ConnectionError(.protocolError, "SETTINGS_MAX_FRAME_SIZE is invalid (RFC 9113 §6.5.2)")
      }
      peerSettings.frameBytes = number
    case HTTP2SettingIdentifier.maxHeaderListSize:
      peerSettings.headBytes = number
    case HTTP2SettingIdentifier.enableConnectProtocol:
      guard value == 1 || value == 0 && !peerSettings.allowsExtendedConnect else {
        throw HTTP2ConnectionError(
          .protocolError, "SETTINGS_ENABLE_CONNECT_PROTOCOL is invalid (RFC 8441 §3)")
      }
      peerSettings.allowsExtendedConnect = value == 1
    case HTTP2SettingIdentifier.noRFC7540Priorities:
      guard value <= 1 else {
        throw HTTP2ConnectionError(
          .protocolError, "SETTINGS_NO_RFC7540_PRIORITIES is invalid (RFC 9218 §2.1)")
      }
    default: break  // RFC 9113 §6.5.2: unknown parameters are ignored.
    }
  }

  /// A new initial window changes those of all streams by the difference (RFC 9113 §6.9.2).
  private mutating func setPeerStreamWindow(_ bytes: Int) throws(HTTP2ConnectionError) {
    guard bytes <= HTTP2Window.max else {
      throw HTTP2ConnectionError(
        .flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is invalid (RFC 9113 §6.5.2)")
    }
    let difference = bytes &- peerSettings.streamWindowBytes
    peerSettings.streamWindowBytes = bytes
    guard difference != 0 else { return }
    for slot in streams.slots where streams[slot].has(.inUse) {
      streams[slot].sendWindow &+= difference
      guard streams[slot].sendWindow <= HTTP2Window.max else {
        throw HTTP2ConnectionError(.flowControlError, "a stream's window is too large (RFC 9113 §6.9.2)")
      }
    }
  }

  /// The peer knows the settings: what was more lenient until now ends.
  private mutating func settingsWereAcknowledged<Sink: ByteSink>(_ output: Sink) {
    awaitsSettingsAcknowledgement = false
    decoder.setTableBytesMax(localSettings.headerTableBytes)
    frameBytesMax = localSettings.frameBytes
    if role == .server { peerStreamsMax = localSettings.concurrentStreams }
    let difference = localSettings.streamWindowBytes &- streamReceiveWindow
    guard difference != 0 else { return }
    streamReceiveWindow = localSettings.streamWindowBytes
    for slot in streams.slots where streams[slot].has(.inUse) {
      streams[slot].receiveWindow &+= difference
      // What was not worth an update of the larger window may be worth one now.
      let isReceiving = streams[slot].has(.opened) && !streams[slot].has(.receivedEnd)
      if isReceiving, !streams[slot].has(.closed) { _ = returnCredit(0, slot, output) }
    }
  }

  // MARK: PING (RFC 9113 §6.7)

  mutating func takePing<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.length == 8 else {
      throw HTTP2ConnectionError(.frameSizeError, "PING has not 8 bytes (RFC 9113 §6.7)")
    }
    guard header.streamID == 0 else {
      throw HTTP2ConnectionError(.protocolError, "PING on a stream (RFC 9113 §6.7)")
    }
    guard isComplete(header, bytes, position) else { return .needMore }
    let start = position &+ HTTP2FrameHeader.byteCount
    position = start &+ 8
    guard floods.pings.add(now: clock) else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "too many PING frames")
    }
    if header.has(HTTP2FrameFlags.acknowledgement) {
      let high = UInt64(bytes.bigEndianWord(at: start))
      return .pingAcknowledged(payload: high &<< 32 | UInt64(bytes.bigEndianWord(at: start &+ 4)))
    }
    HTTP2FrameWriter.appendHeader(
      type: HTTP2FrameType.ping, flags: HTTP2FrameFlags.acknowledgement, streamID: 0, length: 8, to: output)
    output.append(bytes.extracting(start..<(start &+ 8)))
    try countAnswer(HTTP2FrameHeader.byteCount &+ 8)
    return nil
  }

  // MARK: GOAWAY (RFC 9113 §6.8)

  mutating func takeGoAway<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.streamID == 0 else {
      throw HTTP2ConnectionError(.protocolError, "GOAWAY on a stream (RFC 9113 §6.8)")
    }
    guard header.length >= 8 else {
      throw HTTP2ConnectionError(.frameSizeError, "GOAWAY is too short (RFC 9113 §6.8)")
    }
    let start = position &+ HTTP2FrameHeader.byteCount
    guard bytes.count &- start >= 8 else { return .needMore }
    try countIgnoredFrame()
    let last = bytes.bigEndianWord(at: start) & HTTP2StreamID.max
    let code = HTTP2ErrorCode(rawValue: bytes.bigEndianWord(at: start &+ 4))
    guard last <= lastStreamPeerTakes else {
      throw HTTP2ConnectionError(.protocolError, "a later GOAWAY takes more streams (RFC 9113 §6.8)")
    }
    position = start &+ 8
    remainder.skip(header.length &- 8)
    lastStreamPeerTakes = last
    peerGoesAway = true
    refuseStreams(above: last, output)
    return .goAway(lastStreamID: last, code: code)
  }

  // MARK: Priorities, which are ignored (RFC 9113 §5.3.2, RFC 9218)

  mutating func takePriority<Sink: ByteSink>(
    _ header: HTTP2FrameHeader, _ position: inout Int, _ output: Sink
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard header.streamID != 0 else {
      throw HTTP2ConnectionError(.protocolError, "PRIORITY on stream 0 (RFC 9113 §6.3)")
    }
    try countPriority()
    skipFrame(header, &position)
    if header.length == 5 { return nil }
    guard let slot = streams.slot(of: header.streamID), !streams[slot].has(.closed) else {
      // No RST_STREAM can be sent for a stream that is not open.
      throw HTTP2ConnectionError(.frameSizeError, "PRIORITY has not 5 bytes (RFC 9113 §6.3)")
    }
    return try failStream(slot, .frameSizeError, output)
  }

  mutating func takePriorityUpdate(
    _ header: HTTP2FrameHeader, _ bytes: Span<UInt8>, _ position: inout Int
  ) throws(HTTP2ConnectionError) -> HTTP2Event? {
    guard role == .server else {
      throw HTTP2ConnectionError(.protocolError, "PRIORITY_UPDATE from a server (RFC 9218 §7.1)")
    }
    guard header.streamID == 0 else {
      throw HTTP2ConnectionError(.protocolError, "PRIORITY_UPDATE on a stream (RFC 9218 §7.1)")
    }
    guard header.length >= 4 else {
      throw HTTP2ConnectionError(.frameSizeError, "PRIORITY_UPDATE is too short (RFC 9218 §7.1)")
    }
    let start = position &+ HTTP2FrameHeader.byteCount
    guard bytes.count &- start >= 4 else { return .needMore }
    // Stream 0 has no priority, and there are no pushed streams, which have even numbers.
    guard bytes.bigEndianWord(at: start) & 1 == 1 else {
      throw HTTP2ConnectionError(.protocolError, "PRIORITY_UPDATE for no request (RFC 9218 §7.1)")
    }
    try countPriority()
    skipFrame(header, &position)
    return nil
  }

  private mutating func countPriority() throws(HTTP2ConnectionError) {
    guard floods.priorities.add(now: clock) else {
      throw HTTP2ConnectionError(.enhanceYourCalm, "too many PRIORITY frames")
    }
  }
}
