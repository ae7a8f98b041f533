import DataPlane
import Logging
import Resources

/// Certificates, keys and authorities: how they come from their files to the workers.
extension ControlPlane {
  var isAwaitingFiles: Bool { state.withLock { !$0.awaitedFiles.isEmpty } }

  /// Reads what a configuration needs. Where something is wrong, its files are waited for, since the
  /// one who writes them may be slower than the one who writes the configuration.
  func readSecurity(
    of configuration: Configuration, _ reading: SecurityLoader.Reading
  ) throws(ConfigurationSourceError) -> SecurityLoader.Outcome {
    let outcome = SecurityLoader.load(
      configuration, previous: state.withLock { $0.material }, reading: reading, failing: .refuses)
    let isUsable = outcome.problems.isEmpty
    state.withLock { $0.awaitedFiles = isUsable ? [:] : outcome.files }
    if isUsable { return outcome }
    throw .security(path: source.path, outcome.problems)
  }

  /// Takes over files that have changed while the configuration has not. Those that cannot be used
  /// leave what was made of them before in place.
  func refreshSecurity(_ running: Running) {
    guard let configuration = snapshot?.configuration else { return }
    let outcome = SecurityLoader.load(
      configuration, previous: state.withLock { $0.material }, reading: .changed, failing: .keepsOld)
    for problem in outcome.problems { logger.warning("\(problem.description)") }
    if !outcome.problems.isEmpty {
      logger.warning("these files are not in use; what they held before is, until they are put right")
    }
    takeOver(outcome, running)
  }

  /// Tells of changes that came without another configuration.
  func takeOver(_ outcome: SecurityLoader.Outcome, _ running: Running) {
    let (isNews, oldHealth) = state.withLock { state in
      let isNews = !outcome.material.security.isSame(as: state.material.security)
      let oldHealth = state.material.health
      state.snapshot?.security = outcome.material.security
      return (isNews, oldHealth)
    }
    if isNews { sink.securityChanged(outcome.material.security) }
    keep(outcome, running)
    let (services, endpoints) = state.withLock { ($0.services, $0.snapshot?.endpoints ?? [:]) }
    for (name, entry) in outcome.material.health
    where entry.security.revision != oldHealth[name]?.security.revision {
      if let service = services[name] { watchHealth(of: service, endpoints[name] ?? [], running) }
    }
  }

  /// Keeps what was read, for the next time.
  func keep(_ outcome: SecurityLoader.Outcome, _ running: Running) {
    state.withLock { state in
      state.material = outcome.material
      state.status.filesRenewed += UInt64(outcome.renewed.count)
      state.status.filesRefused += UInt64(outcome.problems.count)
      state.status.filesStale = outcome.material.problems.count
    }
    for key in outcome.renewed {
      var metadata: Logger.Metadata = [:]
      if let notAfter = outcome.material.items[key]?.value.certificate?.notAfter {
        metadata["expires"] = "\(WallClock.text(notAfter))"
      }
      logger.info("the \(key.description) was loaded anew", metadata: metadata)
    }
    watchFiles(running)
    warnOfExpiry()
    scheduleSecurity()
  }

  /// Has the files watched that run, and those that are waited for.
  func watchFiles(_ running: Running) {
    let files = state.withLock { state in
      // A change of what runs is to be noticed, also where the other has seen it.
      state.awaitedFiles.merging(state.material.files) { $1 }
    }
    running.securityWatcher.watch(files)
  }

  // MARK: Time

  /// Makes ticket keys and warnings that are due.
  func securityIsDue() {
    let changed: Security? = state.withLock { state in
      guard state.material.rotateTicketKeys(at: .now) else { return nil }
      state.snapshot?.security = state.material.security
      return state.material.security
    }
    if let changed { sink.securityChanged(changed) }
    warnOfExpiry()
    scheduleSecurity()
  }

  private func warnOfExpiry() {
    let now = WallClock.unixSeconds()
    let warnings = state.withLock { $0.expiry.update($0.material.certificates, now: now) }
    for warning in warnings {
      var metadata: Logger.Metadata = ["expires": "\(WallClock.text(warning.notAfter))"]
      switch warning.use {
      case .listeners(let name): metadata["certificate"] = "\(name)"
      case .service(let name): metadata["service"] = "\(name)"
      }
      switch warning.stage {
      case .good: break
      case .expiresSoon: logger.warning("a certificate expires soon", metadata: metadata)
      case .expired: logger.error("a certificate has expired", metadata: metadata)
      }
    }
  }

  private func scheduleSecurity() {
    let now = WallClock.unixSeconds()
    let input = eventsInput
    state.withLock { state in
      state.securityTimer?.cancel()
      let expiry = state.expiry.pause(now: now).map { ContinuousClock.now + $0 }
      guard let due = [state.material.nextRotation, expiry].compactMap({ $0 }).min() else {
        state.securityTimer = nil
        return
      }
      state.securityTimer = Task {
        // Throws when the task is cancelled.
        guard (try? await Task.sleep(until: due, clock: .continuous)) != nil else { return }
        input.yield(.securityDue)
      }
    }
  }
}
