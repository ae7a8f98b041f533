import HTTPCodec
import Resources
import Runtime
import TLS

/// Everything of the data plane that one worker owns. Used on the worker's thread only.
public final class DataPlaneWorker {
  public let worker: Worker
  private let workerCount: Int
  public private(set) var revision: UInt64 = 0
  public let counters = WorkerCounters()

  private(set) var settings: ConnectionSettings
  private(set) var routes: RouteTable
  /// One for each service of the configuration.
  public private(set) var services: [UpstreamService] = []
  private var listeners: [BoundListener] = []
  private var listenFailures: [ListenFailure] = []
  private let hashSeed: UInt64

  // Clients.
  private var connections: [ClientConnection] = []
  var parked = ParkedConnections()
  private var freeExchanges: [Exchange] = []
  private var freeClientStreams: [ClientStream] = []
  private var freeLeases: [UpstreamConnection] = []
  var tunnels = TunnelList()
  private var handshakes = HandshakeList()
  private let tls: TLSWorker
  private var listenerContexts: [String: ListenerContext] = [:]
  private var serviceContexts: [String: ServiceContext] = [:]
  public private(set) var isDraining = false
  private var drained: (() -> Void)?

  private var dateLine = DateLine()
  private(set) var accessLog: WorkerAccessLog?
  private var accessLogWriter: AccessLogWriter?
  let rootPath: [UInt8] = [UInt8(ascii: "/")]

  public init(worker: Worker, workerCount: Int) {
    self.worker = worker
    self.workerCount = workerCount
    settings = ConnectionSettings(HTTPSettings(), workerCount: workerCount)
    tls = TLSWorker(on: worker)
    hashSeed = worker.random.next()
    routes = RouteTable(configuration: Configuration(), seed: hashSeed)
  }

  /// Changes where lines go; those that were made go where they were meant for.
  public func setAccessLog(_ writer: AccessLogWriter?, format: Resources.AccessLog.Format) {
    if writer === accessLogWriter && accessLog?.format == format { return }
    if let accessLog {
      accessLog.close()
      counters.figures.accessLogLines &+= accessLog.linesWritten
      counters.figures.accessLogDropped &+= accessLog.linesDropped
    }
    accessLogWriter = writer
    accessLog = writer.map { WorkerAccessLog(on: worker, writer: $0, format: format) }
  }

  // MARK: Configuration

  /// Takes over a configuration, whole, between two events.
  /// - Returns: what could not be done: addresses that cannot be listened on.
  ///
  /// - Parameter unavailable: listeners, by name, whose addresses somebody else has, and the reason.
  public func apply(_ snapshot: Snapshot, unavailable: [String: String] = [:]) -> [ListenFailure] {
    let configuration = snapshot.configuration
    settings = ConnectionSettings(configuration.http, workerCount: workerCount)
    applySecurity(snapshot.security)
    applyServices(snapshot)
    routes = RouteTable(configuration: configuration, seed: hashSeed)
    applyCounters(configuration)
    revision = snapshot.revision
    return isDraining ? [] : applyListeners(configuration, unavailable)
  }

  private func applyServices(_ snapshot: Snapshot) {
    var known: [String: UpstreamService] = [:]
    for service in services { known[service.name] = service }
    services = snapshot.configuration.services.map { service in
      let endpoints = snapshot.endpoints[service.name] ?? []
      guard let existing = known.removeValue(forKey: service.name) else {
        return UpstreamService(
          service, endpoints: endpoints, worker: worker, workerCount: workerCount, counters: counters)
      }
      existing.update(service, workerCount: workerCount)
      existing.setEndpoints(endpoints)
      return existing
    }
    for service in services { service.setTLS(serviceContexts[service.name]?.context) }
    for service in known.values { service.retire() }
  }

  /// Takes over changed certificates and keys: connections that are there do not notice.
  public func applySecurity(_ security: Security) {
    listenerContexts = listenerContexts.filter { security.listeners[$0.key] != nil }
    for (name, listener) in security.listeners {
      if let context = listenerContexts[name], context.revision == listener.revision {
        context.update(listener)
      } else {
        listenerContexts[name] = ListenerContext(listener, on: tls)
      }
    }
    serviceContexts = serviceContexts.filter { security.services[$0.key] != nil }
    for (name, service) in security.services where serviceContexts[name]?.revision != service.revision {
      serviceContexts[name] = ServiceContext(service, on: tls)
    }
    // Those that are going keep what they have.
    for listener in listeners {
      if let entry = listenerContexts[listener.name] { listener.setTLS(entry.context) }
    }
    for service in services {
      if let entry = serviceContexts[service.name] { service.setTLS(entry.context) }
    }
  }

