import Resources
import Runtime
import TLS
import Testing

@testable import Admin
@testable import DataPlane

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
    let service = counters.nextServiceNumber()
    for route in routes {
      counters.makeCounters(route: route).record(record, service: service, name: hostile)
    }
    record.status = 404
    record.outcome = .answered
    record.responseNanoseconds = -1
    counters.noRoute.record(record, service: -1, name: "")
    counters.figures.connectionsActive = 5
    counters.figures.refusals.record(431)
    counters.figures.refusals.record(418)
    let endpoint = EndpointFigures(
      name: "a:1", address: "10.0.0.1:1", weight: 1, isHealthy: false, ejectingWorkers: 1, inFlight: 2,
      requests: 9, failures: 3, ejections: 1)
    return CountersSnapshot(
      worker: counters.figures, routes: counters.activeRoutes.map { $0.snapshot() },
      services: [ServiceFigures(name: hostile, endpoints: [endpoint])])
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

  @Test("Handshakes, HTTP/2 and tunnels of all workers are summed")
  func secureConnections() throws {
    var figures = WorkerFigures()
    figures.handshakes.tls12Full = 1
    figures.handshakes.tls12Resumed = 2
    figures.handshakes.tls13Full = 3
    figures.handshakes.tls13Resumed = 4
    for kind in TLSFailure.Kind.allCases where kind != .system {
      figures.handshakes.failures[Int(kind.rawValue)] = UInt64(kind.rawValue) + 1
    }
    figures.handshakesRefused = 5
    figures.http2Connections = 6
    figures.http2Failures = 7
    figures.tunnels = 8
    figures.upstreamHandshakeFailures = 9
    let page = try page([CountersSnapshot(worker: figures), CountersSnapshot(worker: figures)])
    for (version, resumed, count) in [
      ("1.2", "false", 2.0), ("1.2", "true", 4), ("1.3", "false", 6), ("1.3", "true", 8),
    ] {
      let labels = ["version": version, "resumed": resumed]
      #expect(page.value("penstock_tls_handshakes_total", labels) == count)
    }
    let failures = "penstock_tls_handshake_failures_total"
    #expect(page[failures]?.samples.count == TLSFailure.Kind.allCases.count - 1)
    #expect(
      page.value(failures, ["reason": "plain_http"]) == Double(2 * (TLSFailure.Kind.plainHTTP.rawValue + 1)))
    #expect(page.value(failures, ["reason": "system"]) == nil)
    #expect(page.value("penstock_tls_handshakes_refused_total") == 10)
    #expect(page.value("penstock_http2_connections_total") == 12)
    #expect(page.value("penstock_http2_failures_total") == 14)
    #expect(page.value("penstock_tunnels_active") == 16)
    #expect(page.value("penstock_upstream_handshake_failures_total") == 18)
  }

  private func page(certificates: [CertificateFigures]) throws -> PrometheusParser {
    var status = status
    status.certificates = certificates
    status.certificateFiles.renewed = 3
    status.certificateFiles.refused = 2
    status.certificateFiles.stale = 1
    return try PrometheusParser(MetricsPage().render([], status, ProcessMetrics.read()))
  }

  @Test("Certificates tell when they begin and end, and how it goes with their files")
  func certificates() throws {
    let page = try page(certificates: [
      CertificateFigures(use: .certificate("shop"), notBefore: 1_700_000_000, notAfter: 1_800_000_000),
      CertificateFigures(use: .service("orders"), notBefore: 1, notAfter: 1_900_000_000),
    ])
    let expiry = "penstock_certificate_expiry_timestamp_seconds"
    #expect(page.value(expiry, ["certificate": "shop"]) == 1_800_000_000)
    #expect(page[expiry]?.samples.count == 1)
    let begin = "penstock_certificate_not_before_timestamp_seconds"
    #expect(page.value(begin, ["certificate": "shop"]) == 1_700_000_000)
    let client = "penstock_client_certificate_expiry_timestamp_seconds"
    #expect(page.value(client, ["service": "orders"]) == 1_900_000_000)
    #expect(page.value("penstock_certificate_reloads_total", ["result": "success"]) == 3)
    #expect(page.value("penstock_certificate_reloads_total", ["result": "failure"]) == 2)
    #expect(page.value("penstock_certificate_files_stale") == 1)
    #expect(page.value("penstock_metrics_certificates_omitted") == 0)
  }

  @Test("Of many certificates those are shown that end first")
  func certificatesAreBounded() throws {
    let count = MetricsPage.certificatesMax + 3
    let page = try page(
      certificates: (0..<count).map {
        CertificateFigures(use: .certificate("c\($0)"), notBefore: 0, notAfter: Int64(count - $0))
      })
    let expiry = "penstock_certificate_expiry_timestamp_seconds"
    #expect(page[expiry]?.samples.count == MetricsPage.certificatesMax)
    #expect(page.value(expiry, ["certificate": "c\(count - 1)"]) == 1)
    #expect(page.value(expiry, ["certificate": "c0"]) == nil)
    #expect(page.value("penstock_metrics_certificates_omitted") == 3)
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
