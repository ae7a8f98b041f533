import Runtime
import Synchronization

/// The result of `operation`, or nil when it takes longer than `limit`, or the task is cancelled; it then goes
/// on unheard, since what waits for a stuck worker cannot be cancelled.
func answer<Value: Sendable>(
  within limit: Duration, _ operation: @escaping @Sendable () async -> Value
) async -> Value? {
  let first = FirstAnswer<Value>()
  let asking = Task { first.give(await operation()) }
  let deadline = Deadlines.shared.call(after: limit) { first.give(nil) }
  defer {
    asking.cancel()
    Deadlines.shared.cancel(deadline)
  }
  return await withTaskCancellationHandler {
    await first.wait()
  } onCancel: {
    first.give(nil)
  }
}

/// The first of several answers, for one who waits.
private final class FirstAnswer<Value: Sendable>: Sendable {
  private enum State {
    case none
    case awaited(CheckedContinuation<Value?, Never>)
    case given(Value?)
  }

  private let state = Mutex(State.none)

  func give(_ value: Value?) {
    let waiter: CheckedContinuation<Value?, Never>? = state.withLock { state in
      if case .given = state { return nil }
      defer { state = .given(value) }
      if case .awaited(let waiter) = state { return waiter }
      return nil
    }
    waiter?.resume(returning: value)
  }

  func wait() async -> Value? {
    await withCheckedContinuation { continuation in
      let given: Value?? = state.withLock { state in
        if case .given(let value) = state { return .some(value) }
        state = .awaited(continuation)
        return .none
      }
      if let given { continuation.resume(returning: given) }
    }
  }
}
