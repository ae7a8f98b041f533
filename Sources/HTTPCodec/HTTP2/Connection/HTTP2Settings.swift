/// The identifiers of settings (RFC 9113 §6.5.2, RFC 8441 §3, RFC 9218 §2.1).
enum HTTP2SettingIdentifier {
  static let headerTableSize: UInt16 = 0x1
  static let enablePush: UInt16 = 0x2
  static let maxConcurrentStreams: UInt16 = 0x3
  static let initialWindowSize: UInt16 = 0x4
  static let maxFrameSize: UInt16 = 0x5
  static let maxHeaderListSize: UInt16 = 0x6
  static let enableConnectProtocol: UInt16 = 0x8
  static let noRFC7540Priorities: UInt16 = 0x9
}

/// What this end announces. Server push is never enabled, and priorities are said to be ignored.
public struct HTTP2LocalSettings: Equatable, Sendable {
  /// The largest dynamic table for what is received, in bytes.
  public var headerTableBytes: Int
  /// The most streams that the peer may have open; of no meaning for a client. nginx, HAProxy and
  /// Envoy's edge profile allow 100 to 128.
  public var concurrentStreams: Int
  /// The window of each stream, in bytes: how much content may be under way or wait here unread.
  public var streamWindowBytes: Int
  /// The window of all streams together, in bytes, 65,535 or more: it bounds the memory that one
  /// connection takes. Streams that are not read hold up others only when it is used up.
  public var connectionWindowBytes: Int
  /// The largest payload of a frame, in bytes: 16,384 to 16,777,215.
  public var frameBytes: Int
  /// The largest head that is accepted, as RFC 9113 §6.5.2 counts it; nil to announce none.
  public var headBytes: Int?
  /// Whether requests with `:protocol` are accepted (RFC 8441); of no meaning for a client.
  public var allowsExtendedConnect: Bool

  public init(
    headerTableBytes: Int = 4_096, concurrentStreams: Int = 128, streamWindowBytes: Int = 262_144,
    connectionWindowBytes: Int = 1_048_576, frameBytes: Int = 16_384, headBytes: Int? = 16_384,
    allowsExtendedConnect: Bool = false
  ) {
    self.headerTableBytes = headerTableBytes
    self.concurrentStreams = concurrentStreams
    self.streamWindowBytes = streamWindowBytes
    self.connectionWindowBytes = connectionWindowBytes
    self.frameBytes = frameBytes
    self.headBytes = headBytes
    self.allowsExtendedConnect = allowsExtendedConnect
  }

  /// The same within what the protocol allows.
  var clamped: HTTP2LocalSettings {
    var settings = self
    settings.headerTableBytes = min(max(headerTableBytes, 0), Int(UInt32.max))
    settings.concurrentStreams = min(max(concurrentStreams, 0), Int(Int32.max))
    settings.streamWindowBytes = min(max(streamWindowBytes, 0), HTTP2Window.max)
    settings.connectionWindowBytes = min(max(connectionWindowBytes, HTTP2Window.initial), HTTP2Window.max)
    settings.frameBytes = min(max(frameBytes, HTTP2FrameBytes.initial), HTTP2FrameBytes.max)
    if let headBytes { settings.headBytes = min(max(headBytes, 0), Int(UInt32.max)) }
    return settings
  }
}

/// What the peer announced; what RFC 9113 §6.5.2 lays down until then.
public struct HTTP2PeerSettings: Equatable, Sendable {
  /// The largest dynamic table that may be used for what is sent, in bytes.
  public var headerTableBytes = 4_096
  /// The most streams that may be opened; nil until the peer names a limit.
  public var concurrentStreams: Int?
  /// The window of each new stream, in bytes.
  public var streamWindowBytes = HTTP2Window.initial
  /// The largest payload of a frame, in bytes.
  public var frameBytes = HTTP2FrameBytes.initial
  /// The largest head that the peer wants to see, as RFC 9113 §6.5.2 counts it; nil for any.
  public var headBytes: Int?
  /// Whether the peer, a server, takes requests with `:protocol` (RFC 8441 §3).
  public var allowsExtendedConnect = false

  public init() {}
}

/// Flow-control windows (RFC 9113 §6.9).
enum HTTP2Window {
  static let initial = 65_535
  static let max = 0x7FFF_FFFF
}

/// Sizes of frame payloads (RFC 9113 §4.2).
enum HTTP2FrameBytes {
  static let initial = 16_384
  static let max = 0xFF_FFFF
}
