import Resources
import Runtime
import TLS

/// A service as one worker sees it: its endpoints, their connections, and the limits on both.
public final class UpstreamService {
  public let name: String
  /// ``name`` for logs.
  let nameBytes: [UInt8]
  /// Its number in the worker's counters.
  let number: Int
  public private(set) var settings: ServiceSettings
  public private(set) var endpoints: [Endpoint]
  /// Grows when endpoints come or go, so that their indices mean others.
  private(set) var endpointsRevision: UInt32 = 0
  var balancer: Balancer
  var hashKeySource: HashKeySource?
  var retryBudget: RetryBudget
  /// Nil: plain text.
  private(set) var tls: TLSClientContext?

  /// Grows with every change of ``tls``: connections of another generation are not used again.
  private(set) var tlsGeneration: UInt32 = 0

  /// Requests must not go out in plain text because there is no context, or no longer one.
  var lacksTLS: Bool { settings.service.tls != nil && tls == nil }
  /// Open connections, idle ones included.
  public private(set) var connectionCount = 0
  /// Requests in flight.
  public private(set) var inFlight = 0
  /// Requests that wait for the in-flight limit.
  private var turnQueue = WaitQueue()
  /// Requests in flight that wait for a connection.
  private var connectionQueue = WaitQueue()
  private let worker: Worker
  let counters: WorkerCounters
  /// No longer configured: ends with its last exchange.
  private(set) var isRetired = false

  init(
    _ service: Service, endpoints resolved: [ResolvedEndpoint], worker: Worker, workerCount: Int,
    counters: WorkerCounters
  ) {
    name = service.name
    nameBytes = Array(service.name.utf8)
    number = counters.serviceNumber(service.name)
    settings = ServiceSettings(service, workerCount: workerCount)
    self.worker = worker
    self.counters = counters
    // Slow start is for endpoints that join others; these begin together.
    endpoints = resolved.map { Endpoint($0, availableSince: MonotonicTime(nanoseconds: 0)) }
    balancer = Balancer(policy: service.balance, slowStart: service.slowStart)
    hashKeySource = HashKeySource(service.balance)
    retryBudget = RetryBudget(percent: service.retries?.budgetPercent ?? 0)
    balancer.endpointsChanged(endpoints)
  }

  // MARK: Changes

  /// Takes over changed settings; connections, endpoints and their state stay.
  func update(_ service: Service, workerCount: Int) {
    let changed = ServiceSettings(service, workerCount: workerCount)
    if changed.service == settings.service { return }
    if changed.service.balance != settings.service.balance
      || changed.service.slowStart != settings.service.slowStart
    {
      balancer = Balancer(policy: service.balance, slowStart: service.slowStart)
      balancer.endpointsChanged(endpoints)
      hashKeySource = HashKeySource(service.balance)
    }
    retryBudget.percent = service.retries?.budgetPercent ?? 0
    settings = changed
    wakeAll()
  }

  /// Takes over changed authorities or certificates; connections that were made with others are not
  /// used for new requests.
  func setTLS(_ context: TLSClientContext?) {
    if context === tls { return }
    tls = context
    tlsGeneration &+= 1
    for endpoint in endpoints { closeIdle(of: endpoint, isGone: false) }
  }

  /// Takes over a changed set of endpoints: those that stay keep their connections and state,
  /// those that go finish what they serve.
  func setEndpoints(_ resolved: [ResolvedEndpoint]) {
    var known: [ResolvedEndpoint.Identity: Endpoint] = [:]
    for endpoint in endpoints { known[.init(endpoint.name, endpoint.address)] = endpoint }
    endpoints = resolved.map { resolved in
      guard let endpoint = known.removeValue(forKey: .init(resolved.name, resolved.address)) else {
        return Endpoint(resolved, availableSince: worker.now)
      }
      endpoint.weight = resolved.weight
      setHealth(of: endpoint, resolved.isHealthy)
      return endpoint
    }
    for endpoint in known.values { closeIdle(of: endpoint, isGone: true) }
    endpointsRevision &+= 1
    balancer.endpointsChanged(endpoints)
    wakeAll()
  }

  /// What active checks found out about an address.
  func setHealth(address: SocketAddress, _ isHealthy: Bool) {
    for endpoint in endpoints where endpoint.address == address { setHealth(of: endpoint, isHealthy) }
    balancer.endpointsChanged(endpoints)
    if isHealthy { wakeAll() }
  }

  private func setHealth(of endpoint: Endpoint, _ isHealthy: Bool) {
    if isHealthy && !endpoint.isHealthy { endpoint.availableSince = worker.now }
    if !isHealthy && endpoint.isHealthy { closeIdle(of: endpoint, isGone: false) }
    endpoint.isHealthy = isHealthy
  }

  /// Closes everything idle; what is in flight finishes.
  func retire() {
    isRetired = true
    for endpoint in endpoints { closeIdle(of: endpoint, isGone: true) }
    wakeAll()
  }

  /// What they wait for may have changed altogether.
  private func wakeAll() {
    turnQueue.wakeAll()
    connectionQueue.wakeAll()
  }

  private func closeIdle(of endpoint: Endpoint, isGone: Bool) {
    if isGone { endpoint.isGone = true }
    for multiplexer in endpoint.multiplexers { multiplexer.retire() }
    while let connection = endpoint.pool.takeLast() { close(connection) }
  }

  // MARK: Requests

  /// Whether one more request may be sent now: the in-flight limit, and nobody waits before it.
  var mayStartRequest: Bool { inFlight < settings.inFlightMax && turnQueue.isEmpty }

  func requestStarted() { inFlight += 1 }

  func requestEnded() {
    inFlight -= 1
    turnQueue.wakeFirst()
  }

  /// Picks an endpoint; `tried` has a bit for each endpoint (of the first 64) that failed before.
  func pickEndpoint(key: UInt64?, tried: UInt64) -> Int? {
    balancer.pick(from: endpoints, key: key, tried: tried, now: worker.now, random: &worker.random)
  }

  // MARK: Queues

  /// What a request waits for.
  enum Wait {
    case turn
    case connection
  }

  public var pendingCount: Int { turnQueue.count + connectionQueue.count }

  /// Gives the request a place behind those that wait.
  /// - Returns: false when there is no room.
  func join(_ wait: Wait, _ waiter: Waiter) -> Bool {
    guard pendingCount < settings.pendingMax else { return false }
    switch wait {
    case .turn: turnQueue.append(waiter)
    case .connection: connectionQueue.append(waiter)
    }
    return true
  }

  func leave(_ wait: Wait, _ waiter: Waiter) {
    switch wait {
    case .turn:
      turnQueue.remove(waiter)
      // A place that was offered and not used is the next one's.
      if inFlight < settings.inFlightMax { turnQueue.wakeFirst() }
    case .connection:
      connectionQueue.remove(waiter)
      if mayConnect || idleConnectionCount > 0 || hasStreams { connectionQueue.wakeFirst() }
    }
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
    settings.speaksHTTP2 && endpoints.contains { $0.multiplexers.contains { $0.hasRoom } }
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
    for endpoint in endpoints {
      if let connection = endpoint.pool.takeLast() {
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
    connection.endpoint.pool.remove(connection)
    counters.figures.poolExpired &+= 1
    close(connection)
  }

  public var idleConnectionCount: Int { endpoints.reduce(0) { $0 + $1.pool.count } }

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

extension ResolvedEndpoint {
  /// What makes two endpoints the same one across changes.
  struct Identity: Hashable {
    let name: String
    let address: SocketAddress
    init(_ name: String, _ address: SocketAddress) {
      self.name = name
      self.address = address
    }
  }
}
