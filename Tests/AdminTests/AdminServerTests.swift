import DataPlane
import Foundation
import FoundationNetworking
import Logging
import Resources
import Testing

@testable import Admin

@Suite("Admin server, over HTTP")
struct AdminServerTests {
  private struct Answer {
    var status: Int
    var body: String
    var headers: [String: String]

    /// The body as a JSON object.
    func object() throws -> [String: Any] {
      try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
    }
  }

  /// Runs `body` with a server on a free port.
  private func withServer(
    _ backend: FakeBackend = FakeBackend(), limits: AdminServer.Limits = AdminServer.Limits(),
    _ body: (Int) async throws -> Void
  ) async throws {
    let server = AdminServer(
      address: HostPort(host: "127.0.0.1", port: 0), backend: backend, resources: FakeResources(),
      logger: Logger(label: "test"),
      limits: limits)
    try await server.start()
    do {
      try await body(try #require(server.port))
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  private func send(_ path: String, method: String = "GET", to port: Int) async throws -> Answer {
    var request = URLRequest(url: URL(string: "http://127.0.0.1:\(port)\(path)")!)
    request.httpMethod = method
    let (data, response) = try await URLSession.shared.data(for: request)
    let http = try #require(response as? HTTPURLResponse)
    var headers: [String: String] = [:]
    for (name, value) in http.allHeaderFields { headers["\(name)".lowercased()] = "\(value)" }
    return Answer(status: http.statusCode, body: String(decoding: data, as: UTF8.self), headers: headers)
  }

  @Test("Health is 200 and says ok")
  func health() async throws {
    try await withServer { port in
      let answer = try await send("/healthz", to: port)
      #expect(answer.status == 200)
      #expect(answer.body == "ok\n")
      #expect(answer.headers["cache-control"] == "no-store")
    }
  }

  @Test("Ready is 200 only while traffic would be served, and says why not")
  func readiness() async throws {
    let backend = FakeBackend()
    try await withServer(backend) { port in
      var answer = try await send("/readyz", to: port)
      #expect(answer.status == 200)
      #expect(answer.body.contains("\"ready\" : true"))

      backend.change { $0.readiness.isDraining = true }
      answer = try await send("/readyz", to: port)
      #expect(answer.status == 503)
      let draining = try answer.object()["reasons"] as? [String]
      #expect(draining == ["the gateway is draining"])

      backend.change { content in
        content.readiness.isDraining = false
        content.readiness.workers = 1
        content.readiness.listeners[0].openWorkers = 1
        content.readiness.listeners[0].problem = "Address already in use"
      }
      answer = try await send("/readyz", to: port)
      #expect(answer.status == 503)
      let reasons = try #require(try answer.object()["reasons"] as? [String])
      #expect(
        reasons == [
          "1 of 2 workers run",
          "listener web (0.0.0.0:8080) is open on 1 of 2 workers: Address already in use",
        ])

      backend.change { content in
        content.readiness.workers = 2
        content.readiness.listeners = []
      }
      answer = try await send("/readyz", to: port)
      #expect(answer.status == 503)
    }
  }

  @Test("Metrics are served with their content type")
  func metrics() async throws {
    try await withServer { port in
      let answer = try await send("/metrics", to: port)
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
      let page = try PrometheusParser(answer.body)
      #expect(page.value("penstock_build_info", ["version": "1.2.3"]) == 1)
    }
  }

  @Test("The running configuration is served as YAML")
  func configuration() async throws {
    let backend = FakeBackend()
    backend.change { $0.configuration.workers = 3 }
    try await withServer(backend) { port in
      let answer = try await send("/config", to: port)
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"]?.hasPrefix("application/yaml") == true)
      #expect(answer.body == backend.content.withLock { $0.configuration.yaml })
      #expect(answer.body.contains("workers: 3"))
    }
  }

  @Test("Endpoints are told per service, summed over the workers")
  func endpoints() async throws {
    let backend = FakeBackend()
    let first = EndpointFigures(
      name: "orders.internal:80", address: "10.0.0.1:80", weight: 3, isHealthy: true, ejectingWorkers: 1,
      ejectedUntil: 1_772_323_199_500_000_000, inFlight: 1, requests: 10, failures: 2, ejections: 1)
    var second = first
    second.ejectingWorkers = 0
    second.ejectedUntil = 0
    backend.change { content in
      content.snapshots = [first, second].map {
        CountersSnapshot(services: [
          ServiceFigures(name: "orders", endpoints: [$0]), ServiceFigures(name: "empty", endpoints: []),
        ])
      }
    }
    try await withServer(backend) { port in
      let answer = try await send("/endpoints", to: port)
      #expect(answer.headers["content-type"] == "application/json")
      let services = try #require(try answer.object()["services"] as? [[String: Any]])
      #expect(services.map { $0["name"] as? String } == ["orders", "empty"])
      let endpoint = try #require((services[0]["endpoints"] as? [[String: Any]])?.first)
      #expect(endpoint["address"] as? String == "10.0.0.1:80")
      #expect(endpoint["weight"] as? Int == 3)
      #expect(endpoint["healthy"] as? Bool == true)
      #expect(endpoint["ejected"] as? Bool == true)
      #expect(endpoint["ejectedUntil"] as? String == "2026-03-01T00:00:00Z")
      #expect(endpoint["ejectingWorkers"] as? Int == 1)
      #expect(endpoint["workers"] as? Int == 2)
      #expect(endpoint["inFlight"] as? Int == 2)
      #expect(endpoint["requests"] as? Int == 20)
    }
  }

  @Test("The index names every page, and every page it names is there")
  func index() async throws {
    try await withServer { port in
      let answer = try await send("/", to: port)
      let pages = answer.body.split(separator: "\n").filter { $0.hasPrefix("/") }
        .map { String($0.prefix { $0 != " " }) }
      #expect(pages.count == 7)
      for page in pages {
        let status = try await send(page, to: port).status
        #expect(status == 200, "\(page)")
      }
    }
  }

  @Test("Other paths are 404, other methods 405")
  func refusals() async throws {
    try await withServer { port in
      for path in ["/nowhere", "/metrics/", "/metricsx", "//healthz"] {
        let status = try await send(path, to: port).status
        #expect(status == 404, "\(path)")
      }
      let answer = try await send("/config", method: "POST", to: port)
      #expect(answer.status == 405)
      #expect(answer.headers["allow"] == "GET, HEAD")
      let status = try await send("/nowhere", method: "DELETE", to: port).status
      #expect(status == 404)
    }
  }

  @Test("HEAD answers without content")
  func head() async throws {
    try await withServer { port in
      let answer = try await send("/healthz", method: "HEAD", to: port)
      #expect(answer.status == 200)
      #expect(answer.body.isEmpty)
    }
  }

  @Test("Workers that do not answer make 503, and the process is still alive")
  func stuckWorkers() async throws {
    let backend = FakeBackend()
    backend.change { $0.isStuck = true }
    var limits = AdminServer.Limits()
    limits.backendTimeout = .milliseconds(50)
    try await withServer(backend, limits: limits) { port in
      for page in ["/metrics", "/endpoints", "/readyz"] {
        let status = try await send(page, to: port).status
        #expect(status == 503, "\(page)")
      }
      let status = try await send("/healthz", to: port).status
      #expect(status == 200)
    }
  }

  @Test("Questions that come together share an answer")
  func questionsAreShared() async throws {
    let backend = FakeBackend()
    let reader = CounterReader(backend, timeout: .seconds(60))
    let answers = await withTaskGroup(of: Int?.self) { group in
      for _ in 0..<200 { group.addTask { await reader.read()?.count } }
      return await group.reduce(into: [Int?]()) { $0.append($1) }
    }
    #expect(answers == [Int?](repeating: 1, count: 200))
    let questions = backend.content.withLock { $0.questions }
    #expect(questions >= 1 && questions <= 200)
    // Whoever asks later gets a new answer.
    backend.change { $0.snapshots = [] }
    #expect(await reader.read()?.count == 0)
  }

  @Test("An address in use is an error that names it and the reason")
  func addressInUse() async throws {
    try await withServer { port in
      let second = AdminServer(
        address: HostPort(host: "127.0.0.1", port: UInt16(port)), backend: FakeBackend(),
        resources: FakeResources(),
        logger: Logger(label: "test"))
      let error = await #expect(throws: AdminServerError.self) { try await second.start() }
      #expect(error?.description.contains("127.0.0.1:\(port)") == true)
      #expect(error?.description.contains("Address already in use") == true)
    }
  }

  @Test("After stop the port is free, and stopping twice is allowed")
  func stop() async throws {
    func make(_ port: Int) -> AdminServer {
      AdminServer(
        address: HostPort(host: "127.0.0.1", port: UInt16(port)), backend: FakeBackend(),
        resources: FakeResources(),
        logger: Logger(label: "test"))
    }
    // Below the ports that systems give to outgoing connections, one of which could take it meanwhile.
    var port = Int.random(in: 16_000..<24_000)
    var server = make(port)
    while (try? await server.start()) == nil {
      port += 1
      server = make(port)
    }
    await server.stop()
    await server.stop()
    let next = make(port)
    try await next.start()
    let status = try await send("/healthz", to: port).status
    #expect(status == 200)
    await next.stop()
  }
}
