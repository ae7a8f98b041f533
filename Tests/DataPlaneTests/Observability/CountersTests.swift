import Runtime
import Testing

@testable import DataPlane

@Suite("Counters")
struct CountersTests {
  private func record(
    _ status: UInt16, nanoseconds: Int64 = 1, response: Int64 = -1, outcome: Outcome = .proxied
  ) -> ExchangeRecord {
    var record = ExchangeRecord()
    record.status = status
    record.totalNanoseconds = nanoseconds
    record.responseNanoseconds = response
    record.outcome = outcome
    record.requestBodyBytes = 1
    record.responseBodyBytes = 2
    record.receivedBytes = 3
    record.sentBytes = 4
    return record
  }

  private func snapshot(_ counters: WorkerCounters, services: [ServiceFigures] = []) -> CountersSnapshot {
    CountersSnapshot(
      worker: counters.figures, routes: counters.activeRoutes.map { $0.snapshot() }, services: services)
  }

  @Test("A bound belongs to its bucket, and more than the last to the one without")
  func histogramBounds() {
    var pair = HistogramPair()
    for index in 0..<Histogram.boundCount {
      pair.recordFirst(nanoseconds: Histogram.bound(index))
      pair.recordFirst(nanoseconds: Histogram.bound(index) + 1)
      pair.recordSecond(nanoseconds: Histogram.bound(index))
    }
    pair.recordFirst(nanoseconds: 0)
    pair.recordFirst(nanoseconds: -5)
    let histogram = pair.first
    #expect(histogram.counts[0] == 3)
    for index in 1..<Histogram.boundCount { #expect(histogram.counts[index] == 2) }
    #expect(histogram.counts[14] == 1)
    #expect(histogram.count == 30)
    let bounds = (0..<Histogram.boundCount).reduce(UInt64(0)) { $0 + 2 * UInt64(Histogram.bound($1)) + 1 }
    #expect(histogram.sumNanoseconds == bounds)
    // The other of the pair has only its own.
    let second = pair.second
    #expect(second.count == 14 && second.counts[14] == 0)
    #expect(second.sumNanoseconds == (bounds - 14) / 2)
  }

  @Test("Every duration goes where comparing it with all bounds would put it")
  func histogramSearch() {
    var random = SplitMix64(seed: 7)
    for _ in 0..<5_000 {
      let duration = Int64(random.next() >> UInt64(random.next(below: 63) + 1))
      var pair = HistogramPair()
      pair.recordSecond(nanoseconds: duration)
      let bucket = (0..<Histogram.boundCount).count { duration > Histogram.bound($0) }
      #expect(pair.second.counts[bucket] == 1, "\(duration)")
      #expect(pair.first.count == 0)
    }
  }

  @Test("Requests are counted by service and status")
  func pairs() throws {
    let counters = WorkerCounters()
    let route = counters.makeCounters(route: "orders")
    let service = counters.nextServiceNumber()
    let other = counters.nextServiceNumber()
    for (status, number) in [(200, service), (200, service), (503, service), (200, other), (200, service)] {
      route.record(
        record(UInt16(status), response: 7), service: number,
        name: number == service ? "orders" : "orders-next")
    }
    route.record(record(404, outcome: .answered), service: -1, name: "")
    let figures = try #require(snapshot(counters).routes.first)
    #expect(figures.route == "orders")
    #expect(
      figures.requests == [
        .init(service: "orders", status: 200, count: 3), .init(service: "orders", status: 503, count: 1),
        .init(service: "orders-next", status: 200, count: 1), .init(service: "", status: 404, count: 1),
      ])
    #expect(figures.durations.count == 6)
    #expect(figures.responses.count == 5)
    #expect(figures.requestBodyBytes == 6 && figures.responseBodyBytes == 12)
    #expect(figures.receivedBytes == 18 && figures.sentBytes == 24)
    #expect(figures.count(of: .proxied) == 5 && figures.count(of: .answered) == 1)
    #expect(figures.count(of: .overloaded) == 0)
  }

  @Test("Statuses beyond the limit are counted together, and none is lost")
  func pairsAreBounded() throws {
    let counters = WorkerCounters()
    let route = counters.makeCounters(route: "r")
    for round in Int32(0)..<2 {
      for status in 100..<UInt16(300) { route.record(record(status), service: round, name: "s\(round)") }
    }
    let figures = try #require(snapshot(counters).routes.first)
    #expect(figures.requests.count == RouteCounters.pairsMax)
    #expect(figures.requests.reduce(0) { $0 + $1.count } + figures.otherRequests == 400)
    // The same holds when workers that saw different pairs are put together.
    let another = WorkerCounters()
    let others = another.makeCounters(route: "r")
    for status in 400..<UInt16(600) { others.record(record(status), service: 0, name: "s") }
    let merged = try #require((snapshot(counters) + snapshot(another)).routes.first)
    #expect(merged.requests.count == RouteCounters.pairsMax)
    #expect(merged.requests.reduce(0) { $0 + $1.count } + merged.otherRequests == 600)
  }

