/// What ``HTTP2Engine/next(_:position:now:into:)`` found.
///
/// A `slot` is a small number that stands for a stream, for parallel arrays; it is reused after
/// ``HTTP2Engine/free(slot:into:)``. Ranges count from the start of the bytes that `next` was given.
public enum HTTP2Event: Equatable, Sendable {
  /// The bytes are used up: call again when more have come. Those from the position on, at most
  /// ``HTTP2Engine/heldBytesMax``, must be kept.
  case needMore

  /// A complete header block. Call exactly one of ``HTTP2Engine/decodeRequest(_:of:into:head:limits:)``,
  /// `decodeResponse`, `decodeTrailers` and ``HTTP2Engine/skipBlock(_:of:)`` before `next`.
  case headers(HTTP2HeaderBlock)

  /// A piece of content. Report it with ``HTTP2Engine/release(_:slot:into:)`` when it was passed on.
  /// The range may be empty where the stream ends.
  case content(slot: Int, range: ByteRange, endsStream: Bool)

  /// The peer reset the stream: it is closed. ``HTTP2ErrorCode/refusedStream`` says that a request
  /// may be sent again; ``HTTP2ErrorCode/noError`` after a complete response, that the rest of the
  /// request is not wanted (RFC 9113 §8.1). Free the slot.
  case streamReset(slot: Int, code: HTTP2ErrorCode)

  /// The peer broke a rule: the stream is closed, RST_STREAM is in the output. Free the slot.
  case streamFailed(slot: Int, code: HTTP2ErrorCode)

  /// The peer's GOAWAY, or its refusal to come, says that it did not process this request, which
  /// may be sent again elsewhere (RFC 9113 §6.8). The stream is closed. Free the slot.
  case streamRefused(slot: Int)

  /// The stream's send window was used up, and has room again.
  case windowOpened(slot: Int)

  /// The connection's send window was used up, and has room again: all streams may try.
  case connectionWindowOpened

  /// The peer's SETTINGS were applied: windows may have opened or closed, frames may be larger,
  /// more streams may be allowed. All streams that wait may try.
  case settingsChanged

  /// The peer acknowledged the SETTINGS that were sent.
  case settingsAcknowledged

  /// The peer goes away: no stream can be opened any more. Streams that it did not process follow
  /// as ``streamRefused(slot:)``.
  case goAway(lastStreamID: UInt32, code: HTTP2ErrorCode)

  /// The answer to a PING.
  case pingAcknowledged(payload: UInt64)
}

/// What a header block begins or ends.
public enum HTTP2BlockKind: UInt8, Sendable {
  /// A request; the stream is new. Server only.
  case request
  /// A response, interim or final. Client only.
  case response
  /// What follows the content; the stream ends with it.
  case trailers
}

/// Where a complete header block is.
public struct HTTP2HeaderBlock: Equatable, Sendable {
  public var streamID: UInt32
  var slotNumber: Int32
  /// Within the bytes that `next` was given; nothing where ``isAssembled``.
  public var range: ByteRange
  public var kind: HTTP2BlockKind
  /// END_STREAM: no content follows.
  public var endsStream: Bool
  /// Whether the engine holds the block, because it came in several pieces.
  public var isAssembled: Bool

  public var slot: Int { Int(slotNumber) }
}