  private func applyCounters(_ configuration: Configuration) {
    for (index, route) in configuration.routes.enumerated() {
      routes.route(at: index)?.counters = counters.route(route.name)
    }
    let names = Set(configuration.routes.map(\.name))
    counters.removeRoutes { !names.contains($0) }
  }

  private func applyListeners(_ configuration: Configuration, _ unavailable: [String: String])
    -> [ListenFailure]
  {
    var failures: [ListenFailure] = []
    var known: [SocketAddress: BoundListener] = [:]
    for listener in listeners { known[listener.requestedAddress] = listener }
    var kept: [BoundListener] = []
    for (index, listener) in configuration.listeners.enumerated() {
      guard let address = SocketAddress(ip: listener.address.host, port: listener.address.port) else {
        failures.append(
          ListenFailure(listener: listener.name, reason: "\(listener.address.host) is not an IP address"))
        continue
      }
      if let existing = known.removeValue(forKey: address) {
        existing.update(listener, index: index)
        kept.append(existing)
        continue
      }
      if let reason = unavailable[listener.name] {
        failures.append(ListenFailure(listener: listener.name, reason: reason))
        continue
      }
      do {
        kept.append(try BoundListener(listener, index: index, address: address, data: self))
      } catch {
        failures.append(
          ListenFailure(listener: listener.name, reason: "cannot listen on \(address.description): \(error)"))
      }
    }
    for listener in known.values { listener.close() }
    for connection in connections.reversed() where connection.listener.index < 0 {
      connection.leaveListener()
    }
    listeners = kept
    for listener in listeners { listener.setTLS(listenerContexts[listener.name]?.context) }
    listenFailures = failures
    return failures
  }

  /// Names resolved anew, or endpoints changed otherwise.
  public func setEndpoints(_ endpoints: [ResolvedEndpoint], ofService name: String) {
    services.first { $0.name == name }?.setEndpoints(endpoints)
  }

  /// What an active check found out.
  public func setHealth(ofService name: String, address: SocketAddress, isHealthy: Bool) {
    services.first { $0.name == name }?.setHealth(address: address, isHealthy)
  }

  /// Whether a listener is open on this worker, and why not.
  public struct ListenerState: Sendable {
    public var isOpen: Bool
    public var problem: String?
  }

  /// By name.
  public func listenerStates() -> [String: ListenerState] {
    var states: [String: ListenerState] = [:]
    for listener in listeners { states[listener.name] = ListenerState(isOpen: true) }
    for failure in listenFailures {
      states[failure.listener] = ListenerState(isOpen: false, problem: failure.reason)
    }
    return states
  }

  // MARK: Clients

  func accepted(_ handle: Int32, peer: SocketAddress, on listener: BoundListener) {
    counters.figures.connectionsAccepted &+= 1
    if connections.count >= settings.connectionsMax, !closeLongestIdle() {
      counters.figures.connectionsRefused &+= 1
      worker.seam.close(handle, reset: true)
      return
    }
    let connection = ClientConnection(handle, peer: peer, listener: listener, data: self)
    connection.registryPosition = Int32(connections.count)
    connections.append(connection)
    connection.begin()
  }

  func remove(_ connection: ClientConnection) {
    parked.closed(connection)
    let position = Int(connection.registryPosition)
    let last = connections.removeLast()
    if last !== connection {
      connections[position] = last
      last.registryPosition = Int32(position)
    }
    finishDrainIfEmpty()
  }

  public var connectionCount: Int { connections.count }
  public var parkedCount: Int { parked.count }
  /// Exchanges that are kept for reuse, with their buffers.
  public var keptExchangeCount: Int { freeExchanges.count }

  private func closeLongestIdle() -> Bool {
    // One whose request has just arrived is not idle.
    guard let connection = parked.longestIdle(), !connection.socket.readiness.contains(.readable) else {
      return false
    }
    counters.figures.connectionsEvicted &+= 1
    connection.closeParked()
    return true
  }

  /// Closes something idle because descriptors have run out.
  /// - Returns: whether there was something.
  @discardableResult
  func relieveDescriptors() -> Bool {
    if closeLongestIdle() { return true }
    return services.contains { $0.closeOneIdle() }
  }

  // MARK: Exchanges

  /// Whether one more TLS handshake may begin.
  var mayShakeHands: Bool { handshakes.count < settings.handshakesMax }

  func handshakeBegan(_ connection: ClientConnection) { handshakes.add(connection) }

  func handshakeEnded() { handshakes.ended() }

  /// Makes room for another handshake: the longest waiting one goes, if it has had its time.
  func closeOldestHandshake() -> Bool {
    guard let oldest = handshakes.oldest(),
      worker.now.nanoseconds(since: oldest.handshakeBegan) >= HandshakeList.patienceNanoseconds
    else { return false }
    oldest.giveUpHandshake()
    return true
  }

