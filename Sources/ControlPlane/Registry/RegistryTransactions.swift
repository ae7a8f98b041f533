import DataPlane
import Logging
import Resources
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
  }

  // MARK: What depends on what is there

  /// Completes what depends on the resources as they are: patches, and certificates without their key.
  func complete(_ operations: [PreparedOperation]) throws(TransactionRefusal) -> [PreparedOperation] {
    var completed: [PreparedOperation] = []
    completed.reserveCapacity(operations.count)
    var problems: [ResourceProblem] = []
    for (index, operation) in operations.enumerated() {
      do throws(TransactionRefusal) {
        completed.append(try complete(operation))
      } catch {
        // What cannot be answered with the list of everything that is wrong is answered at once.
        guard error.reason == .invalid else { throw error }
        problems += error.problems.map { problem in
          var problem = problem
          problem.operation = operations.count == 1 ? nil : index
          return problem
        }
      }
    }
    guard problems.isEmpty else { throw TransactionRefusal(.invalid, problems) }
    return completed
  }

  private func complete(_ operation: PreparedOperation) throws(TransactionRefusal) -> PreparedOperation {
    let id = operation.id
    let item = catalogue.item(id)
    if let item, item.owner != .store {
      throw TransactionRefusal(
        .notOwned,
        [
          ResourceProblem(
            id, "\(item.owner.description) owns this \(id.kind.singular)", hint: "change it there")
        ])
    }
    try check(operation.condition, id, item?.revision)
    guard item != nil || operation.result != nil else {
      throw TransactionRefusal(.notFound, [ResourceProblem(id, "there is no such \(id.kind.singular)")])
    }
    var completed = operation
    if let patch = operation.patch {
      let old = try document(of: id)
      let body: ResourceBody
      do throws(ResourceProblem) {
        body = try old.merged(with: patch).named(id)
      } catch {
        throw TransactionRefusal(.invalid, [error])
      }
      let reader = try requireStore().reader
      do throws(ResourceProblems) {
        completed.result = try reader.read(id, body)
      } catch {
        throw TransactionRefusal(.invalid, error.problems)
      }
    }
    if completed.result?.lacksKey == true { try reuseKey(of: id, &completed) }
    return completed
  }

  private func check(
    _ condition: ResourceOperation.Condition?, _ id: ResourceID, _ revision: UInt64?
  ) throws(TransactionRefusal) {
    let problem: String? =
      switch condition {
      case nil: nil
      case .exists: revision == nil ? "it does not exist" : nil
      case .isAbsent: revision != nil ? "it exists already" : nil
      case .revision(let wanted):
        if let revision {
          wanted.contains(revision) ? nil : "it has changed: its revision is \(revision) now"
        } else {
          "it does not exist"
        }
      }
    if let problem { throw TransactionRefusal(.conditionFailed, [ResourceProblem(id, problem)]) }
  }

  /// The document as it was sent, with a certificate's text.
  private func document(of id: ResourceID) throws(TransactionRefusal) -> ResourceBody {
    let link = try requireStore()
    let stored: StoredResource?
    do throws(StoreError) {
      stored = try link.store.resource(id.kind.rawValue, id.name)
    } catch {
      throw TransactionRefusal(.storeUnavailable, [ResourceProblem(id, error.description)])
    }
    guard let stored else {
      throw TransactionRefusal(.notFound, [ResourceProblem(id, "there is no such \(id.kind.singular)")])
    }
    do throws(ResourceProblem) {
      let body = try ResourceBody(json: Array(stored.content.document.utf8))
      guard id.kind == .certificates, let certificate = desk.shelf[id.name] else { return body }
      return body.adding("certificate", certificate.chainPEM)
    } catch {
      throw TransactionRefusal(.storeUnavailable, [error])
    }
  }

  /// Who sends a certificate back as it was read has not got its key.
  private func reuseKey(of id: ResourceID, _ operation: inout PreparedOperation) throws(TransactionRefusal) {
    guard var result = operation.result, case .certificate(var spec) = result.resource else { return }
    guard let known = desk.shelf[id.name], spec.contentHash == ContentHash.of(Array(known.chainPEM.utf8))
    else {
      throw TransactionRefusal(
        .invalid,
        [
          ResourceProblem(
            id, field: "key", "\"key\" is missing",
            hint: "it can be left out only where the certificate stays the same")
        ])
    }
    let certificate: TLSCertificate
    do throws(CertificateError) {
      certificate = try known.serving(hosts: spec.hosts.isEmpty ? nil : spec.hosts)
    } catch {
      throw TransactionRefusal(.invalid, [ResourceProblem(id, field: "hosts", error.description)])
    }
    spec.contentHash = certificate.contentHash
    result.certificate = certificate
    result.resource = .certificate(spec)
    result.lacksKey = false
    operation.result = result
  }

  func requireStore() throws(TransactionRefusal) -> StoreLink {
    guard let storeLink else {
      throw TransactionRefusal(
        .storeUnavailable,
        [
          ResourceProblem(
            nil, "there is no store to keep changes in",
            hint: "write store: {path: penstock.db} in the configuration file")
        ])
    }
    if let reason = storeLink.frozen {
      throw TransactionRefusal(.storeUnavailable, [ResourceProblem(nil, reason)])
    }
    return storeLink
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
    var accepted: [Accepted] = []
    var refused: [String] = []
    for pending in group {
      do throws(TransactionRefusal) {
        let candidate = try accept(pending, endpoints, revision: revision + UInt64(accepted.count) + 1)
        if pending.isDryRun || candidate.staged.applied.isEmpty {
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
      status.transactionsApplied += 1
      feed.append(ChangeSummary(candidate.record, candidate.receipt))
      candidate.pending.answer(.success(candidate.receipt))
    }
    return (checks, refused)
  }

  private func accept(
    _ pending: PendingTransaction, _ endpoints: [String: [ResolvedEndpoint]], revision: UInt64
  ) throws(TransactionRefusal) -> Accepted {
    let link = try requireStore()
    var change = Change(batches: [ResourceBatch(owner: .store, revision: revision)])
    for operation in pending.operations {
      guard let result = operation.result else {
        change.batches[0].removes.append(operation.id)
        continue
      }
      var put = ResourceBatch.Put(result.resource)
      put.created = result.stored?.created
      change.batches[0].puts.append(put)
      if let certificate = result.certificate { change.inline[operation.id.name] = certificate }
      if operation.id.kind == .services { change.endpoints[operation.id.name] = endpoints[operation.id.name] }
    }
    let staged: Staged
    do throws(ResourceProblems) {
      staged = try stage(change)
    } catch {
      throw TransactionRefusal(.invalid, number(error.problems, pending.operations))
    }
    do throws(ResourceProblem) {
      let receipt = receipt(of: pending, staged, revision: revision)
      let record = try record(of: pending, staged, receipt, link)
      return Accepted(pending: pending, change: change, staged: staged, receipt: receipt, record: record)
    } catch {
      takeBack(staged)
      throw TransactionRefusal(.invalid, number([error], pending.operations))
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
      let outcome = outcomes[operation.id] ?? .unchanged
      let changed = outcome == .unchanged ? catalogue.item(operation.id)?.revision ?? revision : revision
      return TransactionReceipt.Result(id: operation.id, outcome: outcome, revision: changed)
    }
    let isNews = !staged.applied.isEmpty && !pending.isDryRun
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
