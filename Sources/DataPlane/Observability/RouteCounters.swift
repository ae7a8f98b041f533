import Runtime

/// What one worker counts for one route. Used on the worker's thread only.
///
/// A route that has seen no request holds its name and nothing else, so that 100,000 of them cost
/// little; the figures are allocated with the first request.
public final class RouteCounters {
  /// Pairs of service and status that are counted apart; more are counted together, so that no
  /// endpoint that invents statuses can fill the memory.
  public static let pairsMax = 64

  public let route: String
  private unowned let owner: WorkerCounters
  private(set) var content: Content?

  /// Allocated once, with the first request.
  final class Content {
    private var pairs: [Pair] = []
    /// The pair of the last request, which the next is usually of, and its place in `pairs`, where
    /// its count is written when another pair takes its turn.
    private var current = Pair(service: .min, status: 0, count: 0)
    private var currentIndex = -1
    var figures = RouteFigures()

    @inline(__always)
    func count(service: Int32, status: UInt16) {
      if current.status == status, current.service == service {
        current.count &+= 1
      } else {
        countElsewhere(service: service, status: status)
      }
    }

    private func countElsewhere(service: Int32, status: UInt16) {
      let index = pairs.firstIndex { $0.status == status && $0.service == service } ?? pairs.count
      guard index < RouteCounters.pairsMax else {
        figures.otherRequests &+= 1
        return
      }
      if index == pairs.count { pairs.append(Pair(service: service, status: status, count: 0)) }
      if currentIndex >= 0 { pairs[currentIndex] = current }
      current = pairs[index]
      currentIndex = index
      current.count &+= 1
    }

    /// All pairs with their counts.
    var counted: [Pair] {
      var pairs = pairs
      if currentIndex >= 0 { pairs[currentIndex] = current }
      return pairs
    }
  }

  /// One service and status.
  struct Pair {
    var service: Int32
    var status: UInt16
    var count: UInt64
  }

  init(route: String, owner: WorkerCounters) {
    self.route = route
    self.owner = owner
  }

  /// Counts an exchange that has ended.
  ///
  /// - Parameter service: its number in ``WorkerCounters/serviceNumber(_:)``; -1 where none was chosen.
  public func record(_ record: borrowing ExchangeRecord, service: Int) {
    let content = content ?? begin()
    content.count(service: Int32(truncatingIfNeeded: service), status: record.status)
    content.figures.record(record)
  }

  private func begin() -> Content {
    let content = Content()
    self.content = content
    owner.becameActive(self)
    return content
  }

  /// A copy of what was counted; nil where nothing was.
  func snapshot(serviceNames: [String]) -> RouteFigures? {
    guard let content else { return nil }
    var figures = content.figures
    figures.route = route
    figures.requests = content.counted.map { pair in
      let service = Int(pair.service)
      return RouteFigures.Requests(
        service: serviceNames.indices.contains(service) ? serviceNames[service] : "", status: pair.status,
        count: pair.count)
    }
    return figures
  }
}