  func takeClientStream(for connection: ClientConnection) -> ClientStream {
    guard let stream = freeClientStreams.popLast() else { return ClientStream(for: connection) }
    stream.reuse(for: connection)
    return stream
  }

  func give(_ stream: ClientStream) {
    if freeClientStreams.count < Self.freeExchangesMax { freeClientStreams.append(stream) }
  }

  func takeLease(of connection: HTTP2UpstreamConnection) -> UpstreamConnection {
    freeLeases.popLast() ?? UpstreamConnection(streamsOf: connection)
  }

  func give(_ lease: UpstreamConnection) {
    lease.returned()
    if freeLeases.count < Self.freeExchangesMax { freeLeases.append(lease) }
  }

  /// Told of what people should know and the access log cannot say well. On the worker's thread: must
  /// not block.
  public var noticeSink: (@Sendable (UpstreamNotice) -> Void)?

  /// Reports that the handshake with an endpoint failed, every ten seconds at most.
  func report(_ failure: TLSFailure, _ endpoint: Endpoint, _ service: UpstreamService) {
    guard let noticeSink, endpoint.quietUntil <= worker.now else { return }
    endpoint.quietUntil = worker.now.advanced(byNanoseconds: 10_000_000_000)
    noticeSink(UpstreamNotice(service: service.name, endpoint: endpoint.name, text: failure.description))
  }

  func takeExchange() -> Exchange { freeExchanges.popLast() ?? Exchange(data: self) }

  func give(_ exchange: Exchange) {
    exchange.detach()
    if freeExchanges.count < Self.freeExchangesMax {
      freeExchanges.append(exchange)
    } else {
      exchange.dissolve()
    }
  }

  /// Kept for reuse; a burst's surplus is freed.
  static let freeExchangesMax = 256

  /// Counts and logs an exchange that has ended.
  func exchangeEnded(_ exchange: Exchange) {
    count(exchange.record, route: exchange.route, service: exchange.service)
    if let accessLog { exchange.write(to: accessLog) }
  }

  func count(_ record: ExchangeRecord, route: CompiledRoute?, service: UpstreamService?) {
    counters.figures.requests &+= 1
    let routeCounters = route?.counters ?? counters.noRoute!
    routeCounters.record(record, service: service?.number ?? -1)
  }

  /// Counts and logs a request without a head.
  func requestRefused(_ exchange: Exchange) {
    counters.figures.requests &+= 1
    counters.noRoute.record(exchange.record, service: -1)
    if let accessLog { exchange.writeUnparsed(to: accessLog) }
  }

  func appendDate(to buffer: Buffer) {
    buffer.append(dateLine.bytes(at: worker.seam.wallClockNanoseconds()))
  }

  func encodeDate(with encoder: inout HPACKEncoder) {
    let line = dateLine.bytes(at: worker.seam.wallClockNanoseconds())
    encoder.encode(.date, value: line.span.extracting(DateLine.valueRange))
  }

  // MARK: Figures

  /// A copy of everything that is counted.
  public func snapshotCounters() -> CountersSnapshot {
    counters.figures.connectionsActive = connections.count
    counters.figures.connectionsIdle = parked.count
    counters.figures.poolIdle = services.reduce(0) { $0 + $1.idleConnectionCount }
    counters.figures.queuePending = services.reduce(0) { $0 + $1.pendingCount }
    let wallClock = worker.seam.wallClockNanoseconds()
    let services = services.map { service in
      ServiceFigures(
        name: service.name,
        endpoints: service.endpoints.map { $0.figures(now: worker.now, wallClockNanoseconds: wallClock) })
    }
    return counters.snapshot(on: worker, services: services, accessLog: accessLog)
  }

  // MARK: Drain

  /// Accepts no more, closes what is idle, and lets what is in flight finish; `completion` is
  /// called when nothing is left.
  public func beginDrain(completion: @escaping () -> Void) {
    isDraining = true
    drained = completion
    for listener in listeners { listener.close() }
    listeners = []
    // Backwards: closing takes a connection out of the list.
    for connection in connections.reversed() { connection.drain() }
    tunnels.drain()
    finishDrainIfEmpty()
  }

  /// Ends what is still in flight.
  public func abortConnections() {
    for connection in connections.reversed() { connection.abort() }
    tunnels.abort()
  }

  private func finishDrainIfEmpty() {
    guard connections.isEmpty, let completion = drained else { return }
    drained = nil
    for service in services { service.retire() }
    completion()
  }
}

/// A listener that could not be opened.
public struct ListenFailure: Error, Sendable, CustomStringConvertible {
  public var listener: String
  public var reason: String
  public var description: String { "listener \(listener): \(reason)" }
}

/// Why an endpoint cannot be used, for the log.
public struct UpstreamNotice: Sendable {
  public var service: String
  public var endpoint: String
  public var text: String
}
