import Runtime

/// Everything that one worker counts: plain memory, used on its thread only.
public final class WorkerCounters {
  /// Counted in place by whoever knows: `counters.figures.retries &+= 1`.
  public var figures = WorkerFigures()
  /// For requests that no route took; its name is empty.
  private(set) var noRoute: RouteCounters!

  /// Those that have counted something: only they are looked at when figures are copied.
  private(set) var activeRoutes: [RouteCounters] = []
  /// Collections of figures that were begun; see ``CountersCollection``.
  var collections: UInt64 = 0
  private var lastServiceNumber: Int32 = -1
  /// By the plugins' names.
  private(set) var plugins: [String: PluginCounters] = [:]

  public init() {
    noRoute = RouteCounters(route: "", owner: self)
  }

  /// Counters for a route's first request.
  func makeCounters(route: String) -> RouteCounters { RouteCounters(route: route, owner: self) }

  /// The counters of a kind of plugin; made when it is first in use.
  func plugin(named name: String) -> PluginCounters {
    if let known = plugins[name] { return known }
    let new = PluginCounters()
    plugins[name] = new
    return new
  }

  /// A number for a service, which no other gets: counts refer to it for as long as there are any.
  func nextServiceNumber() -> Int32 {
    lastServiceNumber &+= 1
    return lastServiceNumber
  }

  func becameActive(_ route: RouteCounters) {
    route.position = activeRoutes.count
    activeRoutes.append(route)
  }

  /// The route is gone, and its figures with it.
  func remove(_ route: RouteCounters) {
    guard route.position >= 0 else { return }
    let last = activeRoutes.removeLast()
    if last !== route {
      activeRoutes[route.position] = last
      last.position = route.position
    }
    route.position = -1
  }
}
