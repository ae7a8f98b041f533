import DataPlane
import Foundation
import Hummingbird
import Resources

/// The pages outside of the API: health, readiness, metrics and what runs now.
struct StandardPages: Sendable {
  private let backend: any AdminBackend
  private let counters: CounterReader
  private let timeout: Duration
  private let metrics = MetricsPage()

  /// - Parameter timeout: how long the backend may take for an answer.
  init(_ backend: any AdminBackend, timeout: Duration) {
    self.backend = backend
    self.timeout = timeout
    counters = CounterReader(backend, timeout: timeout)
  }

  func readiness() async -> Response {
    let report = await answer(within: timeout) { [backend] in await backend.readiness() }
    guard let report else { return noAnswer }
    return Self.json(ReadinessDocument(report), status: report.isReady ? .ok : .serviceUnavailable)
  }

  func metricsPage() async -> Response {
    async let status = answer(within: timeout) { [backend] in await backend.status() }
    guard let snapshots = await counters.read(), let status = await status else { return noAnswer }
    return .text(
      metrics.render(snapshots, status, ProcessMetrics.read()), type: PrometheusText.contentType)
  }

  func configuration() async -> Response {
    let configuration = await answer(within: timeout) { [backend] in
      await backend.runningConfiguration()
    }
    guard let configuration else { return noAnswer }
    return .text(configuration.yaml, type: "application/yaml; charset=utf-8")
  }

  func endpoints() async -> Response {
    guard let snapshots = await counters.read(), !snapshots.isEmpty else { return noAnswer }
    return Self.json(EndpointsDocument(CountersSnapshot.merged(snapshots).services), status: .ok)
  }

  static let index = """
    Penstock, admin address

    /healthz     200 while the process is alive
    /readyz      200 while traffic is served, else 503; details as JSON
    /metrics     counters in Prometheus's text format
    /endpoints   services and their endpoints: health, ejections, requests in flight (JSON)
    /config      the configuration that runs now (YAML)
    /v1/status   revision, owners and store (JSON)

    /openapi.json describes the API under /v1.

    """

  private var noAnswer: Response {
    .text("The workers did not answer within \(timeout).\n", status: .serviceUnavailable)
  }

  private static func json(_ document: some Encodable, status: HTTPResponse.Status) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(document) else {
      // Only numbers that are no numbers cannot be encoded.
      return .text("A figure is no number.\n", status: .internalServerError)
    }
    return .text(String(decoding: data, as: UTF8.self) + "\n", status: status, type: "application/json")
  }

  /// The page behind a problem's type.
  static func problem(_ name: String) -> Response? {
    guard let kind = ProblemKind(rawValue: name) else { return nil }
    return .text("\(kind.title) (\(kind.status))\n\n\(kind.explanation)\n")
  }
}
