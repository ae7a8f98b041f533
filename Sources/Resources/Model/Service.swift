/// A named set of endpoints, and how they are used.
public struct Service: Sendable, Equatable {
  public var name: String
  public var endpoints: [EndpointSpec]
  public var `protocol` = ServiceProtocol.http1
  /// `nil`: plain text.
  public var tls: ServiceTLS?
  public var http2 = ServiceHTTP2()
  public var balance = Balance.roundRobin
  /// A new or recovered endpoint's share grows to its weight over this time; zero: at once.
  public var slowStart = Duration.zero
  public var health: HealthCheck?
  public var ejection: Ejection? = Ejection()
  public var timeouts = ServiceTimeouts()
  public var retries: Retries? = Retries()
  public var pool = PoolSettings()
  public var limits = ServiceLimits()
  /// In the order in which they run, for requests that a route sends here; each takes the place of the one for
  /// everything.
  public var plugins: [PluginAttachment] = []

  public init(name: String, endpoints: [EndpointSpec]) {
    self.name = name
    self.endpoints = endpoints
  }

  /// How checks reach endpoints: as requests do, unless ``HealthCheck/tls`` says otherwise.
  public var healthTLS: ServiceTLS? { Override.resolve(health?.tls, inherited: tls) }
}

/// What is spoken with a service's endpoints.
public enum ServiceProtocol: String, Sendable, CaseIterable {
  case http1 = "http/1.1"
  /// With TLS by ALPN, without by prior knowledge (RFC 9113 §3.3).
  case http2 = "h2"
  /// TLS only: HTTP/2 where ALPN agrees on it, else HTTP/1.1.
  case automatic = "auto"
}

public struct EndpointSpec: Sendable, Hashable {
  public var address: HostPort
  /// 0 to 1,000; 0 takes no new requests.
  public var weight = 1
  public init(address: HostPort, weight: Int = 1) {
    self.address = address
    self.weight = weight
  }
}

public enum Balance: Sendable, Equatable {
  /// Smooth weighted round robin, as nginx does it.
  case roundRobin
  /// Power of two choices by requests in flight over weight, as Envoy does it.
  case leastRequest
  /// Consistent hashing: a key stays with its endpoint while the set changes.
  case hash(HashKey)
  /// A cookie of the gateway's own names the endpoint.
  case sticky(cookie: String)
}

public enum HashKey: Sendable, Equatable {
  case clientIP
  case header(String)
  case cookie(String)
  case query(String)
}

/// Active checks, made once per process.
public struct HealthCheck: Sendable, Equatable {
  public enum Probe: Sendable, Equatable {
    /// A GET of this path; 200 to 399 is healthy unless `statuses` says otherwise.
    case http(path: String, host: String?, statuses: [ClosedRange<Int>])
    /// A connection that is accepted; with TLS, the handshake too.
    case tcp
    /// `grpc.health.v1.Health/Check` of a service, `""` for the whole server; SERVING is healthy.
    case grpc(service: String, host: String?)
  }
  public var probe: Probe
  public var interval = Duration.seconds(5)
  public var timeout = Duration.seconds(2)
  /// Successes in a row that make an endpoint healthy.
  public var rise = 2
  /// Failures in a row that make it unhealthy.
  public var fall = 3
  /// Another port than the endpoint's own.
  public var port: UInt16?
  /// `nil`: as the service's requests.
  public var tls: Override<ServiceTLS>?
  public init(probe: Probe) { self.probe = probe }
}

/// Passive ejection (Envoy's outlier detection): what real requests see takes an endpoint out.
public struct Ejection: Sendable, Equatable {
  /// Failures in a row: connect failures, timeouts, resets and 5xx (502, 503, 504).
  public var consecutiveFailures = 5
  /// The first ejection; the n-th in a row lasts n times as long, up to `durationMax`.
  public var duration = Duration.seconds(30)
  public var durationMax = Duration.seconds(300)
  /// Of a service's endpoints, in percent; at least one stays.
  public var percentMax = 50
  public init() {}
}

public struct ServiceTimeouts: Sendable, Equatable {
  public var connect = Duration.seconds(3)
  /// From the end of the request to the response's head.
  public var response = Duration.seconds(60)
  /// Between two reads of the response's content, or two writes of the request's.
  public var idle = Duration.seconds(60)
  /// Between two reads of a connection that was upgraded (WebSocket), in either direction, and within
  /// the content of calls of gRPC; HAProxy's `timeout tunnel`.
  public var tunnel = Duration.seconds(3_600)
  public init() {}
}

public struct Retries: Sendable, Equatable {
  public enum Condition: Sendable, Hashable {
    /// The connection was refused, unreachable or timed out: nothing was sent.
    case connectFailure
    /// The connection ended before any byte of a response.
    case reset
    /// No response in time.
    case responseTimeout
    case status(UInt16)
    /// A gRPC call that ended with this status before any message of it came back; whatever its
    /// method, which is always POST.
    case grpcStatus(UInt8)
  }
  /// Attempts beyond the first.
  public var attempts = 1
  public var on: Set<Condition> = [.connectFailure, .reset]
  /// Retries as a share of requests over the last 10 seconds, in percent; a few are always allowed.
  public var budgetPercent = 20
  /// Also for methods that are not idempotent (POST, PATCH).
  public var nonIdempotent = false
  public init() {}
}

/// Keep-alive connections to one endpoint, of one worker.
public struct PoolSettings: Sendable, Equatable {
  /// As many as are in flight at a busy time, or each burst pays for connects again. HAProxy keeps any
  /// number, nginx 32.
  public var idleMax = 1_024
  /// Shorter than common servers' own (nginx 75 s, Node 5 s: set it below yours).
  public var idleTimeout = Duration.seconds(60)
  public var lifetime = Duration.seconds(3600)
  public init() {}
}

/// Circuit limits for the process, shared out evenly to its workers.
public struct ServiceLimits: Sendable, Equatable {
  /// Open connections to all endpoints.
  public var connections = 4_096
  /// Requests that wait for a connection; 503 above.
  public var pending = 1_024
  /// Requests in flight; those above wait.
  public var inFlight = 4_096
  /// How long a request may wait.
  public var pendingTimeout = Duration.seconds(5)
  /// `nil`: ``inFlight`` alone limits what is in flight.
  public var adaptive: AdaptiveConcurrency?
  public init() {}
}
