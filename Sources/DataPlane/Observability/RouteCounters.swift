import Runtime

/// What one worker counts for one route. Used on the worker's thread only.
///
/// Made with the route's first request, so that 100,000 routes without any cost nothing.
public final class RouteCounters {
  /// Pairs of service and status that are counted apart; more are counted together, so that no
  /// endpoint that invents statuses can fill the memory.
  public static let pairsMax = 64

  /// The pair of the last request, which the next is usually of, and how often it came: written to its place in
  /// `pairs` when another pair takes its turn.
  private var service = Int32.min
  private var status: UInt16 = 0
  private var count: UInt64 = 0
  private var figures = RouteFigures()
  /// Of that pair in `pairs`.
  private var index = -1
  private var pairs: [Pair] = []
  public let route: String
  private unowned let owner: WorkerCounters
  /// Its place among those that have counted something; -1: it has not, or is of a route that is gone.
  var position = -1
  /// Of the last collection that has copied it; see ``CountersCollection``.
  var collection: UInt64 = 0

  /// One service and status.
  private struct Pair {
    var service: Int32
    var status: UInt16
    var count: UInt64
    var name: String
  }

  init(route: String, owner: WorkerCounters) {
    self.route = route
    self.owner = owner
  }

  /// Has what ``record(_:service:name:)`` changes brought near, for an exchange that has begun: among 100,000
  /// routes no cache holds it.
  @inline(__always)
  func prepare() { Prefetching.prepare(self, bytes: Self.countingBytes) }

  /// From the object's head to the buckets of durations up to 1 ms.
  private static let countingBytes = 112

  /// Counts an exchange that has ended.
  ///
  /// - Parameters:
  ///   - service: its number of ``WorkerCounters/nextServiceNumber()``; -1 where none was chosen.
  ///   - name: the service's name, asked for when the pair is new.
  @inline(__always)
  func record(
    _ record: borrowing ExchangeRecord, service: Int32, name: @autoclosure () -> String
  ) {
    if status == record.status, self.service == service {
      count &+= 1
    } else if !countKnown(service: service, status: record.status) {
      begin(Pair(service: service, status: record.status, count: 0, name: name()))
    }
    figures.record(record)
  }

  /// Counts in a pair that is there.
  private func countKnown(service: Int32, status: UInt16) -> Bool {
    guard let index = pairs.firstIndex(where: { $0.status == status && $0.service == service }) else {
      return false
    }
    select(index)
    return true
  }

  private func begin(_ pair: Pair) {
    if pairs.isEmpty { owner.becameActive(self) }
    guard pairs.count < Self.pairsMax else {
      figures.otherRequests &+= 1
      return
    }
    pairs.append(pair)
    select(pairs.count - 1)
  }

  private func select(_ index: Int) {
    if self.index >= 0 { pairs[self.index].count = count }
    service = pairs[index].service
    status = pairs[index].status
    count = pairs[index].count &+ 1
    self.index = index
  }

  /// A copy of what was counted.
  func snapshot() -> RouteFigures {
    var copy = figures
    copy.route = route
    var pairs = pairs
    if index >= 0 { pairs[index].count = count }
    // A service that went and came back is the same to those who read this.
    for pair in pairs {
      copy.add(RouteFigures.Requests(service: pair.name, status: pair.status, count: pair.count))
    }
    return copy
  }
}
