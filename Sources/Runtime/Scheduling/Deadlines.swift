import Dispatch
import Synchronization

/// Calls closures when their time has passed, with one timer for all of them.
///
/// For the control plane's threads, where nearly every wait ends before its time: a timer of Dispatch's own for
/// each costs two system calls and wakes two threads to begin and to cancel, an eighth of what one change of the
/// configuration costs. Here both are a few instructions under a lock. The timer stays set when the wait that
/// it was set for has ended, and looks then what is next.
public final class Deadlines: Sendable {
  /// Those of the process.
  public static let shared = Deadlines()

  /// A wait, for ``cancel(_:)``.
  public struct Identifier: Sendable, Hashable {
    fileprivate var number: UInt64
  }

  private struct Entry {
    var due: ContinuousClock.Instant
    var action: @Sendable () -> Void
  }

  private struct State {
    var entries: [UInt64: Entry] = [:]
    var lastNumber: UInt64 = 0
    /// When the timer fires; nil: it does not.
    var firing: ContinuousClock.Instant?
  }

  private let state = Mutex(State())
  /// Dispatch's sources may be used from any thread; their declaration does not say so.
  nonisolated(unsafe) private let timer: any DispatchSourceTimer

  public init() {
    let timer = DispatchSource.makeTimerSource()
    unsafe self.timer = timer
    timer.setEventHandler { [weak self] in self?.fire() }
    timer.resume()
  }

  deinit { unsafe timer.cancel() }

  /// - Parameter action: called once on a thread of Dispatch's, unless it is cancelled before.
  public func call(after delay: Duration, _ action: @escaping @Sendable () -> Void) -> Identifier {
    let due = ContinuousClock.now + max(delay, .zero)
    return state.withLock { state in
      state.lastNumber += 1
      state.entries[state.lastNumber] = Entry(due: due, action: action)
      set(&state, toFireAt: due)
      return Identifier(number: state.lastNumber)
    }
  }

  /// Does nothing where the action has been called, or is being called.
  public func cancel(_ identifier: Identifier) {
    // Let go of outside of the lock: what it holds may cancel others as it ends.
    _ = state.withLock { $0.entries.removeValue(forKey: identifier.number) }
  }

  private func fire() {
    let now = ContinuousClock.now
    let over = state.withLock { state in
      state.firing = nil
      let over = state.entries.filter { $0.value.due <= now }
      for number in over.keys { state.entries[number] = nil }
      if let next = state.entries.values.lazy.map(\.due).min() { set(&state, toFireAt: next) }
      return over.values.sorted { $0.due < $1.due }.map(\.action)
    }
    for action in over { action() }
  }

  /// Under the lock, so that the timer is set for what ``State/firing`` says.
  private func set(_ state: inout State, toFireAt due: ContinuousClock.Instant) {
    if let firing = state.firing, firing <= due { return }
    state.firing = due
    // Rounded up: a call that comes early would find nothing to do.
    let nanoseconds = max(0, ContinuousClock.now.duration(to: due) / .nanoseconds(1)).rounded(.up)
    unsafe timer.schedule(deadline: .now() + .nanoseconds(nanoseconds < 9e18 ? Int(nanoseconds) : .max))
  }
}
