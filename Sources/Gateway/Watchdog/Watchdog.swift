import Runtime
import Synchronization

/// Notices workers whose loops do not turn, and says so: in the log, in metrics, in `/readyz`, and to the
/// service manager by its silence.
///
/// A thread of its own asks every worker five times a second (``LoopProbe``). It is ordinary code of a
/// worker that stalls one: a loop that is too long, a call that blocks. See docs/decisions/0020.
final class Watchdog: Sendable {
  struct Timing: Sendable {
    /// Between two looks.
    var pause = Duration.milliseconds(200)
    /// A worker that takes longer for an answer is stalled.
    var limit = Duration.seconds(1)
  }

  /// A worker that does not turn its loop now.
  struct Stalled: Sendable, Equatable {
    var worker: Int
    var silence: Duration
  }

  /// Said once when a worker stalls, and once when it goes on.
  enum Report: Sendable, Equatable {
    /// - Parameters:
    ///   - thread: the kernel's number of it.
    ///   - activity: what it does, for a person to read.
    case stalled(Stalled, thread: Int32, activity: String)
    case recovered(worker: Int, after: Duration)
  }

  struct Figures: Sendable {
    /// Since the start.
    var stalls: UInt64 = 0
    /// The longest that a worker took for an answer since the start.
    var pauseMax = Duration.zero
    var stalled: [Stalled] = []
  }

  private struct State {
    var records: [LoopRecord]
    var isStopped = false
    /// How often to say that all is well, and whom to tell.
    var news: (period: Duration, tell: @Sendable () -> Void)?
    var lastNews: ContinuousClock.Instant?
  }

  private let probes: [LoopProbe]
  private let timing: Timing
  private let report: @Sendable (Report) -> Void
  private let state: Mutex<State>
  private let signal = ThreadSignal()

  /// Starts the thread; the workers run.
  ///
  /// - Parameter report: called on the watchdog's thread.
  init(_ workers: [Worker], timing: Timing = Timing(), report: @escaping @Sendable (Report) -> Void) {
    probes = workers.map(LoopProbe.init)
    self.timing = timing
    self.report = report
    state = Mutex(State(records: workers.map { _ in LoopRecord() }))
    for probe in probes { probe.ask() }
    // The thread holds the watchdog until `stop`.
    BackgroundThread.start(name: "watchdog") { self.run() }
  }

  var figures: Figures {
    state.withLock { state in
      var figures = Figures()
      for (index, record) in state.records.enumerated() {
        figures.stalls += record.stalls
        figures.pauseMax = max(figures.pauseMax, record.pauseMax)
        if record.isStalled {
          figures.stalled.append(Stalled(worker: probes[index].index, silence: record.silence))
        }
      }
      return figures
    }
  }

  /// Has somebody told that all workers turn their loops, as long as they do.
  ///
  /// - Parameter tell: called on the watchdog's thread. Must not block.
  func startTelling(every period: Duration, _ tell: @escaping @Sendable () -> Void) {
    state.withLock { $0.news = (period, tell) }
    signal.raise()
  }

  func stopTelling() { state.withLock { $0.news = nil } }

  /// Ends the thread soon. To be called before the workers end.
  func stop() {
    state.withLock { $0.isStopped = true }
    signal.raise()
  }

  // MARK: The thread

  /// What a thread did when its worker became silent.
  private struct Mark {
    var activity: ThreadActivity
    var time: ContinuousClock.Instant
  }

  private func run() {
    var marks: [Int: Mark] = [:]
    var last = ContinuousClock.now
    while true {
      signal.wait(milliseconds: Int32(clamping: timing.pause.inNanoseconds / 1_000_000))
      let now = ContinuousClock.now
      // A look that comes late says that this thread did not run either.
      let elapsed = min(now - last, timing.pause * 2)
      last = now
      if state.withLock(\.isStopped) { return }
      for (index, probe) in probes.enumerated() {
        let (event, isSilent) = look(at: index, after: elapsed)
        if isSilent, marks[index] == nil {
          marks[index] = ThreadActivity.read(thread: probe.thread).map { Mark(activity: $0, time: now) }
        }
        if let event { report(event, of: probe, since: marks[index]) }
        if !isSilent { marks[index] = nil }
      }
      tell(now)
    }
  }

  private func look(at index: Int, after elapsed: Duration) -> (event: LoopRecord.Event?, isSilent: Bool) {
    let delay = probes[index].answer()
    if delay != nil { probes[index].ask() }
    return state.withLock { state in
      if let delay { return (state.records[index].answered(after: elapsed, delay: delay), false) }
      return (state.records[index].unanswered(after: elapsed, limit: timing.limit), true)
    }
  }

  private func report(_ event: LoopRecord.Event, of probe: LoopProbe, since mark: Mark?) {
    switch event {
    case .stalled(let silence):
      var activity = "unknown"
      if let mark, let present = ThreadActivity.read(thread: probe.thread) {
        activity = present.description(since: mark.activity, over: .now - mark.time)
      }
      report(
        .stalled(Stalled(worker: probe.index, silence: silence), thread: probe.thread, activity: activity))
    case .recovered(let pause):
      report(.recovered(worker: probe.index, after: pause))
    }
  }

  private func tell(_ now: ContinuousClock.Instant) {
    let tell: (@Sendable () -> Void)? = state.withLock { state in
      guard let news = state.news, !state.records.contains(where: \.isStalled) else { return nil }
      // Three times in each period: one that comes late, or is lost, changes nothing.
      if let last = state.lastNews, now - last < news.period / 3 { return nil }
      state.lastNews = now
      return news.tell
    }
    tell?()
  }
}

extension Duration {
  /// Seconds, to a tenth, for a person to read.
  var inTenths: String {
    let tenths = (inNanoseconds + 50_000_000) / 100_000_000
    return "\(tenths / 10).\(tenths % 10)"
  }
}
