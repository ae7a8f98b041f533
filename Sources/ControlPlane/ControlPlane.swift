import DataPlane
import Logging
import Resources
import Runtime
import Synchronization

/// Keeps the data plane told of what to do: takes resources from files and from the admin API, keeps
/// the latter in its store, resolves the endpoints' names, checks their health, and tells a sink of
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
    /// The same for a changed file that brings new names.
    public var reloadLimit = Duration.seconds(1)
    /// What health checks call themselves.
    public var userAgent = "penstock-health"
    /// The process before this one writes the store still: it is read, and taken over later.
    public var isHandedOver = false
    public init() {}
  }

  enum Event: Sendable {
    case reload(ReloadReason, CheckedContinuation<Bool, Never>?)
    /// Files are not followed from now on.
    case hold(CheckedContinuation<Void, Never>)
    /// The queue is not empty.
    case transactions
    /// Files that resources name for TLS may have changed.
    case securityFilesChanged
    /// A ticket key or a warning is due.
    case securityDue
    /// When the next of them is due is to be found out.
    case scheduleSecurity
    case endpoints(service: String)
    case health(HealthChange)
    /// Time to look whether the store can be used.
    case storeDue
    /// Try to become the store's writer.
    case takeOverStore(CheckedContinuation<String?, Never>)
  }

  struct State {
    var running: Running?
    /// Files that have been refused because of others: those are waited for.
    var isAwaitingFiles = false
    /// Another process is about to follow the files instead.
    var isHeld = false
    /// Files were to be read meanwhile.
    var hasMissedReload = false
    /// Those that a refused configuration names for TLS, as they were then.
    var awaitedFiles: [String: FileSignature?] = [:]
    var securityTimer: Alarm?
    var storeChecks: Alarm?
    var files: FileSource?
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
  let registry: Registry
  let options: Options
  let queue = TransactionQueue()
  private let events: AsyncStream<Event>
  let eventsInput: AsyncStream<Event>.Continuation
  let state = Mutex(State())

  public init(
    source: ConfigurationSource, logger: Logger, sink: some ControlPlaneSink, options: Options = Options()
  ) {
    self.source = source
    self.logger = logger
    self.options = options
    registry = Registry(sink: sink, logger: logger)
    (events, eventsInput) = AsyncStream.makeStream(of: Event.self)
  }

  // MARK: Life

  /// Reads files and store, and puts everything in place. Nothing changes until ``follow()``.
  ///
  /// Throws when they cannot be used, or names cannot be resolved at all; nothing is left running then.
  /// To be called once.
  /// - Returns: everything that workers need.
  public func load() async throws(ControlPlaneError) -> (settings: Configuration, delta: Delta) {
    // Before the files are read, so that a change in between is noticed.
    let watcher = makeWatcher()
    let running = try makeRunning(watcher)
    state.withLock { $0.running = running }
    do throws(ConfigurationSourceError) {
      try await loadFiles(.all, running, waitingAtMost: options.startLimit)
      try await loadStore(running)
      try await requireListener()
    } catch {
      await registry.recordReload(problem: error.description)
      await stop()
      throw .configuration(error)
    }
    await registry.recordReload(problem: nil)
    return (await registry.settings, await registry.takeInitial())
  }

  /// Follows changes from now on. To be called once, when the sink can take them.
  public func follow() {
    guard let running = state.withLock({ $0.running }) else { return }
    let loop = Task { for await event in events { await handle(event, running) } }
    state.withLock { $0.running?.loop = loop }
    running.watcher?.start()
    eventsInput.yield(.scheduleSecurity)
    let input = eventsInput
    let storeChecks = Alarm(after: Self.storeCheckInterval, every: Self.storeCheckInterval) {
      input.yield(.storeDue)
    }
    state.withLock { $0.storeChecks = storeChecks }
  }

  /// How often a store that nobody writes is looked at.
  static let storeCheckInterval = Duration.seconds(5)

  /// Reads the files again. Invalid ones are logged in full, and what runs goes on.
  ///
  /// Returns whether what the files hold is now what runs.
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
    refuseWaiting()
    guard let running else { return }
    running.watcher?.stop()
    running.securityWatcher.stop()
    // Before the events that still wait: a reload among them must not wait for names.
    await running.directory.stop()
    running.resolver.stop()
    await running.loop?.value
    state.withLock { state in
      state.securityTimer = nil
      state.storeChecks = nil
    }
    await running.directory.stop()
    await registry.close()
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
    ControlThreads.giveWay()
    switch event {
    case .hold(let continuation):
      state.withLock { $0.isHeld = true }
      continuation.resume()
    case .reload(_, let continuation) where postponesReload():
      continuation?.resume(returning: false)
    case .reload(let reason, let continuation):
      let succeeded = await reload(reason, running)
      continuation?.resume(returning: succeeded)
    case .transactions:
      await runTransactions(running)
    case .securityFilesChanged:
      // What waits for these files comes before what runs.
      if state.withLock({ $0.isAwaitingFiles }), await reload(.securityFileChanged, running) { return }
      await watchHealth(of: registry.refreshFiles(readsAll: false), running)
      await registry.noteSecurityFiles()
      await serveDue(running)
      await watchSecurityFiles(running)
      await scheduleSecurity()
    case .securityDue:
      await registry.securityIsDue()
      await scheduleSecurity()
    case .scheduleSecurity:
      await scheduleSecurity()
    case .endpoints(let service):
      // The present ones, not those of the time of the event: a change may have come between.
      let present = await running.directory.endpoints(of: service)
      if await registry.take(present, of: service) { await watchHealth(of: [service], running) }
    case .health(let change):
      await registry.take(change)
    case .storeDue:
      await registry.checkStore()
    case .takeOverStore(let continuation):
      continuation.resume(returning: await becomeWriter())
    }
  }

  func watchHealth(of services: Set<String>, _ running: Running) async {
    for service in services {
      let target = await registry.healthTarget(of: service)
      running.checker.watch(
        service: service, check: target.check, by: target.transport, endpoints: target.endpoints)
    }
  }

  /// Has the files watched that resources name for TLS, or would.
  func watchSecurityFiles(_ running: Running) async {
    let awaited = state.withLock { $0.awaitedFiles }
    running.securityWatcher.watch(await registry.securityFiles.merging(awaited) { used, _ in used })
  }

  func scheduleSecurity() async {
    let input = eventsInput
    let timer = await registry.securityDue.map { due in
      Alarm(after: max(.zero, due - .now)) { input.yield(.securityDue) }
    }
    state.withLock { $0.securityTimer = timer }
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
