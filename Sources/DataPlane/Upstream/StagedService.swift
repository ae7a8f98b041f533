import Resources
import Runtime
import TLS

/// What a change makes of a service, prepared so that taking it over is quick: requests see none of
/// it before the change takes effect.
final class StagedService {
  /// Nil: as before.
  var settings: ServiceSettings?
  /// All endpoints; nil: as before.
  var resolved: [ResolvedEndpoint]?
  /// Of ``resolved``, those that stay as the objects that they are; nil where nothing was asked of them.
  var endpoints: [Endpoint]?
  /// Of ``endpoints``.
  var weights: [Int] = []
  /// Of ``endpoints``.
  var health: [Bool] = []
  /// Prepared for what is staged; nil: as before.
  var balancer: Balancer?
  var security: ServiceContext?
  var changesSecurity = false
  var findings: [HealthFinding] = []
  /// Another service takes its number.
  var replacement: UpstreamService?
  var isRemoved = false
  /// Prepared with the endpoints as they are; else the service may wake before it takes over.
  let isForAwake: Bool

  init(isForAwake: Bool) { self.isForAwake = isForAwake }

  /// Makes endpoints of what is resolved, with those of `current` that stay.
  func setEndpoints(current: [Endpoint], now: MonotonicTime) {
    guard let resolved else { return }
    var known: [ResolvedEndpoint.Identity: Endpoint] = [:]
    for endpoint in current { known[.init(endpoint.name, endpoint.address)] = endpoint }
    endpoints = resolved.map { resolved in
      known.removeValue(forKey: .init(resolved.name, resolved.address))
        ?? Endpoint(resolved, availableSince: now)
    }
    weights = resolved.map(\.weight)
    health = resolved.map(\.isHealthy)
  }
}

extension ResolvedEndpoint {
  /// What makes two endpoints the same one across changes.
  struct Identity: Hashable {
    let name: String
    let address: SocketAddress
    init(_ name: String, _ address: SocketAddress) {
      self.name = name
      self.address = address
    }
  }
}
