import Runtime

/// Everything that one worker counts: plain memory, used on its thread only.
public final class WorkerCounters {
  /// Counted in place by whoever knows: `counters.figures.retries &+= 1`.
  public var figures = WorkerFigures()
  /// For requests that no route took; its name is empty.
  public private(set) var noRoute: RouteCounters!

  private var routes: [String: RouteCounters] = [:]
  /// Those that have counted something, in the order of their first request: only they are looked
  /// at when a snapshot is taken.
  private var activeRoutes: [RouteCounters] = []
  private var serviceNumbers: [String: Int] = [:]
  private var serviceNames: [String] = []

  public init() {
    noRoute = RouteCounters(route: "", owner: self)
  }

  // MARK: When a configuration is applied

  /// The counters of a route: those that there are, so that a new configuration does not reset
  /// them, or new ones.
  public func route(_ name: String) -> RouteCounters {
    if let counters = routes[name] { return counters }
    let counters = RouteCounters(route: name, owner: self)
    routes[name] = counters
    return counters
  }

  /// Forgets the counters of routes that are gone.
  public func removeRoutes(where isGone: (String) -> Bool) {
    routes = routes.filter { !isGone($0.key) }
    activeRoutes.removeAll { $0 !== noRoute && isGone($0.route) }
  }

  /// A service's number for ``RouteCounters/record(_:service:)``. It stays the service's as long as
  /// the worker lives, whatever configurations come, since counts refer to it.
  public func serviceNumber(_ name: String) -> Int {
    if let number = serviceNumbers[name] { return number }
    serviceNumbers[name] = serviceNames.count
    serviceNames.append(name)
    return serviceNames.count - 1
  }

  func becameActive(_ route: RouteCounters) { activeRoutes.append(route) }

  // MARK: When someone asks

  /// A copy of everything. To be called on the worker's thread, by a posted message.
  ///
  /// - Parameters:
  ///   - services: every service with its endpoints; see ``Endpoint/figures(now:wallClockNanoseconds:)``.
  ///   - accessLog: the worker's log, if it has one.
  public func snapshot(
    on worker: Worker, services: [ServiceFigures], accessLog: WorkerAccessLog?
  ) -> CountersSnapshot {
    var figures = figures
    figures.buffersLent = worker.buffers.lentCount
    figures.openSockets = worker.openSocketCount
    figures.loopRounds = worker.roundCount
    if let accessLog {
      figures.accessLogLines &+= accessLog.linesWritten
      figures.accessLogDropped &+= accessLog.linesDropped
    }
    return CountersSnapshot(
      worker: figures, routes: activeRoutes.compactMap { $0.snapshot(serviceNames: serviceNames) },
      services: services)
  }
}
