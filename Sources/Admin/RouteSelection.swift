import DataPlane
import Synchronization

/// Which routes have metrics of their own, so that 100,000 routes do not make millions of series.
///
/// The first routes that are seen keep their place until they are gone from the configuration; all
/// others are shown together as `_other`. A route that was once shown there stays there, since its
/// count would otherwise leave that sum, which may only grow.
final class RouteSelection: Sendable {
  static let other = "_other"

  private struct State: ~Copyable {
    var own: Set<String> = []
    var folded: Set<String> = []
  }

  private let routesMax: Int
  private let state = Mutex(State())

  init(routesMax: Int) { self.routesMax = routesMax }

  /// The routes that are shown one by one, and the sum of all others as the last one.
  func select(_ routes: [RouteFigures]) -> [RouteFigures] {
    let own = state.withLock { state in
      let present = Set(routes.map(\.route))
      state.own.formIntersection(present)
      state.folded.formIntersection(present)
      for route in routes where !state.own.contains(route.route) && !state.folded.contains(route.route) {
        if state.own.count < routesMax {
          state.own.insert(route.route)
        } else {
          state.folded.insert(route.route)
        }
      }
      return state.own
    }
    if own.count == routes.count { return routes }
    var selected: [RouteFigures] = []
    var rest = RouteFigures()
    rest.route = Self.other
    for route in routes {
      if own.contains(route.route) { selected.append(route) } else { rest.add(route) }
    }
    selected.append(rest)
    return selected
  }
}
