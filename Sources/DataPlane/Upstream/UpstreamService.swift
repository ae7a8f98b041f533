import Resources
import Runtime
import TLS

/// A service as one worker sees it: its endpoints, their connections, and the limits on both.
public final class UpstreamService {
  public let name: String
  /// ``name`` for logs; made for the first one.
  private(set) lazy var nameBytes = Array(name.utf8)
  /// Its number in the worker's counters, which no other service gets.
  let countersNumber: Int32
  public internal(set) var settings: ServiceSettings { didSet { adoptConcurrency() } }
  /// Empty while ``dormant`` holds them.
  var awake: [Endpoint] = []
  /// The endpoints, as long as nothing was asked of them: 100,000 services without requests should cost
  /// little. The list is shared with the other workers.
  var dormant: [ResolvedEndpoint]?
  /// Grows when endpoints come or go, so that their indices mean others.
  var endpointsRevision: UInt32 = 0
  var balancer: Balancer
  var hashKeySource: HashKeySource?
  var retryBudget: RetryBudget
  var security: ServiceContext?
  /// Those that requests meet which a route sends here, made for the first one.
  lazy var plugins = AttachedPlugin.list(settings.service.plugins, .service(name))

  /// Grows with every change of ``tls``: connections of another generation are not used again.
  var tlsGeneration: UInt32 = 0

  /// Open connections, idle ones included.
  public private(set) var connectionCount = 0
  /// Requests in flight.
  public private(set) var inFlight = 0
  /// The limit that follows response times; as high as it gets where there is none.
  public private(set) var adaptiveMax = Int.max
  private var concurrency: ConcurrencyLimit?
  /// Requests that wait for the in-flight limit.
  var turnQueue = WaitQueue()
  /// Requests in flight that wait for a connection.
  var connectionQueue = WaitQueue()
  let worker: Worker
  let counters: WorkerCounters
  /// No longer configured: ends with its last exchange.
  var isRetired = false
  /// What the change under way makes of it.
  var staged: StagedService?
  /// It comes with the change under way.
  var isArriving = false
  /// Connections that were idle and are still to be closed; see ``closeLeftovers(_:)``.
  var leftovers: [UpstreamConnection] = []
  /// Its place in ``ServiceTable/active``; -1: it is not there.
  var activePosition: Int32 = -1
  /// Of the last collection of figures that has copied it.
  var collection: UInt64 = 0
  unowned let table: ServiceTable

  init(
    _ name: String, _ settings: ServiceSettings, endpoints resolved: [ResolvedEndpoint],
    security: ServiceContext?,
    table: ServiceTable
  ) {
    let service = settings.service
    self.name = name
    self.settings = settings
    self.security = security
    self.table = table
    worker = table.worker
    counters = table.counters
    countersNumber = table.counters.nextServiceNumber()
    balancer = Balancer(policy: service.balance, slowStart: service.slowStart)
    hashKeySource = HashKeySource(service.balance)
    retryBudget = RetryBudget(percent: service.retries?.budgetPercent ?? 0)
    adoptConcurrency()
    sleep(resolved)
    if !resolved.allSatisfy(\.isHealthy) { table.becameActive(self) }
  }

  /// Nil: plain text.
  var tls: TLSClientContext? { security?.context }

  /// Requests must not go out in plain text because there is no context, or no longer one.
  var lacksTLS: Bool { settings.service.tls != nil && tls == nil }

  public var endpoints: [Endpoint] {
    if dormant != nil { wake() }
    return awake
  }

  /// As it is configured, but for its endpoints.
  public var definition: Service {
    var definition = settings.service
    definition.name = name
    return definition
  }

  // MARK: Requests

  /// Whether one more request may be sent now: the in-flight limit, and nobody waits before it.
  var mayStartRequest: Bool { hasRoomForRequest && turnQueue.isEmpty }

  var hasRoomForRequest: Bool { inFlight < settings.inFlightMax && inFlight < adaptiveMax }

  func requestStarted() {
    inFlight += 1
    counters.figures.requestsInFlight += 1
    if activePosition < 0 { table.becameActive(self) }
  }

  func requestEnded() {
    inFlight -= 1
    counters.figures.requestsInFlight -= 1
    turnQueue.wakeFirst()
  }

  /// Picks an endpoint; `tried` has a bit for each endpoint (of the first 64) that failed before.
  func pickEndpoint(key: UInt64?, tried: UInt64) -> Int? {
    let endpoints = endpoints
    return balancer.pick(from: endpoints, key: key, tried: tried, now: worker.now, random: &worker.random)
  }

