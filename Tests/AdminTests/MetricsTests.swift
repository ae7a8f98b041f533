import DataPlane
import Resources
import Runtime
import Testing

@testable import Admin

@Suite("Metrics page")
struct MetricsTests {
  private func snapshot(routes: [String], hostile: String = "orders") -> CountersSnapshot {
    let counters = WorkerCounters()
    var record = ExchangeRecord()
    record.status = 200
    record.outcome = .proxied
    record.totalNanoseconds = 3_000_000
    record.responseNanoseconds = 700_000
    record.responseBodyBytes = 100
    record.sentBytes = 300
    for route in routes {
      counters.route(route).record(record, service: counters.serviceNumber(hostile))
    }
    record.status = 404
    record.outcome = .answered
    record.responseNanoseconds = -1
    counters.noRoute.record(record, service: -1)
    counters.figures.connectionsActive = 5
    counters.figures.refusals.record(431)
    counters.figures.refusals.record(418)
    let endpoint = EndpointFigures(
      name: "a:1", address: "10.0.0.1:1", weight: 1, isHealthy: false, ejectingWorkers: 1, inFlight: 2,
      requests: 9, failures: 3, ejections: 1)
    return counters.snapshot(
      on: Worker(index: 0, seam: EpollSeam()),
      services: [ServiceFigures(name: hostile, endpoints: [endpoint])], accessLog: nil)
  }

  private let status = GatewayStatus(
    version: "1.2.3", revision: 7, lastReloadSucceeded: false, lastReloadSeconds: 1_772_323_199.5,
    reloadsFailed: 4)

  private func page(_ snapshots: [CountersSnapshot]) throws -> PrometheusParser {
    try PrometheusParser(MetricsPage().render(snapshots, status, ProcessMetrics.read()))
  }

  @Test("Figures of all workers are summed, each metric with its help and type")
  func sums() throws {
    let page = try page([snapshot(routes: ["a", "b"]), snapshot(routes: ["b"])])
    #expect(page.value("penstock_workers") == 2)
    #expect(
      page.value("penstock_requests_total", ["route": "a", "service": "orders", "status": "200"]) == 1)
    #expect(
      page.value("penstock_requests_total", ["route": "b", "service": "orders", "status": "200"]) == 2)
    #expect(page.value("penstock_requests_total", ["route": "", "service": "", "status": "404"]) == 2)
    #expect(page.value("penstock_exchanges_total", ["route": "b", "outcome": "proxied"]) == 2)
    let duration = "penstock_request_duration_seconds"
    #expect(page.value("\(duration)_bucket", ["route": "b", "le": "0.0025"]) == 0)
    #expect(page.value("\(duration)_bucket", ["route": "b", "le": "0.005"]) == 2)
    #expect(page.value("\(duration)_sum", ["route": "b"]) == 0.006)
    #expect(page.value("penstock_upstream_response_seconds_count", ["route": ""]) == 0)
    #expect(page.value("penstock_sent_bytes_total", ["route": "b"]) == 600)
    #expect(page.value("penstock_connections_active") == 10)
    #expect(page.value("penstock_requests_refused_total", ["status": "431"]) == 2)
    #expect(page.value("penstock_requests_refused_total", ["status": "_other"]) == 2)
    let endpoint = ["service": "orders", "endpoint": "a:1", "address": "10.0.0.1:1"]
    #expect(page.value("penstock_endpoint_healthy", endpoint) == 0)
    #expect(page.value("penstock_endpoint_in_flight", endpoint) == 4)
    #expect(page.value("penstock_endpoint_ejecting_workers", endpoint) == 2)
    #expect(
      page.value("penstock_service_endpoints", ["service": "orders", "state": "unhealthy"]) == 1)
    #expect(page.metrics.allSatisfy { !$0.help.isEmpty })
  }

  @Test("The process and the configuration tell about themselves")
  func process() throws {
    let page = try page([])
    #expect(page.value("penstock_build_info", ["version": "1.2.3"]) == 1)
    #expect(page.value("penstock_config_revision") == 7)
    #expect(page.value("penstock_config_last_reload_successful") == 0)
    #expect(page.value("penstock_config_last_reload_timestamp_seconds") == 1_772_323_199.5)
    #expect(page.value("penstock_config_reloads_total", ["result": "failure"]) == 4)
    for name in [
      "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds",
      "process_threads",
    ] {
      #expect(try #require(page.value(name), "\(name)") > 0)
    }
    #expect(try #require(page.value("process_start_time_seconds")) > 1_500_000_000)
  }

  @Test("Labels may hold anything")
  func labels() throws {
    let hostile = "a\"b\\c\nd}{,=é"
    let page = try page([snapshot(routes: [hostile], hostile: hostile)])
    #expect(
      page.value("penstock_requests_total", ["route": hostile, "service": hostile, "status": "200"]) == 1)
  }

  @Test("Routes beyond the limit are shown together, and none of their requests is lost")
  func routesAreBounded() throws {
    let names = (0..<MetricsPage.routesMax + 50).map { "r\($0)" }
    let page = try page([snapshot(routes: names)])
    let samples = try #require(page["penstock_requests_total"]).samples
    #expect(samples.reduce(0) { $0 + $1.value } == Double(names.count + 1))
    let routes = Set(samples.compactMap { $0.labels["route"] })
    #expect(routes.count == MetricsPage.routesMax + 1)
    #expect(routes.contains(RouteSelection.other))
  }

  @Test("A route keeps its place, or stays with the others, until it is gone")
  func selectionIsSticky() {
    func figures(_ names: [String]) -> [RouteFigures] {
      names.map { name in
        var figures = RouteFigures()
        figures.route = name
        figures.sentBytes = 1
        return figures
      }
    }
    let selection = RouteSelection(routesMax: 2)
    #expect(selection.select(figures(["a", "b"])).map(\.route) == ["a", "b"])
    let folded = selection.select(figures(["c", "d", "a", "b"]))
    #expect(folded.map(\.route) == ["a", "b", "_other"])
    #expect(folded.last?.sentBytes == 2)
    // "a" is gone: its place is for a route that was never shown among the others.
    #expect(selection.select(figures(["c", "d", "b"])).map(\.route) == ["b", "_other"])
    #expect(selection.select(figures(["c", "d", "b", "e"])).map(\.route) == ["b", "e", "_other"])
  }

  @Test("Endpoints beyond the limit are left out, and how many is told")
  func endpointsAreBounded() throws {
    let endpoints = (0..<MetricsPage.endpointsMax + 3).map {
      EndpointFigures(name: "n\($0):1", address: "a\($0)", weight: 1, isHealthy: true)
    }
    let page = try page([CountersSnapshot(services: [ServiceFigures(name: "s", endpoints: endpoints)])])
    #expect(page["penstock_endpoint_healthy"]?.samples.count == MetricsPage.endpointsMax)
    #expect(page.value("penstock_metrics_endpoints_omitted") == 3)
  }

  @Test(
    "Numbers are written as a scraper reads them",
    arguments: [
      (0, "0"), (0.0005, "0.0005"), (10, "10"), (1.5, "1.5"), (1e300, "1e+300"), (.infinity, "+Inf"),
      (-.infinity, "-Inf"), (.nan, "NaN"), (1_772_323_199.5, "1772323199.5"),
    ] as [(Double, String)])
  func numbers(value: Double, text: String) {
    #expect(PrometheusText.number(value) == text)
  }
}
