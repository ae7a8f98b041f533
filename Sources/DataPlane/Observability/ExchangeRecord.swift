import HTTPCodec
import Runtime
import TLS

/// How an exchange ended, for the access log and the counters.
public enum Outcome: UInt8, Sendable, CaseIterable {
  /// A response of an endpoint was passed on whole.
  case proxied
  /// The gateway answered by itself: no route, a refused request, an overload.
  case answered
  /// The request could not be parsed, or broke a limit.
  case badRequest
  /// The client went away before the end (nginx's 499).
  case clientClosed
  /// The client was too slow.
  case clientTimeout
  /// No connection to an endpoint.
  case connectFailure
  /// No response in time.
  case responseTimeout
  /// The endpoint reset or closed the connection, or sent what is not HTTP.
  case upstreamFailure
  /// No endpoint may take requests.
  case noEndpoint
  /// A limit of the service was reached and the queue was full or too slow.
  case overloaded

  /// As in logs and metric labels.
  public var name: StaticString {
    switch self {
    case .proxied: "proxied"
    case .answered: "answered"
    case .badRequest: "bad_request"
    case .clientClosed: "client_closed"
    case .clientTimeout: "client_timeout"
    case .connectFailure: "connect_failure"
    case .responseTimeout: "response_timeout"
    case .upstreamFailure: "upstream_failure"
    case .noEndpoint: "no_endpoint"
    case .overloaded: "overloaded"
    }
  }
}

/// What is known of one exchange when it ends. Reused: holds no memory of its own.
public struct ExchangeRecord {
  /// When the request's first byte was seen.
  public var start = MonotonicTime(nanoseconds: 0)
  /// Nanoseconds from `start` to the end of the request's head.
  public var headNanoseconds: Int64 = 0
  /// Nanoseconds spent waiting in a service's queue and for connections; 0 where one was reused.
  public var connectNanoseconds: Int64 = 0
  /// Nanoseconds from the begin of the last attempt's request to its response's head; -1: none came.
  public var responseNanoseconds: Int64 = -1
  /// Nanoseconds from `start` to the last byte handed to the system.
  public var totalNanoseconds: Int64 = 0
  /// Sent to the client; 499 when it went away before.
  public var status: UInt16 = 0
  public var outcome = Outcome.answered
  public var cacheResult = CacheResult.none
  /// Attempts beyond the first.
  public var retries: UInt8 = 0
  /// Content only, without framing.
  public var requestBodyBytes: UInt64 = 0
  public var responseBodyBytes: UInt64 = 0
  /// Everything read from and written to the client for this exchange.
  public var receivedBytes: UInt64 = 0
  public var sentBytes: UInt64 = 0
  public var client = SocketAddress.any
  /// Why the last handshake with an endpoint failed.
  public var tlsFailure: TLSFailure?

  public init() {}
}
