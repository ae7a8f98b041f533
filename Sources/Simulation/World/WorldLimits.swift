import DataPlane
import Resources
import Runtime

/// Checks, after every round of a ``World``, that nothing passes its limit.
struct WorldLimits {
  private let ledger: WorldLedger
  private let topology: WorldTopology
  private var round = 0
  /// Rounds from one check to the next: what is taken is held for longer.
  private static let stride = 4

  init(ledger: WorldLedger, topology: WorldTopology) {
    self.ledger = ledger
    self.topology = topology
  }

  mutating func check(_ gateways: [DataPlaneWorker]) {
    round += 1
    guard round % Self.stride == 0 else { return }
    for gateway in gateways { check(gateway, workers: gateways.count) }
  }

  private func check(_ gateway: DataPlaneWorker, workers: Int) {
    // As the gateway shares them out: rounded up.
    func share(_ limit: Int) -> Int { (limit + workers - 1) / workers }
    func require(_ count: Int, _ limit: Int, _ what: @autoclosure () -> String) {
      if count < 0 || count > limit { ledger.violate("\(count) \(what()), at most \(limit)") }
    }
    require(gateway.connectionCount, share(topology.connectionsMax), "connections of clients")
    require(gateway.parkedCount, gateway.connectionCount, "parked connections")
    for service in gateway.services {
      guard let limits = topology.widest[service.name] else { continue }
      require(service.connectionCount, share(limits.connections), "connections of \(service.name)")
      require(service.pendingCount, share(limits.pending), "requests waiting for \(service.name)")
      require(service.inFlight, share(limits.inFlight), "requests in flight to \(service.name)")
      require(service.idleConnectionCount, service.connectionCount, "idle connections of \(service.name)")
    }
  }

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
