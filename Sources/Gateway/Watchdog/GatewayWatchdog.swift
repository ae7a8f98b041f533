import Logging
import Runtime

/// What becomes of the watchdog's reports.
extension Gateway {
  func watch(_ pool: WorkerPool) -> Watchdog {
    Watchdog(pool.loops) { [logger] report in
      switch report {
      case .stalled(let stalled, let thread, let activity):
        logger.error(
          "a worker does not turn its loop: its connections wait",
          metadata: [
            "worker": "\(stalled.worker)", "thread": "\(thread)", "for": "\(stalled.silence.inTenths) s",
            "activity": "\(activity)",
          ])
      case .recovered(let worker, let pause):
        logger.warning(
          "the worker turns its loop again",
          metadata: ["worker": "\(worker)", "after": "\(pause.inTenths) s"])
      }
    }
  }

  var watchdog: Watchdog? { state.withLock { $0.watchdog } }

  /// Tells the service manager within each period of its watchdog, if it has one, that all workers turn
  /// their loops.
  func keepServiceManagerQuiet() {
    guard let period = ServiceManager(environment: ChildProcess.ownEnvironment()).watchdogPeriod else {
      return
    }
    watchdog?.startTelling(every: period) { [weak self] in self?.tellServiceManager(.alive) }
  }
}
