/// A resource that a file owns, by kind and number.
struct OwnedResource: Hashable {
  var kind: ResourceKind
  var number: Int
}

/// What the catalogue's resources have to do with each other. Follows from them alone.
struct CatalogueLinks {
  /// Listeners by address and port.
  var addresses = HashIndex()
  /// Routes by host and match.
  var conditions = HashIndex()
  /// Certificates by host.
  var hosts = HashIndex()
  /// Consumers by what their credentials are found by.
  var credentials = HashIndex()
  /// Certificates with `default: true`: two for each listener at most.
  var defaultCertificates: Set<UInt32> = []
  /// Certificates that name no listeners, so that all with TLS show them.
  var certificatesForAll = 0
  /// Routes with a redirect or HSTS of their own, which depend on their listeners' TLS.
  var routesWithSecurity: Set<UInt32> = []
  /// Listeners with TLS.
  var securedListeners = 0

  var services = ServiceUsers()
  /// By numbers of listeners.
  private var listenerRoutes: [Users] = []
  private var listenerCertificates: [Users] = []
  /// By numbers of services: what a route has that goes to this one only. Most do, and share it.
  private var onlyBackends: [[Backend]] = []
  /// Of files, by their paths.
  private var ownedByFiles: [String: Set<OwnedResource>] = [:]

  mutating func onlyBackend(_ service: CatalogueEntry<Service>) -> [Backend] {
    while onlyBackends.count <= service.number { onlyBackends.append([]) }
    // The number may have been another service's.
    if onlyBackends[service.number].first?.service != service.value.name {
      onlyBackends[service.number] = [Backend(service: service.value.name)]
    }
    return onlyBackends[service.number]
  }

  func routes(ofListener number: Int) -> Users { Self.users(listenerRoutes, number) }
  func certificates(ofListener number: Int) -> Users { Self.users(listenerCertificates, number) }

  private static func users(_ users: [Users], _ number: Int) -> Users {
    number < users.count ? users[number] : .none
  }

  func owned(by owner: ResourceOwner) -> Set<OwnedResource> {
    guard case .file(let path) = owner else { return [] }
    return ownedByFiles[path] ?? []
  }

  mutating func use(listener: Int, route: Int) { Self.insert(route, in: &listenerRoutes, listener) }
  mutating func use(listener: Int, certificate: Int) {
    Self.insert(certificate, in: &listenerCertificates, listener)
  }

  private static func insert(_ user: Int, in users: inout [Users], _ number: Int) {
    while users.count <= number { users.append(.none) }
    users[number].insert(user)
  }

  mutating func leave(listener: Int, route: Int) { listenerRoutes[listener].remove(route) }
  mutating func leave(listener: Int, certificate: Int) { listenerCertificates[listener].remove(certificate) }

  mutating func own<Value: CatalogueValue>(_ entry: CatalogueEntry<Value>) {
    guard case .file(let path) = entry.owner else { return }
    ownedByFiles[path, default: []].insert(OwnedResource(kind: Value.kind, number: entry.number))
  }

  mutating func disown<Value: CatalogueValue>(_ entry: CatalogueEntry<Value>) {
    guard case .file(let path) = entry.owner else { return }
    ownedByFiles[path]?.remove(OwnedResource(kind: Value.kind, number: entry.number))
    if ownedByFiles[path]?.isEmpty == true { ownedByFiles[path] = nil }
  }

  /// For tests.
  var dump: [String] {
    let users = [("listener", listenerRoutes), ("certificates", listenerCertificates)]
    let rows =
      services.dump
      + users.flatMap { kind, users in
        users.indices.filter { users[$0].count > 0 }.map { "\(kind) \($0) \(users[$0].numbers.sorted())" }
      }
    let owned = ownedByFiles.map { path, owned in
      "\(path) \(owned.map { "\($0.kind) \($0.number)" }.sorted())"
    }
    return rows + owned.sorted() + [
      "\(addresses.pairs)", "\(conditions.pairs)", "\(hosts.pairs)", "\(credentials.pairs)",
      "\(defaultCertificates.sorted())",
      "\(certificatesForAll)", "\(routesWithSecurity.sorted())", "\(securedListeners)",
    ]
  }
}

