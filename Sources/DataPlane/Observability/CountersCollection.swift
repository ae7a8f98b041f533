import Runtime

/// A copy of a worker's figures on its way, route by route and service by service: with 100,000 of them
/// it takes tens of milliseconds, and connections are served in between.
final class CountersCollection: SlicedWork {
  /// Up to this many services all are told of; above, those that have carried nothing and whose endpoints
  /// are all healthy are left out: there is nothing to say of them.
  public static let idleServicesMax = 1_000

  private unowned let data: DataPlaneWorker
  private let completion: (CountersSnapshot) -> Void
  private(set) var result = CountersSnapshot()
  private let number: UInt64
  /// What comes before is still to be copied. Backwards: what goes meanwhile is replaced by what has
  /// been copied already, and that says so by this collection's number.
  private var routesLeft: Int
  private var activeLeft: Int
  /// Where there are few services, the number of the next one.
  private var next = 0
  private let copiesAllServices: Bool
  private let wallClockNanoseconds: Int64

  init(of data: DataPlaneWorker, completion: @escaping (CountersSnapshot) -> Void) {
    self.data = data
    self.completion = completion
    data.counters.collections &+= 1
    number = data.counters.collections
    routesLeft = .max
    activeLeft = .max
    copiesAllServices = data.serviceTable.count <= Self.idleServicesMax
    // Growing them step by step would copy tens of megabytes at once.
    result.routes.reserveCapacity(data.counters.activeRoutes.count)
    result.services.reserveCapacity(
      copiesAllServices ? data.serviceTable.count : data.serviceTable.active.count)
    wallClockNanoseconds = data.worker.seam.wallClockNanoseconds()
  }

  func advance(_ slice: ChangeSlice) -> Bool {
    guard copyRoutes(slice), copiesAllServices ? copyAll(slice) : copyActive(slice) else { return false }
    result.worker = data.workerFigures()
    result.plugins = data.counters.plugins.mapValues(\.figures)
    completion(result)
    return true
  }

  private func copyRoutes(_ slice: ChangeSlice) -> Bool {
    let counters = data.counters
    routesLeft = min(routesLeft, counters.activeRoutes.count)
    while routesLeft > 0 {
      routesLeft -= 1
      let route = counters.activeRoutes[routesLeft]
      if route.collection == number { continue }
      route.collection = number
      result.routes.append(route.snapshot())
      if slice.isOver() { return false }
    }
    return true
  }

  private func copyActive(_ slice: ChangeSlice) -> Bool {
    activeLeft = min(activeLeft, data.serviceTable.active.count)
    while activeLeft > 0 {
      activeLeft -= 1
      copy(data.serviceTable.active[activeLeft])
      if slice.isOver() { return false }
    }
    return true
  }

  private func copyAll(_ slice: ChangeSlice) -> Bool {
    while next < data.serviceTable.limit {
      defer { next += 1 }
      guard let service = data.serviceTable.current(next) else { continue }
      copy(service)
      if slice.isOver() { return false }
    }
    return true
  }

  private func copy(_ service: UpstreamService) {
    if service.collection == number { return }
    service.collection = number
    result.services.append(
      ServiceFigures(
        name: service.name, endpoints: service.endpointFigures(wallClockNanoseconds: wallClockNanoseconds)))
  }
}
