import Resources
import Runtime
import TLS

/// What changes make of a service.
extension UpstreamService {
  // MARK: Asleep

  /// More endpoints than these are prepared at once, since the first request should not pay for them.
  private static var dormantMax: Int { 16 }

  func sleep(_ resolved: [ResolvedEndpoint]) {
    dormant = resolved
    if resolved.count > Self.dormantMax { wake() }
  }

  func wake() {
    guard let resolved = dormant else { return }
    dormant = nil
    // Slow start is for endpoints that join others; these begin together.
    awake = resolved.map { Endpoint($0, availableSince: MonotonicTime(nanoseconds: 0)) }
    balancer.endpointsChanged(awake)
  }

  /// A copy of the endpoints' state.
  func endpointFigures(wallClockNanoseconds: Int64) -> [EndpointFigures] {
    guard let dormant else {
      return awake.map { $0.figures(now: worker.now, wallClockNanoseconds: wallClockNanoseconds) }
    }
    return dormant.map {
      EndpointFigures(
        name: $0.name, address: $0.address.description, weight: $0.weight, isHealthy: $0.isHealthy)
    }
  }

  // MARK: Changes

  /// What the change under way makes of it, which begins to be nothing.
  func beginStaging() -> StagedService {
    if let staged { return staged }
    let new = StagedService(isForAwake: dormant == nil)
    staged = new
    return new
  }

  /// Prepares other endpoints.
  func stage(_ resolved: [ResolvedEndpoint], _ staged: StagedService) {
    staged.resolved = resolved
    if dormant == nil { staged.setEndpoints(current: awake, now: worker.now) }
  }

  /// Prepares the balancer for what is staged.
  func prepareBalancer(_ staged: StagedService) {
    staged.balancer = nil
    if dormant != nil { return }
    let old = settings.service
    let new = staged.settings?.service ?? old
    let hasOtherPolicy = new.balance != old.balance || new.slowStart != old.slowStart
    guard staged.endpoints != nil || hasOtherPolicy else { return }
    let endpoints = staged.endpoints ?? awake
    let weights = staged.endpoints == nil ? endpoints.map(\.weight) : staged.weights
    // What endpoints have had of their turns is kept where nothing changes for it.
    if !hasOtherPolicy, balancer.isPrepared(for: endpoints, weights) { return }
    var balancer = Balancer(policy: new.balance, slowStart: new.slowStart)
    balancer.endpointsChanged(endpoints, weights: weights)
    staged.balancer = balancer
  }

  /// Takes over what is staged; connections and the endpoints that stay keep their state. What can wait
  /// is left over.
  func adoptStaged() {
    guard let staged else { return }
    if dormant == nil, !staged.isForAwake {
      // It has woken since.
      if let resolved = staged.resolved { stage(resolved, staged) }
      prepareBalancer(staged)
    }
    self.staged = nil
    if let changed = staged.settings { adopt(changed) }
    if let balancer = staged.balancer { self.balancer = balancer }
    if let endpoints = staged.endpoints {
      adopt(endpoints, staged)
    } else if let resolved = staged.resolved {
      if !resolved.allSatisfy(\.isHealthy) { table.becameActive(self) }
      sleep(resolved)
    }
    if staged.changesSecurity { adopt(staged.security) }
    for finding in staged.findings { adopt(finding) }
    wakeAll()
  }

  private func adopt(_ changed: ServiceSettings) {
    let (old, new) = (settings.service, changed.service)
    if new.balance != old.balance { hashKeySource = HashKeySource(new.balance) }
    if dormant != nil { balancer = Balancer(policy: new.balance, slowStart: new.slowStart) }
    retryBudget.percent = new.retries?.budgetPercent ?? 0
    if new.plugins != old.plugins {
      plugins = AttachedPlugin.list(new.plugins, .service(name), before: plugins)
    }
    settings = changed
  }

  private func adopt(_ finding: HealthFinding) {
    guard var resolved = dormant else {
      for endpoint in awake where endpoint.address == finding.address {
        setHealth(of: endpoint, finding.isHealthy)
      }
      return
    }
    for index in resolved.indices where resolved[index].address == finding.address {
      resolved[index].isHealthy = finding.isHealthy
      if !finding.isHealthy { table.becameActive(self) }
    }
    dormant = resolved
  }

  /// Connections that were made with other authorities or certificates are not used for new requests.
  private func adopt(_ security: ServiceContext?) {
    if security?.context === tls {
      self.security = security
      return
    }
    self.security = security
    tlsGeneration &+= 1
    for endpoint in awake { leave(endpoint) }
  }

  /// Endpoints that stay keep their connections and state, those that go finish what they serve.
  private func adopt(_ changed: [Endpoint], _ staged: StagedService) {
    for endpoint in awake { endpoint.isGone = true }
    for (index, endpoint) in changed.enumerated() {
      endpoint.isGone = false
      endpoint.weight = staged.weights[index]
      setHealth(of: endpoint, staged.health[index])
    }
    for endpoint in awake where endpoint.isGone { leave(endpoint) }
    awake = changed
    endpointsRevision &+= 1
  }

  private func setHealth(of endpoint: Endpoint, _ isHealthy: Bool) {
    if isHealthy && !endpoint.isHealthy { endpoint.availableSince = worker.now }
    if !isHealthy && endpoint.isHealthy {
      leave(endpoint)
      table.becameActive(self)
    }
    endpoint.isHealthy = isHealthy
  }

  /// No longer there: closes everything idle, in time; what is in flight finishes.
  func retire() {
    isRetired = true
    for endpoint in awake {
      endpoint.isGone = true
      leave(endpoint)
    }
    wakeAll()
  }

  /// What they wait for may have changed altogether.
  func wakeAll() {
    turnQueue.wakeAll()
    connectionQueue.wakeAll()
  }

  /// New requests do not use the endpoint's connections.
  private func leave(_ endpoint: Endpoint) {
    for multiplexer in endpoint.multiplexers { multiplexer.retire() }
    let idle = endpoint.pool.takeAll()
    if idle.isEmpty { return }
    counters.figures.poolIdle -= idle.count
    if leftovers.isEmpty { table.hasLeftovers(self) }
    leftovers += idle
  }

  /// Closes connections that were idle when their time had come.
  ///
  /// - Returns: false where the slice is over and some are left.
  func closeLeftovers(_ slice: ChangeSlice) -> Bool {
    while let connection = leftovers.popLast() {
      close(connection)
      if slice.isOver() { return leftovers.isEmpty }
    }
    leftovers = []
    return true
  }
}
