import Admin
import ControlPlane
import DataPlane
import Resources

/// The admin API's questions and changes go to the control plane.
extension Gateway: ResourceBackend {
  public func revision() async -> UInt64 { await controlPlane?.resourceStatus.revision ?? 0 }

  public func resource(_ id: ResourceID) async throws(BackendFailure) -> ResourceView? {
    try await control().resource(id)
  }

  public func page(
    _ kind: ResourceKind, filter: ResourceFilter, after: String?, limit: Int
  ) async throws(BackendFailure) -> ResourcePage {
    try await control().page(kind, filter: filter, after: after, limit: limit)
  }

  public func apply(
    _ transaction: ResourceTransaction, waitingAtMost limit: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    guard let controlPlane else { throw Self.notReady }
    return try await controlPlane.apply(transaction, waitingAtMost: limit)
  }

  public func rollback(
    _ request: RollbackRequest, waitingAtMost limit: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    guard let controlPlane else { throw Self.notReady }
    return try await controlPlane.rollback(request, waitingAtMost: limit)
  }

  public func history(before: UInt64?, limit: Int) async throws(BackendFailure) -> [ChangeSummary] {
    let control = try control()
    return try await stored { () async throws(StoreUnavailable) in
      try await control.history(before: before, limit: limit)
    }
  }

  public func change(_ revision: UInt64) async throws(BackendFailure) -> ChangeRecord? {
    let control = try control()
    return try await stored { () async throws(StoreUnavailable) in try await control.change(revision) }
  }

  public func difference(from: UInt64, to: UInt64) async throws(BackendFailure) -> [ResourceDifference]? {
    let control = try control()
    return try await stored { () async throws(StoreUnavailable) in
      try await control.difference(from: from, to: to)
    }
  }

  public func auditTrail(before: Int64?, limit: Int) async throws(BackendFailure) -> [AuditEntry] {
    let control = try control()
    return try await stored { () async throws(StoreUnavailable) in
      try await control.auditTrail(before: before, limit: limit)
    }
  }

  public func changes(after revision: UInt64?) async -> AsyncStream<ChangeEvent> {
    await controlPlane?.changes(after: revision) ?? AsyncStream { $0.finish() }
  }

  public func resourceStatus() async -> ResourceStatus {
    await controlPlane?.resourceStatus
      ?? ResourceStatus(revision: 0, servedRevision: 0, owners: [], store: .none)
  }

  // MARK: Not there

  private static let notReady = TransactionRefusal(
    .storeUnavailable, [ResourceProblem(nil, "the gateway is about to start")])

  private func control() throws(BackendFailure) -> ControlPlane {
    guard let controlPlane else { throw BackendFailure("the gateway is about to start") }
    return controlPlane
  }

  private func stored<Result>(
    _ body: () async throws(StoreUnavailable) -> Result
  ) async throws(BackendFailure) -> Result {
    do throws(StoreUnavailable) {
      return try await body()
    } catch {
      throw BackendFailure(error.description)
    }
  }
}
