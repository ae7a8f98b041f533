import DataPlane
import Resources
import Runtime

/// Turns whole configurations, one after another, into what changes between them, as the control plane
/// does: resources keep their numbers by name, and numbers of those that are gone are used again.
///
/// Without TLS. Consumers do not change once they are there.
public final class ConfigurationTracker {
  /// Names to dense numbers.
  private struct Numbers {
    private var numbers: [String: Int] = [:]
    private var free: [Int] = []

    subscript(name: String) -> Int? { numbers[name] }

    mutating func take(_ name: String) -> Int {
      if let number = numbers[name] { return number }
      let number = free.popLast() ?? numbers.count
      numbers[name] = number
      return number
    }

    mutating func release(_ name: String) -> Int? {
      guard let number = numbers.removeValue(forKey: name) else { return nil }
      free.append(number)
      return number
    }
  }

  public private(set) var configuration = Configuration()
  public private(set) var revision: UInt64 = 0
  private var endpoints: [String: [ResolvedEndpoint]] = [:]
  private var listeners = Numbers()
  private var services = Numbers()
  private var routes = Numbers()

  public init() {}

  public func number(ofListener name: String) -> Int? { listeners[name] }
  public func number(ofService name: String) -> Int? { services[name] }
  public func number(ofRoute name: String) -> Int? { routes[name] }

  /// What changes when this configuration takes the place of the one before.
  ///
  /// - Parameter endpoints: by service name; nil: as before.
  public func delta(
    to configuration: Configuration, endpoints: [String: [ResolvedEndpoint]]? = nil
  ) -> Delta {
    var delta = begin()
    let old = self.configuration
    if configuration.http != old.http { delta.http = configuration.http }
    if configuration.plugins != old.plugins { delta.plugins = configuration.plugins.map(\.attachment) }
    removeListeners(old, configuration, &delta)
    removeServices(old, configuration, &delta)
    removeRoutes(old, configuration, &delta)
    for listener in configuration.listeners where !old.listeners.contains(listener) {
      delta.listeners.append(.set(number: listeners.take(listener.name), listener, security: nil))
    }
    setServices(old, configuration, endpoints, &delta)
    setRoutes(old, configuration, &delta)
    for (number, consumer) in configuration.consumers.enumerated() where !old.consumers.contains(consumer) {
      delta.consumers.append(.set(number: number, consumer))
    }
    self.configuration = configuration
    return delta
  }

  /// What changes when a service has other endpoints; it is one of the configuration.
  public func delta(endpoints resolved: [ResolvedEndpoint], ofService name: String) -> Delta {
    var delta = begin()
    endpoints[name] = resolved
    if let number = services[name] {
      delta.endpoints = [EndpointsChange(service: number, endpoints: resolved)]
    }
    return delta
  }

  private func begin() -> Delta {
    revision += 1
    return Delta(revision: revision)
  }

  // MARK: What goes

  private func removeListeners(_ old: Configuration, _ new: Configuration, _ delta: inout Delta) {
    let names = Set(new.listeners.map(\.name))
    for listener in old.listeners where !names.contains(listener.name) {
      if let number = listeners.release(listener.name) { delta.listeners.append(.remove(number: number)) }
    }
  }

  private func removeServices(_ old: Configuration, _ new: Configuration, _ delta: inout Delta) {
    let names = Set(new.services.map(\.name))
    for service in old.services where !names.contains(service.name) {
      endpoints[service.name] = nil
      if let number = services.release(service.name) { delta.services.append(.remove(number: number)) }
    }
  }

  private func removeRoutes(_ old: Configuration, _ new: Configuration, _ delta: inout Delta) {
    let names = Set(new.routes.map(\.name))
    for route in old.routes where !names.contains(route.name) {
      if let number = routes.release(route.name) { delta.routes.append(.remove(number: number)) }
    }
  }

  // MARK: What comes or changes

  private func setServices(
    _ old: Configuration, _ new: Configuration, _ changed: [String: [ResolvedEndpoint]]?,
    _ delta: inout Delta
  ) {
    for service in new.services {
      let isNew = services[service.name] == nil
      let number = services.take(service.name)
      let resolved = changed.map { $0[service.name] ?? [] }
      let hasOtherEndpoints = resolved != nil && resolved != endpoints[service.name]
      if isNew || hasOtherEndpoints || !old.services.contains(service) {
        delta.services.append(
          .set(
            number: number, service, endpoints: isNew ? resolved ?? [] : hasOtherEndpoints ? resolved : nil,
            security: nil))
      }
      if let resolved { endpoints[service.name] = resolved }
    }
  }

  private func setRoutes(_ old: Configuration, _ new: Configuration, _ delta: inout Delta) {
    for (order, route) in new.routes.enumerated() {
      let isSame = order < old.routes.count && old.routes[order] == route
      let numbers = route.backends.compactMap { services[$0.service] }
      let attached = route.listeners.compactMap { listeners[$0] }
      // A name that is used again may stand for another number.
      if isSame, routes[route.name] != nil, delta.services.isEmpty, delta.listeners.isEmpty { continue }
      delta.routes.append(
        .set(
          RouteEntry(
            number: routes.take(route.name), order: UInt64(order), route: route, services: numbers,
            listeners: attached)))
    }
  }
}
