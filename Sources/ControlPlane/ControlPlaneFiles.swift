import DataPlane
import Logging
import Resources

/// Files, and the store at the start: how what they hold comes to run.
extension ControlPlane {
  /// Reads the files and puts what has changed in place.
  /// - Returns: whether anything has changed.
  @discardableResult
  func loadFiles(
    _ reading: FileSource.Reading, _ running: Running, waitingAtMost limit: Duration
  ) async throws(ConfigurationSourceError) -> Bool {
    var files = state.withLock { $0.files } ?? FileSource(source)
    let read = try files.read(reading, revision: await registry.revision + 1)
    let services = read.batches.flatMap { batch in
      batch.puts.compactMap { if case .service(let service) = $0.resource { service } else { nil } }
    }
    await running.directory.keepNames(of: services.map(\.name))
    let endpoints = await running.directory.update(services, waitingAtMost: limit)
    do throws(ResourceProblems) {
      let outcome = try await registry.apply(read, endpoints: endpoints)
      files.keep(read)
      state.withLock { state in
        state.files = files
        state.isAwaitingFiles = false
        state.awaitedFiles = [:]
      }
      _ = await running.directory.update([], removed: outcome.removedServices, waitingAtMost: .zero)
      await running.directory.letGoOfNames()
      await watchHealth(of: outcome.checks, running)
      if outcome.hasFiles { await watchSecurityFiles(running) }
      if outcome.hasChanged { await scheduleSecurity() }
      return outcome.hasChanged
    } catch {
      await takeBackEndpoints(of: services.map(\.name), running)
      await running.directory.letGoOfNames()
      state.withLock { state in
        state.isAwaitingFiles = true
        state.awaitedFiles = read.securityFiles
      }
      await watchSecurityFiles(running)
      throw await registry.locate(error, read)
    }
  }

  /// Has the directory forget a change that was refused.
  func takeBackEndpoints(of names: [String], _ running: Running) async {
    if names.isEmpty { return }
    let (known, unknown) = await registry.services(named: names)
    _ = await running.directory.update(known, removed: unknown, waitingAtMost: .zero)
  }

  func reload(_ reason: ReloadReason, _ running: Running) async -> Bool {
    let isAsked = reason == .hangup || reason == .request
    let hasChanged: Bool
    do throws(ConfigurationSourceError) {
      hasChanged = try await loadFiles(isAsked ? .all : .changed, running, waitingAtMost: options.reloadLimit)
    } catch {
      await registry.recordReload(problem: Self.refusal(error))
      let revision = await registry.revision
      for line in error.lines { logger.error("\(line)") }
      logger.error(
        "the configuration was not loaded; the one before keeps running",
        metadata: ["reason": "\(reason.rawValue)", "revision": "\(revision)"])
      return false
    }
    // Those who edit the configuration do not ask for them.
    if reason != .fileChanged {
      guard await renewSecurityFiles(readsAll: isAsked, running) else {
        state.withLock { $0.isAwaitingFiles = true }
        await registry.recordReload(
          problem: "files that the configuration names for TLS cannot be used; the log says which and why")
        await serveDue(running)
        return false
      }
    }
    await serveDue(running)
    if hasChanged {
      let revision = await registry.revision
      logger.info(
        "the configuration was loaded",
        metadata: ["reason": "\(reason.rawValue)", "revision": "\(revision)"])
    } else {
      logger.info("the configuration has not changed", metadata: ["reason": "\(reason.rawValue)"])
    }
    // Who asks for it may have freed an address that a listener could not get.
    if reason == .hangup { await registry.repeatListeners() }
    await registry.recordReload(problem: nil)
    return true
  }

  /// What people are told of files that were refused: the first line of the log, and how many follow.
  private static func refusal(_ error: ConfigurationSourceError) -> String {
    let lines = error.lines
    let more = lines.count > 1 ? ", and \(lines.count - 1) more" : ""
    return "the configuration was not loaded; the one before keeps running: \(lines.first ?? "")\(more)"
  }

  /// Takes over files of TLS that have changed.
  /// - Returns: whether all that are named can be used.
  private func renewSecurityFiles(readsAll: Bool, _ running: Running) async -> Bool {
    await watchHealth(of: registry.refreshFiles(readsAll: readsAll), running)
    await registry.noteSecurityFiles()
    await watchSecurityFiles(running)
    await scheduleSecurity()
    return await registry.status.filesStale == 0
  }

  // MARK: Store

  /// Opens the store that the settings name, and puts in place what it holds.
  func loadStore(_ running: Running) async throws(ConfigurationSourceError) {
    guard let settings = await registry.settings.store else { return }
    let link = try StoreLink(settings, isHandedOver: options.isHandedOver)
    let loaded = try await StoreLoading.load(link)
    // With another key than the process before has, that one goes on: it serves what this one cannot read.
    if options.isHandedOver,
      let problem = loaded.unreadable.first(where: { $0.reason.field == "key" })?.reason,
      !loaded.operations.contains(where: { $0.result?.certificate != nil })
    {
      throw .store(problem.description)
    }
    let services = loaded.operations.compactMap { operation -> Service? in
      if case .service(let service)? = operation.result?.resource { service } else { nil }
    }
    await running.directory.keepNames(of: services.map(\.name))
    let endpoints = await running.directory.update(services, waitingAtMost: options.startLimit)
    await registry.attach(link)
    let placement = await registry.restore(loaded, endpoints: endpoints)
    // A file may have a service of the same name.
    await takeBackEndpoints(of: placement.refusedServices, running)
    await running.directory.letGoOfNames()
    await watchHealth(of: placement.checks, running)
    await watchSecurityFiles(running)
  }

  /// Puts those of the store's resources in place that were left out and can be served now.
  func serveDue(_ running: Running) async {
    while true {
      let due = await registry.takeDue()
      if due.isEmpty { return }
      let services = due.compactMap { operation -> Service? in
        if case .service(let service)? = operation.result?.resource { service } else { nil }
      }
      await running.directory.keepNames(of: services.map(\.name))
      let endpoints = await running.directory.update(services, waitingAtMost: .zero)
      let placement = await registry.serve(due, endpoints: endpoints)
      await takeBackEndpoints(of: placement.refusedServices, running)
      await running.directory.letGoOfNames()
      await watchHealth(of: placement.checks, running)
      await watchSecurityFiles(running)
      await scheduleSecurity()
    }
  }

  /// A gateway without a listener serves nothing.
  func requireListener() async throws(ConfigurationSourceError) {
    if await registry.listenerCount > 0 { return }
    throw .noListener(path: source.path)
  }
}
