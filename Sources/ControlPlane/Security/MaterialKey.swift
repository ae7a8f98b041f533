import Resources

/// What is made of files: the same files for the same purpose are read once.
enum MaterialKey: Hashable, Sendable {
  /// A certificate that listeners show.
  case certificate(name: String, chain: String, key: String, ocsp: String?, hosts: [String])
  /// The gateway's own for services that ask for one.
  case clientCertificate(chain: String, key: String)
  case trust(authorities: String, revocations: String?)
  case ticketKeys([String])

  init(_ certificate: CertificateSpec) {
    self = .certificate(
      name: certificate.name, chain: certificate.chainPath, key: certificate.keyPath,
      ocsp: certificate.ocspPath, hosts: certificate.hosts)
  }

  init(_ pair: ServiceTLS.KeyPair) {
    self = .clientCertificate(chain: pair.chainPath, key: pair.keyPath)
  }

  init(_ clients: ClientCertificates) {
    self = .trust(authorities: clients.authoritiesPath, revocations: clients.revocationsPath)
  }

  var paths: [String] {
    switch self {
    case .certificate(_, let chain, let key, let ocsp, _): [chain, key] + (ocsp.map { [$0] } ?? [])
    case .clientCertificate(let chain, let key): [chain, key]
    case .trust(let authorities, let revocations): [authorities] + (revocations.map { [$0] } ?? [])
    case .ticketKeys(let paths): paths
    }
  }

  /// Where a resource names the files.
  var field: String {
    switch self {
    case .certificate: "certificate"
    case .clientCertificate, .trust: "tls"
    case .ticketKeys: "tls.tickets"
    }
  }

  /// For the log: `certificate shop`.
  var description: String {
    switch self {
    case .certificate(let name, _, _, _, _): "certificate \(name)"
    case .clientCertificate(let chain, _): "client certificate \(chain)"
    case .trust(let authorities, _): "authorities \(authorities)"
    case .ticketKeys(let paths): "ticket keys \(paths.joined(separator: ", "))"
    }
  }
}

/// A key, and which field of a resource asks for it.
struct MaterialNeed {
  var key: MaterialKey
  var id: ResourceID
  var field: String

  static func all(of listener: Listener) -> [MaterialNeed] {
    let id = ResourceID(.listeners, listener.name)
    var needs: [MaterialNeed] = []
    if let clients = listener.tls?.clientCertificates {
      needs.append(MaterialNeed(key: MaterialKey(clients), id: id, field: "tls.clientCertificates"))
    }
    if case .files(let paths) = listener.tls?.tickets {
      needs.append(MaterialNeed(key: .ticketKeys(paths), id: id, field: "tls.tickets"))
    }
    return needs
  }

  /// None for a certificate whose text is in the resource itself.
  static func all(of certificate: CertificateSpec) -> [MaterialNeed] {
    if certificate.chainPath.isEmpty { return [] }
    let id = ResourceID(.certificates, certificate.name)
    return [MaterialNeed(key: MaterialKey(certificate), id: id, field: "certificate")]
  }

  static func all(of service: Service) -> [MaterialNeed] {
    let id = ResourceID(.services, service.name)
    var needs: [MaterialNeed] = []
    for (tls, field) in [(service.tls, "tls"), (service.checkedTLS, "health.tls")] {
      guard let tls else { continue }
      if tls.verify, let path = tls.authoritiesPath {
        let key = MaterialKey.trust(authorities: path, revocations: nil)
        needs.append(MaterialNeed(key: key, id: id, field: field))
      }
      if let pair = tls.clientCertificate {
        needs.append(MaterialNeed(key: MaterialKey(pair), id: id, field: field))
      }
    }
    return needs
  }
}

extension Service {
  /// What health checks do TLS with; `nil` where there are none, or none with TLS.
  var checkedTLS: ServiceTLS? { health == nil ? nil : healthTLS }
}
