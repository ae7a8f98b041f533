import HTTPCodec

/// A request of the gateway's own to one of its services, for a plugin.
///
/// What it says is the plugin's to get right: the method is a token, the target valid in a request line, and the
/// lines are fields, without those of the connection and of framing (RFC 9110 §7.6.1, RFC 9112 §6).
public struct SideRequest {
  public var method: [UInt8]
  /// Path and query.
  public var target: [UInt8]
  /// `Host`, or `:authority`; empty: what the service's first endpoint is called.
  public var host: [UInt8] = []
  /// `name: value` and CRLF each.
  public var lines: [UInt8] = []
  public var content: [UInt8] = []
  /// Of the response's content; what comes above is not taken, and ends the request.
  public var responseBytesMax = 65_536
  /// Whether the response's content is wanted; it is read anyway, so that its connection can be used again.
  public var keepsResponse = true
  /// Asked before content is kept, with how much that is in all; false ends the request, as too much content does.
  public var mayKeep: ((Int) -> Bool)?
  /// For all of it: queue, connection, attempts, response.
  public var timeoutNanoseconds: Int64

  public init(_ method: [UInt8], _ target: [UInt8], timeoutNanoseconds: Int64) {
    self.method = method
    self.target = target
    self.timeoutNanoseconds = timeoutNanoseconds
  }
}

/// What a service has answered to a ``SideRequest``.
public struct SideResponse {
  /// 200 to 599.
  public let status: UInt16
  /// Its fields in canonical form, `name: value` and CRLF each, without those of the connection and of framing;
  /// with a date.
  public let lines: [UInt8]
  public let content: [UInt8]
  /// False: there was more than might be taken, and ``content`` is how it began.
  public let isWhole: Bool

  /// The value of the first field of a name; nil where there is none.
  /// - name: In lower case.
  public func value(of name: [UInt8]) -> [UInt8]? {
    let bytes = lines.span
    var cursor = LineCursor()
    while let field = cursor.next(in: bytes) {
      if bytes.equalsIgnoringCase(field.name, lowercase: name) { return Array(lines[field.value.range]) }
    }
    return nil
  }

  /// The lines of the fields with these names, in their order.
  public func lines(of names: FieldNames) -> [UInt8] {
    var found: [UInt8] = []
    let bytes = lines.span
    var cursor = LineCursor()
    while let field = cursor.next(in: bytes) {
      if names.contains(field.name, in: bytes) { found += lines[Int(field.name.start)..<cursor.position] }
    }
    return found
  }
}

/// How a side request has ended.
public enum SideResult: UInt8, Sendable, CaseIterable {
  /// With a response, whatever it says.
  case answered
  /// There is no such service, or none of its endpoints may take requests.
  case noEndpoint
  /// A limit of the service was reached, and its queue was full or too slow.
  case overloaded
  case connectFailure
  /// Within the time of the request, or of the service.
  case timeout
  /// The endpoint ended the connection, or sent what is not HTTP.
  case upstreamFailure
  /// The response was larger than what might be taken of it.
  case tooLarge
  /// The client that it was for has gone, or the worker ends.
  case cancelled
  /// It was not sent: there were too many of them, or it was too large.
  case dropped

  /// As in metrics.
  public var name: StaticString {
    switch self {
    case .answered: "answered"
    case .noEndpoint: "no_endpoint"
    case .overloaded: "overloaded"
    case .connectFailure: "connect_failure"
    case .timeout: "timeout"
    case .upstreamFailure: "upstream_failure"
    case .tooLarge: "too_large"
    case .cancelled: "cancelled"
    case .dropped: "dropped"
    }
  }

  init(_ outcome: Outcome) {
    switch outcome {
    case .proxied: self = .answered
    case .noEndpoint: self = .noEndpoint
    case .overloaded: self = .overloaded
    case .connectFailure: self = .connectFailure
    case .responseTimeout, .clientTimeout: self = .timeout
    case .clientClosed: self = .cancelled
    case .answered, .badRequest, .upstreamFailure: self = .upstreamFailure
    }
  }
}

/// A side request has no response.
public struct SideFailure: Error {
  public let result: SideResult
}

/// How many side requests of one plugin have ended how.
public struct SideFigures: Sendable {
  /// Empty until something is counted.
  private var counts: [UInt64] = []

  public init() {}

  public var isEmpty: Bool { counts.isEmpty }

  public subscript(result: SideResult) -> UInt64 { counts.isEmpty ? 0 : counts[Int(result.rawValue)] }

  mutating func count(_ result: SideResult) {
    if counts.isEmpty { counts = Array(repeating: 0, count: SideResult.allCases.count) }
    counts[Int(result.rawValue)] &+= 1
  }

  mutating func add(_ other: SideFigures) {
    if counts.isEmpty {
      counts = other.counts
      return
    }
    for index in other.counts.indices { counts[index] &+= other.counts[index] }
  }
}
