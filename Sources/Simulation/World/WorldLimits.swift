import DataPlane
import Resources
import Runtime

/// Checks, after every round of a gateway's worker, that nothing passes its limit, and that what the
/// gateway counts is what its system sees.
///
/// A limit that was lowered may be passed by what was taken before. It must not grow then: what is allowed
/// is the limit, or what there was a round before.
struct WorldLimits {
  private struct ServiceCounts {
    var connections = 0
    var pending = 0
    var inFlight = 0
    var adaptiveMax = 0
  }

  /// Of one gateway, a round before.
  private struct Counts {
    var connections = 0
    var inFlight = 0
    var perAddress = 0
    var listeners: [String: Int] = [:]
    var services: [ObjectIdentifier: ServiceCounts] = [:]
  }

  private let ledger: WorldLedger
  private let topology: WorldTopology
  private let workers: Int
  private var before: [Counts]
  /// What was at its limit at some time: worlds in which that never happens test nothing of this.
  private(set) var reached: Set<String> = []

  init(ledger: WorldLedger, topology: WorldTopology) {
    self.ledger = ledger
    self.topology = topology
    workers = topology.plan.workers
    before = Array(repeating: Counts(), count: workers)
  }

  private var bufferBytes: Int { Int(topology.plan.bufferBytes ?? MessageLimits().bufferBytes) }
  /// New requests are refused at seven eighths, so that what has begun has the last one to grow. Of a small
  /// share that is only a few buffers, and all may ask for theirs in one round.
  private func bufferBytesMax(requests: Int) -> Int {
    let share = share(bufferBytes)
    if share >= Self.ampleBytes { return share }
    return max(share, share / 8 * 7 + requests * BufferPool.bufferBytes)
  }
  private static let ampleBytes = 4 << 20

  // MARK: After every round

  mutating func check(_ gateway: DataPlaneWorker, index: Int, _ seam: SimulatedSeam) {
    // Services take their settings over one by one, some of them after requests see the change, but before
    // the next one.
    let versions = topology.versions[max(topology.served[index] - 1, 0)...max(Int(gateway.revision), 1)]
    var now = Counts()
    checkClients(gateway, versions, before[index], &now, seam)
    checkServices(gateway, versions, before[index], &now)
    before[index] = now
  }

  /// As the gateway shares them out: rounded up.
  private func share(_ limit: Int) -> Int { (limit + workers - 1) / workers }

  private mutating func require(
    _ count: Int, atMost limit: Int?, before: Int, _ kind: String, _ name: @autoclosure () -> String = ""
  ) {
    guard let limit else { return }
    if limit > 0 && count >= limit { reached.insert(kind) }
    if count >= 0 && count <= max(limit, before) { return }
    let allowed = before > limit ? "\(limit), or \(before) as before" : "\(limit)"
    let text = name().isEmpty ? kind : "\(kind) (\(name()))"
    ledger.violate("\(count) \(text), at most \(allowed)")
  }

  private func require(
    _ count: Int, within whole: Int, _ what: String, _ name: @autoclosure () -> String = ""
  ) {
    if count < 0 || count > whole { ledger.violate("\(count) \(what)\(name()), and \(whole) in all") }
  }

  private mutating func checkClients(
    _ gateway: DataPlaneWorker, _ versions: ArraySlice<WorldTopology.Version>, _ before: Counts,
    _ now: inout Counts, _ seam: SimulatedSeam
  ) {
    var byAddress: [SIMD16<UInt8>: Int] = [:]
    seam.forEachConnection { remote, wasAccepted in
      guard wasAccepted else { return }
      now.connections += 1
      byAddress[remote.octets, default: 0] += 1
    }
    now.perAddress = byAddress.values.max() ?? 0
    let holdings = gateway.holdings
    // What the gateway itself asks has limits of its own.
    now.inFlight = gateway.counters.figures.requestsInFlight - holdings.sideRequestsAtEndpoints
    // With those that wait, and those that are not begun.
    let open =
      now.inFlight + gateway.counters.figures.queuePending + now.connections
      + holdings.sideRequests + holdings.requestsAtPlugins
    now.listeners = holdings.listenerConnections

    if gateway.connectionCount != now.connections {
      let counted = gateway.connectionCount
      ledger.violate("\(counted) connections of clients are counted, \(now.connections) are open")
    }
    require(
      now.connections, atMost: versions.map { share($0.limits.connections) }.max(),
      before: before.connections, "connections")
    require(
      now.perAddress, atMost: versions.map { share($0.limits.connectionsPerAddress ?? .max / 2) }.max(),
      before: before.perAddress, "connections of an address")
    require(
      now.inFlight, atMost: versions.map { share($0.limits.inFlight) }.max(), before: before.inFlight,
      "requests in flight")
    for (name, count) in now.listeners {
      require(
        count, atMost: versions.map { share($0.listenerConnections[name] ?? .max / 2) }.max(),
        before: before.listeners[name] ?? 0, "connections of a listener", name)
    }
    require(gateway.parkedCount, within: now.connections, "parked connections")
    require(holdings.heldBack, within: gateway.parkedCount, "connections held back")
    require(
      holdings.bufferBytes, atMost: bufferBytesMax(requests: open), before: 0,
      "buffered bytes")
    require(holdings.waitingBytes, within: holdings.bufferBytes, "bytes of exchanges that wait")
    if holdings.heldBack > 0 { reached.insert("requests held back") }
    if holdings.isOverloaded { reached.insert("overload") }
    if gateway.counters.figures.refusalReasons[.memory] > 0 { reached.insert("refusals for want of memory") }
  }

