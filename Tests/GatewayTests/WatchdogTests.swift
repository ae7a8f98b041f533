import Runtime
import Synchronization
import Testing

@testable import Gateway

/// Real workers on threads of their own, into one of which a test plants a loop.
@Suite struct WatchdogTests {
  /// Two workers, and a watchdog with little patience.
  private final class Scene: Sendable {
    let workers = (0..<2).map { Worker(index: $0, seam: EpollSeam()) }
    let reports = Mutex<[Watchdog.Report]>([])
    let news = Mutex(0)
    private let endsLoop = Atomic<Bool>(false)

    func run(_ body: (Watchdog) async throws -> Void) async throws {
      for worker in workers {
        WorkerThread.start(worker, name: "watched", pinned: false) {}
      }
      let timing = Watchdog.Timing(pause: .milliseconds(10), limit: .milliseconds(150))
      let watchdog = Watchdog(workers, timing: timing) { report in
        self.reports.withLock { $0.append(report) }
      }
      defer {
        end()
        watchdog.stop()
        for worker in workers { worker.stop() }
      }
      try await body(watchdog)
    }

    /// A loop that does not end by itself.
    func plantLoop(on index: Int) {
      workers[index].post { _ in
        while !self.endsLoop.load(ordering: .acquiring) {}
      }
    }

    /// What was said of a worker last, if that is that it stalls.
    func stall(of worker: Int) -> (Watchdog.Stalled, thread: Int32, activity: String)? {
      for report in reports.withLock(\.self).reversed() {
        switch report {
        case .stalled(let stalled, let thread, let activity) where stalled.worker == worker:
          return (stalled, thread, activity)
        case .recovered(worker, _): return nil
        default: continue
        }
      }
      return nil
    }

    func end() { endsLoop.store(true, ordering: .releasing) }

    func wait(_ what: Comment, until condition: () -> Bool) async throws {
      for _ in 0..<2_000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
      }
      Issue.record(what)
    }
  }

  @Test func aPlantedLoopIsReportedWithWhatTheThreadDoes() async throws {
    let scene = Scene()
    try await scene.run { watchdog in
      // Each has answered once, so that its thread is known.
      try await scene.wait("answers") { watchdog.figures.pauseMax > .zero }
      scene.plantLoop(on: 1)
      // It comes after the figures: the watchdog looks at the thread in between.
      try await scene.wait("a report") { scene.stall(of: 1) != nil }
      let (stalled, thread, activity) = try #require(scene.stall(of: 1))
      #expect(thread > 0 && stalled.silence >= .milliseconds(150))
      // On a machine that has other work it may have waited for a CPU for longer than it ran.
      #expect(activity.hasPrefix("it computes") || activity.contains("CPU"), "\(activity)")
      #expect(watchdog.figures.stalled.contains { $0.worker == 1 })
      #expect(watchdog.figures.stalls >= 1 && watchdog.figures.pauseMax >= .milliseconds(150))

      scene.end()
      try await scene.wait("the end of the stall") { watchdog.figures.stalled.isEmpty }
      try await scene.wait("a report of the end") {
        scene.reports.withLock { reports in
          reports.contains { if case .recovered(worker: 1, _) = $0 { true } else { false } }
        }
      }
    }
  }

  @Test func nobodyIsToldThatAllIsWellWhileAWorkerStalls() async throws {
    let scene = Scene()
    try await scene.run { watchdog in
      watchdog.startTelling(every: .milliseconds(30)) { scene.news.withLock { $0 += 1 } }
      try await scene.wait("news") { scene.news.withLock { $0 >= 3 } }
      scene.plantLoop(on: 0)
      try await scene.wait("a stall") { !watchdog.figures.stalled.isEmpty }
      // One look may have been under way.
      try await Task.sleep(for: .milliseconds(50))
      let during = scene.news.withLock(\.self)
      try await Task.sleep(for: .milliseconds(300))
      #expect(scene.news.withLock(\.self) == during)
      scene.end()
      try await scene.wait("news again") { scene.news.withLock { $0 >= during + 3 } }
      watchdog.stopTelling()
      try await Task.sleep(for: .milliseconds(50))
      let after = scene.news.withLock(\.self)
      try await Task.sleep(for: .milliseconds(200))
      #expect(scene.news.withLock(\.self) == after)
    }
  }

  @Test func idleWorkersAreNotStalled() async throws {
    let scene = Scene()
    try await scene.run { watchdog in
      try await Task.sleep(for: .milliseconds(500))
      // A machine with other work may have stalled one for a moment; none stays so.
      try await scene.wait("no stall") { watchdog.figures.stalled.isEmpty }
    }
  }

  @Test func whatAThreadDoesIsSaidInWords() {
    var before = ThreadActivity()
    before.running = 5_000_000_000
    var now = before
    now.state = "R"
    now.running += 970_000_000
    #expect(now.description(since: before, over: .seconds(1)) == "it computes, for 97 % of the time")
    now.running = before.running
    now.waiting += 800_000_000
    #expect(now.description(since: before, over: .seconds(1)) == "it waits for a CPU, for 80 % of the time")
    now.running += 450_000_000
    now.waiting = before.waiting + 300_000_000
    let words = now.description(since: before, over: .seconds(1))
    #expect(words == "it could run, and has had a CPU for 45 % of the time")
    now.running = before.running
    now.waiting = 0
    now.state = "D"
    now.place = "do_sync_write"
    #expect(now.description(since: before, over: .seconds(1)) == "it waits in the system (do_sync_write)")
    now.state = "t"
    #expect(now.description(since: before, over: .seconds(1)) == "it is stopped")
    #expect(ThreadActivity.read(thread: 0) == nil)
  }
}
