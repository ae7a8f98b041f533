import DataPlane
import HTTPCodec
import Resources
import Runtime

/// Complete gateways between clients and origins of all kinds, with a configuration that changes: one
/// run by one seed, and whether every rule was kept.
///
/// To be used once, and from one thread.
public final class World {
  static let gatewayHost = SocketAddress(ipv4: 10, 0, 0, 1, port: 0)

  static func listenerPort(_ number: Int) -> UInt16 { UInt16(8_080 + number) }

  static func originAddress(_ number: Int) -> SocketAddress {
    SocketAddress(ipv4: 10, 0, 1, UInt8(number + 1), port: 80)
  }

  static func clientAddress(_ number: Int) -> SocketAddress {
    SocketAddress(ipv4: 10, 0, 2, UInt8(number + 1), port: 0)
  }

  public let plan: WorldPlan
  let simulation: Simulation
  let ledger: WorldLedger
  let watch: WireWatch
  let topology: WorldTopology
  var random: SplitMix64
  private(set) var gateways: [DataPlaneWorker] = []
  private(set) var origins: [SimulatedOrigin] = []
  /// Those that plugins ask.
  private(set) var sideOrigins: [SimulatedOrigin] = []
  private(set) var clients: [SimulatedClient] = []
  /// Hosts of clients that the network has lost: they learn of nothing.
  var lostClients: Set<Int> = []
  /// Descriptors have run out for the time being: no listener can be opened.
  var isShortOfDescriptors = false
  private var limits: WorldLimits
  /// What plugins have done to requests: worlds in which that never happens test nothing of it.
  var pluginsDid: Set<String> = []
  private var drained = 0
  private var isDraining = false

  /// How long a client waits before it says that nothing came.
  let patience = Duration.seconds(1_500)

  /// - Parameter keepsTrace: the trace is kept as lines, which takes time and memory.
  public init(_ plan: WorldPlan, keepsTrace: Bool = false) {
    self.plan = plan
    var random = SplitMix64(seed: plan.seed &* 104_729)
    _ = random.next()
    simulation = Simulation(seed: plan.seed, link: plan.link)
    simulation.network.trace.keepsLines = keepsTrace
    ledger = WorldLedger(network: simulation.network)
    topology = WorldTopology(plan, random: random.split())
    var http2Origins = plan.origins.indices.filter { plan.origins[$0] }.map(Self.originAddress)
    if plan.sideOriginsSpeakHTTP2 {
      http2Origins += [WorldPlugins.copiesOrigin, WorldPlugins.authorityOrigin].map(Self.originAddress)
    }
    watch = WireWatch(ledger: ledger, gateway: Self.gatewayHost, http2Origins: http2Origins)
    limits = WorldLimits(ledger: ledger, topology: topology)
    self.random = random
    simulation.network.observer = watch
    populate()
  }

  private func populate() {
    let budget = ChangeBudget(
      nanoseconds: .max, entriesMax: 1 + random.next(below: 4),
      pauseNanoseconds: Int64(random.next(below: random.chance(3) ? 2_000_000 : 150_000)))
    let states = PluginStates()
    gateways = (0..<plan.workers).map { _ in
      let worker = simulation.addWorker(host: Self.gatewayHost)
      simulation.seam(of: worker).callNanoseconds = plan.callNanoseconds
      return DataPlaneWorker(
        worker: worker, workerCount: plan.workers, changeBudget: budget, overload: plan.overload,
        pluginStates: states)
    }
    for (number, speaksHTTP2) in plan.origins.enumerated() {
      let origin = SimulatedOrigin(
        simulation, address: Self.originAddress(number), speaksHTTP2: speaksHTTP2)
      if random.chance(3) { origin.http2Settings.concurrentStreams = 1 + random.next(below: 4) }
      // Windows that are smaller make so many updates that the gateway takes them for a flood.
      let smallest = plan.isCalm ? 1_000 : 1
      if random.chance(3) {
        origin.http2Settings.streamWindowBytes = smallest + random.next(below: 3_000)
      }
      if random.chance(4) { simulation.network.setLink(to: origin.address, .rough) }
      origin.script = { [unowned self] request, index in steps(origin: number, for: request, index: index) }
      origins.append(origin)
    }
    sideOrigins = makeSideOrigins()
    clients = (0..<2).map {
      SimulatedClient(
        simulation, host: Self.clientAddress($0),
        gateway: Self.gatewayHost.withPort(Self.listenerPort(0)))
    }
    simulation.afterTurn = { [unowned self] worker in
      // They were added first.
      guard worker.index < gateways.count else { return }
      limits.check(gateways[worker.index], index: worker.index, simulation.seam(of: worker))
    }
  }

  // MARK: The run

  /// Lets everything happen, and says what came of it.
  public func run() -> WorldReport {
    do throws(SimulationError) {
      publish()
      try simulation.run(limit: .seconds(60)) { topology.servedByAll == topology.newest }
      startClients()
      try happen()
      try simulation.run(limit: .seconds(20_000))
      checkArrivals()
      try checkServices()
      try finish()
    } catch {
      ledger.violate("the simulation ended early: \(error)")
    }
    topology.plugins.end()
    return report()
  }

