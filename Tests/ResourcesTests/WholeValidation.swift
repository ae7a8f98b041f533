@testable import Resources

/// All resources, without any index: what the catalogue has to agree with.
struct WholeValidation {
  struct Owned {
    var resource: Resource
    var owner: ResourceOwner
  }

  var resources: [ResourceID: Owned] = [:]
  var listenersNeedCertificates = true

  /// The resources after batches; nil where a batch itself is wrong.
  func after(_ batches: [ResourceBatch]) -> WholeValidation? {
    var next = self
    var removed: [ResourceID: ResourceOwner] = [:]
    for batch in batches {
      for id in batch.removes {
        guard resources[id]?.owner == batch.owner else { return nil }
        removed[id] = batch.owner
      }
      if batch.isComplete {
        for (id, owned) in resources where owned.owner == batch.owner { removed[id] = batch.owner }
      }
    }
    for id in removed.keys { next.resources[id] = nil }
    var put: Set<ResourceID> = []
    for batch in batches {
      for one in batch.puts {
        let id = one.resource.id
        guard put.insert(id).inserted else { return nil }
        if let old = resources[id], old.owner != batch.owner, removed[id] == nil { return nil }
        next.resources[id] = Owned(resource: one.resource, owner: batch.owner)
      }
    }
    return next
  }

  var isValid: Bool {
    let routes = all { if case .route(let route) = $0 { route } else { nil } }
    let certificates = all { if case .certificate(let certificate) = $0 { certificate } else { nil } }
    let listeners = all { if case .listener(let listener) = $0 { listener } else { nil } }
    return resources.values.allSatisfy(areServicesThere)
      && routes.allSatisfy { isValid($0.value, $0.owner, listeners.map(\.value)) }
      && pairs(routes.map(\.value)).allSatisfy { !areSame($0, $1) }
      && pairs(listeners.map(\.value)).allSatisfy { $0.address != $1.address }
      && certificates.allSatisfy { certificate in
        certificate.value.listeners.allSatisfy { listener($0, certificate.owner)?.tls != nil }
      }
      && listeners.allSatisfy { isValid($0.value, certificates.map(\.value)) }
  }

  private func all<Value>(_ cast: (Resource) -> Value?) -> [(value: Value, owner: ResourceOwner)] {
    resources.values.compactMap { owned in cast(owned.resource).map { ($0, owned.owner) } }
  }

  private func pairs<Value>(_ values: [Value]) -> [(Value, Value)] {
    values.indices.flatMap { first in
      values.indices.filter { $0 > first }.map { (values[first], values[$0]) }
    }
  }

  private func mayUse(_ id: ResourceID, _ owner: ResourceOwner) -> Resource? {
    guard let owned = resources[id], owner == .store || owned.owner != .store else { return nil }
    return owned.resource
  }

  /// Those that it names in any way.
  private func areServicesThere(_ owned: Owned) -> Bool {
    owned.resource.namedServices.allSatisfy { mayUse(ResourceID(.services, $0), owned.owner) != nil }
  }

  private func listener(_ name: String, _ owner: ResourceOwner) -> Listener? {
    if case .listener(let listener)? = mayUse(ResourceID(.listeners, name), owner) { listener } else { nil }
  }

  private func isValid(_ route: Route, _ owner: ResourceOwner, _ all: [Listener]) -> Bool {
    for backend in route.backends {
      guard case .service(let service)? = mayUse(ResourceID(.services, backend.service), owner) else {
        return false
      }
      if route.matches.contains(where: { $0.grpc != nil }), service.protocol == .http1 { return false }
    }
    let named = route.listeners.map { listener($0, owner) }
    guard named.allSatisfy({ $0 != nil }) else { return false }
    let listeners = route.listeners.isEmpty ? all : named.compactMap { $0 }
    guard !listeners.isEmpty else { return true }
    if case .on? = route.redirect {
      if listeners.allSatisfy({ $0.tls != nil }) { return false }
      if route.backends.isEmpty, listeners.contains(where: { $0.tls != nil }) { return false }
    }
    if case .on? = route.hsts, listeners.allSatisfy({ $0.tls == nil }) { return false }
    return true
  }

  private func areSame(_ a: Route, _ b: Route) -> Bool {
    let share =
      a.listeners.isEmpty || b.listeners.isEmpty || !Set(a.listeners).isDisjoint(with: b.listeners)
    let hosts = { (route: Route) in Set(route.hosts.isEmpty ? [""] : route.hosts) }
    let matches = { (route: Route) in
      Set(
        route.matches.map { match in
          "\(match.path) \(match.methods.sorted()) \(match.headers.map { "\($0)" }.sorted())"
        })
    }
    return share && !hosts(a).isDisjoint(with: hosts(b)) && !matches(a).isDisjoint(with: matches(b))
  }

  private func isValid(_ listener: Listener, _ certificates: [CertificateSpec]) -> Bool {
    let shown = certificates.filter { $0.isServed(by: listener.name) }
    // Certificates that no listener shows yet may not meet either.
    for host in Set(shown.flatMap(\.hosts)) where shown.count(where: { $0.hosts.contains(host) }) > 2 {
      return false
    }
    guard shown.count(where: \.isDefault) <= 2 else { return false }
    guard listenersNeedCertificates, let tls = listener.tls else { return true }
    return !shown.isEmpty
      && (tls.unknownHost != .defaultCertificate || shown.contains { $0.isDefault })
  }

  /// Also without any listener: three for all.
  var hasTooManyForAll: Bool {
    let certificates = all { if case .certificate(let certificate) = $0 { certificate } else { nil } }
      .map(\.value).filter(\.listeners.isEmpty)
    return certificates.count(where: \.isDefault) > 2
      || certificates.contains { one in
        one.hosts.contains { host in certificates.count { $0.hosts.contains(host) } > 2 }
      }
  }
}
