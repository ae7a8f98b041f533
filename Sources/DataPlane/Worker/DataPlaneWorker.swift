import HTTPCodec
import Resources
import Runtime
import TLS

/// Everything of the data plane that one worker owns. Used on the worker's thread only.
public final class DataPlaneWorker {
  public let worker: Worker
  let workerCount: Int
  public private(set) var revision: UInt64 = 0
  public let counters = WorkerCounters()

  private(set) var settings: ConnectionSettings
  let routes: RouteTable
  let serviceTable: ServiceTable
  let certificates = CertificateTable()
  let consumers = ConsumerTable()
  let consumerChains = ConsumerChainCount()
  var sharedChains = SharedChains()
  /// What plugins share with those of other workers.
  let pluginStates: PluginStates
  let pluginObjects = WorkerObjects()
  /// Those that all requests meet.
  private(set) var globalPlugins: [AttachedPlugin] = []
  /// Of those, the ones that are asked about connections.
  private(set) var connectionPlugins: [AttachedPlugin] = []
  /// Requests for which a plugin waits.
  var requestsAtPlugins = 0
  var sideRequests: SideRequests
  /// Grows when the chains of routes may be others.
  private(set) var pluginRevision: UInt32 = 1
  private(set) var listeners: ListenerTable!
  /// What a process before this one leaves to it; set before the first change.
  public var inheritance = ListenerInheritance()
  private(set) var changes: ChangeQueue!

  // Clients.
  public private(set) var connectionCount = 0
  var parked = ParkedConnections()
  var addresses = ClientAddresses()
  /// Connections of HTTP/2 that have more to be taken apart than a turn allows.
  let turns: HTTP2Turns
  private(set) var admission: AdmissionGate!
  // What every request asks of ``admission``: here, where asking counts no reference.
  /// New requests have to ask ``AdmissionGate/decide()``.
  var isShedding = false
  /// From when on ``AdmissionGate/look()`` is to be called.
  var nextLook = MonotonicTime(nanoseconds: 0)
  var buffers: BufferBudget
  private var freeExchanges: [Exchange] = []
  /// All there are, the free ones included.
  private(set) var exchangeCount = 0
  private var freeClientStreams: [ClientStream] = []
  private var freeLeases: [UpstreamConnection] = []
  var tunnels = TunnelList()
  private var handshakes = HandshakeList()
  let tls: TLSWorker
  public private(set) var isDraining = false
  /// It drains, and what is idle may wait for its next request.
  private(set) var isPatient = false
  private var drained: (() -> Void)?

  private var dateLine = DateLine()
  private(set) var accessLog: WorkerAccessLog?
  private var accessLogWriter: AccessLogWriter?
  let rootPath: [UInt8] = [UInt8(ascii: "/")]

