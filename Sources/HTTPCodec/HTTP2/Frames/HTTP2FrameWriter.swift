/// Writes frames to a sink, each in as few appends as possible.
enum HTTP2FrameWriter {
  /// The header of a frame, whose payload the caller appends.
  @inline(__always)
  static func appendHeader<Sink: ByteSink>(
    type: UInt8, flags: UInt8, streamID: UInt32, length: Int, to output: Sink
  ) {
    let header: InlineArray<9, UInt8> = [
      UInt8(truncatingIfNeeded: length &>> 16), UInt8(truncatingIfNeeded: length &>> 8),
      UInt8(truncatingIfNeeded: length), type, flags,
      UInt8(truncatingIfNeeded: streamID &>> 24), UInt8(truncatingIfNeeded: streamID &>> 16),
      UInt8(truncatingIfNeeded: streamID &>> 8), UInt8(truncatingIfNeeded: streamID),
    ]
    output.append(header.span)
  }

  static func appendReset<Sink: ByteSink>(streamID: UInt32, code: HTTP2ErrorCode, to output: Sink) {
    appendHeader(type: HTTP2FrameType.resetStream, flags: 0, streamID: streamID, length: 4, to: output)
    append(code.rawValue, to: output)
  }

  /// - Parameter increment: 1 to 2^31-1.
  static func appendWindowUpdate<Sink: ByteSink>(streamID: UInt32, increment: Int, to output: Sink) {
    appendHeader(type: HTTP2FrameType.windowUpdate, flags: 0, streamID: streamID, length: 4, to: output)
    append(UInt32(truncatingIfNeeded: increment), to: output)
  }

  static func appendPing<Sink: ByteSink>(_ payload: UInt64, to output: Sink) {
    appendHeader(type: HTTP2FrameType.ping, flags: 0, streamID: 0, length: 8, to: output)
    append(UInt32(truncatingIfNeeded: payload &>> 32), to: output)
    append(UInt32(truncatingIfNeeded: payload), to: output)
  }

  /// - Parameter debug: ASCII, for people; it must not tell secrets (RFC 9113 §6.8).
  static func appendGoAway<Sink: ByteSink>(
    lastStreamID: UInt32, code: HTTP2ErrorCode, debug: StaticString, to output: Sink
  ) {
    let length = 8 &+ debug.utf8CodeUnitCount
    appendHeader(type: HTTP2FrameType.goAway, flags: 0, streamID: 0, length: length, to: output)
    append(lastStreamID, to: output)
    append(code.rawValue, to: output)
    for byte in debug.description.utf8 { output.append(byte) }
  }

  static func appendSetting<Sink: ByteSink>(_ identifier: UInt16, _ value: Int, to output: Sink) {
    output.append(UInt8(truncatingIfNeeded: identifier &>> 8))
    output.append(UInt8(truncatingIfNeeded: identifier))
    append(UInt32(truncatingIfNeeded: value), to: output)
  }

  private static func append<Sink: ByteSink>(_ word: UInt32, to output: Sink) {
    let bytes: InlineArray<4, UInt8> = [
      UInt8(truncatingIfNeeded: word &>> 24), UInt8(truncatingIfNeeded: word &>> 16),
      UInt8(truncatingIfNeeded: word &>> 8), UInt8(truncatingIfNeeded: word),
    ]
    output.append(bytes.span)
  }
}
