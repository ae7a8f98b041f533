/// The version in a message's first line (RFC 9112 §2.3).
public enum HTTPVersion: UInt8, Sendable {
  case http10
  case http11
  /// Its messages have no version of their own: it is the connection's (RFC 9113 §8.3).
  case http2
}

/// How the end of a message's content is found (RFC 9112 §6.3).
public enum BodyFraming: Equatable, Sendable {
  /// There is no content.
  case none
  /// `Content-Length`, in bytes.
  case length(UInt64)
  /// `Transfer-Encoding: chunked`.
  case chunked
  /// The content ends when the peer closes; responses only.
  case untilClose
  /// The content ends with the stream (RFC 9113 §8.1), and its length is not known.
  case untilEndOfStream
}

/// The four forms of a request target (RFC 9112 §3.2).
public enum TargetForm: UInt8, Sendable {
  case origin
  case absolute
  case authority
  case asterisk
}

/// One field line, as ranges into the buffer it was parsed from.
public struct Field: Sendable {
  public var name: ByteRange
  /// The value without the white space around it.
  public var value: ByteRange
  public var known: KnownField

  @inlinable
  public init(name: ByteRange, value: ByteRange, known: KnownField) {
    self.name = name
    self.value = value
    self.known = known
  }
}

/// A parsed request head. Every range refers to the span given to ``RequestParser``.
///
/// Made once and reused: `fields` keeps its capacity, so that a request allocates nothing.
public struct RequestHead: Sendable {
  public var method: HTTPMethod = .other
  public var methodRange: ByteRange = .empty
  public var targetForm: TargetForm = .origin
  /// The target as sent, whatever its form.
  public var target: ByteRange = .empty
  /// The path before normalisation; empty for the authority and asterisk forms, and for an
  /// absolute form without one (which means `/`).
  public var path: ByteRange = .empty
  /// The query without its `?`.
  public var query: ByteRange = .empty
  public var hasQuery = false
  /// Host and optional port: of the absolute form where there is one, else of `Host`
  /// (RFC 9112 §3.2.2). Empty only for HTTP/1.0 without `Host`: an empty one is refused.
  public var authority: ByteRange = .empty
  /// The part of `authority` before the port and without a trailing dot; an IPv6 literal keeps
  /// its brackets.
  public var host: ByteRange = .empty
  /// `:protocol` of an extended CONNECT (RFC 8441 §4), which asks for a protocol inside the stream as
  /// `Upgrade` does in HTTP/1; empty for all other requests.
  public var upgradeProtocol: ByteRange = .empty
  public var version: HTTPVersion = .http11
  public var fields: [Field] = []
  public var framing: BodyFraming = .none
  /// What the client asked for: HTTP/1.1 without `close`, or HTTP/1.0 with `keep-alive`.
  public var isPersistent = true
  /// `Expect: 100-continue`, but on an HTTP/1.0 request (RFC 9110 §10.1.1).
  public var expectsContinue = false
  /// `Connection` lists options other than `close`, `keep-alive`: they name fields to remove.
  public var hasConnectionOptions = false
  /// Bytes of the head, the empty line included: content starts there.
  public var byteCount = 0

  public init() {}
}

/// A parsed response head. Every range refers to the span given to ``ResponseParser``.
public struct ResponseHead: Sendable {
  public var status: UInt16 = 0
  public var reason: ByteRange = .empty
  public var version: HTTPVersion = .http11
  public var fields: [Field] = []
  /// Framing as RFC 9112 §6.3 derives it from the request's method, the status and the fields.
  public var framing: BodyFraming = .none
  public var isPersistent = true
  public var hasConnectionOptions = false
  /// Bytes of the head, the empty line included: content starts there.
  public var byteCount = 0

  public init() {}
}
