import Admin
import ControlPlane
import DataPlane
import Logging
import Resources
import Runtime
import Synchronization
import UnixSignals

/// The whole gateway: starts the control plane, the workers and the admin server, follows changes,
/// and ends them in the right order.
public final class Gateway: Sendable {
  public struct Options: Sendable {
    public var source: ConfigurationSource
    /// Overrides the configuration's.
    public var workers: Int?
    public var logger: Logger
    /// How long the new process of an upgrade may take until it serves.
    public var upgradeTimeLimit = Duration.seconds(60)
    /// Called once, when traffic is served.
    public var whenReady: (@Sendable () -> Void)?

    public init(source: ConfigurationSource, workers: Int? = nil, logger: Logger) {
      self.source = source
      self.workers = workers
      self.logger = logger
    }
  }

  struct State {
    var pool: WorkerPool?
    var watchdog: Watchdog?
    var isDraining = false
    /// Workers that did not end with the others.
    var stalledAtEnd: [Int] = []
    /// It drains for an upgrade, and was told to end.
    var isHurried = false
    var admin: AdminHost?
    var settingsNumber: UInt64 = 0
  }

  let options: Options
  let logger: Logger
  let accessLogs: AccessLogs
  let upgrades = Upgrades()
  let state = Mutex(State())
  private let control = Mutex<ControlPlane?>(nil)

  public init(_ options: Options) {
    self.options = options
    logger = options.logger
    accessLogs = AccessLogs(logger: options.logger)
  }

  /// Serves until SIGTERM or SIGINT, then drains. A second of these signals ends it at once;
  /// SIGHUP reads the configuration again and opens the log files anew; SIGUSR2 replaces the process by a
  /// new one.
  ///
  /// Threads may still run when this returns or throws: the process is to end by ``ProcessEnd``.
  public func run() async throws(GatewayError) {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup, .sigusr2)
    let predecessor = try await findPredecessor()
    do throws(GatewayError) {
      try await start(after: predecessor)
    } catch {
      predecessor?.fail(error.description)
      throw error
    }
    if let predecessor { await takeRest(of: predecessor) } else { tellServiceManager(.ready) }
    keepServiceManagerQuiet()
    ProcessMemory.trim()
    options.whenReady?()
    trimMemory()
    await serve(until: signals)
    let stalled = state.withLock(\.stalledAtEnd)
    if !stalled.isEmpty { throw .stalled(workers: stalled) }
  }

  /// Reading 100,000 domains leaves a fifth as much behind as they take; freed by threads that take their
  /// time.
  private func trimMemory() {
    Task {
      // Throws when the task is cancelled, which nobody does.
      try? await Task.sleep(for: .seconds(1))
      BackgroundThread.start(name: "trim") { ProcessMemory.trim() }
    }
  }

  private func start(after predecessor: Predecessor?) async throws(GatewayError) {
    var controlOptions = ControlPlane.Options()
    controlOptions.userAgent = "penstock-health/\(Version.current)"
    controlOptions.isHandedOver = predecessor != nil
    let control = ControlPlane(source: options.source, logger: logger, sink: self, options: controlOptions)
    self.control.withLock { $0 = control }
    let (settings, delta): (Configuration, Delta)
    do throws(ControlPlaneError) {
      (settings, delta) = try await control.load()
    } catch {
      throw .control(error)
    }
    do throws(GatewayError) {
      try await start(settings, delta, after: predecessor)
    } catch {
      await stop(drainingFor: .zero)
      throw error
    }
    control.follow()
  }

  private func serve(until signals: UnixSignalsSequence) async {
    let (ended, endInput) = AsyncStream.makeStream(of: Void.self)
    upgrades.whenDrained { endInput.finish() }
    let watching = Task {
      for await signal in signals {
        switch signal {
        case .sighup:
          accessLogs.reopen()
          await controlPlane?.reload(reason: .hangup)
        case .sigusr2:
          do throws(UpgradeError) {
            try startUpgrade()
          } catch {
            logger.error("no upgrade: \(error)")
          }
        default: end(by: signal) { endInput.finish() }
        }
      }
    }
    for await _ in ended {}
    watching.cancel()
  }

  /// - Parameter completion: called when it has drained.
  private func end(by signal: UnixSignal, completion: @escaping @Sendable () -> Void) {
    let (wasDraining, wasHurried) = state.withLock { state in
      defer { (state.isDraining, state.isHurried) = (true, upgrades.hasHandedOver) }
      return (state.isDraining, state.isHurried)
    }
    if wasDraining {
      // A second signal is meant: it ends what is in flight. After an upgrade, this may be the first.
      if upgrades.hasHandedOver && !wasHurried { return hurryDrain() }
      state.withLock { $0.pool }?.abortConnections()
      return
    }
    Task {
      await upgrades.cancel(reason: "the old process was told to end (\(signal))")
      if upgrades.hasHandedOver { return hurryDrain() }
      let limit = await drainLimit
      logger.info("draining", metadata: ["signal": "\(signal)", "limit": "\(limit)"])
      tellServiceManager(.stopping)
      await stop(drainingFor: limit)
      completion()
    }
  }

  var drainLimit: Duration {
    get async { await controlPlane?.settings.http.timeouts.drain ?? .zero }
  }

  // MARK: Start and stop

  /// Opens the admin address first: where a second instance is started by mistake, it ends before
  /// it takes traffic from the first. After another process it is opened last: until then that one
  /// answers.
  private func start(
    _ settings: Configuration, _ delta: Delta, after predecessor: Predecessor?
  ) async throws(GatewayError) {
    let admin = AdminHost(backend: self, logger: logger)
    state.withLock { $0.admin = admin }
    if predecessor == nil { try await open(admin, settings) }
    let count = options.workers ?? settings.workers ?? WorkerPool.usableCPUs
    let pool = WorkerPool(count: count, inheriting: predecessor?.sockets ?? [])
    logNotices(of: pool)
    setAccessLog(settings.accessLog, of: pool)
    let failures = await withCheckedContinuation { continuation in
      pool.apply(delta) { continuation.resume(returning: $0) }
    }
    let watchdog = watch(pool)
    state.withLock { ($0.pool, $0.watchdog) = (pool, watchdog) }
    if !failures.isEmpty { throw .listeners(failures) }
    if let predecessor {
      try await takePlace(of: predecessor, pool: pool) { () async throws(GatewayError) in
        try await open(admin, settings)
      }
    }
    ControlThreads.begin()
    let revision = await controlPlane?.status.revision ?? 0
    let addresses = await controlPlane?.listeners.map(\.address.description).joined(separator: " ") ?? ""
    logger.info(
      "serving",
      metadata: [
        "workers": "\(count)", "revision": "\(revision)",
        "listeners": "\(addresses)",
      ])
  }

  private func open(_ admin: AdminHost, _ settings: Configuration) async throws(GatewayError) {
    do throws(AdminServerError) {
      try await admin.update(settings.admin, number: nextSettings())
    } catch {
      throw .admin(error)
    }
  }

  /// Writes what workers report, off their threads.
  private func logNotices(of pool: WorkerPool) {
    let logger = logger
    pool.post { worker in
      worker.shortageSink = { error in
        Task { logger.warning("a connection could not be accepted", metadata: ["reason": "\(error)"]) }
      }
      worker.pluginSink = { notice in
        Task {
          logger.error(
            "a plugin failed",
            metadata: ["plugin": "\(notice.plugin)", "of": "\(notice.scope)", "reason": "\(notice.text)"])
        }
      }
      worker.noticeSink = { notice in
        Task {
          logger.warning(
            "the TLS handshake with an endpoint failed",
            metadata: [
              "service": "\(notice.service)", "endpoint": "\(notice.endpoint)", "reason": "\(notice.text)",
            ])
        }
      }
    }
  }

  func stop(drainingFor limit: Duration, manner: DrainManner = .alone) async {
    let (pool, admin) = state.withLock { state in
      state.isDraining = true
      return (state.pool, state.admin)
    }
    _ = await pool?.drain(within: limit, manner: manner)
    await control.withLock { $0 }?.stop()
    await admin?.stop()
    watchdog?.stop()
    let stalled = await pool?.stop() ?? []
    accessLogs.close()
    if stalled.isEmpty { return logger.info("stopped") }
    state.withLock { $0.stalledAtEnd = stalled }
    logger.error(
      "stopped without workers that do not turn their loops: their connections are cut",
      metadata: ["workers": "\(stalled.map(String.init).joined(separator: " "))"])
  }

  var controlPlane: ControlPlane? { control.withLock { $0 } }
}