/// What resources are linked by. Linking checks nothing: what is linked may be wrong.
extension Catalogue {
  func link(_ entry: CatalogueEntry<Listener>) {
    links.own(entry)
    if let hash = entry.value.address.listenerHash { links.addresses.insert(hash, entry.number) }
    if entry.value.tls != nil { links.securedListeners += 1 }
  }

  func unlink(_ entry: CatalogueEntry<Listener>) {
    links.disown(entry)
    if let hash = entry.value.address.listenerHash { links.addresses.remove(hash, entry.number) }
    if entry.value.tls != nil { links.securedListeners -= 1 }
  }

  /// Which services its plugins name is linked apart: services refer to each other, and so all have to be in the
  /// table while any is linked or unlinked.
  func link(_ entry: CatalogueEntry<Service>) { links.own(entry) }

  func unlink(_ entry: CatalogueEntry<Service>) { links.disown(entry) }

  /// - except: Answers whether a host is left out, because too many certificates have it.
  func link(_ entry: CatalogueEntry<CertificateSpec>, except isTaken: (CertificateSubject) -> Bool) {
    let certificate = entry.value
    links.own(entry)
    for name in certificate.listeners {
      if let listener = listenerTable[name] {
        links.use(listener: listener.number, certificate: entry.number)
      }
    }
    if certificate.listeners.isEmpty { links.certificatesForAll += 1 }
    for index in certificate.hosts.indices where !isTaken(.host(index)) {
      links.hosts.insert(certificate.hosts[index].hashValue, entry.number)
    }
    if certificate.isDefault, !isTaken(.anyHost) { links.defaultCertificates.insert(UInt32(entry.number)) }
  }

  func unlink(_ entry: CatalogueEntry<CertificateSpec>) {
    let certificate = entry.value
    links.disown(entry)
    for name in certificate.listeners {
      if let listener = listenerTable[name] {
        links.leave(listener: listener.number, certificate: entry.number)
      }
    }
    if certificate.listeners.isEmpty { links.certificatesForAll -= 1 }
    for host in certificate.hosts { links.hosts.remove(host.hashValue, entry.number) }
    links.defaultCertificates.remove(UInt32(entry.number))
  }

  /// - except: Answers whether a condition is left out, because another route has it.
  func link(_ entry: CatalogueEntry<Route>, except isTaken: (RouteCondition) -> Bool) {
    let route = entry.value
    links.own(entry)
    for backend in route.backends {
      if let service = serviceTable[backend.service] {
        links.services.insert(entry.number, .routes, service: service.number)
      }
    }
    linkPlugins(entry)
    for name in route.listeners {
      if let listener = listenerTable[name] { links.use(listener: listener.number, route: entry.number) }
    }
    if route.dependsOnSecurity { links.routesWithSecurity.insert(UInt32(entry.number)) }
    route.forEachCondition { condition in
      if !isTaken(condition) { links.conditions.insert(condition.hash, entry.number) }
    }
  }

  func unlink(_ entry: CatalogueEntry<Route>) {
    let route = entry.value
    links.disown(entry)
    for backend in route.backends {
      if let service = serviceTable[backend.service] {
        links.services.remove(entry.number, .routes, service: service.number)
      }
    }
    unlinkPlugins(entry)
    for name in route.listeners {
      if let listener = listenerTable[name] { links.leave(listener: listener.number, route: entry.number) }
    }
    links.routesWithSecurity.remove(UInt32(entry.number))
    route.forEachCondition { links.conditions.remove($0.hash, entry.number) }
  }
}

extension Route {
  /// Whether it says something that has a meaning only with TLS, or only without.
  var dependsOnSecurity: Bool {
    if case .on? = redirect { return true }
    if case .on? = hsts { return true }
    return false
  }
}

extension HostPort {
  /// The same for all ways to write an address; nil where there is none, because it could not be read.
  var listenerHash: Int? {
    guard port > 0 else { return nil }
    var hasher = Hasher()
    hasher.combine(port)
    if let canonical = canonicalHost { hasher.combine(canonical) } else { hasher.combine(host) }
    return hasher.finalize()
  }
}
