import DataPlane
import Logging
import Resources
import Runtime
import Synchronization

/// Keeps the data plane told of what to do: loads the configuration and follows its file and those
/// that it names for TLS, resolves the endpoints' names, checks their health, and tells a sink of
/// every change, in order.
///
/// Every method is from any thread but a worker's. ``stop()`` must be awaited before the last
/// reference goes: threads and tasks hold the control plane until then.
public final class ControlPlane: Sendable {
  public struct Options: Sendable {
    public var resolver = Resolver.Options()
    public var timing = EndpointDirectory.Timing()
    /// How long the start waits for first answers to names; services without one start empty.
    public var startLimit = Duration.seconds(3)
    /// The same for a reload that brings new names.
    public var reloadLimit = Duration.seconds(1)
    /// What health checks call themselves.
    public var userAgent = "penstock-health"
    public init() {}
  }

  enum Event: Sendable {
    case reload(ReloadReason, CheckedContinuation<Bool, Never>?)
    /// Files that the configuration names for TLS may have changed.
    case securityFilesChanged
    /// A ticket key or a warning is due.
    case securityDue
    case endpoints(service: String)
    case health(HealthChange)
  }

  struct State {
    var snapshot: Snapshot?
    /// Those of the snapshot's configuration, by name.
    var services: [String: Service] = [:]
    var status = ControlPlaneStatus()
    var running: Running?
    /// What ``snapshot``'s security was made of.
    var material = SecurityMaterial()
    /// Files of a configuration that was refused because of them; empty where none was.
    var awaitedFiles: [String: FileSignature?] = [:]
    var expiry = ExpiryWatch()
    var securityTimer: Task<Void, Never>?
  }

  /// What exists from the start to the stop.
  struct Running: Sendable {
    var worker: Worker
    var workerEnd: AsyncStream<Void>
    var checker: HealthChecker
    var resolver: Resolver
    var directory: EndpointDirectory
    var watcher: FileWatcher?
    var securityWatcher: FileSetWatcher
    /// Handles events, one after the other.
    var loop: Task<Void, Never>?
  }

  let source: ConfigurationSource
  let logger: Logger
  let sink: any ControlPlaneSink
  private let options: Options
  private let events: AsyncStream<Event>
  let eventsInput: AsyncStream<Event>.Continuation
  let state = Mutex(State())

  public init(
    source: ConfigurationSource, logger: Logger, sink: some ControlPlaneSink, options: Options = Options()
  ) {
    self.source = source
    self.logger = logger
    self.sink = sink
    self.options = options
    (events, eventsInput) = AsyncStream.makeStream(of: Event.self)
  }

  /// How loading has gone.
  public var status: ControlPlaneStatus { state.withLock { $0.status } }

  /// What runs now: the configuration with the present endpoints and their health. `nil` before
  /// the start.
  public var snapshot: Snapshot? { state.withLock { $0.snapshot } }

  /// The certificates that run now, with what is known of their time.
  public var certificates: [CertificateStatus] { state.withLock { $0.material.certificates } }

  // MARK: Life

  /// Loads the configuration, publishes the first snapshot and follows changes from then on.
  ///
  /// Throws when the configuration cannot be used, or names cannot be resolved at all; nothing is
  /// left running then. To be called once.
  public func start() async throws(ControlPlaneError) {
    // Before the file is read, so that a change in between is noticed.
    let watcher = makeWatcher()
    let configuration: Configuration
    let security: SecurityLoader.Outcome
    do throws(ConfigurationSourceError) {
      configuration = try source.load()
      security = try readSecurity(of: configuration, .all)
    } catch {
      recordReload(succeeded: false)
      throw .configuration(error)
    }
    var running = try makeRunning(watcher)
    state.withLock { $0.running = running }
    await apply(configuration, security, running, waitingAtMost: options.startLimit)
    recordReload(succeeded: true)
    let handler = running
    running.loop = Task { for await event in events { await handle(event, handler) } }
    state.withLock { $0.running = running }
    watcher?.start()
  }

  /// Reads the source again. An invalid one is logged in full, and what runs goes on.
  ///
  /// Returns whether the configuration that the source holds is now the one that runs.
  @discardableResult
  public func reload(reason: ReloadReason) async -> Bool {
    await withCheckedContinuation { continuation in
      if case .terminated = eventsInput.yield(.reload(reason, continuation)) {
        continuation.resume(returning: false)
      }
    }
  }

