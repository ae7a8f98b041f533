/// One connection of HTTP/2 (RFC 9113), without its input and output: frames, stream states, windows,
/// settings, and limits against abuse. A plain value: it holds no bytes but header blocks that come
/// in pieces, and allocates nothing per frame once its tables have grown. It cannot be copied: a copy,
/// which a question to an engine that is kept in a class may make, costs as much as a request.
///
/// The caller owns the bytes. It calls ``begin(into:)`` once, then ``next(_:position:now:into:)`` until
/// that needs more bytes, and sends what is in the output; answers such as acknowledgements, window
/// updates and RST_STREAM are appended there by the engine. It tells what it has sent with
/// ``outputSent(_:remaining:)``.
///
/// A stream lives in a slot until the caller gives it back with ``free(slot:into:)``, also after it
/// was closed. All functions are called on the thread of the connection.
public struct HTTP2Engine: ~Copyable, Sendable {
  public enum Role: UInt8, Sendable {
    case server, client
  }

  /// The most bytes that ``next(_:position:now:into:)`` leaves in front of it when it needs more: the
  /// input buffer must hold more than these. Larger frames are taken in pieces.
  public static let heldBytesMax = 4_096

  /// Streams that a client may open before it knows the server's limit. It is what RFC 9113 §6.5.2
  /// recommends as the least, and nghttp2's figure.
  static let concurrentStreamsUntilSettings = 100

  public let role: Role
  public let limits: HTTP2Limits
  /// What was announced last.
  public internal(set) var localSettings: HTTP2LocalSettings
  /// What the peer announced last.
  public internal(set) var peerSettings = HTTP2PeerSettings()
  /// Encodes what ``sendHeaders(slot:endStream:into:)`` sends.
  public var encoder: HPACKEncoder
  var decoder: HPACKDecoder

  // MARK: Reading

  /// What must come next.
  enum Expectation: UInt8 {
    case preface, settings, frames, nothing
  }

  var expectation: Expectation
  /// Bytes of the preface that have come.
  var prefaceCount = 0
  /// The error that ended the connection.
  var failure: HTTP2ConnectionError?
  /// The rest of a frame whose header was taken.
  var remainder = FrameRemainder()
  var block = BlockInProgress()
  /// Whether the caller has yet to decode a block.
  var owesDecoding = false
  /// When `next` was called last, in nanoseconds.
  var clock: Int64 = .min
  var floods: FloodCounters
  /// Bytes of answers that were appended and may not be sent yet.
  var unsentAnswers = 0

  // MARK: Streams

  var streams = HTTP2StreamTable()
  var closedStreams = ClosedStreams()
  /// Streams that count against a limit: those that are open or half-closed, and at a client those
  /// whose HEADERS are still to be sent.
  public internal(set) var activeStreams = 0
  /// The highest stream that the peer opened.
  public internal(set) var highestPeerStream: UInt32 = 0
  /// The identifier of the next stream that this end opens.
  var nextLocalStream: UInt32
  /// Streams of the peer above this are not processed: this end sent GOAWAY.
  var lastStreamTaken = HTTP2StreamID.max
  /// Streams of this end above this are not processed: the peer sent GOAWAY.
  var lastStreamPeerTakes = HTTP2StreamID.max
  /// Whether the peer sent GOAWAY: no stream can be opened.
  public internal(set) var peerGoesAway = false
  /// Whether this end sent its last GOAWAY: new streams of the peer are dropped.
  public internal(set) var goesAway = false
  /// From which slot on to look for streams that the caller is to be told are refused.
  var refusalCursor: Int?

  // MARK: Windows and settings

  /// How much may be sent on the connection, in bytes; never less than zero.
  public internal(set) var connectionSendWindow = HTTP2Window.initial
  /// How much the peer may send on the connection.
  var connectionReceiveWindow = HTTP2Window.initial
  /// What the connection's window was raised to.
  var connectionWindowAnnounced = HTTP2Window.initial
  /// Content that was dealt with, but the peer was not yet told.
  var connectionReleasePending = 0
  /// Whether the peer has yet to acknowledge SETTINGS; see RFC 9113 §6.5.3 for how long to wait.
  public internal(set) var awaitsSettingsAcknowledgement = false
  /// The window that new streams of the peer have. While an acknowledgement is awaited, the larger of
  /// old and new: the peer may not know the new one yet.
  var streamReceiveWindow = HTTP2Window.initial
  /// The largest payload that the peer may send; the larger of old and new, too.
  var frameBytesMax = HTTP2FrameBytes.initial
  /// The most streams that the peer may have open; the larger of old and new, too.
  var peerStreamsMax: Int

  /// - Parameters:
  ///   - settings: what to announce; brought within what the protocol allows.
  ///   - encoderTableBytesMax: the most that the dynamic table for what is sent may take, in bytes.
  public init(
    role: Role, settings: HTTP2LocalSettings, limits: HTTP2Limits = HTTP2Limits(),
    encoderTableBytesMax: Int = 4_096
  ) {
    self.role = role
    self.limits = limits
    localSettings = settings.clamped
    encoder = HPACKEncoder(tableBytesMax: encoderTableBytesMax)
    decoder = HPACKDecoder()
    floods = FloodCounters(limits)
    expectation = role == .server ? .preface : .settings
    nextLocalStream = role == .server ? 2 : 1
    peerStreamsMax = role == .server ? localSettings.concurrentStreams : 0
  }

  // MARK: What the caller may ask

  /// Whether the peer has said what it allows.
  public var hasReceivedSettings: Bool { expectation == .frames || expectation == .nothing }

  /// Slots that are in use.
  public var slotCount: Int { streams.usedCount }

  /// The identifier of a stream; 0 before its HEADERS were sent.
  public func streamID(slot: Int) -> UInt32 { streams.isUsed(slot) ? streams[slot].streamID : 0 }

  /// Whether the stream is over in both directions, or was reset.
  public func isClosed(slot: Int) -> Bool { !streams.isUsed(slot) || streams[slot].has(.closed) }

  /// Whether the peer has sent all that it will.
  public func hasReceivedEnd(slot: Int) -> Bool {
    !streams.isUsed(slot) || streams[slot].has(.receivedEnd) || streams[slot].has(.closed)
  }

  /// Whether this end can still send on the stream.
  public func canSend(slot: Int) -> Bool {
    streams.isUsed(slot) && !streams[slot].has(.sentEnd) && !streams[slot].has(.closed)
  }

  /// How much the peer lets this stream send, in bytes, whatever the connection's window; may be
  /// less than zero (RFC 9113 §6.9.2). With ``connectionSendWindow`` it tells what holds a stream up.
  public func sendWindow(slot: Int) -> Int { streams.isUsed(slot) ? streams[slot].sendWindow : 0 }

  /// Gives back memory that is not needed while no stream is open.
  public mutating func releaseMemory() {
    encoder.releaseMemory()
    decoder.releaseMemory()
    block.releaseMemory()
  }

  /// Tells what was sent, so that answers which a peer does not read are bounded
  /// (``HTTP2Limits/unsentAnswerBytes``). To be called after each attempt to send.
  ///
  /// - Parameters:
  ///   - bytes: how many bytes of the output were sent since the last call.
  ///   - remaining: how many are still to be sent.
  @inline(__always)
  public mutating func outputSent(_ bytes: Int, remaining: Int) {
    unsentAnswers = remaining <= 0 ? 0 : max(0, unsentAnswers &- bytes)
  }
}
