import DataPlane
import Resources
import TLS

/// What a worker would have after some deltas, made by the words of ``Delta`` alone; and what is wrong
/// with them.
struct ServedState: Sendable {
  struct ServedListener: Sendable {
    var listener: Listener
    var security: ListenerSecurity?
  }

  struct ServedCertificate: Sendable {
    var certificate: TLSCertificate
    /// Numbers; empty: all.
    var listeners: [Int]
  }

  struct ServedService: Sendable {
    var service: Service
    var endpoints: [ResolvedEndpoint]
    var security: ServiceSecurity?
  }

  private(set) var revision: UInt64 = 0
  private(set) var http = HTTPSettings()
  private(set) var listeners: [Int: ServedListener] = [:]
  private(set) var certificates: [String: ServedCertificate] = [:]
  private(set) var services: [Int: ServedService] = [:]
  private(set) var routes: [Int: RouteEntry] = [:]
  /// What workers could not have applied, or would have applied wrongly.
  private(set) var problems: [String] = []

  mutating func apply(_ delta: Delta) {
    if delta.revision <= revision { problems.append("delta \(delta.revision) comes after \(revision)") }
    revision = delta.revision
    http = delta.http ?? http
    for change in delta.listeners { apply(change) }
    for change in delta.certificates { apply(change) }
    for change in delta.services { apply(change) }
    for change in delta.routes { apply(change) }
    for change in delta.endpoints {
      if services[change.service] == nil { problems.append("endpoints of no service") }
      services[change.service]?.endpoints = change.endpoints
    }
    for finding in delta.health {
      guard
        let place = services[finding.service]?.endpoints.firstIndex(where: { $0.address == finding.address })
      else {
        problems.append("health of no endpoint")
        continue
      }
      services[finding.service]?.endpoints[place].isHealthy = finding.isHealthy
    }
    checkReferences()
  }

  private mutating func apply(_ change: ListenerChange) {
    switch change {
    case .set(let number, let listener, let security):
      listeners[number] = ServedListener(listener: listener, security: security)
    case .setSecurity(let number, let security):
      if listeners[number]?.security == nil { problems.append("security of no listener with TLS") }
      listeners[number]?.security = security
    case .remove(let number):
      if listeners.removeValue(forKey: number) == nil { problems.append("no listener \(number)") }
    }
  }

  private mutating func apply(_ change: CertificateChange) {
    switch change {
    case .set(let certificate, let listeners):
      certificates[certificate.name] = ServedCertificate(certificate: certificate, listeners: listeners)
    case .remove(let name):
      if certificates.removeValue(forKey: name) == nil { problems.append("no certificate \(name)") }
    }
  }

  private mutating func apply(_ change: ServiceChange) {
    switch change {
    case .set(let number, let service, let endpoints, let security):
      let known = services[number].flatMap { $0.service.name == service.name ? $0.endpoints : nil }
      if endpoints == nil, known == nil { problems.append("no endpoints of \(service.name)") }
      services[number] = ServedService(
        service: service, endpoints: endpoints ?? known ?? [], security: security)
    case .setSecurity(let number, let security):
      if services[number]?.security == nil { problems.append("security of no service with TLS") }
      services[number]?.security = security
    case .remove(let number):
      if services.removeValue(forKey: number) == nil { problems.append("no service \(number)") }
    }
  }

  private mutating func apply(_ change: RouteChange) {
    switch change {
    case .set(let entry): routes[entry.number] = entry
    case .remove(let number):
      if routes.removeValue(forKey: number) == nil { problems.append("no route \(number)") }
    }
  }

  private mutating func checkReferences() {
    for entry in routes.values {
      let names = entry.services.map { services[$0]?.service.name ?? "none" }
      if names != entry.route.backends.map(\.service) {
        problems.append("route \(entry.route.name) has the services \(names)")
      }
      let attached = entry.listeners.map { listeners[$0]?.listener.name ?? "none" }
      if attached.sorted() != entry.route.listeners.sorted() {
        problems.append("route \(entry.route.name) has the listeners \(attached)")
      }
    }
    for served in certificates.values {
      for number in served.listeners where listeners[number]?.security == nil {
        problems.append("certificate \(served.certificate.name) has a listener without TLS")
      }
    }
  }

  // MARK: By name

  func listener(_ name: String) -> ServedListener? {
    listeners.values.first { $0.listener.name == name }
  }

  func service(_ name: String) -> ServedService? { services.values.first { $0.service.name == name } }

  func endpoints(of service: String) -> [ResolvedEndpoint]? { self.service(service)?.endpoints }

  func route(_ name: String) -> RouteEntry? { routes.values.first { $0.route.name == name } }

  func certificate(_ name: String) -> TLSCertificate? { certificates[name]?.certificate }

  /// In the order that decides between routes where all else is equal.
  var routeNames: [String] {
    routes.values.sorted { ($0.order, $0.route.name) < ($1.order, $1.route.name) }.map(\.route.name)
  }
}

extension Delta {
  /// Entries of each list, in the order of the declaration: listeners, certificates, services, routes,
  /// endpoints, health.
  var counts: [Int] {
    [listeners.count, certificates.count, services.count, routes.count, endpoints.count, health.count]
  }
}