  /// - Parameters:
  ///   - changeBudget: what changes may take of a round of the loop.
  ///   - overload: when it takes itself for overloaded.
  ///   - pluginStates: the same for all workers of the process.
  public init(
    worker: Worker, workerCount: Int, changeBudget: ChangeBudget = .standard,
    overload: OverloadBounds = .standard, pluginStates: PluginStates = PluginStates()
  ) {
    self.worker = worker
    self.pluginStates = pluginStates
    self.workerCount = workerCount
    settings = ConnectionSettings(HTTPSettings(), workerCount: workerCount)
    sideRequests = SideRequests(workerCount: workerCount)
    buffers = BufferBudget(
      limit: settings.bufferBytesMax,
      systemBytes: worker.seam.connectionMemoryBytes().map { $0 / workerCount })
    tls = TLSWorker(on: worker)
    turns = HTTP2Turns(on: worker)
    routes = RouteTable(seed: worker.random.next())
    serviceTable = ServiceTable(worker: worker, counters: counters, workerCount: workerCount, tls: tls)
    listeners = ListenerTable(of: self, tls: tls)
    changes = ChangeQueue(of: self, budget: changeBudget)
    admission = AdmissionGate(of: self, overload)
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

  /// Takes over a change. A request sees all of it or nothing of it.
  ///
  /// Changes are made one after the other. A large one takes several rounds of the loop, between which
  /// connections are served; one that fits into a round is made before this returns.
  ///
  /// - Parameters:
  ///   - unavailable: listeners, by number, whose addresses somebody else has, and the reason.
  ///   - completion: called on the worker's thread when requests see the change: with what could not be
  ///     done, which is addresses that cannot be listened on.
  public func apply(
    _ delta: Delta, unavailable: [Int: String] = [:],
    completion: @escaping ([ListenFailure]) -> Void = { _ in }
  ) {
    changes.add(DeltaApplication(delta, to: self, unavailable: unavailable, completion: completion))
  }

  /// Makes what can be taken over at once for a change of `http`.
  func settings(for http: HTTPSettings) -> ConnectionSettings {
    ConnectionSettings(http, workerCount: workerCount)
  }

  /// Requests see the change from now on.
  func changeTakesEffect(revision: UInt64, settings: ConnectionSettings?) {
    self.revision = revision
    guard let settings else { return }
    self.settings = settings
    buffers.setLimit(settings.bufferBytesMax)
    updateBuffers()
  }

  /// Requests meet the plugins of a change from now on.
  func pluginsTakeEffect(_ delta: Delta) {
    if let plugins = delta.plugins {
      globalPlugins = AttachedPlugin.list(plugins, .everything, before: globalPlugins)
      connectionPlugins = globalPlugins.filter {
        $0.attachment.isEnabled && $0.attachment.settings.seesConnections
      }
    }
    if delta.plugins != nil || !delta.services.isEmpty { pluginRevision &+= 1 }
  }

  /// All services, by number. Takes time in proportion to their number.
  public var services: [UpstreamService] { serviceTable.all }

  // MARK: Clients

  func accepted(_ handle: Int32, peer: SocketAddress, on listener: BoundListener) {
    counters.figures.connectionsAccepted &+= 1
    if worker.now >= nextLook { admission.look() }
    if let reason = refusalOfConnection(on: listener, from: peer) {
      countRefusedConnection(reason)
      worker.seam.close(handle, reset: true)
      return
    }
    let connection = ClientConnection(handle, peer: peer, listener: listener, data: self)
    if !listener.usesPROXYProtocol { connection.countedAddress = ClientAddresses.Key(peer) }
    connectionCount += 1
    listener.add(connection)
    connection.begin()
  }

  func remove(_ connection: ClientConnection) {
    if let key = connection.countedAddress { addresses.disconnect(key, now: worker.now) }
    parked.closed(connection)
    connectionCount -= 1
    let listener = connection.listener
    listener.remove(connection)
    if listener.number < 0, listener.connections.isEmpty { listeners.becameEmpty() }
    finishDrainIfEmpty()
  }

  public var parkedCount: Int { parked.count }
  /// Exchanges that are kept for reuse, with their buffers.
  public var keptExchangeCount: Int { freeExchanges.count }

  func closeLongestIdle() -> Bool {
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
    return serviceTable.closeOneIdle()
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
    if freeClientStreams.count < keptMax { freeClientStreams.append(stream) }
  }

  func takeLease(of connection: HTTP2UpstreamConnection) -> UpstreamConnection {
    freeLeases.popLast() ?? UpstreamConnection(streamsOf: connection)
  }

  func give(_ lease: UpstreamConnection) {
    lease.returned()
    if freeLeases.count < keptMax { freeLeases.append(lease) }
  }

  /// Told of what people should know and the access log cannot say well. On the worker's thread: must
  /// not block.
  public var noticeSink: (@Sendable (UpstreamNotice) -> Void)?

  /// Told of plugins that cannot do what they are for, each every ten seconds at most. As ``noticeSink``.
  public var pluginSink: (@Sendable (PluginNotice) -> Void)?

  /// Told, every minute at most, why connections cannot be accepted for now. As ``noticeSink``.
  public var shortageSink: (@Sendable (SystemError) -> Void)?
  private var shortageQuietUntil = MonotonicTime(nanoseconds: 0)

  /// Counts a connection that cannot be accepted for want of something.
  func noteShortage(_ error: SystemError) {
    counters.figures.acceptFailures &+= 1
    guard let shortageSink, shortageQuietUntil <= worker.now else { return }
    shortageQuietUntil = worker.now.advanced(byNanoseconds: 60_000_000_000)
    shortageSink(error)
  }

  func takeExchange() -> Exchange { freeExchanges.popLast() ?? makeExchange() }

  private func makeExchange() -> Exchange {
    exchangeCount += 1
    // Many at once are not told from a few by anything else.
    lookAtBuffers()
    return Exchange(data: self)
  }

  func give(_ exchange: Exchange) {
    exchange.detach()
    if freeExchanges.count < keptMax, buffers.level == .low {
      freeExchanges.append(exchange)
    } else {
      dissolve(exchange)
    }
  }

  private func dissolve(_ exchange: Exchange) {
    exchange.dissolve()
    exchangeCount -= 1
  }

  /// Those that were kept for reuse count as well: where room is short, they must not take the place of others.
  func dissolveFreeExchanges() {
    while let exchange = freeExchanges.popLast() { dissolve(exchange) }
  }

  /// This worker's share of a limit of the process.
  func share(_ limit: Int) -> Int { (limit + workerCount - 1) / workerCount }

  /// Of each kind that is kept for reuse; a burst's surplus is freed. None when the drain is over.
  private var keptMax = 256

  /// Counts and logs an exchange that has ended.
  func exchangeEnded(_ exchange: Exchange) {
    let (route, service) = (exchange.route, exchange.service)
    count(exchange.record, route: route, service: service)
    if let accessLog { exchange.write(to: accessLog, route, service) }
  }

  func count(_ record: ExchangeRecord, route: CompiledRoute?, service: UpstreamService?) {
    counters.figures.requests &+= 1
    if record.cacheResult != .none { counters.figures.cache.record(record.cacheResult) }
    guard let found = route == nil ? counters.noRoute : route?.counters ?? beginCounting(route) else {
      return
    }
    found.record(record, service: service?.countersNumber ?? -1, name: service?.name ?? "")
  }

  /// The counters of a route's first request; nil where the route is no more.
  private func beginCounting(_ route: CompiledRoute?) -> RouteCounters? {
    guard let route else { return nil }
    // What it replaces counted for the same.
    var owner = route
    if let predecessor = route.predecessor, predecessor.name == route.name { owner = predecessor }
    if route.phase == .gone {
      guard let successor = routes.route(number: route.number), successor.name == route.name else {
        return nil
      }
      owner = successor
    }
    let found = owner.counters ?? counters.makeCounters(route: route.name)
    owner.counters = found
    route.counters = found
    return found
  }

  /// A route is no more: its figures are its successor's, or gone as well.
  func routeEnded(_ route: CompiledRoute, successor: CompiledRoute?) {
    guard let found = route.counters else { return }
    if let successor, successor.name == route.name {
      successor.counters = found
    } else {
      counters.remove(found)
    }
  }

  /// Counts and logs a request without a head.
  func requestRefused(_ exchange: Exchange) {
    counters.figures.requests &+= 1
    counters.noRoute.record(exchange.record, service: -1, name: "")
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

  /// A copy of everything that is counted, at once: for tests, and where there is little. See
  /// ``collectCounters(_:)``.
  public func snapshotCounters() -> CountersSnapshot {
    let collection = CountersCollection(of: self) { _ in }
    while !collection.advance(.endless) {}
    return collection.result
  }

  /// Copies everything that is counted, in slices, and calls `completion` on the worker's thread.
  public func collectCounters(_ completion: @escaping (CountersSnapshot) -> Void) {
    changes.add(CountersCollection(of: self, completion: completion))
  }

  /// What is counted apart from routes and services.
  func workerFigures() -> WorkerFigures {
    var figures = counters.figures
    figures.connectionsActive = connectionCount
    figures.connectionsIdle = parked.count
    figures.buffersLent = worker.buffers.lentCount
    figures.bufferBytesHeld = usedBufferBytes
    figures.openSockets = worker.openSocketCount
    figures.sideRequestsInFlight = sideRequests.count
    figures.requestsAtPlugins = requestsAtPlugins
    figures.requestsInFlight -= sideRequests.atEndpoints
    figures.loopRounds = worker.roundCount
    if let accessLog {
      figures.accessLogLines &+= accessLog.linesWritten
      figures.accessLogDropped &+= accessLog.linesDropped
    }
    return figures
  }

  // MARK: Drain

  /// Accepts no more, closes what is idle, and lets what is in flight finish; `completion` is
  /// called when nothing is left.
  public func beginDrain(_ manner: DrainManner = .alone, completion: @escaping () -> Void) {
    isDraining = true
    isPatient = manner.isPatient
    drained = completion
    listeners.closeAll(manner)
    drainConnections()
  }

  /// Closes what is idle now, and asks tunnels to end.
  public func endPatience() {
    guard isPatient else { return }
    isPatient = false
    drainConnections()
  }

  private func drainConnections() {
    forEachConnection { $0.drain() }
    if !isPatient { tunnels.drain() }
    finishDrainIfEmpty()
  }

  /// Ends what is still in flight.
  public func abortConnections() {
    forEachConnection { $0.abort() }
    tunnels.abort()
    sideRequests.abandon()
  }

  private func forEachConnection(_ body: (ClientConnection) -> Void) {
    // Backwards: closing takes a connection out of the list.
    for listener in listeners.all {
      for connection in listener.connections.reversed() { body(connection) }
    }
  }

  func finishDrainIfEmpty() {
    guard connectionCount == 0, sideRequests.count == 0, let completion = drained else { return }
    drained = nil
    serviceTable.retireAll()
    letGo()
    completion()
  }

  /// Nothing comes any more. What it kept refers to it, and each would keep the other for ever.
  private func letGo() {
    keptMax = 0
    dissolveFreeExchanges()
    freeClientStreams = []
    freeLeases = []
    // Lists from which closed connections are taken now and then.
    parked = ParkedConnections()
    handshakes = HandshakeList()
    listeners.letGo()
  }
}
