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
    /// Called once, when traffic is served.
    public var whenReady: (@Sendable (Configuration) -> Void)?

    public init(source: ConfigurationSource, workers: Int? = nil, logger: Logger) {
      self.source = source
      self.workers = workers
      self.logger = logger
    }
  }

  struct State {
    var pool: WorkerPool?
    var isDraining = false
    var admin: AdminHost?
  }

  let options: Options
  let logger: Logger
  let accessLogs: AccessLogs
  let state = Mutex(State())
  private let control = Mutex<ControlPlane?>(nil)

  public init(_ options: Options) {
    self.options = options
    logger = options.logger
    accessLogs = AccessLogs(logger: options.logger)
  }

  /// Serves until SIGTERM or SIGINT, then drains. A second of these signals ends it at once;
  /// SIGHUP reads the configuration again and opens the log files anew.
  public func run() async throws(GatewayError) {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    var controlOptions = ControlPlane.Options()
    controlOptions.userAgent = "penstock-health/\(Version.current)"
    let control = ControlPlane(source: options.source, logger: logger, sink: self, options: controlOptions)
    self.control.withLock { $0 = control }
    do throws(ControlPlaneError) {
      try await control.start()
    } catch {
      throw .control(error)
    }
    guard let snapshot = control.snapshot else {
      preconditionFailure("a started control plane has a snapshot")
    }
    do throws(GatewayError) {
      try await start(snapshot)
    } catch {
      await stop(drainingFor: .zero)
      throw error
    }
    options.whenReady?(snapshot.configuration)
    await serve(until: signals)
  }

  private func serve(until signals: UnixSignalsSequence) async {
    let (ended, endInput) = AsyncStream.makeStream(of: Void.self)
    let watching = Task {
      for await signal in signals {
        if signal == .sighup {
          accessLogs.reopen()
          await controlPlane?.reload(reason: .hangup)
        } else if state.withLock({ $0.isDraining }) {
          // A second signal is meant: it ends what is in flight.
          state.withLock { $0.pool }?.abortConnections()
        } else {
          state.withLock { $0.isDraining = true }
          let limit = controlPlane?.snapshot?.configuration.http.timeouts.drain ?? .zero
          logger.info("draining", metadata: ["signal": "\(signal)", "limit": "\(limit)"])
          Task {
            await stop(drainingFor: limit)
            endInput.finish()
          }
        }
      }
    }
    for await _ in ended {}
    watching.cancel()
  }

  // MARK: Start and stop

  /// Opens the admin address first: where a second instance is started by mistake, it ends before
  /// it takes traffic from the first.
  private func start(_ snapshot: Snapshot) async throws(GatewayError) {
    let configuration = snapshot.configuration
    let admin = AdminHost(backend: self, logger: logger)
    state.withLock { $0.admin = admin }
    do throws(AdminServerError) {
      try await admin.update(configuration.admin, revision: snapshot.revision)
    } catch {
      throw .admin(error)
    }
    let count = options.workers ?? configuration.workers ?? WorkerPool.usableCPUs
    let pool = WorkerPool(count: count)
    logNotices(of: pool)
    // From here on changes reach the workers, behind this first configuration.
    state.withLock { $0.pool = pool }
    let failures = await withCheckedContinuation { continuation in
      apply(snapshot, to: pool) { continuation.resume(returning: $0) }
    }
    if !failures.isEmpty { throw .listeners(failures) }
    // What the control plane published between its start and now went nowhere: catch up.
    if let latest = controlPlane?.snapshot {
      if latest.revision != snapshot.revision || latest.endpoints != snapshot.endpoints {
        publish(latest)
      } else {
        securityChanged(latest.security)
      }
    }
    let addresses = configuration.listeners.map(\.address.description).joined(separator: " ")
    logger.info(
      "serving",
      metadata: ["workers": "\(count)", "revision": "\(snapshot.revision)", "listeners": "\(addresses)"])
  }

  /// Writes what workers report, off their threads.
  private func logNotices(of pool: WorkerPool) {
    let logger = logger
    pool.post { worker in
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

  private func stop(drainingFor limit: Duration) async {
    let (pool, admin) = state.withLock { state in
      state.isDraining = true
      return (state.pool, state.admin)
    }
    await pool?.drain(within: limit)
    await control.withLock { $0 }?.stop()
    await admin?.stop()
    await pool?.stop()
    accessLogs.close()
    logger.info("stopped")
  }

  var controlPlane: ControlPlane? { control.withLock { $0 } }
}

/// Why the gateway did not start.
public enum GatewayError: Error, Sendable, CustomStringConvertible {
  case control(ControlPlaneError)
  case listeners([ListenFailure])
  case admin(AdminServerError)

  public var description: String {
    switch self {
    case .control(let error): error.description
    case .listeners(let failures): failures.map(\.description).joined(separator: "\n")
    case .admin(let error): error.description
    }
  }
}

extension Gateway: ControlPlaneSink {
  public func publish(_ snapshot: Snapshot) {
    guard let pool = state.withLock({ $0.pool }) else { return }
    let workers = options.workers ?? snapshot.configuration.workers ?? pool.count
    if workers != pool.count {
      logger.warning(
        "a changed number of workers takes effect at the next start", metadata: ["workers": "\(workers)"])
    }
    apply(snapshot, to: pool) { [logger] failures in
      for failure in failures { logger.error("\(failure)", metadata: ["revision": "\(snapshot.revision)"]) }
    }
    guard let admin = state.withLock({ $0.admin }) else { return }
    Task {
      do throws(AdminServerError) {
        try await admin.update(snapshot.configuration.admin, revision: snapshot.revision)
      } catch {
        logger.error("\(error)")
      }
    }
  }

  private func apply(
    _ snapshot: Snapshot, to pool: WorkerPool, completion: @escaping @Sendable ([ListenFailure]) -> Void
  ) {
    let unavailable = pool.unavailableListeners(of: snapshot.configuration)
    let destination = accessLogs.destination(for: snapshot.configuration.accessLog)
    let retired = accessLogs.takeRetired()
    pool.apply(snapshot, unavailable: unavailable, accessLog: destination) { failures in
      for writer in retired { BackgroundThread.start(name: "access-log-end") { writer.close() } }
      completion(failures)
    }
  }

  public func securityChanged(_ security: Security) {
    state.withLock { $0.pool }?.post { $0.applySecurity(security) }
  }

  public func endpointsChanged(service: String, endpoints: [ResolvedEndpoint]) {
    state.withLock { $0.pool }?.post { $0.setEndpoints(endpoints, ofService: service) }
  }

  public func healthChanged(service: String, address: SocketAddress, isHealthy: Bool) {
    state.withLock { $0.pool }?.post {
      $0.setHealth(ofService: service, address: address, isHealthy: isHealthy)
    }
  }
}
