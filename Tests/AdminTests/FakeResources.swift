import Admin
import Resources
import Synchronization

/// Resources in memory, without any rule: what is put is there. Says no where a test wants it to.
final class FakeResources: ResourceBackend {
  struct Content: Sendable {
    var views: [ResourceID: ResourceView] = [:]
    var revision: UInt64 = 16
    var transactions: [ResourceTransaction] = []
    var waits: [Duration?] = []
    var isServed = true
    var refusal: TransactionRefusal?
    var failure: BackendFailure?
    var isStuck = false
    /// Only changes are.
    var isChangeStuck = false
    var filters: [ResourceFilter] = []
    var history: [ChangeSummary] = []
    var audit: [AuditEntry] = []
    var differences: [ResourceDifference] = []
    var knowsRevisions = true
    var rollbacks: [RollbackRequest] = []
    var readers: [AsyncStream<ChangeEvent>.Continuation] = []
    var positions: [UInt64?] = []
    var questions: [ExplainRequest] = []
    var explainFailure: ExplainFailure?
    var upgradeFailure: UpgradeFailure?
    var upgrades = 0
    var access = AdminAccess.open
  }

  let content = Mutex(Content())

  func change(_ body: (inout Content) -> Void) { content.withLock { body(&$0) } }

  /// Puts a resource that nobody has to read.
  func insert(_ id: ResourceID, revision: UInt64, owner: ResourceOwner = .store, json: String? = nil) {
    change {
      $0.views[id] = ResourceView(
        id: id, json: json ?? #"{"name":"\#(id.name)"}"#, revision: revision, owner: owner)
    }
  }

  private func ready() async throws(BackendFailure) {
    await wait()
    if let failure = content.withLock({ $0.failure }) { throw failure }
  }

  private func wait(change: Bool = false) async {
    guard content.withLock({ $0.isStuck || change && $0.isChangeStuck }) else { return }
    await Task { try? await Task.sleep(for: .seconds(86_400)) }.value
  }

  // MARK: Reading

  func revision() async -> UInt64 {
    await wait()
    return content.withLock { $0.revision }
  }

  func resource(_ id: ResourceID) async throws(BackendFailure) -> ResourceView? {
    try await ready()
    return content.withLock { $0.views[id] }
  }

  func page(
    _ kind: ResourceKind, filter: ResourceFilter, after: String?, limit: Int
  ) async throws(BackendFailure) -> ResourcePage {
    try await ready()
    return content.withLock { content in
      content.filters.append(filter)
      let views = content.views.values.filter { view in
        view.id.kind == kind && view.id.name > after ?? "" && (filter.owner?.includes(view.owner) ?? true)
      }.sorted { $0.id < $1.id }
      return ResourcePage(
        items: Array(views.prefix(limit)), hasMore: views.count > limit, revision: content.revision)
    }
  }

  // MARK: Changing

  func apply(
    _ transaction: ResourceTransaction, waitingAtMost: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    await wait(change: true)
    let result = content.withLock { content -> Result<TransactionReceipt, TransactionRefusal> in
      if let refusal = content.refusal { return .failure(refusal) }
      content.transactions.append(transaction)
      content.waits.append(waitingAtMost)
      if !transaction.isDryRun { content.revision += 1 }
      let results = transaction.operations.map { Self.apply($0, transaction.isDryRun, &content) }
      var receipt = TransactionReceipt(revision: content.revision, results: results)
      receipt.isServed = content.isServed && waitingAtMost != nil
      return .success(receipt)
    }
    return try result.get()
  }

  private static func apply(
    _ operation: ResourceOperation, _ isDryRun: Bool, _ content: inout Content
  ) -> TransactionReceipt.Result {
    let before = content.views[operation.id]
    let json: String? =
      switch operation.action {
      case .put(let body): body.json
      case .patch(let patch):
        (try? ResourceBody(json: Array((before?.json ?? "{}").utf8)))?.merged(with: patch).json
      case .delete: nil
      }
    if !isDryRun {
      content.views[operation.id] = json.map {
        ResourceView(id: operation.id, json: $0, revision: content.revision, owner: .store)
      }
    }
    let outcome: TransactionReceipt.Outcome = json == nil ? .deleted : before == nil ? .created : .replaced
    return TransactionReceipt.Result(id: operation.id, outcome: outcome, revision: content.revision)
  }

  func rollback(
    _ request: RollbackRequest, waitingAtMost: Duration?
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    await wait(change: true)
    let result = content.withLock { content -> Result<TransactionReceipt, TransactionRefusal> in
      if let refusal = content.refusal { return .failure(refusal) }
      content.rollbacks.append(request)
      var receipt = TransactionReceipt(revision: content.revision + 1, results: [])
      receipt.isServed = content.isServed && waitingAtMost != nil
      return .success(receipt)
    }
    return try result.get()
  }

  // MARK: History

  func history(before: UInt64?, limit: Int) async throws(BackendFailure) -> [ChangeSummary] {
    try await ready()
    return content.withLock { content in
      Array(content.history.filter { $0.revision < before ?? .max }.prefix(limit))
    }
  }

  func change(_ revision: UInt64) async throws(BackendFailure) -> ChangeRecord? {
    try await ready()
    return content.withLock { content in
      content.history.first { $0.revision == revision }
        .map { ChangeRecord(summary: $0, differences: content.differences) }
    }
  }

  func difference(from: UInt64, to: UInt64) async throws(BackendFailure) -> [ResourceDifference]? {
    try await ready()
    return content.withLock { $0.knowsRevisions ? $0.differences : nil }
  }

  func auditTrail(before: Int64?, limit: Int) async throws(BackendFailure) -> [AuditEntry] {
    try await ready()
    return content.withLock { content in
      Array(content.audit.filter { $0.number < before ?? .max }.prefix(limit))
    }
  }

  func changes(after revision: UInt64?) async -> AsyncStream<ChangeEvent> {
    await wait()
    let (events, input) = AsyncStream.makeStream(of: ChangeEvent.self)
    change {
      $0.readers.append(input)
      $0.positions.append(revision)
    }
    return events
  }

  // MARK: The gateway

  /// With everything that an explanation may have.
  static let explanation =
    #"{"revision":16,"outcome":"proxied","summary":"It goes to orders.","method":"GET","host":"a","path":"/","#
    + #""listener":{"name":"web","address":"0.0.0.0:80","reason":"its port"},"listenersConsidered":[],"#
    + #""certificate":{"name":"c","keyKind":"ECDSA","match":"exact","host":"a","notAfter":1,"alternatives":[]},"#
    + #""route":{"name":"shop","host":"a","match":0,"pathKind":"prefix","path":"/","reason":"the only one"},"#
    + #""backends":[{"service":"orders","weight":1,"share":1,"balance":"round-robin","endpointCount":1,"#
    + #""endpoints":[{"name":"b:1","address":"10.0.0.1:1","weight":1,"isHealthy":true,"inFlight":0,"#
    + #""mayBePicked":true,"isPicked":false,"ejectedForSeconds":1.5}]}],"isNearMissesCutShort":false,"#
    + #""plugins":[{"name":"key-auth","scope":"route shop","phases":["request head"],"answersAlways":false}],"#
    + #""nearMisses":[{"route":"b","pathKind":"exact","path":"/b","reason":"path","detail":"no"}]}"#

  func explain(_ request: ExplainRequest) async throws(ExplainFailure) -> String {
    await wait()
    let failure = content.withLock { content in
      content.questions.append(request)
      return content.explainFailure
    }
    if let failure { throw failure }
    return Self.explanation
  }

  func upgrade() async throws(UpgradeFailure) {
    await wait(change: true)
    let failure = content.withLock { content in
      content.upgrades += 1
      return content.upgradeFailure
    }
    if let failure { throw failure }
  }

  func resourceStatus() async -> ResourceStatus {
    await wait()
    return content.withLock { content in
      ResourceStatus(
        revision: content.revision, servedRevision: content.revision - 1,
        owners: [.init(owner: .store, counts: [.routes: 3]), .init(owner: .file("a.yaml"), counts: [:])],
        store: content.failure.map { .unavailable($0.message) } ?? .writable)
    }
  }
}
