import DataPlane
import Logging
import Resources
import Runtime

/// What files say, put in place.
extension Registry {
  /// What putting files in place came to.
  struct FileOutcome: Sendable {
    var hasChanged = false
    /// Services whose health checks have to be told.
    var checks: Set<String> = []
    var removedServices: [String] = []
    /// Whether any file is named for TLS, or was.
    var hasFiles = false
  }

  /// Puts what has changed in the files in place: all of it, or, where anything is wrong, nothing.
  func apply(
    _ read: FileSource.Change, endpoints: [String: [ResolvedEndpoint]]
  ) throws(ResourceProblems) -> FileOutcome {
    let previousAddress = catalogue.adminAddress
    catalogue.adminAddress = read.settings.admin?.address
    catalogue.listenersNeedCertificates = read.settings.store == nil
    let change = Change(batches: read.batches, inline: read.inline, endpoints: endpoints)
    let staged: Staged
    do throws(ResourceProblems) {
      staged = try stage(change)
    } catch {
      catalogue.adminAddress = previousAddress
      throw error
    }
    var outcome = FileOutcome()
    outcome.hasChanged = !staged.applied.isEmpty || read.settings != settings
    if read.settings.store != settings.store, isFollowing {
      logger.warning("a changed store takes effect at the next start")
    }
    set(read.settings)
    unserved.noteConfiguration()
    outcome.removedServices = staged.applied.services.filter { $0.after == nil }.map(\.name)
    outcome.hasFiles = staged.applied.namesFiles
    guard !staged.applied.isEmpty else {
      // Places in the files may be others: those are kept.
      desk.keep()
      return outcome
    }
    outcome.checks = publish(staged, change)
    for batch in read.batches {
      if batch.puts.isEmpty { files.remove(batch.owner) } else { files.insert(batch.owner) }
    }
    tell(of: read.batches, staged)
    return outcome
  }

  /// Problems with the places where they are written.
  func locate(_ problems: ResourceProblems, _ read: FileSource.Change) -> ConfigurationSourceError {
    read.located(problems, catalogue)
  }

  /// An event of each file for those who follow changes; all but the last say that more follow.
  private func tell(of batches: [ResourceBatch], _ staged: Staged) {
    let now = WallClock.unixMilliseconds()
    var parts: [ChangeSummary] = []
    for batch in batches {
      let outcomes = staged.applied.outcomes(ofOwner: batch.owner)
      if outcomes.isEmpty { continue }
      parts.append(
        ChangeSummary(
          revision: staged.revision, milliseconds: now, owner: batch.owner, resourceCount: outcomes.count,
          resources: outcomes.prefix(ChangeSummary.resourcesMax).map {
            ChangeSummary.Resource(id: $0.key, outcome: $0.value)
          }, isContinued: true))
    }
    if !parts.isEmpty { parts[parts.count - 1].isContinued = false }
    for part in parts { feed.append(part) }
  }

  func services(named names: [String]) -> (known: [Service], unknown: [String]) {
    (
      names.compactMap { catalogue.service(named: $0)?.value },
      names.filter { catalogue.service(named: $0) == nil }
    )
  }

  /// Files that resources name for TLS, and how they were when they were read.
  var securityFiles: [String: FileSignature?] {
    desk.files.files.merging(unserved.securityFiles) { used, _ in used }
  }

  var listenerCount: Int { catalogue.count(.listeners) }

  /// - Parameter problem: why the files were refused; nil where they were not.
  func recordReload(problem: String?) {
    let succeeded = problem == nil
    status.reloadProblem = problem
    let now = WallClock.unixSeconds()
    let isFirst = status.lastReloadSeconds == 0
    status.lastReloadSucceeded = succeeded
    status.lastReloadSeconds = now
    if succeeded { status.lastSuccessSeconds = now }
    if isFirst { return }
    if succeeded { status.reloadsSucceeded += 1 } else { status.reloadsFailed += 1 }
  }

  /// The store is another's from now on.
  func close() {
    feed.close()
    storeLink?.store.letGo()
  }
}
