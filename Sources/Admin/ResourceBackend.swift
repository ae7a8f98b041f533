import Resources

/// What the admin API asks and tells the gateway's resources. Called from the control plane's threads,
/// at any time, several calls at once. No answer holds a private key or another secret.
public protocol ResourceBackend: Sendable {
  /// That of the last change of any resource.
  func revision() async -> UInt64

  /// Nil where there is none of this name.
  func resource(_ id: ResourceID) async throws(BackendFailure) -> ResourceView?

  /// Resources of one kind by name (in the order of their UTF-8).
  ///
  /// - Parameters:
  ///   - after: a name; the page begins with the first that comes after it, whether it exists or not.
  ///   - limit: at least 1.
  func page(
    _ kind: ResourceKind, filter: ResourceFilter, after: String?, limit: Int
  ) async throws(BackendFailure) -> ResourcePage

  /// Returns when the change is durable, and, with a time to wait, when every worker serves it or the
  /// time has passed: ``TransactionReceipt/isServed`` says which.
  func apply(
    _ transaction: ResourceTransaction, waitingAtMost: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt

  /// Changes that the store still has, newest first.
  ///
  /// - Parameter before: only those of lower revisions.
  func history(before: UInt64?, limit: Int) async throws(BackendFailure) -> [ChangeSummary]

  /// Nil where there was none of this revision, or it is no longer kept.
  func change(_ revision: UInt64) async throws(BackendFailure) -> ChangeRecord?

  /// What differs between the store's resources after one revision and after another, by resource;
  /// nil where the history does not reach that far.
  func difference(from: UInt64, to: UInt64) async throws(BackendFailure) -> [ResourceDifference]?

  /// Makes the store's resources what they were after a revision, as one change of its own.
  func rollback(
    _ request: RollbackRequest, waitingAtMost: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt

  /// Requests to change something and what became of them, newest first.
  ///
  /// - Parameter before: only entries with lower numbers.
  func auditTrail(before: Int64?, limit: Int) async throws(BackendFailure) -> [AuditEntry]

  /// Changes in the order of their revisions, of all sources, as they happen. The stream holds a bounded
  /// number of events; a reader that is too slow, or asks for a revision that is too old, is told
  /// ``ChangeEvent/resync(revision:)`` and goes on from there.
  ///
  /// - Parameter revision: begins with the first change after it; nil: with the next.
  func changes(after revision: UInt64?) async -> AsyncStream<ChangeEvent>

  /// What a request would get, and why: a JSON object's text.
  func explain(_ request: ExplainRequest) async throws(ExplainFailure) -> String

  /// Starts the new binary; returns when it is ready and this process drains.
  func upgrade() async throws(UpgradeFailure)

  /// How it goes with resources and store.
  func resourceStatus() async -> ResourceStatus
}

/// The backend cannot answer now.
public struct BackendFailure: Error, Sendable, Equatable {
  /// For the one who asked: what is wrong and what to do.
  public var message: String
  public init(_ message: String) { self.message = message }
}

/// Why a request cannot be explained.
public enum ExplainFailure: Error, Sendable, Equatable {
  /// A part of the question is wrong: which field of ``ExplainRequest``, and why.
  case invalid(field: String, message: String)
  case unavailable(String)
}

/// Why no upgrade took place; this process goes on.
public enum UpgradeFailure: Error, Sendable, Equatable {
  /// One is under way.
  case inProgress
  /// The new process did not start or did not become ready, with the reason.
  case failed(String)
}
