import Runtime

/// What one worker counts for one route. Used on the worker's thread only.
///
/// Made with the route's first request, so that 100,000 routes without any cost nothing.
public final class RouteCounters {
  /// Pairs of service and status that are counted apart; more are counted together, so that no
  /// endpoint that invents statuses can fill the memory.
  public static let pairsMax = 64

  /// The pair of the last request, which the next is usually of, and its place in `pairs`, where
  /// its count is written when another pair takes its turn.
  private var current = Pair(service: .min, status: 0, count: 0, name: "")
  private var figures = RouteFigures()
  private var currentIndex = -1
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
  /// routes it lies in seven cache lines that have to be fetched from memory.
  @inline(__always)
  func prepare() { Prefetching.prepare(self, bytes: Self.countingBytes) }

  /// From the object's head to the first buckets of the last histogram.
  private static let countingBytes = 400

  /// Counts an exchange that has ended.
  ///
  /// - Parameters:
  ///   - service: its number of ``WorkerCounters/nextServiceNumber()``; -1 where none was chosen.
  ///   - name: the service's name, asked for when the pair is new.
  @inline(__always)
  func record(
    _ record: borrowing ExchangeRecord, service: Int32, name: @autoclosure () -> String
  ) {
    if current.status == record.status, current.service == service {
      current.count &+= 1
    } else if !count(service: service, status: record.status) {
      begin(Pair(service: service, status: record.status, count: 0, name: name()))
    }
    figures.record(record)
  }

  /// Counts in a pair that is there.
  private func count(service: Int32, status: UInt16) -> Bool {
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
    if currentIndex >= 0 { pairs[currentIndex] = current }
    current = pairs[index]
    currentIndex = index
    current.count &+= 1
  }

  /// A copy of what was counted.
  func snapshot() -> RouteFigures {
    var copy = figures
    copy.route = route
    var pairs = pairs
    if currentIndex >= 0 { pairs[currentIndex] = current }
    // A service that went and came back is the same to those who read this.
    for pair in pairs {
      copy.add(RouteFigures.Requests(service: pair.name, status: pair.status, count: pair.count))
    }
    return copy
  }
}