  /// Ends everything, and returns when no thread of the control plane is left at work.
  public func stop() async {
    let running = state.withLock { state in
      defer { state.running = nil }
      return state.running
    }
    eventsInput.finish()
    guard let running else { return }
    running.watcher?.stop()
    running.securityWatcher.stop()
    // Before the events that still wait: a reload among them must not wait for names.
    await running.directory.stop()
    running.resolver.stop()
    await running.loop?.value
    state.withLock { $0.securityTimer }?.cancel()
    await running.directory.stop()
    running.checker.stop { running.worker.stop() }
    for await _ in running.workerEnd {}
  }

  private func makeWatcher() -> FileWatcher? {
    guard case .file(let path) = source else { return nil }
    let input = eventsInput
    return FileWatcher(path: path) { input.yield(.reload(.fileChanged, nil)) }
  }

  private func makeRunning(_ watcher: FileWatcher?) throws(ControlPlaneError) -> Running {
    let resolver: Resolver
    do throws(ResolverError) {
      resolver = try Resolver(options: options.resolver)
    } catch {
      throw .resolver(error)
    }
    let input = eventsInput
    let directory = EndpointDirectory(
      timing: options.timing, logger: logger,
      resolve: { name async throws(ResolverError) in try await resolver.resolve(name) },
      onChange: { input.yield(.endpoints(service: $0)) })
    let worker = Worker(index: 0, seam: EpollSeam())
    let checker = HealthChecker(on: worker, logger: logger, userAgent: options.userAgent) {
      input.yield(.health($0))
    }
    let (end, endInput) = AsyncStream.makeStream(of: Void.self)
    WorkerThread.start(worker, name: "control", pinned: false) { endInput.finish() }
    return Running(
      worker: worker, workerEnd: end, checker: checker, resolver: resolver, directory: directory,
      watcher: watcher, securityWatcher: FileSetWatcher { input.yield(.securityFilesChanged) })
  }

  // MARK: Events

  private func handle(_ event: Event, _ running: Running) async {
    switch event {
    case .reload(let reason, let continuation):
      let succeeded = await reload(reason, running)
      continuation?.resume(returning: succeeded)
    case .securityFilesChanged:
      // One that waits for these files comes before what runs.
      if isAwaitingFiles, await reload(.securityFileChanged, running) { return }
      refreshSecurity(running)
    case .securityDue:
      securityIsDue()
    case .endpoints(let service):
      await refreshEndpoints(of: service, running)
    case .health(let change):
      take(change)
    }
  }

  private func reload(_ reason: ReloadReason, _ running: Running) async -> Bool {
    let configuration: Configuration
    let security: SecurityLoader.Outcome
    do throws(ConfigurationSourceError) {
      configuration = try source.load()
      let isAsked = reason == .hangup || reason == .request
      security = try readSecurity(of: configuration, isAsked ? .all : .changed)
    } catch {
      recordReload(succeeded: false)
      if case .security = error { watchFiles(running) }
      for line in error.lines { logger.error("\(line)") }
      logger.error(
        "the configuration was not loaded; the one before keeps running",
        metadata: ["reason": "\(reason.rawValue)", "revision": "\(status.revision)"])
      return false
    }
    if configuration == snapshot?.configuration {
      takeOver(security, running)
      logger.info("the configuration has not changed", metadata: ["reason": "\(reason.rawValue)"])
      // Who asks for it may have freed an address that a listener could not get.
      if reason == .hangup, let snapshot { sink.publish(snapshot) }
    } else {
      await apply(configuration, security, running, waitingAtMost: options.reloadLimit)
      logger.info(
        "the configuration was loaded",
        metadata: ["reason": "\(reason.rawValue)", "revision": "\(status.revision)"])
    }
    recordReload(succeeded: true)
    return true
  }

  private func recordReload(succeeded: Bool) {
    let now = WallClock.unixSeconds()
    state.withLock { state in
      let isFirst = state.status.lastReloadSeconds == 0
      state.status.lastReloadSucceeded = succeeded
      state.status.lastReloadSeconds = now
      if succeeded { state.status.lastSuccessSeconds = now }
      if isFirst { return }
      if succeeded { state.status.reloadsSucceeded += 1 } else { state.status.reloadsFailed += 1 }
    }
  }
}

/// Why the control plane did not start.
public enum ControlPlaneError: Error, Sendable, CustomStringConvertible {
  case configuration(ConfigurationSourceError)
  case resolver(ResolverError)

  public var description: String {
    switch self {
    case .configuration(let error): error.description
    case .resolver(let error): "the resolver cannot be started: \(error.description)"
    }
  }
}
