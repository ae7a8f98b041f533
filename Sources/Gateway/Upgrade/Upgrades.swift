import Runtime
import Synchronization

/// Whether an upgrade is under way, and with whom.
final class Upgrades: Sendable {
  private enum Phase {
    case none
    case underWay(Successor?)
    /// The new process serves; this one drains.
    case handedOver
  }

  private struct State {
    var phase = Phase.none
    var waiters: [CheckedContinuation<Void, Never>] = []
    var whenDrained: @Sendable () -> Void = {}
  }

  private let state = Mutex(State())

  /// Sets what is called when this process has handed over and drained: it is to end.
  func whenDrained(_ action: @escaping @Sendable () -> Void) {
    state.withLock { $0.whenDrained = action }
  }

  func drained() { state.withLock { $0.whenDrained }() }

  /// - Returns: false where an upgrade is under way, or over.
  func begin() -> Bool {
    state.withLock { state in
      guard case .none = state.phase else { return false }
      state.phase = .underWay(nil)
      return true
    }
  }

  func started(_ successor: Successor) { state.withLock { $0.phase = .underWay(successor) } }

  func ended(handedOver: Bool) {
    let waiters = state.withLock { state in
      state.phase = handedOver ? .handedOver : .none
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  var hasHandedOver: Bool {
    state.withLock { state in
      if case .handedOver = state.phase { true } else { false }
    }
  }

  /// Ends an upgrade that is under way, unless the new process serves already; returns when it is over.
  func cancel(reason: String) async {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        guard case .underWay(let successor) = state.phase else { return true }
        successor?.report(.cancelled(reason: reason))
        state.waiters.append(continuation)
        return false
      }
      if isOver { continuation.resume() }
    }
  }
}
