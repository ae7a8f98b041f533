import Resources
import Runtime
import TLS

/// What the control plane gives to a worker: a whole configuration, with names resolved.
public struct Snapshot: Sendable {
  /// Grows with every change.
  public var revision: UInt64
  public var configuration: Configuration
  /// Endpoints by service name. A service whose names did not resolve has none.
  public var endpoints: [String: [ResolvedEndpoint]]
  /// What TLS needs, read from its files and checked.
  public var security = Security()

  public init(revision: UInt64, configuration: Configuration, endpoints: [String: [ResolvedEndpoint]]) {
    self.revision = revision
    self.configuration = configuration
    self.endpoints = endpoints
  }
}

/// One address of an endpoint. A name that resolves to several addresses makes several of these.
public struct ResolvedEndpoint: Sendable, Hashable {
  /// As in the configuration: `orders.internal:8080`.
  public var name: String
  public var address: SocketAddress
  public var weight: Int
  /// What active checks say; true where there are none.
  public var isHealthy: Bool

  public init(name: String, address: SocketAddress, weight: Int, isHealthy: Bool = true) {
    self.name = name
    self.address = address
    self.weight = weight
    self.isHealthy = isHealthy
  }
}

/// What listeners and services do TLS with. A revision grows whenever what it stands for changes, so
/// that workers make contexts anew only for what did.
public struct Security: Sendable {
  /// By the listener's name; those without TLS have none.
  public var listeners: [String: ListenerSecurity] = [:]
  /// By the service's name; those without TLS have none.
  public var services: [String: ServiceSecurity] = [:]
  public init() {}
}

/// TLS of a listener.
public struct ListenerSecurity: Sendable {
  /// Of ``options``.
  public var revision: UInt64
  public var options: TLSServerOptions
  /// Those that it shows, by their hosts.
  public var certificates: [TLSCertificate]
  /// For clients whose host no certificate is for; empty: they are refused.
  public var defaultCertificates: [TLSCertificate]
  /// Nil where it issues no tickets.
  public var ticketKeys: TicketKeys?

  public init(
    revision: UInt64, options: TLSServerOptions, certificates: [TLSCertificate],
    defaultCertificates: [TLSCertificate] = [], ticketKeys: TicketKeys? = nil
  ) {
    self.revision = revision
    self.options = options
    self.certificates = certificates
    self.defaultCertificates = defaultCertificates
    self.ticketKeys = ticketKeys
  }
}

/// TLS towards a service's endpoints.
public struct ServiceSecurity: Sendable {
  /// Of ``options``.
  public var revision: UInt64
  public var options: TLSClientOptions
  public init(revision: UInt64, options: TLSClientOptions) {
    self.revision = revision
    self.options = options
  }
}
