/// What one worker has counted, or several together, as a value that may leave the worker.
public struct CountersSnapshot: Sendable {
  public var worker: WorkerFigures
  /// Routes that have seen a request, in no order.
  public var routes: [RouteFigures]
  /// All of them, by number, where there are few; else without those that have carried nothing, and
  /// of which there is nothing to say: see ``CountersCollection/idleServicesMax``.
  public var services: [ServiceFigures]
  /// Kinds of plugins that have been in use, by their names.
  public var plugins: [String: PluginFigures] = [:]

  public init(
    worker: WorkerFigures = WorkerFigures(), routes: [RouteFigures] = [], services: [ServiceFigures] = []
  ) {
    self.worker = worker
    self.routes = routes
    self.services = services
  }

  /// The figures of several workers together.
  public static func merged(_ snapshots: [CountersSnapshot]) -> CountersSnapshot {
    var sum = CountersSnapshot()
    var routeIndices: [String: Int] = [:]
    var serviceIndices: [String: Int] = [:]
    for snapshot in snapshots {
      sum.worker.add(snapshot.worker)
      sum.plugins.merge(snapshot.plugins) { $0 + $1 }
      for route in snapshot.routes {
        if let index = routeIndices[route.route] {
          sum.routes[index].add(route)
        } else {
          routeIndices[route.route] = sum.routes.count
          sum.routes.append(route)
        }
      }
      for service in snapshot.services {
        if let index = serviceIndices[service.name] {
          sum.services[index].add(service)
        } else {
          serviceIndices[service.name] = sum.services.count
          sum.services.append(service)
        }
      }
    }
    return sum
  }

  public static func + (a: CountersSnapshot, b: CountersSnapshot) -> CountersSnapshot { merged([a, b]) }
}

/// One service's state, of one worker or several together.
public struct ServiceFigures: Sendable {
  public var name: String
  public var endpoints: [EndpointFigures]

  public init(name: String, endpoints: [EndpointFigures]) {
    self.name = name
    self.endpoints = endpoints
  }

  mutating func add(_ other: ServiceFigures) {
    for (position, endpoint) in other.endpoints.enumerated() {
      // Workers hold the same endpoints in the same order, but between two configurations.
      if position < endpoints.count, endpoints[position].isSame(as: endpoint) {
        endpoints[position].add(endpoint)
      } else if let index = endpoints.firstIndex(where: { $0.isSame(as: endpoint) }) {
        endpoints[index].add(endpoint)
      } else {
        endpoints.append(endpoint)
      }
    }
  }
}
