import Resources
import Runtime

/// What the control plane gives to a worker: a whole configuration, with names resolved.
public struct Snapshot: Sendable {
  /// Grows with every change.
  public var revision: UInt64
  public var configuration: Configuration
  /// Endpoints by service name. A service whose names did not resolve has none.
  public var endpoints: [String: [ResolvedEndpoint]]

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
