import CLinux
import Synchronization

/// One thread of the data plane: an event loop that is also a task executor.
///
/// Tasks made with ``spawn(_:)`` start and resume on the worker's thread and never leave it. All
/// state but the mailbox belongs to that thread; other threads reach it with ``post(_:)``.
///
/// `@unchecked Sendable`: references are passed between threads, but only `post`, `stop` and
/// `enqueue` may be called from another one, and these synchronise.
public final class Worker: TaskExecutor, @unchecked Sendable {
  public let index: Int
  public let seam: Seam
  /// The time at which the loop's present round began.
  public private(set) var now: MonotonicTime
  public var buffers: BufferPool
  public var random: SplitMix64
  var timers: TimerWheel
  let sockets = SocketTable()

  private var runnable: [UnownedJob] = []
  private var running: [UnownedJob] = []
  private var events: [ReadyEvent] = []
  private var expired: [Watcher] = []
  private var callsBeforePoll: [Watcher] = []
  private let mailbox = Mutex(Mailbox())
  /// What was taken from the mailbox; it gets the memory in return, so that a message costs none.
  private var openedJobs: [UnownedJob] = []
  private var openedMessages: [Message] = []
  private var isStopping = false
  /// Rounds of the loop so far.
  public private(set) var roundCount: UInt64 = 0

  private struct Mailbox: ~Copyable {
    var jobs: [UnownedJob] = []
    var messages: [Message] = []
    var isSignalled = false
  }

  /// A closure that is an array's element itself is wrapped into another one, which is allocated.
  private struct Message {
    let body: @Sendable (Worker) -> Void
  }

  public init(index: Int, seam: Seam) {
    self.index = index
    self.seam = seam
    now = seam.now()
    timers = TimerWheel(now: now)
    buffers = BufferPool()
    random = SplitMix64(seed: seam.randomSeed())
    runnable.reserveCapacity(256)
    running.reserveCapacity(256)
    events.reserveCapacity(EpollSeam.eventsPerPoll)
  }

  // MARK: Tasks

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent {
      runnable.append(job)
    } else {
      deliver { $0.jobs.append(job) }
    }
  }

  /// Whether the calling thread is this worker's.
  public var isCurrent: Bool {
    // The pointer is compared, never followed.
    unsafe penstock_current_worker_get() == Unmanaged.passUnretained(self).toOpaque()
  }

  /// Starts a task on this worker. To be called on its thread.
  public func spawn(_ operation: @escaping () async -> Void) {
    // The closure holds state of this worker and runs on this worker only: nothing is shared.
    let confined = unsafe WorkerConfined(operation)
    Task(executorPreference: self) { await unsafe confined.operation() }
  }

  // MARK: Other threads

  /// Runs `message` on the worker's thread, between two events. From any thread.
  public func post(_ message: @escaping @Sendable (Worker) -> Void) {
    deliver { $0.messages.append(Message(body: message)) }
  }

  /// Makes ``run()`` return after its present round. From any thread.
  public func stop() {
    post { $0.isStopping = true }
  }

  private func deliver(_ change: (inout sending Mailbox) -> Void) {
    let mustWake = mailbox.withLock { mailbox in
      change(&mailbox)
      defer { mailbox.isSignalled = true }
      return !mailbox.isSignalled
    }
    if mustWake { seam.wake() }
  }

  private func openMailbox() {
    mailbox.withLock { mailbox in
      mailbox.isSignalled = false
      swap(&mailbox.jobs, &openedJobs)
      swap(&mailbox.messages, &openedMessages)
    }
    runnable.append(contentsOf: openedJobs)
    openedJobs.removeAll(keepingCapacity: true)
    // What these post goes into the mailbox.
    for message in openedMessages { message.body(self) }
    openedMessages.removeAll(keepingCapacity: true)
  }

  // MARK: The loop

  /// Runs the loop on the calling thread until ``stop()``.
  public func run() {
    while !isStopping { turn() }
  }

  /// One round: jobs, then events, deadlines and messages, waiting at most until `limit`.
  public func turn(until limit: MonotonicTime = .never) {
    let previous = unsafe penstock_current_worker_get()
    // Unretained is enough: the worker outlives this call.
    unsafe penstock_current_worker_set(Unmanaged.passUnretained(self).toOpaque())
    defer { unsafe penstock_current_worker_set(previous) }

    runJobs()
    makeCallsBeforePoll()
    roundCount &+= 1
    let mayWait = runnable.isEmpty && callsBeforePoll.isEmpty
    let deadline = mayWait ? min(timers.nextDue() ?? .never, limit) : now
    seam.poll(until: deadline, into: &events)
    now = seam.now()
    dispatchEvents()
    timers.expire(now: now, into: &expired)
    if !expired.isEmpty {
      for watcher in expired { watcher.deadlinePassed() }
      expired.removeAll(keepingCapacity: true)
    }
  }

  /// Calls the watcher's ``Watcher/beforePoll()`` once, when everything that is ready now has had its
  /// turn: for what is better done for many at once, such as sending what several streams have said.
  public func callBeforePoll(_ watcher: Watcher) { callsBeforePoll.append(watcher) }

  /// Calls that these calls ask for are made in the same go; a bound keeps I/O from starving.
  private func makeCallsBeforePoll() {
    if callsBeforePoll.isEmpty { return }
    var made = 0
    while made < callsBeforePoll.count, made < Self.callsPerRoundMax {
      callsBeforePoll[made].beforePoll()
      made += 1
    }
    if made == callsBeforePoll.count {
      callsBeforePoll.removeAll(keepingCapacity: true)
    } else {
      callsBeforePoll.removeSubrange(0..<made)
    }
  }

  private static let callsPerRoundMax = 4_096

  /// Whether jobs, or calls before the poll, wait to run.
  public var hasRunnableJobs: Bool { !runnable.isEmpty || !callsBeforePoll.isEmpty }

  /// When the next deadline is due, if there is one.
  public var nextDeadline: MonotonicTime? { timers.nextDue() }

  private func runJobs() {
    guard !runnable.isEmpty else { return }
    // Jobs that these make runnable wait for the next round, so that I/O is never starved.
    swap(&runnable, &running)
    // The worker outlives the jobs that it runs.
    let executor = unsafe asUnownedTaskExecutor()
    for job in running { unsafe job.runSynchronously(on: executor) }
    running.removeAll(keepingCapacity: true)
  }

  /// All sockets learn their news before any watcher does: a watcher may close sockets and open
  /// others, and news of a closed one must not reach another that got its handle.
  private func dispatchEvents() {
    for event in events { sockets.note(event.readiness, of: event.handle) }
    for event in events {
      if event.handle == Seam.wakeHandle {
        openMailbox()
      } else {
        sockets.tellWatcher(of: event.handle)
      }
    }
    events.removeAll(keepingCapacity: true)
  }
}

/// Carries a closure over state of one worker into a task of that worker.
private struct WorkerConfined: @unchecked Sendable {
  @unsafe let operation: () async -> Void
  @unsafe init(_ operation: @escaping () async -> Void) { unsafe self.operation = operation }
}
