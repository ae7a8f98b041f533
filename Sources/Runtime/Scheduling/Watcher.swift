/// Something that sockets and deadlines of one worker are reported to.
///
/// Lives on one worker and is used on its thread only. A watcher has one deadline; a socket has
/// one watcher at a time (``Socket/watcher``).
open class Watcher {
  public let worker: Worker
  /// Set with ``setDeadline(_:)``; `.never` when there is none.
  public internal(set) var deadline = MonotonicTime.never
  var timerTick: Int64 = 0
  var timerSlot: Int32 = -1
  var timerPosition: Int32 = 0

  public init(on worker: Worker) {
    self.worker = worker
  }

  /// A socket that this watches has become ready for something that its `interest` names.
  /// Called between jobs.
  open func socketIsReady(_ socket: Transport) {}

  /// The deadline has passed; it is `.never` again. Called between jobs.
  open func deadlinePassed() {}

  /// The round is about to end; asked for with ``Worker/callBeforePoll(_:)``.
  open func beforePoll() {}

  /// Replaces the deadline; it fires up to 4 ms late, never early.
  public final func setDeadline(_ deadline: MonotonicTime) {
    self.deadline = deadline
    // The usual case, a deadline that moves away from a slot still ahead, costs this comparison.
    if timerSlot < 0 || timerTick &* TimerWheel.tickNanoseconds > deadline.nanoseconds {
      worker.timers.schedule(self)
    }
  }

  /// Takes the watcher out of the worker's timers. To be called when it ends.
  public final func cancelDeadline() {
    deadline = .never
    worker.timers.remove(self)
  }
}

/// A watcher that suspends one task until a socket is ready or a deadline passes.
///
/// `@safe`: the continuation is private and resumed exactly once.
@safe
open class Waiter: Watcher {
  public enum Wake: Sendable {
    case ready
    case deadline
    /// ``wake()`` was called.
    case interrupted
  }

  private var continuation: UnsafeContinuation<Wake, Never>?

  /// Whether a task is suspended here.
  public final var isWaiting: Bool {
    // Comparing with nil reads no memory that a continuation refers to.
    unsafe continuation != nil
  }

  /// Suspends until `socket` is ready for any of `interest`, or the deadline passes.
  public final func wait(
    for socket: Transport, _ interest: Readiness, until deadline: MonotonicTime
  ) async -> Wake {
    if !socket.readiness.isDisjoint(with: interest) { return .ready }
    socket.interest = interest
    let wake = await suspend(until: deadline)
    socket.interest = []
    return wake
  }

  /// Suspends until either socket is ready for what its interest names, or the deadline passes.
  public final func wait(
    for a: Transport, _ interestA: Readiness, or b: Transport, _ interestB: Readiness,
    until deadline: MonotonicTime
  ) async -> Wake {
    if !a.readiness.isDisjoint(with: interestA) || !b.readiness.isDisjoint(with: interestB) {
      return .ready
    }
    a.interest = interestA
    b.interest = interestB
    let wake = await suspend(until: deadline)
    a.interest = []
    b.interest = []
    return wake
  }

  /// Suspends until the deadline passes or ``wake()`` is called.
  @discardableResult
  public final func sleep(until deadline: MonotonicTime) async -> Wake {
    await suspend(until: deadline)
  }

  /// Resumes the suspended task, if there is one, with `.interrupted`.
  public final func wake() { resume(.interrupted) }

  override open func socketIsReady(_ socket: Transport) { resume(.ready) }

  override open func deadlinePassed() { resume(.deadline) }

  /// Whether every wait is to end at once with `.interrupted`: asked before each, since a task that
  /// has not begun to wait cannot be woken.
  open var refusesToWait: Bool { false }

  private func suspend(until deadline: MonotonicTime) async -> Wake {
    if refusesToWait { return .interrupted }
    setDeadline(deadline)
    // An unsafe continuation, since a checked one allocates: it is resumed exactly once, because
    // `resume` takes it out before it uses it and everything happens on the worker's thread.
    return await unsafe withUnsafeContinuation { unsafe self.continuation = $0 }
  }

  private func resume(_ wake: Wake) {
    guard let continuation = unsafe self.continuation else { return }
    unsafe self.continuation = nil
    deadline = .never
    unsafe continuation.resume(returning: wake)
  }
}
