/// Wakes one wait of a task, from any thread.
///
/// `@unchecked Sendable`: only ``wake()`` may be called from another thread, and it posts to the worker; all else is
/// for the worker's thread.
public final class WakeHandle: @unchecked Sendable {
  private let worker: Worker
  private var waiter: Waiter?
  /// ``wake()`` was called. On the worker's thread.
  public private(set) var hasFired = false

  public init(on worker: Worker) { self.worker = worker }

  /// Ends the wait, whether it has begun or not. From any thread.
  public func wake() { worker.post { _ in self.fire() } }

  private func fire() {
    hasFired = true
    waiter?.wake()
  }

  /// Suspends until ``wake()`` was called, the waiter's sockets have news, or the deadline passes. On the worker's
  /// thread; for one wait.
  public func wait(on waiter: Waiter, until deadline: MonotonicTime) async {
    if hasFired { return }
    // Whoever is woken late must not wake what the waiter waits for next.
    self.waiter = waiter
    await waiter.sleep(until: deadline)
    self.waiter = nil
  }
}
