import Resources
import Runtime
import TLS

/// What the control plane tells a worker: the entries that one change, or several together, touch.
///
/// Numbers of listeners, services and routes are given by the control plane: dense, and used again
/// when what had them is gone. An entry that is set replaces the one of its number; where it has
/// another name, the one before is gone. A delta's references hold once all of it is applied.
public struct Delta: Sendable {
  /// Grows with every delta.
  public var revision: UInt64
  /// Nil: as before.
  public var http: HTTPSettings?
  public var listeners: [ListenerChange] = []
  public var certificates: [CertificateChange] = []
  public var services: [ServiceChange] = []
  public var routes: [RouteChange] = []
  public var consumers: [ConsumerChange] = []
  /// Those that all requests meet; nil: as before.
  public var plugins: [PluginAttachment]?
  /// Endpoints of services that are there; behind all of ``services``.
  public var endpoints: [EndpointsChange] = []
  /// What active checks found out; behind all of ``endpoints``.
  public var health: [HealthFinding] = []

  public init(revision: UInt64) { self.revision = revision }
}

public enum ListenerChange: Sendable {
  /// - security: Nil where the listener has no TLS.
  case set(number: Int, Listener, security: ListenerSecurity?)
  /// Other certificates by default, authorities or ticket keys; the listener is as before.
  case setSecurity(number: Int, ListenerSecurity)
  case remove(number: Int)
}

public enum CertificateChange: Sendable {
  /// Adds a certificate, or replaces the one of its name.
  ///
  /// - listeners: numbers of those that show it; empty: all with TLS, also those that come later.
  case set(TLSCertificate, listeners: [Int])
  case remove(name: String)
}

public enum ServiceChange: Sendable {
  /// - endpoints: Nil: as before, for services that are there.
  /// - security: Nil where the service has no TLS.
  case set(number: Int, Service, endpoints: [ResolvedEndpoint]?, security: ServiceSecurity?)
  /// Other authorities or certificates; the service is as before.
  case setSecurity(number: Int, ServiceSecurity)
  case remove(number: Int)
}

public enum ConsumerChange: Sendable {
  case set(number: Int, Consumer)
  case remove(number: Int)
}

public enum RouteChange: Sendable {
  case set(RouteEntry)
  case remove(number: Int)
}

/// A route with what its names stand for.
public struct RouteEntry: Sendable {
  public var number: Int
  /// Decides between routes where all else is equal: the lower first, then by name.
  public var order: UInt64
  /// One for all workers: of 100,000 routes, each would keep its own.
  let definition: SharedDefinition<Route>
  /// Numbers of the services of ``Route/backends``, in their order.
  public var services: [Int]
  /// Numbers of the listeners of ``Route/listeners``; empty: all.
  public var listeners: [Int]

  public var route: Route { definition.value }

  public init(number: Int, order: UInt64, route: Route, services: [Int], listeners: [Int]) {
    self.number = number
    self.order = order
    definition = SharedDefinition(route)
    self.services = services
    self.listeners = listeners
  }
}

/// What a resource says, for all threads that need it.
final class SharedDefinition<Definition: Sendable>: Sendable {
  let value: Definition

  init(_ value: Definition) { self.value = value }
}

/// All endpoints of a service, in a stable order, with the health that is known of each.
public struct EndpointsChange: Sendable {
  /// The service's number.
  public var service: Int
  public var endpoints: [ResolvedEndpoint]

  public init(service: Int, endpoints: [ResolvedEndpoint]) {
    self.service = service
    self.endpoints = endpoints
  }
}

/// What active checks found out about one address.
public struct HealthFinding: Sendable {
  /// The service's number.
  public var service: Int
  public var address: SocketAddress
  public var isHealthy: Bool

  public init(service: Int, address: SocketAddress, isHealthy: Bool) {
    self.service = service
    self.address = address
    self.isHealthy = isHealthy
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

/// TLS of a listener. A revision grows whenever the options change, so that workers make contexts anew
/// only then.
public struct ListenerSecurity: Sendable {
  /// Of ``options``.
  public var revision: UInt64
  public var options: TLSServerOptions
  /// For clients whose host no certificate is for; empty: they are refused.
  public var defaultCertificates: [TLSCertificate]
  /// Nil where it issues no tickets.
  public var ticketKeys: TicketKeys?

  public init(
    revision: UInt64, options: TLSServerOptions, defaultCertificates: [TLSCertificate] = [],
    ticketKeys: TicketKeys? = nil
  ) {
    self.revision = revision
    self.options = options
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
