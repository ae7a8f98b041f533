import DataPlane
import Logging
import Resources
import Store

/// Changes of the store's resources, for the admin API.
extension ControlPlane {
  /// Returns when the change is durable, and, with a time to wait, when every worker serves it or the time
  /// has passed: ``TransactionReceipt/isServed`` says which.
  public func apply(
    _ transaction: ResourceTransaction, waitingAtMost limit: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    let link = try await registry.requireStore()
    let operations: [PreparedOperation]
    do throws(TransactionRefusal) {
      operations = try await OperationPreparation.prepare(transaction.operations, with: link.reader)
    } catch {
      await registry.refuse(PendingTransaction(transaction, []), error)
      throw error
    }
    return try await run(PendingTransaction(transaction, operations), waitingAtMost: limit)
  }

  /// Makes the store's resources what they were after a revision, as one change of its own.
  public func rollback(
    _ request: RollbackRequest, waitingAtMost limit: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    let link = try await registry.requireStore()
    let now = await registry.revision
    guard request.revision <= now else {
      throw TransactionRefusal(
        .notFound, [ResourceProblem(nil, "there is no revision \(request.revision) yet; the last is \(now)")])
    }
    var pending = PendingTransaction(
      operations: [], isDryRun: request.isDryRun, action: "rollback to \(request.revision)",
      actor: request.actor, remote: request.remote, message: request.message)
    pending.kind = .rollback(to: request.revision)
    // Reading takes time, which nobody else has to wait for.
    try Self.plan(&pending, to: request.revision, link)
    return try await run(pending, waitingAtMost: limit)
  }

  /// Finds out what a rollback has to do, unless that is known and the store is as it was then.
  static func plan(
    _ pending: inout PendingTransaction, to revision: UInt64, _ link: StoreLink
  ) throws(TransactionRefusal) {
    let changes: [StoreChange]
    do throws(StoreError) {
      // Read first: of a change in between, it is said once too often that it has to be looked at.
      let last = try link.store.revision()
      if pending.plannedAt == last, last > 0 { return }
      changes = try link.store.changes(from: .max, to: revision)
      pending.plannedAt = last
    } catch {
      let reason: TransactionRefusal.Reason =
        if case .unknownRevision = error.reason { .notFound } else { .storeUnavailable }
      throw TransactionRefusal(reason, [ResourceProblem(nil, error.description)])
    }
    pending.operations = try operations(changes, link)
  }

  private static func operations(
    _ changes: [StoreChange], _ link: StoreLink
  ) throws(TransactionRefusal) -> [PreparedOperation] {
    var operations: [PreparedOperation] = []
    for change in changes {
      guard let kind = ResourceKind(rawValue: change.kind) else { continue }
      let id = ResourceID(kind, change.name)
      guard let version = change.after else {
        operations.append(PreparedOperation(id: id))
        continue
      }
      do throws(ResourceProblems) {
        operations.append(try link.prepare(id, version))
      } catch {
        throw TransactionRefusal(.invalid, error.problems)
      }
    }
    return operations
  }

  /// Puts a transaction into the queue and waits for its answer.
  private func run(
    _ pending: PendingTransaction, waitingAtMost limit: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    var pending = pending
    let served = ServedSignal()
    pending.whenServed = { served.signal() }
    let result = await withCheckedContinuation { continuation in
      pending.answer = { continuation.resume(returning: $0) }
      switch queue.append(pending) {
      case true?: eventsInput.yield(.transactions)
      case false?: break
      case nil: pending.answer(.failure(Self.ending))
      }
    }
    var receipt = try result.get()
    if let limit, !pending.isDryRun { receipt.isServed = await served.wait(atMost: limit) }
    return receipt
  }

  static let ending = TransactionRefusal(
    .storeUnavailable, [ResourceProblem(nil, "the gateway is about to end")])

  /// Answers those whose turn will not come.
  func refuseWaiting() {
    for pending in queue.close() { pending.answer(.failure(Self.ending)) }
  }

  /// Runs everything that waits, in groups that are written together.
  func runTransactions(_ running: Running) async {
    var hasMore = true
    while hasMore {
      await queue.fill()
      let (waiting, more) = queue.take()
      hasMore = more
      var group: [PendingTransaction] = []
      for var pending in waiting {
        do throws(TransactionRefusal) {
          // Others may have been made since it was asked for.
          if case .rollback(let revision) = pending.kind {
            try Self.plan(&pending, to: revision, try await registry.requireStore())
          }
          pending.operations = try await registry.complete(
            pending.operations, isRollback: pending.isRollback)
          group.append(pending)
        } catch {
          await registry.refuse(pending, error)
        }
      }
      if !group.isEmpty { await commit(group, running) }
    }
  }

  private func commit(_ group: [PendingTransaction], _ running: Running) async {
    var services: [Service] = []
    var removed: [String] = []
    var namesFiles = false
    for operation in group.flatMap(\.operations) {
      namesFiles = namesFiles || operation.result?.resource.materialNeeds.isEmpty == false
      guard operation.id.kind == .services else { continue }
      if case .service(let service)? = operation.result?.resource {
        services.append(service)
      } else {
        removed.append(operation.id.name)
      }
    }
    var endpoints: [String: [ResolvedEndpoint]] = [:]
    if !services.isEmpty {
      await running.directory.keepNames(of: services.map(\.name))
      endpoints = await running.directory.update(services, waitingAtMost: .zero)
    }
    let outcome = await registry.commit(group, endpoints: endpoints)
    await takeBackEndpoints(of: outcome.refused, running)
    if !removed.isEmpty { await takeBackEndpoints(of: removed, running) }
    if !services.isEmpty { await running.directory.letGoOfNames() }
    await watchHealth(of: outcome.checks, running)
    if namesFiles { await watchSecurityFiles(running) }
    await serveDue(running)
  }
}

extension PendingTransaction {
  init(_ transaction: ResourceTransaction, _ operations: [PreparedOperation]) {
    self.init(
      operations: operations, isDryRun: transaction.isDryRun, action: transaction.action,
      actor: transaction.actor, remote: transaction.remote, message: transaction.message)
  }

  init(
    operations: [PreparedOperation], isDryRun: Bool, action: String, actor: String, remote: String,
    message: String?
  ) {
    self.init(
      operations: operations, isDryRun: isDryRun, action: action, actor: actor, remote: remote,
      message: message, answer: { _ in })
  }
}
