import Resources
import Store

/// What the admin API and the metrics ask.
extension ControlPlane {
  /// How loading has gone.
  public var status: ControlPlaneStatus { get async { await registry.status } }

  /// Everything that runs, as one configuration.
  public var configuration: Configuration { get async { await registry.configuration } }

  public var settings: Configuration { get async { await registry.settings } }

  public var listeners: [Listener] { get async { await registry.listeners } }

  /// The certificates that run now, with what is known of their time; by name.
  public var certificates: [CertificateStatus] { get async { await registry.certificates } }

  public var resourceStatus: ResourceStatus { get async { await registry.resourceStatus() } }

  /// Nil where there is none of this name.
  public func resource(_ id: ResourceID) async -> ResourceView? { await registry.view(id) }

  /// Resources of one kind by name.
  public func page(
    _ kind: ResourceKind, filter: ResourceFilter, after: String?, limit: Int
  ) async -> ResourcePage {
    await registry.page(kind, filter: filter, after: after, limit: limit)
  }

  /// Changes as they happen; see ``ChangeEvent``.
  public func changes(after revision: UInt64?) async -> AsyncStream<ChangeEvent> {
    let registry = registry
    return await registry.changes(after: revision) { reader in
      Task { await registry.remove(reader: reader) }
    }
  }

  /// Changes that the store still has, newest first.
  public func history(before: UInt64?, limit: Int) async throws(StoreUnavailable) -> [ChangeSummary] {
    try await look { views throws(StoreError) in try views.history(before: before, limit: limit) }
  }

  /// Nil where there was none of this revision, or it is no longer kept.
  public func change(_ revision: UInt64) async throws(StoreUnavailable) -> ChangeRecord? {
    try await look { views throws(StoreError) in try views.change(revision) }
  }

  /// Nil where the history does not reach that far.
  public func difference(
    from: UInt64, to: UInt64
  ) async throws(StoreUnavailable) -> [ResourceDifference]? {
    try await look { views throws(StoreError) in try views.difference(from: from, to: to) }
  }

  /// Requests to change something and what became of them, newest first.
  public func auditTrail(before: Int64?, limit: Int) async throws(StoreUnavailable) -> [AuditEntry] {
    try await look { views throws(StoreError) in try views.auditTrail(before: before, limit: limit) }
  }

  private func look<Result>(
    _ body: (StoreViews) throws(StoreError) -> Result
  ) async throws(StoreUnavailable) -> Result {
    guard let link = await registry.storeLink else {
      throw StoreUnavailable(
        "there is no store; write store: {path: penstock.db} in the configuration file")
    }
    do throws(StoreError) {
      return try body(StoreViews(link: link))
    } catch {
      throw StoreUnavailable(error.description)
    }
  }

  // MARK: Hand-over

  /// Changes nothing from now on: another process is about to take files and store over.
  public func freeze() async {
    await withCheckedContinuation { continuation in
      if case .terminated = eventsInput.yield(.hold(continuation)) { continuation.resume() }
    }
    await registry.freezeStore("an upgrade is under way; try again in a few seconds")
  }

  /// Lets go of the store for another process.
  public func releaseStore() async { await registry.storeLink?.store.letGo() }

  /// Goes on as if nothing had ever been given away.
  /// - Returns: why the store cannot be written, where it cannot.
  public func resume() async -> String? {
    let hasMissedReload = state.withLock { state in
      state.isHeld = false
      defer { state.hasMissedReload = false }
      return state.hasMissedReload
    }
    if hasMissedReload { eventsInput.yield(.reload(.fileChanged, nil)) }
    return await takeOverStore()
  }

  /// Whether files are to be read only when, and if, this process goes on.
  func postponesReload() -> Bool {
    state.withLock { state in
      if state.isHeld { state.hasMissedReload = true }
      return state.isHeld
    }
  }

  /// Becomes the writer of the store, which the process before has let go.
  /// - Returns: why that cannot be, where it cannot.
  public func takeOverStore() async -> String? {
    await withCheckedContinuation { continuation in
      if case .terminated = eventsInput.yield(.takeOverStore(continuation)) {
        continuation.resume(returning: "the gateway is about to end")
      }
    }
  }

  func becomeWriter() async -> String? {
    guard let link = await registry.storeLink else { return nil }
    do throws(StoreError) {
      let revision = try link.store.becomeWriter()
      guard revision <= (await registry.revision) else {
        return "the store was written by somebody else since it was read (revision \(revision)); "
          + "start the gateway anew"
      }
    } catch {
      return error.description
    }
    await registry.resumeStore()
    return nil
  }
}

/// The store cannot answer, and why.
public struct StoreUnavailable: Error, Sendable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
