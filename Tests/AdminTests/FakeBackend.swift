import Admin
import DataPlane
import Resources
import Synchronization

/// A gateway that says what a test wants it to say.
final class FakeBackend: AdminBackend {
  struct Content: Sendable {
    var snapshots: [CountersSnapshot] = [CountersSnapshot()]
    var readiness = ReadinessReport(
      workers: 2, workersExpected: 2, isDraining: false,
      listeners: [.init(name: "web", address: "0.0.0.0:8080", openWorkers: 2)])
    var configuration = Configuration()
    var status = GatewayStatus(
      version: "1.2.3", revision: 7, lastReloadSucceeded: true, lastReloadSeconds: 1_772_323_199.5)
    var isStuck = false
    var questions = 0
  }

  let content = Mutex(Content())

  func change(_ body: (inout Content) -> Void) { content.withLock { body(&$0) } }

  func counters() async -> [CountersSnapshot] {
    let isStuck = content.withLock { content in
      content.questions += 1
      return content.isStuck
    }
    if isStuck { await Self.never() }
    return content.withLock { $0.snapshots }
  }

  func readiness() async -> ReadinessReport {
    if content.withLock({ $0.isStuck }) { await Self.never() }
    return content.withLock { $0.readiness }
  }

  func runningConfiguration() async -> Configuration { content.withLock { $0.configuration } }

  func status() async -> GatewayStatus { content.withLock { $0.status } }

  private static func never() async {
    // A day is longer than any test; what waits for a stuck worker cannot be cancelled either.
    await Task { try? await Task.sleep(for: .seconds(86_400)) }.value
  }
}
