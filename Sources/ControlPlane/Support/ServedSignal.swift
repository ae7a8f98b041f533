import Runtime
import Synchronization

/// Tells one waiter that something has happened, before or after it began to wait.
final class ServedSignal: Sendable {
  private struct State {
    var isDone = false
    var waiter: CheckedContinuation<Bool, Never>?
  }

  private let state = Mutex(State())

  /// Whether somebody waits now.
  var isAwaited: Bool { state.withLock { $0.waiter != nil } }

  func signal() { finish(true) }

  private func finish(_ isServed: Bool) {
    let waiter = state.withLock { state in
      if isServed { state.isDone = true }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: isServed)
  }

  /// - Returns: false where the time has passed before.
  func wait(atMost limit: Duration) async -> Bool {
    var deadline: Deadlines.Identifier?
    let isServed = await withCheckedContinuation { continuation in
      let isDone = state.withLock { state in
        if !state.isDone { state.waiter = continuation }
        return state.isDone
      }
      // Behind the waiter, so that a time of nothing does not pass unnoticed.
      if isDone {
        continuation.resume(returning: true)
      } else {
        deadline = Deadlines.shared.call(after: limit) { self.finish(false) }
      }
    }
    if let deadline { Deadlines.shared.cancel(deadline) }
    return isServed
  }
}
