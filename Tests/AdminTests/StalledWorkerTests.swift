import DataPlane
import Testing

@testable import Admin

/// What the admin address answers while a worker does not turn its loop.
@Suite("A worker that stalls")
struct StalledWorkerTests {
  /// One of two workers does not answer: its figures, and so all sums, are missing.
  private var backend: FakeBackend {
    let backend = FakeBackend()
    backend.change { content in
      content.snapshots = []
      content.readiness.workers = 1
      content.readiness.listeners[0].openWorkers = 1
      content.readiness.stalled = [.init(number: 1, silence: "2.3")]
      content.status.loops.stalls = 3
      content.status.loops.stalled = 1
      content.status.loops.pauseSecondsMax = 2.25
    }
    return backend
  }

  @Test("The gateway is not ready, and the reason names the worker and nothing that follows from it")
  func readiness() async throws {
    try await AdminTestServer.run(backend: backend) { server in
      let answer = try await server.send("GET", "/readyz")
      #expect(answer.status == 503)
      #expect(
        try answer.object()["reasons"] as? [String] == ["worker 1 has not turned its loop for 2.3 s"])
      #expect(try answer.object()["workers"] as? Int == 1)
    }
  }

  @Test("What else is wrong is told beside it")
  func otherReasons() {
    var report = ReadinessReport(
      workers: 1, workersExpected: 3, isDraining: false,
      listeners: [.init(name: "web", address: ":80", openWorkers: 1, problem: "no")])
    report.stalled = [.init(number: 2, silence: "1.0")]
    #expect(
      report.reasons == [
        "worker 2 has not turned its loop for 1.0 s", "1 of 3 workers run",
        "listener web (:80) is open on 1 of 3 workers: no",
      ])
  }

  @Test("Metrics say so, and leave out what workers count rather than let it go back")
  func metrics() async throws {
    try await AdminTestServer.run(backend: backend) { server in
      let answer = try await server.send("GET", "/metrics")
      #expect(answer.status == 200)
      let page = try PrometheusParser(answer.body)
      #expect(page.value("penstock_workers_stalled") == 1)
      #expect(page.value("penstock_worker_stalls_total") == 3)
      #expect(page.value("penstock_worker_pause_seconds_max") == 2.25)
      #expect(page.value("penstock_workers") == 0)
      #expect(page.value("penstock_config_revision") == 7)
      #expect(page["penstock_client_requests_total"] == nil && page["penstock_pool_idle"] == nil)
    }
    try await AdminTestServer.run { server in
      let page = try PrometheusParser(try await server.send("GET", "/metrics").body)
      #expect(page.value("penstock_workers_stalled") == 0)
      #expect(page.value("penstock_client_requests_total") == 0)
    }
  }

  @Test("The list of endpoints, which would be empty, is not given")
  func endpoints() async throws {
    try await AdminTestServer.run(backend: backend) { server in
      let answer = try await server.send("GET", "/endpoints")
      #expect(answer.status == 503)
    }
  }
}
