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

/// A key, and where the configuration names it first.
struct MaterialNeed: Sendable {
  var key: MaterialKey
  /// `certificates[0] (shop)`, `listeners[1] (partners): tls.clientCertificates`.
  var place: String

  /// Everything that a configuration needs, in its order, each once.
  static func all(of configuration: Configuration) -> [MaterialNeed] {
    var needs: [MaterialNeed] = []
    var seen: Set<MaterialKey> = []
    func add(_ key: MaterialKey, _ place: String) {
      if seen.insert(key).inserted { needs.append(MaterialNeed(key: key, place: place)) }
    }
    for (index, listener) in configuration.listeners.enumerated() {
      let place = "listeners[\(index)] (\(listener.name)): tls"
      if let clients = listener.tls?.clientCertificates {
        add(MaterialKey(clients), place + ".clientCertificates")
      }
      if case .files(let paths) = listener.tls?.tickets { add(.ticketKeys(paths), place + ".tickets") }
    }
    for (index, certificate) in configuration.certificates.enumerated() {
      add(MaterialKey(certificate), place(of: certificate, at: index))
    }
    for (index, service) in configuration.services.enumerated() {
      let place = "services[\(index)] (\(service.name)): "
      for (tls, what) in [(service.tls, "tls"), (checkedTLS(of: service), "health.tls")] {
        guard let tls else { continue }
        if tls.verify, let path = tls.authoritiesPath {
          add(.trust(authorities: path, revocations: nil), place + what)
        }
        if let pair = tls.clientCertificate { add(MaterialKey(pair), place + what) }
      }
    }
    return needs
  }

  static func place(of certificate: CertificateSpec, at index: Int) -> String {
    "certificates[\(index)] (\(certificate.name))"
  }

  private static func checkedTLS(of service: Service) -> ServiceTLS? {
    service.health == nil ? nil : service.healthTLS
  }
}