  @Test("A service that went and came back is counted as one")
  func returningService() throws {
    let counters = WorkerCounters()
    let route = counters.makeCounters(route: "r")
    for _ in 0..<3 {
      route.record(record(200), service: counters.nextServiceNumber(), name: "s")
    }
    let figures = try #require(snapshot(counters).routes.first)
    #expect(figures.requests == [.init(service: "s", status: 200, count: 3)])
  }

  @Test("Only routes with requests are part of a snapshot, until they go")
  func activeRoutes() {
    let counters = WorkerCounters()
    let routes = (0..<5).map { counters.makeCounters(route: "r\($0)") }
    #expect(snapshot(counters).routes.isEmpty)
    for number in [3, 1, 4] { routes[number].record(record(200), service: -1, name: "") }
    counters.noRoute.record(record(404), service: -1, name: "")
    #expect(Set(snapshot(counters).routes.map(\.route)) == ["r3", "r1", "r4", ""])
    for number in [3, 0, 4] { counters.remove(routes[number]) }
    #expect(Set(snapshot(counters).routes.map(\.route)) == ["r1", ""])
    // A request that was in flight ends.
    routes[3].record(record(200), service: -1, name: "")
    counters.remove(routes[3])
    #expect(Set(snapshot(counters).routes.map(\.route)) == ["r1", ""])
  }

  @Test("Merging adds workers, routes by name, and endpoints by service, name and address")
  func merging() throws {
    func endpoint(
      _ address: String, healthy: Bool, ejectedUntil: Int64, requests: UInt64
    ) -> EndpointFigures {
      EndpointFigures(
        name: "a:1", address: address, weight: 1, isHealthy: healthy,
        ejectingWorkers: ejectedUntil > 0 ? 1 : 0, ejectedUntil: ejectedUntil, inFlight: 1,
        requests: requests, failures: 2, ejections: 1)
    }
    let first = WorkerCounters()
    first.figures.retries = 2
    first.figures.connectionsActive = 3
    first.figures.refusals.record(431)
    first.makeCounters(route: "a").record(record(200), service: 0, name: "s")
    let second = WorkerCounters()
    second.figures.retries = 5
    second.figures.connectionsActive = 4
    second.figures.refusals.record(431)
    second.figures.refusals.record(418)
    second.makeCounters(route: "b").record(record(200), service: 0, name: "t")
    second.makeCounters(route: "a").record(record(200), service: 1, name: "s")
    let services1 = [
      ServiceFigures(
        name: "s",
        endpoints: [
          endpoint("1.1.1.1:1", healthy: true, ejectedUntil: 9, requests: 1),
          endpoint("1.1.1.2:1", healthy: true, ejectedUntil: 0, requests: 2),
        ]), ServiceFigures(name: "empty", endpoints: []),
    ]
    let services2 = [
      ServiceFigures(
        name: "s",
        endpoints: [
          endpoint("1.1.1.2:1", healthy: true, ejectedUntil: 0, requests: 10),
          endpoint("1.1.1.1:1", healthy: false, ejectedUntil: 7, requests: 20),
          endpoint("1.1.1.3:1", healthy: true, ejectedUntil: 0, requests: 30),
        ])
    ]
    let sum = snapshot(first, services: services1) + snapshot(second, services: services2)
    #expect(sum.worker.retries == 7 && sum.worker.connectionsActive == 7)
    #expect(sum.worker.refusals[431] == 2 && sum.worker.refusals[0] == 1)
    #expect(sum.routes.map(\.route) == ["a", "b"])
    #expect(sum.routes[0].requests == [.init(service: "s", status: 200, count: 2)])
    #expect(sum.services.map(\.name) == ["s", "empty"])
    let endpoints = sum.services[0].endpoints
    #expect(endpoints.map(\.address) == ["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1"])
    #expect(endpoints.map(\.requests) == [21, 12, 30])
    #expect(endpoints.map(\.workers) == [2, 2, 1])
    #expect(endpoints.map(\.isHealthy) == [false, true, true])
    #expect(endpoints[0].ejectingWorkers == 2 && endpoints[0].ejectedUntil == 9)
  }

  @Test("An endpoint's ejection is told in wall clock time")
  func endpointFigures() {
    let endpoint = Endpoint(
      ResolvedEndpoint(name: "n:1", address: SocketAddress(ipv4: 1, 2, 3, 4, port: 5), weight: 3),
      availableSince: MonotonicTime(nanoseconds: 0))
    let now = MonotonicTime(nanoseconds: 1_000)
    endpoint.ejectedUntil = MonotonicTime(nanoseconds: 1_500)
    var figures = endpoint.figures(now: now, wallClockNanoseconds: 10_000)
    #expect(figures.ejectedUntil == 10_500 && figures.ejectingWorkers == 1)
    #expect(figures.address == "1.2.3.4:5" && figures.name == "n:1" && figures.weight == 3)
    endpoint.ejectedUntil = now
    figures = endpoint.figures(now: now, wallClockNanoseconds: 10_000)
    #expect(figures.ejectedUntil == 0 && figures.ejectingWorkers == 0)
    endpoint.ejectedUntil = .never
    #expect(endpoint.figures(now: now, wallClockNanoseconds: 10_000).ejectedUntil == .max)
  }
}