  private func startClients() {
    for number in 0..<plan.http1Clients { startHTTP1Client(number) }
    for number in 0..<plan.http2Clients { startHTTP2Client(number) }
    for number in 0..<plan.tunnels { startTunnel(number) }
    for number in 0..<plan.hostileClients { startHostileClient(number) }
  }

  /// Changes and disturbances, in an order by chance, while the clients are at work.
  private func happen() throws(SimulationError) {
    var changes = plan.changes
    var disturbances = plan.disturbances
    while changes + disturbances > 0 {
      let pause = plan.focus == .changes ? random.next(below: 60) : random.next(below: 500)
      try simulation.run(for: .milliseconds(Int64(pause)))
      if random.next(below: changes + disturbances) < changes {
        changes -= 1
        topology.change()
        publish()
      } else {
        disturbances -= 1
        try disturb()
      }
    }
    if plan.drainsEarly {
      try simulation.run(for: random.milliseconds(below: 500))
      drain()
    }
  }

  /// Gives all gateways the configuration as it is now.
  private func publish() {
    let delta = topology.publish()
    let version = topology.newest
    simulation.network.remark("version \(version) of the configuration")
    for (index, gateway) in gateways.enumerated() {
      gateway.apply(delta) { [unowned self] failures in
        for failure in failures where !isShortOfDescriptors {
          ledger.violate("version \(version): \(failure)")
        }
        topology.serves(version, worker: index)
        simulation.network.remark("worker \(index) serves version \(version)")
      }
    }
  }

  /// Starts a client's program on one of the hosts, with one of the listeners.
  func start(
    _ name: String, client number: Int,
    _ program: @escaping (SimulatedClient, SocketAddress) async throws(StreamFailure) -> Void
  ) {
    let client = clients[number % clients.count]
    let second = plan.hasSecondListener && random.chance(2)
    let listener = Self.gatewayHost.withPort(Self.listenerPort(second ? 1 : 0))
    let pause = random.milliseconds(below: plan.focus == .overload ? 30 : 300)
    client.startUnconnected(name) { () throws(StreamFailure) in
      await Waiter(on: client.worker).sleep(
        until: client.worker.now.advanced(byNanoseconds: pause.inNanoseconds))
      try await program(client, listener)
    }
  }

  // MARK: The end

  /// When all changes are made, there are the services of the last configuration and no others.
  private func checkServices() throws(SimulationError) {
    try simulation.run(limit: .seconds(60)) { topology.servedByAll == topology.newest }
    // What is gone is taken out after requests see the change.
    try simulation.run(for: .seconds(1))
    let wanted = Set(topology.published.services.map(\.name))
    for gateway in gateways {
      let names = gateway.services.map(\.name)
      if names.count != wanted.count || Set(names) != wanted {
        ledger.violate("there are services \(names.sorted()) instead of \(wanted.sorted())")
      }
    }
  }

  private func drain() {
    if isDraining { return }
    isDraining = true
    simulation.network.remark("the gateway drains")
    for gateway in gateways { gateway.beginDrain { [unowned self] in drained += 1 } }
  }

  /// Ends everything, and checks that the gateways hold nothing any more.
  private func finish() throws(SimulationError) {
    for origin in origins { simulation.network.unsilence(origin.address) }
    for number in clients.indices { simulation.network.unsilence(Self.clientAddress(number)) }
    drain()
    try simulation.run(limit: .seconds(2_000)) { drained == gateways.count }
    for origin in origins + sideOrigins { origin.stop(reset: true) }
    try simulation.run(for: .seconds(60))
    for (origin, address) in (origins + sideOrigins).map({ ($0, $0.address) }) {
      for violation in origin.violations { ledger.violate("the gateway to \(address): \(violation)") }
    }
    for gateway in gateways {
      limits.checkNothingIsLeft(in: gateway, simulation.seam(of: gateway.worker))
    }
  }

  private func report() -> WorldReport {
    let trace = simulation.network.trace
    var outcomes: [String: Int] = [:]
    for request in ledger.requests {
      let text =
        switch request.outcome {
        case .status(let status): "\(status)"
        case .failure(let failure): "\(failure)"
        case .abandoned: "abandoned"
        case nil: "none"
        }
      outcomes[text, default: 0] += 1
    }
    return WorldReport(
      plan: plan, violations: ledger.violations, fingerprint: trace.fingerprint, noteCount: trace.count,
      requestCount: ledger.requests.count, outcomes: outcomes, versionCount: topology.newest,
      messageCount: watch.messageCount, limitsReached: limits.reached.union(pluginsDid), lines: trace.lines)
  }
}

extension SocketAddress {
  func withPort(_ port: UInt16) -> SocketAddress {
    var address = self
    address.port = port
    return address
  }
}

extension SplitMix64 {
  /// A generator of its own, so that what one part takes does not change what another gets.
  mutating func split() -> SplitMix64 { SplitMix64(seed: next()) }
}
