import Resources
import Store
import Synchronization

/// A transaction that waits for its turn, and how its sender is answered.
struct PendingTransaction: Sendable {
  var operations: [PreparedOperation]
  var isDryRun: Bool
  var kind = StoreTransaction.Kind.change
  /// Of a rollback: the state of the store that its operations lead away from.
  var plannedAt: UInt64 = 0
  /// What the audit trail says of it.
  var action: String
  var actor: String
  var remote: String
  var message: String?
  /// Called once when it is durable, or refused.
  var answer: @Sendable (Result<TransactionReceipt, TransactionRefusal>) -> Void
  /// Called when every worker serves it.
  var whenServed: @Sendable () -> Void = {}

  var isRollback: Bool { if case .rollback = kind { true } else { false } }
}

extension ResourceTransaction {
  /// What the audit trail says of it, whatever becomes of it.
  var action: String {
    guard operations.count == 1 else { return "transaction of \(operations.count)" }
    let verb =
      switch operations[0].action {
      case .put: "put"
      case .patch: "patch"
      case .delete: "delete"
      }
    return "\(verb) \(operations[0].id)"
  }
}

/// Transactions that wait: those that come while one is written are written together.
final class TransactionQueue: Sendable {
  /// Operations that are committed together at most, unless one transaction has more.
  static let operationsMax = 4_096

  /// How long a commit waits for others to join it, where many clients send changes at once. At 1,000 changes a
  /// second, each costs CPU_TEXT.
  static let joiningTime = Duration.milliseconds(3)
  /// Transactions that are worth a commit at once.
  static let joinedMax = 8

  private struct State {
    var waiting: [PendingTransaction] = []
    var arrivals = Arrivals()
    var isClosed = false
  }

  private let state = Mutex(State())

  /// - Returns: whether the queue was empty; nil where it is closed.
  func append(_ transaction: PendingTransaction) -> Bool? {
    state.withLock { state in
      if state.isClosed { return nil }
      state.waiting.append(transaction)
      state.arrivals.note(client: transaction.remote, at: .now)
      return state.waiting.count == 1
    }
  }

  /// Whether more are about to come, so that the next commit should wait for them.
  var isFilling: Bool {
    state.withLock { $0.waiting.count < Self.joinedMax && $0.arrivals.isCrowd(at: .now) }
  }

  /// The next ones that do not depend on each other's outcome, and whether more wait.
  func take() -> (group: [PendingTransaction], hasMore: Bool) {
    state.withLock { state in
      var touched: Set<ResourceID> = []
      var count = 0
      for transaction in state.waiting {
        // What a rollback touches is known when its turn comes.
        if transaction.isRollback {
          if count == 0 { count = 1 }
          break
        }
        let ids = transaction.operations.map(\.id)
        if count > 0, touched.count + ids.count > Self.operationsMax || ids.contains(where: touched.contains)
        {
          break
        }
        touched.formUnion(ids)
        count += 1
      }
      let group = Array(state.waiting.prefix(count))
      state.waiting.removeFirst(count)
      return (group, !state.waiting.isEmpty)
    }
  }

  /// Takes no more; what waits is returned.
  func close() -> [PendingTransaction] {
    state.withLock { state in
      defer { state.waiting = [] }
      state.isClosed = true
      return state.waiting
    }
  }
}
