import DataPlane
import Resources
import TLS

/// Everything of TLS that a configuration needs, as it was read from files or made, and what workers
/// are told of it.
struct SecurityMaterial: Sendable {
  /// What a listener's context is made of; the same means that workers keep theirs.
  struct ListenerIdentity: Equatable, Sendable {
    var profile: ListenerTLS.Profile
    var protocols: [ListenerTLS.ApplicationProtocol]
    var clients: ClientCertificates?
    /// The object stays the same while its files hold the same.
    var trust: ObjectIdentifier?
    var issuesTickets: Bool
  }

  /// The same of a service.
  struct ServiceIdentity: Equatable, Sendable {
    var protocols: [ApplicationProtocol]
    var reusesSessions: Bool
    var trust: ObjectIdentifier?
    var certificate: ObjectIdentifier?
  }

  struct ServiceEntry: Sendable {
    var identity: ServiceIdentity
    var security: ServiceSecurity
  }

  /// What was made of files.
  var items: [MaterialKey: MaterialItem] = [:]
  /// The system's authorities, read once.
  var systemTrust: TLSTrust?
  /// Keys of the process's own, by listener.
  var rotations: [String: TicketRotation] = [:]
  var listenerIdentities: [String: ListenerIdentity] = [:]
  var services: [String: ServiceEntry] = [:]
  /// How health checks do TLS, by service.
  var health: [String: ServiceEntry] = [:]
  /// Of the last listener or service that changed.
  var lastRevision: UInt64 = 0
  /// What workers are told.
  var security = Security()
  /// In the order of the configuration.
  var certificates: [CertificateStatus] = []

  /// All files, and how they were when they were read.
  var files: [String: FileSignature?] {
    var files: [String: FileSignature?] = [:]
    for (key, item) in items {
      for (path, signature) in zip(key.paths, item.signatures) { files[path] = .some(signature) }
    }
    return files
  }

  /// Sets of files that hold what cannot be used.
  var problems: [SecurityProblem] { items.values.compactMap(\.problem).sorted { $0.place < $1.place } }

  /// When the next ticket key is due.
  var nextRotation: ContinuousClock.Instant? { rotations.values.map(\.due).min() }

  /// Makes the ticket keys that are due.
  /// - Returns: whether any listener has others now.
  mutating func rotateTicketKeys(at now: ContinuousClock.Instant) -> Bool {
    var hasChanged = false
    for name in rotations.keys where rotations[name]?.rotate(at: now) == true {
      security.listeners[name]?.ticketKeys = rotations[name]?.keys
      hasChanged = true
    }
    return hasChanged
  }
}

extension Security {
  /// Whether workers would notice a difference.
  func isSame(as other: Security) -> Bool {
    guard listeners.count == other.listeners.count, services.count == other.services.count else {
      return false
    }
    for (name, listener) in listeners {
      guard let old = other.listeners[name], listener.isSame(as: old) else { return false }
    }
    return services.allSatisfy { $0.value.revision == other.services[$0.key]?.revision }
  }
}

extension ListenerSecurity {
  fileprivate func isSame(as other: ListenerSecurity) -> Bool {
    func isSame(_ a: [TLSCertificate], _ b: [TLSCertificate]) -> Bool {
      a.count == b.count && zip(a, b).allSatisfy { $0 === $1 }
    }
    return revision == other.revision && ticketKeys === other.ticketKeys
      && isSame(certificates, other.certificates) && isSame(defaultCertificates, other.defaultCertificates)
  }
}