  private mutating func checkServices(
    _ gateway: DataPlaneWorker, _ versions: ArraySlice<WorldTopology.Version>, _ before: Counts,
    _ now: inout Counts
  ) {
    var total = ServiceCounts()
    for service in gateway.services {
      let counts = ServiceCounts(
        connections: service.connectionCount, pending: service.pendingCount, inFlight: service.inFlight,
        adaptiveMax: service.adaptiveMax)
      let identity = ObjectIdentifier(service)
      let last = before.services[identity] ?? ServiceCounts()
      now.services[identity] = counts
      total.inFlight += counts.inFlight
      total.pending += counts.pending
      let limits = versions.compactMap { $0.services[service.name] }
      require(
        counts.connections, atMost: limits.map { share($0.connections) }.max(), before: last.connections,
        "connections to a service", service.name)
      require(
        counts.pending, atMost: limits.map { share($0.pending) }.max(), before: last.pending,
        "requests waiting for a service", service.name)
      require(
        counts.inFlight, atMost: limits.map { share($0.inFlight) }.max(), before: last.inFlight,
        "requests in flight to a service", service.name)
      require(
        counts.inFlight, atMost: max(counts.adaptiveMax, last.adaptiveMax), before: last.inFlight,
        "requests in flight by response times", service.name)
      require(service.idleConnectionCount, within: counts.connections, "idle connections of ", service.name)
    }
    let figures = gateway.counters.figures
    // Those of services that are gone are counted in the sum only.
    require(total.inFlight, within: figures.requestsInFlight, "requests in flight to all services")
    require(total.pending, within: figures.queuePending, "requests waiting for all services")
  }

  // MARK: At the end

  /// After everything was closed.
  func checkNothingIsLeft(in gateway: DataPlaneWorker, _ seam: SimulatedSeam) {
    func require(_ count: Int, _ expected: Int = 0, what: String) {
      if count != expected { ledger.violate("at the end there are \(count) \(what) instead of \(expected)") }
    }
    require(seam.descriptorCount, what: "descriptors")
    require(gateway.worker.openSocketCount, what: "sockets")
    // Exchanges are kept with their buffers; nothing else holds any.
    require(
      gateway.worker.buffers.lentCount, Self.buffersPerExchange * gateway.keptExchangeCount, what: "buffers")
    require(gateway.connectionCount, what: "connections of clients")
    require(gateway.parkedCount, what: "parked connections")
    if gateway.worker.hasRunnableJobs { ledger.violate("at the end there are jobs") }
    if let deadline = gateway.worker.nextDeadline {
      ledger.violate(
        "at the end there is a deadline, in \(deadline.nanoseconds(since: gateway.worker.now)) ns")
    }
    let holdings = gateway.holdings
    require(holdings.waitingBytes, what: "bytes of exchanges that wait")
    if holdings.bufferBytes >= share(bufferBytes) / 2 {
      ledger.violate("at the end \(holdings.bufferBytes) buffered bytes count, of \(share(bufferBytes))")
    }
    require(holdings.addressConnectionsMax, what: "connections of an address")
    require(holdings.heldBack, what: "connections held back")
    require(holdings.sideRequests, what: "requests of the gateway's own")
    require(holdings.requestsAtPlugins, what: "requests that plugins wait for")
    let figures = gateway.counters.figures
    require(figures.requestsInFlight, what: "requests in flight")
    require(figures.queuePending, what: "requests that wait")
    require(figures.poolIdle, what: "idle connections")
    for service in gateway.services {
      require(service.inFlight, what: "requests in flight to \(service.name)")
      require(service.connectionCount, what: "connections of \(service.name)")
      require(service.pendingCount, what: "requests waiting for \(service.name)")
      require(
        service.endpoints.reduce(0) { $0 + $1.inFlight }, what: "requests at endpoints of \(service.name)")
    }
  }

  private static let buffersPerExchange = 4
}
