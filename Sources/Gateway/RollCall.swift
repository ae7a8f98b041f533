import Runtime
import Synchronization

/// Waits until every worker has said something, or until no more is waited for those that have not.
final class RollCall: Sendable {
  private struct State {
    var missing: Set<Int>
    var isOver = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  /// What a worker that turns its loop needs at most to answer, after it has been told to. The watchdog takes
  /// one that is silent for a second for stalled; a machine that is short of CPUs gets some time more.
  static let patience = Duration.seconds(5)

  private let state: Mutex<State>

  init(of count: Int) { state = Mutex(State(missing: Set(0..<count))) }

  /// From any thread.
  func answered(_ index: Int) {
    end { state in
      state.missing.remove(index)
      return state.missing.isEmpty
    }
  }

  /// Who has not answered by then counts as missing.
  func giveUp(after time: Duration = patience) {
    Task {
      // Throws when the task is cancelled, which nobody does.
      try? await Task.sleep(for: time)
      end { _ in true }
    }
  }

  private func end(_ isOver: (inout State) -> Bool) {
    let waiter = state.withLock { state in
      guard isOver(&state) else { return nil as CheckedContinuation<Void, Never>? }
      state.isOver = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// To be called once.
  /// - Returns: the workers that have not answered, in their order.
  func wait() async -> [Int] {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if state.missing.isEmpty { state.isOver = true }
        if !state.isOver { state.waiter = continuation }
        return state.isOver
      }
      if isOver { continuation.resume() }
    }
    return state.withLock { $0.missing.sorted() }
  }
}
