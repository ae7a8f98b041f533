import CLinux
import Synchronization

/// Asks a worker from another thread whether its loop turns.
///
/// The question is a message like all others: it wakes the loop, and its turn comes behind what was ready
/// before it. So the worker keeps no time and stores nothing in its rounds for the sake of whoever watches,
/// and what would keep a request waiting keeps the answer waiting, a lost wake-up included.
public final class LoopProbe: Sendable {
  private struct State {
    /// When the question was sent that has no answer yet.
    var asked: ContinuousClock.Instant?
    var delay = Duration.zero
    var thread: Int32 = 0
  }

  /// Apart from the probe, so that the message does not hold what holds it.
  private final class Shared: Sendable {
    let state = Mutex(State())
  }

  private let worker: Worker
  private let shared: Shared
  /// Made once, since it is sent often.
  private let message: @Sendable (Worker) -> Void

  public init(_ worker: Worker) {
    let shared = Shared()
    self.worker = worker
    self.shared = shared
    message = { _ in
      let thread = penstock_thread_identifier()
      shared.state.withLock { state in
        guard let asked = state.asked else { return }
        state.delay = .now - asked
        state.asked = nil
        state.thread = thread
      }
    }
  }

  /// The worker's place among those of the process.
  public var index: Int { worker.index }

  /// The kernel's number of the worker's thread; 0 before the first answer.
  public var thread: Int32 { shared.state.withLock(\.thread) }

  /// Sends a question, unless one is under way.
  public func ask() {
    let mustSend = shared.state.withLock { state in
      defer { if state.asked == nil { state.asked = .now } }
      return state.asked == nil
    }
    if mustSend { worker.post(message) }
  }

  /// How long the worker took to answer the last question; nil while it has not.
  public func answer() -> Duration? {
    shared.state.withLock { $0.asked == nil ? $0.delay : nil }
  }
}
