import DataPlane
import Foundation
import Hummingbird
import Resources

/// Answers requests to the admin address.
struct AdminResponder: HTTPResponder {
  typealias Context = BasicRequestContext

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

  @Sendable func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
    guard let page = Page(rawValue: request.uri.path) else {
      return Self.text("There is no such page; see /.\n", status: .notFound)
    }
    guard request.method == .get || request.method == .head else {
      var response = Self.text("Only GET and HEAD are answered here.\n", status: .methodNotAllowed)
      response.headers[.allow] = "GET, HEAD"
      return response
    }
    var response = try await respond(page)
    response.headers[.cacheControl] = "no-store"
    return request.method == .head ? response.createHeadResponse() : response
  }

  private enum Page: String {
    case index = "/"
    case health = "/healthz"
    case readiness = "/readyz"
    case metrics = "/metrics"
    case configuration = "/config"
    case endpoints = "/endpoints"
  }

  private func respond(_ page: Page) async throws -> Response {
    switch page {
    case .index: Self.text(Self.index)
    case .health: Self.text("ok\n")
    case .readiness: try await readiness()
    case .metrics: await metricsPage()
    case .configuration: await configuration()
    case .endpoints: try await endpoints()
    }
  }

  // MARK: Pages

  private func readiness() async throws -> Response {
    let report = await answer(within: timeout) { [backend] in await backend.readiness() }
    guard let report else { return noAnswer }
    return try Self.json(
      ReadinessDocument(report), status: report.isReady ? .ok : .serviceUnavailable)
  }

  private func metricsPage() async -> Response {
    async let status = answer(within: timeout) { [backend] in await backend.status() }
    guard let snapshots = await counters.read(), let status = await status else { return noAnswer }
    return Self.text(
      metrics.render(snapshots, status, ProcessMetrics.read()), type: PrometheusText.contentType)
  }

  private func configuration() async -> Response {
    let configuration = await answer(within: timeout) { [backend] in
      await backend.runningConfiguration()
    }
    guard let configuration else { return noAnswer }
    return Self.text(configuration.yaml, type: "application/yaml; charset=utf-8")
  }

  private func endpoints() async throws -> Response {
    guard let snapshots = await counters.read() else { return noAnswer }
    return try Self.json(EndpointsDocument(CountersSnapshot.merged(snapshots).services), status: .ok)
  }

  // MARK: Responses

  private static let index = """
    Penstock, admin address

    /healthz     200 while the process is alive
    /readyz      200 while traffic is served, else 503; details as JSON
    /metrics     counters in Prometheus's text format
    /endpoints   services and their endpoints: health, ejections, requests in flight (JSON)
    /config      the configuration that runs now (YAML)

    """

  private var noAnswer: Response {
    Self.text("The workers did not answer within \(timeout).\n", status: .serviceUnavailable)
  }

  private static func json(_ document: some Encodable, status: HTTPResponse.Status) throws -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(document), as: UTF8.self)
    return Self.text(text + "\n", status: status, type: "application/json")
  }

  private static func text(
    _ text: String, status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8"
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type, .xContentTypeOptions: "nosniff"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
