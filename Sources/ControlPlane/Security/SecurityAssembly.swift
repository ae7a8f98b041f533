import DataPlane
import Resources
import TLS

/// Makes of what was read from files what workers are told, with revisions that grow only where
/// something has changed.
struct SecurityAssembly {
  private let configuration: Configuration
  private let previous: SecurityMaterial
  private let now: ContinuousClock.Instant
  private(set) var material = SecurityMaterial()
  /// What is wrong apart from the configuration's own files.
  private(set) var problems: [SecurityProblem] = []

  init(
    _ configuration: Configuration, previous: SecurityMaterial, items: [MaterialKey: MaterialItem],
    at now: ContinuousClock.Instant
  ) {
    self.configuration = configuration
    self.previous = previous
    self.now = now
    material.items = items
    material.lastRevision = previous.lastRevision
    material.systemTrust = previous.systemTrust
  }

  mutating func assemble() {
    for listener in configuration.listeners {
      if let tls = listener.tls { addListener(listener.name, tls) }
    }
    for (index, service) in configuration.services.enumerated() {
      let place = "services[\(index)] (\(service.name)): "
      if let tls = service.tls {
        let entry = entry(
          tls, Self.protocols(service.protocol), reusesSessions: true, previous.services[service.name],
          place + "tls")
        material.services[service.name] = entry
        material.security.services[service.name] = entry.security
      }
      if let check = service.health, let tls = service.healthTLS {
        // A resumed session would hide that the certificate has become bad.
        material.health[service.name] = entry(
          tls, Self.protocols(of: check, service.protocol), reusesSessions: false,
          previous.health[service.name], place + "health.tls")
      }
    }
    addStatuses()
  }

  private mutating func nextRevision() -> UInt64 {
    material.lastRevision += 1
    return material.lastRevision
  }

  private func certificate(_ key: MaterialKey) -> TLSCertificate? { material.items[key]?.value.certificate }

  // MARK: Listeners

  private mutating func addListener(_ name: String, _ tls: ListenerTLS) {
    let trust = tls.clientCertificates.flatMap { material.items[MaterialKey($0)]?.value.trust }
    let identity = SecurityMaterial.ListenerIdentity(
      profile: tls.profile, protocols: tls.protocols, clients: tls.clientCertificates,
      trust: trust.map { ObjectIdentifier($0) }, issuesTickets: tls.tickets != .off)
    let options: TLSServerOptions
    let revision: UInt64
    // Nobody is trusted rather than everybody where the authorities are missing.
    let lacksTrust = tls.clientCertificates != nil && trust == nil
    if let old = previous.security.listeners[name],
      previous.listenerIdentities[name] == identity || lacksTrust
    {
      (options, revision) = (old.options, old.revision)
    } else {
      (options, revision) = (Self.options(tls, trust), nextRevision())
    }
    let served = configuration.certificates.filter { $0.isServed(by: name) }
    let defaults = tls.unknownHost == .defaultCertificate ? served.filter(\.isDefault) : []
    material.listenerIdentities[name] = identity
    material.security.listeners[name] = ListenerSecurity(
      revision: revision, options: options, certificates: served.compactMap { certificate(MaterialKey($0)) },
      defaultCertificates: defaults.compactMap { certificate(MaterialKey($0)) },
      ticketKeys: ticketKeys(name, tls.tickets))
  }

  private static func options(_ tls: ListenerTLS, _ trust: TLSTrust?) -> TLSServerOptions {
    var options = TLSServerOptions()
    options.profile = tls.profile == .modern ? .modern : .intermediate
    options.applicationProtocols = tls.protocols.map { $0 == .http2 ? .http2 : .http11 }
    options.issuesTickets = tls.tickets != .off
    if let clients = tls.clientCertificates, let trust {
      options.clientCertificateDepthMax = clients.depth
      options.clientCertificates = clients.verification == .required ? .required(trust) : .optional(trust)
    }
    return options
  }

  private mutating func ticketKeys(_ listener: String, _ tickets: SessionTickets) -> TicketKeys? {
    switch tickets {
    case .off: return nil
    case .files(let paths): return material.items[.ticketKeys(paths)]?.value.ticketKeys
    case .rotating(let period):
      // Clients' tickets stay good over a reload, whatever it changes.
      var rotation = previous.rotations[listener] ?? TicketRotation(every: period, at: now)
      rotation.period = period
      _ = rotation.rotate(at: now)
      material.rotations[listener] = rotation
      return rotation.keys
    }
  }

  // MARK: Services

  private mutating func entry(
    _ tls: ServiceTLS, _ protocols: [ApplicationProtocol], reusesSessions: Bool,
    _ old: SecurityMaterial.ServiceEntry?, _ place: String
  ) -> SecurityMaterial.ServiceEntry {
    let trust = trust(of: tls, place)
    let own = tls.clientCertificate.flatMap { certificate(MaterialKey($0)) }
    let identity = SecurityMaterial.ServiceIdentity(
      protocols: protocols, reusesSessions: reusesSessions, trust: trust.map { ObjectIdentifier($0) },
      certificate: own.map { ObjectIdentifier($0) })
    // Nobody is trusted rather than everybody where the authorities are missing.
    if let old, old.identity == identity || (tls.verify && trust == nil) { return old }
    var options = TLSClientOptions(trust: trust)
    options.applicationProtocols = protocols
    options.certificate = own
    options.reusesSessions = reusesSessions
    return SecurityMaterial.ServiceEntry(
      identity: identity, security: ServiceSecurity(revision: nextRevision(), options: options))
  }

  private mutating func trust(of tls: ServiceTLS, _ place: String) -> TLSTrust? {
    guard tls.verify else { return nil }
    if let path = tls.authoritiesPath {
      return material.items[.trust(authorities: path, revocations: nil)]?.value.trust
    }
    if let known = material.systemTrust { return known }
    do throws(CertificateError) {
      material.systemTrust = try TLSTrust.system()
    } catch {
      problems.append(SecurityProblem(place: place, paths: [], message: error.description))
    }
    return material.systemTrust
  }

  private static func protocols(_ spoken: ServiceProtocol) -> [ApplicationProtocol] {
    switch spoken {
    case .http1: [.http11]
    case .http2: [.http2]
    case .automatic: [.http2, .http11]
    }
  }

  private static func protocols(of check: HealthCheck, _ spoken: ServiceProtocol) -> [ApplicationProtocol] {
    if case .grpc = check.probe { [.http2] } else { protocols(spoken) }
  }

  // MARK: Statuses

  private mutating func addStatuses() {
    for spec in configuration.certificates {
      guard let certificate = certificate(MaterialKey(spec)) else { continue }
      add(certificate, .listeners(spec.name))
    }
    for service in configuration.services {
      let pairs = [service.tls, service.health == nil ? nil : service.healthTLS]
        .compactMap { $0?.clientCertificate }
      // Where checks have one of their own, the one that ends first counts.
      let own = pairs.compactMap { certificate(MaterialKey($0)) }.min { $0.notAfter < $1.notAfter }
      if let own { add(own, .service(service.name)) }
    }
  }

  private mutating func add(_ certificate: TLSCertificate, _ use: CertificateStatus.Use) {
    material.certificates.append(
      CertificateStatus(use: use, notBefore: certificate.notBefore, notAfter: certificate.notAfter))
  }
}
