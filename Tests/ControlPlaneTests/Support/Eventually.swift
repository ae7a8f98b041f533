import Synchronization
import Testing

/// Waits until `condition` holds; a failure of the test when it does not in 4,000 looks, 20 seconds at least. They are
/// counted, since a clock goes on while the process is stopped, or gets no CPU.
func eventually(
  _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async -> Bool
) async throws {
  for _ in 0..<4_000 {
    if await condition() { return }
    try await Task.sleep(for: .milliseconds(5))
  }
  Issue.record(what, sourceLocation: sourceLocation)
  throw TimeIsUp()
}

struct TimeIsUp: Error {}

/// Values that other threads have handed over, in their order.
final class Collected<Value: Sendable>: Sendable {
  private let storage = Mutex<[Value]>([])

  var values: [Value] { storage.withLock { $0 } }
  var count: Int { storage.withLock { $0.count } }
  func append(_ value: Value) { storage.withLock { $0.append(value) } }
}