  /// A response's head, or the end of the patience for it.
  func noteResponse(after nanoseconds: Int64) {
    concurrency?.record(response: nanoseconds, inFlight: inFlight, now: worker.now.nanoseconds)
    if let concurrency { adaptiveMax = concurrency.current }
  }

  private func adoptConcurrency() {
    guard let minimum = settings.adaptiveMinimum else {
      concurrency = nil
      adaptiveMax = .max
      return
    }
    concurrency = ConcurrencyLimit(
      minimum: minimum, maximum: settings.inFlightMax,
      tolerancePercent: settings.service.limits.adaptive?.tolerancePercent ?? 0)
    adaptiveMax = concurrency?.current ?? .max
  }

  // MARK: Queues

  /// What a request waits for.
  enum Wait {
    case turn
    case connection
  }

  public var pendingCount: Int { turnQueue.count + connectionQueue.count + connectorQueueCount }

  /// Requests that wait for a connection of HTTP/2 that another one makes.
  private var connectorQueueCount = 0

  private var mayWait: Bool { pendingCount < settings.pendingMax }

  /// Gives the request a place behind those that wait.
  /// - Returns: false when there is no room.
  func join(_ wait: Wait, _ waiter: Waiter) -> Bool {
    guard mayWait else { return false }
    switch wait {
    case .turn: turnQueue.append(waiter)
    case .connection: connectionQueue.append(waiter)
    }
    counters.figures.queuePending += 1
    return true
  }

  func leave(_ wait: Wait, _ waiter: Waiter) {
    switch wait {
    case .turn:
      if turnQueue.remove(waiter) { counters.figures.queuePending -= 1 }
      // A place that was offered and not used is the next one's.
      if hasRoomForRequest { turnQueue.wakeFirst() }
    case .connection:
      if connectionQueue.remove(waiter) { counters.figures.queuePending -= 1 }
      if mayConnect || idleConnectionCount > 0 || hasStreams { connectionQueue.wakeFirst() }
    }
  }

  /// The same for the connection that is being made to an endpoint; who waits for it is woken all at once.
  func joinConnectors(to endpoint: Endpoint, _ waiter: Waiter) -> Bool {
    guard mayWait else { return false }
    endpoint.connectWaiters.append(waiter)
    connectorQueueCount += 1
    counters.figures.queuePending += 1
    return true
  }

  func leaveConnectors(to endpoint: Endpoint, _ waiter: Waiter) {
    endpoint.connectWaiters.removeAll { $0 === waiter }
    connectorQueueCount -= 1
    counters.figures.queuePending -= 1
  }

  func isFirst(_ waiter: Waiter, _ wait: Wait) -> Bool {
    switch wait {
    case .turn: turnQueue.isFirst(waiter)
    case .connection: connectionQueue.isFirst(waiter)
    }
  }

  /// Nobody may take a connection past those that wait for one.
  var hasConnectionQueue: Bool { !connectionQueue.isEmpty }

  // MARK: Connections

  /// An idle connection that is still good, with `watcher` as its watcher.
  func takeIdle(to endpoint: Endpoint, for watcher: Waiter) -> UpstreamConnection? {
    while let connection = endpoint.pool.takeLast() {
      counters.figures.poolIdle -= 1
      if connection.transport.readiness.isDisjoint(with: [.readable, .peerClosed]),
        worker.now.nanoseconds(since: connection.openedAt) < settings.poolLifetimeNanoseconds
      {
        connection.transport.interest = []
        connection.transport.watcher = watcher
        connection.setDeadline(.never)
        return connection
      }
      counters.figures.poolExpired &+= 1
      close(connection)
    }
    return nil
  }

  /// A stream on a connection that is there.
  func takeStream(to endpoint: Endpoint, for exchange: Exchange) -> UpstreamConnection? {
    for multiplexer in endpoint.multiplexers where multiplexer.hasRoom {
      return multiplexer.lease(for: exchange)
    }
    return nil
  }

  private var hasStreams: Bool {
    settings.speaksHTTP2 && awake.contains { $0.multiplexers.contains { $0.hasRoom } }
  }

  /// A connection of HTTP/2 may have room for a stream.
  func streamsChanged() {
    if hasConnectionQueue && hasStreams { connectionQueue.wakeFirst() }
  }

