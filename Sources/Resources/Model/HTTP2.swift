/// HTTP/2 with clients: what the gateway announces in SETTINGS (RFC 9113 §6.5.2), and how long a
/// connection lasts.
public struct HTTP2Settings: Sendable, Equatable {
  /// Streams that a client may have open on a connection; nginx has 128, HAProxy 100.
  public var streams = 128
  /// Flow-control window of each stream: content that a client may send ahead.
  public var windowBytes = 65_536
  /// Flow-control window of a connection, for all its streams together.
  public var connectionWindowBytes = 1_048_576
  /// The largest frame that a client may send.
  public var frameBytes = 16_384
  /// HPACK's dynamic table for fields that a client sends (RFC 7541 §4.2).
  public var headerTableBytes = 4_096
  /// A connection this old is sent GOAWAY, so that clients spread again. `nil`: no limit.
  public var connectionAge: Duration?
  /// What its streams are given to finish after that.
  public var connectionAgeGrace = Duration.seconds(30)
  public init() {}
}

/// HTTP/2 with a service's endpoints.
public struct ServiceHTTP2: Sendable, Equatable {
  /// Streams of one connection; an endpoint may ask for fewer. Envoy and gRPC servers have 100.
  public var streams = 100
  /// Connections of one worker to one endpoint: another is opened when the streams of all are taken.
  public var connections = 8
  /// Flow-control window of each stream: content that an endpoint may send ahead.
  public var windowBytes = 65_536
  /// Flow-control window of a connection, for all its streams together.
  public var connectionWindowBytes = 1_048_576
  public init() {}
}
