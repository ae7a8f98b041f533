import DataPlane
import Logging
import Resources
import Runtime
import Store
import TLS

/// Transactions of the admin API: from what was prepared to what is durable and served.
extension Registry {
  /// A transaction that is in place, and not durable yet.
  private struct Accepted {
    var pending: PendingTransaction
    var change: Change
    var staged: Staged
    var receipt: TransactionReceipt
    var record: StoreTransaction
    /// What the store gets and workers do not, and why: of a rollback only.
    var leftOut: [ResourceID: ResourceProblem]

    var hasChanges: Bool { !record.operations.isEmpty }
  }

  // MARK: Commit

  /// Checks transactions that do not depend on each other, makes them durable together, and tells the
  /// workers. Each is answered.
  ///
  /// - Parameter endpoints: of all services in them.
  /// - Returns: services whose health checks have to be told, and those whose change was refused.
  func commit(
    _ group: [PendingTransaction], endpoints: [String: [ResolvedEndpoint]]
  ) -> (checks: Set<String>, refused: [String]) {
    ControlThreads.giveWay()
    var accepted: [Accepted] = []
    var refused: [String] = []
    for pending in group {
      do throws(TransactionRefusal) {
        let candidate = try accept(pending, endpoints, revision: revision + UInt64(accepted.count) + 1)
        if pending.isDryRun || !candidate.hasChanges {
          takeBack(candidate.staged)
          if !pending.isDryRun { pending.whenServed() }
          pending.answer(.success(candidate.receipt))
          if pending.isDryRun { refused += pending.services }
        } else {
          accepted.append(candidate)
        }
      } catch {
        refuse(pending, error)
        refused += pending.services
      }
    }
    guard !accepted.isEmpty else { return ([], refused) }
    do throws(TransactionRefusal) {
      try save(accepted)
    } catch {
      for candidate in accepted.reversed() { takeBack(candidate.staged) }
      for candidate in accepted {
        refuse(candidate.pending, error)
        refused += candidate.pending.services
      }
      return ([], refused)
    }
    var checks: Set<String> = []
    for candidate in accepted {
      checks.formUnion(
        publish(candidate.staged, candidate.change, whenServed: candidate.pending.whenServed))
      settleUnserved(candidate)
      refused += candidate.leftOut.keys.filter { $0.kind == .services }.map(\.name)
      status.transactionsApplied += 1
      feed.append(ChangeSummary(candidate.record, candidate.receipt))
      candidate.pending.answer(.success(candidate.receipt))
    }
    noteUnserved()
    return (checks, refused)
  }

  /// What was left out is served, deleted, or has other contents and is left out still.
  private func settleUnserved(_ candidate: Accepted) {
    for operation in candidate.pending.operations {
      if let reason = candidate.leftOut[operation.id] {
        unserved.insert(operation, revision: candidate.staged.revision, reason)
      } else {
        unserved.remove(operation.id)
      }
    }
  }

  private func accept(
    _ pending: PendingTransaction, _ endpoints: [String: [ResolvedEndpoint]], revision: UInt64
  ) throws(TransactionRefusal) -> Accepted {
    let link = try requireStore()
    var change = Change(batches: [ResourceBatch(owner: .store, revision: revision)])
    for operation in pending.operations {
      guard let result = operation.result else {
        if unserved[operation.id] == nil { change.batches[0].removes.append(operation.id) }
        continue
      }
      var put = ResourceBatch.Put(result.resource)
      put.created = result.stored?.created ?? unserved[operation.id]?.created
      change.batches[0].puts.append(put)
      if let certificate = result.certificate { change.inline[operation.id.name] = certificate }
      if operation.id.kind == .services { change.endpoints[operation.id.name] = endpoints[operation.id.name] }
    }
    let (staged, leftOut) = try stage(&change, of: pending)
    do throws(ResourceProblem) {
      let receipt = receipt(of: pending, staged, revision: revision)
      let record = try record(of: pending, staged, receipt, link)
      return Accepted(
        pending: pending, change: change, staged: staged, receipt: receipt, record: record,
        leftOut: leftOut)
    } catch {
      takeBack(staged)
      throw TransactionRefusal(.invalid, number([error], pending.operations))
    }
  }

  /// A rollback brings back what the store had, served or not: what is left out now may stay so.
  private func stage(
    _ change: inout Change, of pending: PendingTransaction
  ) throws(TransactionRefusal) -> (Staged, leftOut: [ResourceID: ResourceProblem]) {
    var leftOut: [ResourceID: ResourceProblem] = [:]
    while true {
      do throws(ResourceProblems) {
        return (try stageReachable(change), leftOut)
      } catch {
        let refused = error.problems.map(\.id)
        let mayBeLeftOut = refused.allSatisfy { id in
          id.map { unserved[$0] != nil && leftOut[$0] == nil } ?? false
        }
        guard pending.isRollback, mayBeLeftOut else {
          throw TransactionRefusal(.invalid, number(error.problems, pending.operations))
        }
        for problem in error.problems { if let id = problem.id { leftOut[id] = problem } }
        change.batches[0].puts.removeAll { leftOut[$0.resource.id] != nil }
      }
    }
  }