  /// Whether another connection of HTTP/2 to the endpoint may be made.
  func mayMultiplex(to endpoint: Endpoint) -> Bool {
    // Those that take no more streams, and only finish what they carry, need replacing.
    endpoint.multiplexers.count(where: { $0.takesStreams }) < settings.http2ConnectionsMax
  }

  var mayConnect: Bool { connectionCount < settings.connectionsMax }

  /// Closes an idle connection of some other endpoint, so that this one may have a new connection.
  func closeOneIdle() -> Bool {
    for endpoint in awake {
      if let connection = endpoint.pool.takeLast() {
        counters.figures.poolIdle -= 1
        close(connection)
        return true
      }
      if let multiplexer = endpoint.multiplexers.first(where: { $0.leasedStreams == 0 }) {
        multiplexer.closeIdle()
        return true
      }
    }
    return false
  }

  /// An attempt to connect is over, whatever came of it.
  func connectingEnded() { connectionQueue.wakeFirst() }

  func connectionOpened() { connectionCount += 1 }

  func connectionClosed() {
    connectionCount -= 1
    connectionQueue.wakeFirst()
  }

  /// Puts a connection back whose last exchange ended cleanly.
  func giveBack(_ connection: UpstreamConnection) {
    if connection.stream != nil { return close(connection) }
    connection.exchangeCount += 1
    let endpoint = connection.endpoint
    let socket = connection.transport
    guard !isRetired, !endpoint.isGone, endpoint.isHealthy, connection.tlsGeneration == tlsGeneration,
      endpoint.pool.count < settings.poolIdleMax,
      socket.readiness.isDisjoint(with: [.readable, .peerClosed])
    else {
      close(connection)
      return
    }
    socket.watcher = connection
    socket.interest = [.readable, .peerClosed]
    connection.setDeadline(worker.now.advanced(byNanoseconds: settings.poolIdleNanoseconds))
    endpoint.pool.put(connection)
    counters.figures.poolIdle += 1
    connectionQueue.wakeFirst()
  }

  /// Closes a leased connection.
  func close(_ connection: UpstreamConnection) {
    guard connection.transport.isOpen else { return }
    if let stream = connection.stream, let multiplexer = connection.multiplexer {
      stream.close(reset: false)
      multiplexer.returned()
      return multiplexer.data.give(connection)
    }
    connection.cancelDeadline()
    connection.transport.close()
    connectionClosed()
  }

  /// Closes an idle connection that its endpoint closed, or that got old.
  func discard(_ connection: UpstreamConnection) {
    if connection.endpoint.pool.remove(connection) { counters.figures.poolIdle -= 1 }
    counters.figures.poolExpired &+= 1
    close(connection)
  }

  public var idleConnectionCount: Int { awake.reduce(0) { $0 + $1.pool.count } }

  // MARK: Passive ejection

  func recordSuccess(_ endpoint: Endpoint) {
    endpoint.consecutiveFailures = 0
    if endpoint.consecutiveEjections > 0 && endpoint.ejectedUntil <= worker.now {
      endpoint.consecutiveEjections = 0
    }
  }

  func recordFailure(_ endpoint: Endpoint) {
    endpoint.failureCount += 1
    guard let ejection = settings.service.ejection else { return }
    endpoint.consecutiveFailures += 1
    guard endpoint.consecutiveFailures >= ejection.consecutiveFailures else { return }
    let now = worker.now
    let endpoints = awake
    let out = endpoints.reduce(0) { $0 + ($1.ejectedUntil > now ? 1 : 0) }
    // At least one endpoint stays, whatever the percentage.
    guard out < endpoints.count - 1, (out + 1) * 100 <= endpoints.count * max(ejection.percentMax, 1),
      endpoint.ejectedUntil <= now
    else { return }
    endpoint.consecutiveFailures = 0
    endpoint.consecutiveEjections += 1
    endpoint.ejectionCount += 1
    counters.figures.ejections &+= 1
    let length = min(
      ejection.duration.inNanoseconds.multipliedReportingOverflow(by: Int64(endpoint.consecutiveEjections))
        .partialValue,
      ejection.durationMax.inNanoseconds)
    endpoint.ejectedUntil = now.advanced(byNanoseconds: length)
    // Slow start begins when it comes back.
    endpoint.availableSince = endpoint.ejectedUntil
    balancer.endpointsChanged(endpoints)
  }
}
