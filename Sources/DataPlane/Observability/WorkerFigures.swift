/// What one worker counts apart from routes. Gauges say what is now, all others only grow.
public struct WorkerFigures: Sendable {
  // Client connections.
  public var connectionsAccepted: UInt64 = 0
  /// Gauge: open now, the idle ones included.
  public var connectionsActive = 0
  /// Gauge: open and waiting for a request.
  public var connectionsIdle = 0
  /// Closed at once because of the connection limit or of missing descriptors.
  public var connectionsRefused: UInt64 = 0
  /// Idle ones that made room for new ones.
  public var connectionsEvicted: UInt64 = 0
  /// Failures to accept for want of descriptors.
  public var acceptFailures: UInt64 = 0
  /// Connections without a valid PROXY header where one is required.
  public var proxyHeadersRefused: UInt64 = 0

  // TLS and HTTP/2 with clients.
  public var handshakes = HandshakeFigures()
  /// Connections closed before their handshake because too many were under way.
  public var handshakesRefused: UInt64 = 0
  public var http2Connections: UInt64 = 0
  /// Connections of HTTP/2, with clients or endpoints, ended because the peer broke a rule.
  public var http2Failures: UInt64 = 0
  /// Gauge: connections that were upgraded, WebSocket for instance.
  public var tunnels = 0

  // Requests.
  public var requests: UInt64 = 0
  /// Requests that the parser or a limit of a message refused.
  public var refusals = RefusalCounts()
  /// Connections and requests that a limit refused, by the limit.
  public var refusalReasons = RefusalReasonCounts()
  /// Gauge: at endpoints, or on their way there.
  public var requestsInFlight = 0
  /// Gauge: requests of the gateway's own to services.
  public var sideRequestsInFlight = 0
  public var requestsAtPlugins = 0
  /// How often admission control has begun to hold requests back.
  public var overloads: UInt64 = 0
  public var retries: UInt64 = 0
  /// Retries that the budget forbade.
  public var retryBudgetExhausted: UInt64 = 0

  /// Requests that have met a cache, by what it had.
  public var cache = CacheFigures()

  // Connections to endpoints.
  public var upstreamConnects: UInt64 = 0
  public var upstreamConnectFailures: UInt64 = 0
  /// TLS handshakes with endpoints that failed.
  public var upstreamHandshakeFailures: UInt64 = 0
  /// Requests that took an idle connection of the pool.
  public var poolReused: UInt64 = 0
  /// Gauge: idle connections.
  public var poolIdle = 0
  /// Idle connections that were closed for their age, their idle time or the peer's close.
  public var poolExpired: UInt64 = 0
  /// Requests sent again because the endpoint was closing the idle connection that they took.
  public var poolStale: UInt64 = 0
  public var ejections: UInt64 = 0

  // Queues of services at their limits.
  /// Gauge: requests that wait.
  public var queuePending = 0
  /// Requests refused because the queue was full.
  public var queueOverflows: UInt64 = 0
  /// Requests that waited too long.
  public var queueTimeouts: UInt64 = 0

  // The worker itself.
  public var loopRounds: UInt64 = 0
  /// The longest time that a worker spent on changes in one go.
  public var changePauseNanosecondsMax: Int64 = 0
  public var accessLogLines: UInt64 = 0
  public var accessLogDropped: UInt64 = 0
  /// Gauge: buffers out of the pool.
  public var buffersLent = 0
  /// Gauge: what counts against `bufferBytes`.
  public var bufferBytesHeld = 0
  /// Gauge: clients', endpoints' and listening sockets.
  public var openSockets = 0

  public init() {}

  public mutating func add(_ other: WorkerFigures) {
    connectionsAccepted &+= other.connectionsAccepted
    connectionsActive &+= other.connectionsActive
    connectionsIdle &+= other.connectionsIdle
    connectionsRefused &+= other.connectionsRefused
    connectionsEvicted &+= other.connectionsEvicted
    acceptFailures &+= other.acceptFailures
    proxyHeadersRefused &+= other.proxyHeadersRefused
    handshakes.add(other.handshakes)
    handshakesRefused &+= other.handshakesRefused
    http2Connections &+= other.http2Connections
    http2Failures &+= other.http2Failures
    tunnels &+= other.tunnels
    upstreamHandshakeFailures &+= other.upstreamHandshakeFailures
    requests &+= other.requests
    refusals.add(other.refusals)
    refusalReasons.add(other.refusalReasons)
    requestsInFlight &+= other.requestsInFlight
    sideRequestsInFlight &+= other.sideRequestsInFlight
    requestsAtPlugins &+= other.requestsAtPlugins
    overloads &+= other.overloads
    retries &+= other.retries
    retryBudgetExhausted &+= other.retryBudgetExhausted
    upstreamConnects &+= other.upstreamConnects
    upstreamConnectFailures &+= other.upstreamConnectFailures
    poolReused &+= other.poolReused
    cache.add(other.cache)
    poolIdle &+= other.poolIdle
    poolExpired &+= other.poolExpired
    poolStale &+= other.poolStale
    ejections &+= other.ejections
    queuePending &+= other.queuePending
    queueOverflows &+= other.queueOverflows
    queueTimeouts &+= other.queueTimeouts
    loopRounds &+= other.loopRounds
    changePauseNanosecondsMax = max(changePauseNanosecondsMax, other.changePauseNanosecondsMax)
    accessLogLines &+= other.accessLogLines
    accessLogDropped &+= other.accessLogDropped
    buffersLent &+= other.buffersLent
    bufferBytesHeld &+= other.bufferBytesHeld
    openSockets &+= other.openSockets
  }
}