/// Why the gateway did not start.
public enum GatewayError: Error, Sendable, CustomStringConvertible {
  case control(ControlPlaneError)
  case listeners([ListenFailure])
  case admin(AdminServerError)
  /// It has ended, but for workers that do not turn their loops.
  case stalled(workers: [Int])
  /// The process before this one did not hand over.
  case upgrade(UpgradeError)

  public var description: String {
    switch self {
    case .control(let error): error.description
    case .listeners(let failures): failures.map(\.description).joined(separator: "\n")
    case .admin(let error): error.description
    case .stalled(let workers):
      "ended without worker \(workers.map(String.init).joined(separator: ", ")), which did not turn its loop"
    case .upgrade(let error): "the upgrade failed: \(error)"
    }
  }
}

extension Gateway: ControlPlaneSink {
  public func publish(_ delta: Delta, whenServed: @escaping @Sendable () -> Void) {
    guard let pool = state.withLock({ $0.pool }) else { return whenServed() }
    pool.apply(delta) { [logger] failures in
      for failure in failures { logger.error("\(failure)") }
      whenServed()
    }
  }

  public func unavailableListeners(
    among listeners: [(number: Int, listener: Listener)]
  ) -> [Int: String] {
    state.withLock { $0.pool }?.unavailableListeners(among: listeners) ?? [:]
  }

  public func settingsChanged(_ settings: Configuration) {
    let (pool, admin) = state.withLock { ($0.pool, $0.admin) }
    guard let pool, let admin else { return }
    let workers = options.workers ?? settings.workers ?? pool.count
    if workers != pool.count {
      logger.warning(
        "a changed number of workers takes effect at the next start", metadata: ["workers": "\(workers)"])
    }
    setAccessLog(settings.accessLog, of: pool)
    let number = nextSettings()
    Task {
      do throws(AdminServerError) {
        try await admin.update(settings.admin, number: number)
      } catch {
        logger.error("\(error)")
      }
    }
  }

  private func setAccessLog(_ settings: Resources.AccessLog?, of pool: WorkerPool) {
    let destination = accessLogs.destination(for: settings)
    let retired = accessLogs.takeRetired()
    pool.setAccessLog(destination) {
      for writer in retired { BackgroundThread.start(name: "access-log-end") { writer.close() } }
    }
  }

  /// Counts settings, so that an older one that was overtaken is passed over.
  private func nextSettings() -> UInt64 {
    state.withLock { state in
      state.settingsNumber += 1
      return state.settingsNumber
    }
  }
}
