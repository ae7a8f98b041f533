import Logging
import Resources
import Runtime
import Testing

@testable import ControlPlane

/// A checker on a worker of its own, with what it has told.
final class RunningChecker: Sendable {
  let checker: HealthChecker
  let changes = Collected<HealthChange>()
  private let worker: Worker

  init() {
    worker = Worker(index: 0, seam: EpollSeam())
    let changes = changes
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    checker = HealthChecker(on: worker, logger: logger, userAgent: "penstock-health/test") {
      changes.append($0)
    }
    WorkerThread.start(worker, name: "control", pinned: false) {}
  }

  var verdicts: [Bool] { changes.values.map(\.isHealthy) }
  var lastReason: String { changes.values.last?.reason ?? "" }

  func stop() async {
    await withCheckedContinuation { continuation in checker.stop { continuation.resume() } }
    let open = await withCheckedContinuation { continuation in
      worker.post { continuation.resume(returning: $0.openSocketCount) }
    }
    #expect(open == 0)
    worker.stop()
  }
}
