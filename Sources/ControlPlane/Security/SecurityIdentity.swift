import DataPlane
import Resources
import TLS

/// What a listener's context is made of; the same means that workers keep theirs.
struct ListenerIdentity: Equatable {
  var profile: ListenerTLS.Profile
  var protocols: [ListenerTLS.ApplicationProtocol]
  var clients: ClientCertificates?
  /// The object stays the same while its files hold the same.
  var trust: ObjectIdentifier?
  var issuesTickets: Bool
}

/// The same of a service.
struct ServiceIdentity: Equatable {
  var protocols: [ApplicationProtocol]
  var reusesSessions: Bool
  var verifies: Bool
  var trust: ObjectIdentifier?
  var certificate: ObjectIdentifier?
}

/// How requests or checks of a service do TLS.
struct SecuredService {
  var identity: ServiceIdentity
  var security: ServiceSecurity
}

extension TLSServerOptions {
  /// - Parameter trust: what client certificates are verified with.
  init(_ tls: ListenerTLS, _ trust: TLSTrust?) {
    self.init()
    profile = tls.profile == .modern ? .modern : .intermediate
    applicationProtocols = tls.protocols.map { $0 == .http2 ? .http2 : .http11 }
    issuesTickets = tls.tickets != .off
    if let clients = tls.clientCertificates, let trust {
      clientCertificateDepthMax = clients.depth
      clientCertificates = clients.verification == .required ? .required(trust) : .optional(trust)
    }
  }
}

extension ListenerSecurity {
  /// Whether workers would notice no difference.
  func isSame(as other: ListenerSecurity) -> Bool {
    revision == other.revision && ticketKeys === other.ticketKeys
      && defaultCertificates.count == other.defaultCertificates.count
      && zip(defaultCertificates, other.defaultCertificates).allSatisfy { $0 === $1 }
  }
}

extension ServiceProtocol {
  /// What ALPN offers.
  var applicationProtocols: [ApplicationProtocol] {
    switch self {
    case .http1: [.http11]
    case .http2: [.http2]
    case .automatic: [.http2, .http11]
    }
  }
}

extension HealthCheck {
  var isGRPC: Bool { if case .grpc = probe { true } else { false } }
}
