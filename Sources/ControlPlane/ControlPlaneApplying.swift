import DataPlane
import Resources

/// What a configuration comes to, and what changes while it runs.
extension ControlPlane {
  /// Puts a configuration to use.
  func apply(
    _ configuration: Configuration, _ security: SecurityLoader.Outcome, _ running: Running,
    waitingAtMost limit: Duration
  ) async {
    var endpoints = await running.directory.update(configuration.services, waitingAtMost: limit)
    let (previous, previousServices, oldHealth) = state.withLock {
      ($0.snapshot, $0.services, $0.material.health)
    }
    let services = Dictionary(
      configuration.services.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var changed: [Service] = []
    let material = security.material
    for service in configuration.services {
      let known = previous?.endpoints[service.name] ?? []
      let present = Self.carryHealth(of: known, to: endpoints[service.name] ?? [], service)
      endpoints[service.name] = present
      if !service.isChecked(as: previousServices[service.name]) || known != present
        || material.health[service.name]?.security.revision != oldHealth[service.name]?.security.revision
      {
        changed.append(service)
      }
    }
    var snapshot = Snapshot(
      revision: (previous?.revision ?? 0) + 1, configuration: configuration, endpoints: endpoints)
    snapshot.security = material.security
    state.withLock {
      $0.snapshot = snapshot
      $0.services = services
      $0.status.revision = snapshot.revision
    }
    sink.publish(snapshot)
    keep(security, running)
    for service in changed { watchHealth(of: service, endpoints[service.name] ?? [], running) }
    for name in previousServices.keys where services[name] == nil {
      running.checker.watch(service: name, check: nil, endpoints: [])
    }
  }

  func watchHealth(of service: Service, _ endpoints: [ResolvedEndpoint], _ running: Running) {
    let transport = HealthTransport(
      protocol: service.protocol, tls: service.healthTLS,
      security: state.withLock { $0.material.health[service.name]?.security })
    running.checker.watch(
      service: service.name, check: service.health, by: transport, endpoints: endpoints)
  }

  /// Addresses that stay keep the health that is known of them.
  private static func carryHealth(
    of known: [ResolvedEndpoint], to endpoints: [ResolvedEndpoint], _ service: Service
  ) -> [ResolvedEndpoint] {
    guard service.health != nil else { return endpoints }
    let unhealthy = Set(known.filter { !$0.isHealthy }.map(\.address))
    if unhealthy.isEmpty { return endpoints }
    return endpoints.map { endpoint in
      var endpoint = endpoint
      endpoint.isHealthy = !unhealthy.contains(endpoint.address)
      return endpoint
    }
  }

  // MARK: Endpoints

  func refreshEndpoints(of name: String, _ running: Running) async {
    // The present ones, not those of the time of the event: a reload may have come between.
    let present = await running.directory.endpoints(of: name)
    let changed: (service: Service, endpoints: [ResolvedEndpoint])? = state.withLock { state in
      guard let service = state.services[name] else { return nil }
      let known = state.snapshot?.endpoints[name] ?? []
      let endpoints = Self.carryHealth(of: known, to: present, service)
      guard endpoints != known else { return nil }
      state.snapshot?.endpoints[name] = endpoints
      return (service, endpoints)
    }
    guard let changed else { return }
    sink.endpointsChanged(service: name, endpoints: changed.endpoints)
    watchHealth(of: changed.service, changed.endpoints, running)
  }

  func take(_ change: HealthChange) {
    let isNews = state.withLock { state in
      guard
        state.services[change.service]?.health != nil,
        let place = state.snapshot?.endpoints[change.service]?.firstIndex(where: {
          $0.address == change.address
        }),
        state.snapshot?.endpoints[change.service]?[place].isHealthy != change.isHealthy
      else { return false }
      state.snapshot?.endpoints[change.service]?[place].isHealthy = change.isHealthy
      return true
    }
    if isNews {
      sink.healthChanged(
        service: change.service, address: change.address, isHealthy: change.isHealthy)
    }
  }
}

extension Service {
  /// Whether active checks are made as for another one.
  fileprivate func isChecked(as other: Service?) -> Bool {
    guard let other, health == other.health else { return health == nil && other?.health == nil }
    return health == nil || (`protocol` == other.protocol && healthTLS == other.healthTLS)
  }
}
