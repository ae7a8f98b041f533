import DataPlane
import Logging
import Resources

/// The store's resources put in place at the start, and those that could not be, later.
extension Registry {
  /// What putting resources in place came to.
  struct Placement: Sendable {
    /// Services whose health checks have to be told.
    var checks: Set<String> = []
    var placed: [ResourceID] = []
    /// Services among those that were left out.
    var refusedServices: [String] = []
  }

  /// Lines of the log that are written of resources that are left out.
  private static let loggedMax = 100

  /// Puts resources of the store in place, all that can be. Those that cannot, because the files now say
  /// otherwise, are left out and told of; they stay in the store.
  func restore(
    _ loaded: StoreLoading.Loaded, endpoints: [String: [ResolvedEndpoint]]
  ) -> Placement {
    var placement = Placement()
    place(loaded.operations, endpoints, revision: loaded.revision, &placement)
    for entry in loaded.unreadable { unserved.insert(entry) }
    unknownRows = loaded.unknown
    for row in loaded.unknown.prefix(Self.loggedMax) { logger.error("the store: \(row)") }
    log(loaded.unreadable.map(\.id))
    noteUnserved()
    revision = max(revision, loaded.revision)
    feed = ChangeFeed(after: revision)
    return placement
  }

  /// Tries resources again for which something has changed that may have stood in their way.
  ///
  /// - Parameter endpoints: of all services among them.
  func serve(
    _ operations: [PreparedOperation], endpoints: [String: [ResolvedEndpoint]]
  ) -> Placement {
    var placement = Placement()
    let next = revision + 1
    place(operations, endpoints, revision: next, &placement)
    noteUnserved()
    guard !placement.placed.isEmpty else { return placement }
    let ids = placement.placed.sorted()
    logger.info(
      "resources of the store are served again",
      metadata: ["count": "\(ids.count)", "first": "\(ids[0])", "revision": "\(next)"])
    feed.append(
      ChangeSummary(
        revision: next, milliseconds: WallClock.unixMilliseconds(), owner: .store,
        message: "served again", resourceCount: ids.count,
        resources: ids.prefix(ChangeSummary.resourcesMax).map { .init(id: $0, outcome: .replaced) }))
    return placement
  }

  /// Those that may be served now, since something has changed; each is given once.
  func takeDue() -> [PreparedOperation] { unserved.takeDue() }

  /// Files that resources name for TLS may have changed.
  func noteSecurityFiles() { unserved.noteSecurityFiles() }

  /// Brings what people are told up to date.
  func noteUnserved() {
    let texts = unknownRows.prefix(1) + (unserved.summary.map { [$0] } ?? [])
    status.unservedProblem = texts.isEmpty ? nil : texts.joined(separator: "; ")
    status.unservedCount = unserved.count + unknownRows.count
  }

  // MARK: Placing

  /// Takes rounds only where resources stand in each other's way, one after the other: a round leaves out
  /// everything that it finds wrong.
  private func place(
    _ operations: [PreparedOperation], _ endpoints: [String: [ResolvedEndpoint]], revision: UInt64,
    _ placement: inout Placement
  ) {
    var operations = operations
    var isNewestFirst = false
    while !operations.isEmpty {
      let change = change(restoring: operations, endpoints, revision)
      do throws(ResourceProblems) {
        let staged = try stageReachable(change, problemsMax: .max)
        for operation in operations { unserved.remove(operation.id) }
        placement.checks.formUnion(publish(staged, change))
        placement.placed += operations.lazy.map(\.id)
        return
      } catch {
        // Of two that exclude each other, the one that comes second is refused. It has to be the one of the
        // earlier change: when the other was taken, it was left out already.
        if !isNewestFirst {
          isNewestFirst = true
          operations.sort { ($0.result?.stored?.revision ?? 0) > ($1.result?.stored?.revision ?? 0) }
          continue
        }
        let left = leaveOut(error.problems, of: operations, &placement)
        guard left.count == operations.count else {
          operations = left
          continue
        }
        // Something else is wrong because of one of them. Halves find it; what others refer to comes first.
        let sorted = operations.sorted { $0.id.kind < $1.id.kind }
        place(Array(sorted.prefix(sorted.count / 2)), endpoints, revision: revision, &placement)
        place(Array(sorted.dropFirst(sorted.count / 2)), endpoints, revision: revision, &placement)
        return
      }
    }
  }

  /// - Returns: those that nothing was said of.
  private func leaveOut(
    _ problems: [ResourceProblem], of operations: [PreparedOperation], _ placement: inout Placement
  ) -> [PreparedOperation] {
    var reasons: [ResourceID: ResourceProblem] = [:]
    for problem in problems {
      if let id = problem.id, reasons[id] == nil { reasons[id] = problem }
    }
    // Of a single one, whatever is wrong is because of it.
    if operations.count == 1, reasons[operations[0].id] == nil { reasons[operations[0].id] = problems.first }
    var left: [PreparedOperation] = []
    var refused: [ResourceID] = []
    for operation in operations {
      guard let reason = reasons[operation.id] else {
        left.append(operation)
        continue
      }
      if unserved[operation.id]?.reason != reason { refused.append(operation.id) }
      unserved.insert(operation, reason)
      if operation.id.kind == .services { placement.refusedServices.append(operation.id.name) }
    }
    log(refused)
    return left
  }

  private func log(_ refused: [ResourceID]) {
    for id in refused.prefix(Self.loggedMax) {
      if let entry = unserved[id] { logger.error("the store: \(entry.told)") }
    }
    if refused.count > Self.loggedMax {
      logger.error("the store: \(refused.count - Self.loggedMax) more resources are not served")
    }
  }

  private func change(
    restoring operations: [PreparedOperation], _ endpoints: [String: [ResolvedEndpoint]], _ revision: UInt64
  ) -> Change {
    var change = Change(batches: [ResourceBatch(owner: .store, revision: revision)], endpoints: endpoints)
    for operation in operations {
      guard let result = operation.result else { continue }
      var put = ResourceBatch.Put(result.resource)
      put.created = result.stored?.created
      put.changed = result.stored?.revision
      change.batches[0].puts.append(put)
      if let certificate = result.certificate { change.inline[operation.id.name] = certificate }
    }
    return change
  }

  // MARK: Addresses

  /// Stages a change of the store, if its listeners can have their addresses.
  func stageReachable(
    _ change: Change, problemsMax: Int = ResourceProblems.countMax
  ) throws(ResourceProblems) -> Staged {
    let staged = try stage(change, problemsMax: problemsMax)
    let listeners = staged.applied.listeners.compactMap(\.after)
    guard isFollowing, !listeners.isEmpty else { return staged }
    let taken = sink.unavailableListeners(among: listeners.map { (number: $0.number, listener: $0.value) })
    guard !taken.isEmpty else { return staged }
    takeBack(staged)
    throw ResourceProblems(
      listeners.compactMap { entry in
        taken[entry.number].map { reason in
          ResourceProblem(
            ResourceID(.listeners, entry.value.name), field: "address", reason,
            hint: "choose another address, or end the program that has it")
        }
      })
  }
}