  /// Says which operation each problem is about, and which field as the sender wrote it.
  private func number(
    _ problems: [ResourceProblem], _ operations: [PreparedOperation]
  ) -> [ResourceProblem] {
    var places: [ResourceID: Int] = [:]
    for (index, operation) in operations.enumerated() { places[operation.id] = index }
    return problems.map { problem in
      guard let place = problem.id.flatMap({ places[$0] }) else { return problem }
      var problem = problem
      if let document = operations[place].result?.document,
        let body = try? ResourceBody(json: Array(document.utf8))
      {
        problem = ResourceReader.located(problem, in: body)
      }
      if operations.count > 1 { problem.operation = place }
      return problem
    }
  }

  private func receipt(of pending: PendingTransaction, _ staged: Staged, revision: UInt64)
    -> TransactionReceipt
  {
    let outcomes = staged.applied.outcomes
    let results = pending.operations.map { operation in
      var outcome = outcomes[operation.id] ?? .unchanged
      // The store had it, and workers had not.
      if unserved[operation.id] != nil { outcome = operation.result == nil ? .deleted : .replaced }
      let changed = outcome == .unchanged ? catalogue.item(operation.id)?.revision ?? revision : revision
      return TransactionReceipt.Result(id: operation.id, outcome: outcome, revision: changed)
    }
    let isNews = results.contains { $0.outcome != .unchanged } && !pending.isDryRun
    return TransactionReceipt(revision: isNews ? revision : self.revision, results: results)
  }

  private func record(
    of pending: PendingTransaction, _ staged: Staged, _ receipt: TransactionReceipt, _ link: StoreLink
  ) throws(ResourceProblem) -> StoreTransaction {
    var operations: [StoreOperation] = []
    for (operation, result) in zip(pending.operations, receipt.results) where result.outcome != .unchanged {
      var content = operation.result?.stored?.content
      if content == nil, let prepared = operation.result {
        content = try link.certificates.content(prepared.document, prepared.certificate)
      }
      operations.append(
        StoreOperation(
          kind: operation.id.kind.rawValue, name: operation.id.name, content: content,
          created: operation.result?.stored?.created))
    }
    return StoreTransaction(
      revision: staged.revision, time: WallClock.unixMilliseconds(), actor: pending.actor,
      remote: pending.remote, message: pending.message, kind: pending.kind, operations: operations)
  }

  private func save(_ accepted: [Accepted]) throws(TransactionRefusal) {
    let link = try requireStore()
    let entries = accepted.map { StoreAuditEntry(of: $0.pending, "applied", revision: $0.staged.revision) }
    do throws(StoreError) {
      try link.store.commit(accepted.map(\.record), audit: entries)
      storeProblem(nil)
    } catch {
      storeProblem(error.description)
      throw TransactionRefusal(.storeUnavailable, [ResourceProblem(nil, error.description)])
    }
  }

  func refuse(_ pending: PendingTransaction, _ refusal: TransactionRefusal) {
    status.transactionsRefused += 1
    // A store that just failed would only keep the next one waiting as well.
    if !pending.isDryRun, refusal.reason != .storeUnavailable, let link = storeLink, link.frozen == nil {
      let reason = refusal.problems.first?.description ?? "\(refusal.reason)"
      let entry = StoreAuditEntry(of: pending, "refused: \(reason)", revision: nil)
      do throws(StoreError) {
        try link.store.audit([entry])
      } catch {
        storeProblem(error.description)
      }
    }
    pending.answer(.failure(refusal))
  }

  /// Notes how it goes with the store: what runs goes on, and people are told once.
  func storeProblem(_ problem: String?) {
    guard problem != status.storeProblem else { return }
    status.storeProblem = problem
    if let problem {
      logger.error("the store cannot be used; what runs goes on", metadata: ["reason": "\(problem)"])
    } else {
      logger.info("the store can be used again")
    }
  }
}

extension PendingTransaction {
  /// Names of the services that it sets or deletes.
  var services: [String] { operations.lazy.map(\.id).filter { $0.kind == .services }.map(\.name) }
}

extension StoreAuditEntry {
  init(of pending: PendingTransaction, _ outcome: String, revision: UInt64?) {
    self.init(
      time: WallClock.unixMilliseconds(), actor: pending.actor, remote: pending.remote,
      action: pending.action, outcome: outcome, revision: revision)
  }
}

extension ChangeSummary {
  init(_ record: StoreTransaction, _ receipt: TransactionReceipt) {
    let changed = receipt.results.filter { $0.outcome != .unchanged }
    self.init(
      revision: record.revision, milliseconds: record.time, owner: .store, actor: record.actor,
      message: record.message, resourceCount: changed.count,
      resources: changed.prefix(Self.resourcesMax).map { Resource(id: $0.id, outcome: $0.outcome) })
  }
}
