/// A value that lives on one worker's thread, and is reached from others by messages.
///
/// `@unchecked Sendable`: the value is made, used and dropped on the worker's thread only.
public final class WorkerLocal<Value>: @unchecked Sendable {
  public let worker: Worker
  private var value: Value?

  /// Posts a message that makes the value. The worker need not run yet.
  public init(on worker: Worker, make: @escaping @Sendable (Worker) -> Value) {
    self.worker = worker
    worker.post { self.value = make($0) }
  }

  /// Runs `body` on the worker's thread, after everything that was posted before. From any thread.
  public func post(_ body: @escaping @Sendable (Value) -> Void) {
    worker.post { _ in
      if let value = self.value { body(value) }
    }
  }

  /// Runs `body` on the worker's thread and waits for its result. The worker must be running.
  public func call<Result: Sendable>(_ body: @escaping @Sendable (Value) -> Result) async -> Result? {
    await withCheckedContinuation { continuation in
      worker.post { _ in continuation.resume(returning: self.value.map(body)) }
    }
  }

  /// The same for what takes the worker several rounds of its loop: `body` is given whom to tell.
  public func call<Result: Sendable>(
    beginning body: @escaping @Sendable (Value, @escaping (Result) -> Void) -> Void
  ) async -> Result? {
    await withCheckedContinuation { continuation in
      worker.post { _ in
        guard let value = self.value else { return continuation.resume(returning: nil) }
        body(value) { continuation.resume(returning: $0) }
      }
    }
  }

  /// Drops the value. From any thread.
  public func end() {
    worker.post { _ in self.value = nil }
  }
}
