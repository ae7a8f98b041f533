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
  /// second, each then costs a quarter less processor time.
  static let joiningTime = Duration.milliseconds(3)
  /// Transactions that are not kept waiting for others.
  static let joinedMax = 8

  private struct State {
    var waiting: [PendingTransaction] = []
    var arrivals = Arrivals()
    /// Of who waits for more to come.
    var filled: ServedSignal?
    var isClosed = false
  }

  private let state = Mutex(State())

  /// - Returns: whether the queue was empty; nil where it is closed.
  func append(_ transaction: PendingTransaction) -> Bool? {
    var filled: ServedSignal?
    defer { filled?.signal() }
    return state.withLock { state in
      if state.isClosed { return nil }
      state.waiting.append(transaction)
      state.arrivals.note(client: transaction.remote, at: .now)
      if state.waiting.count >= Self.joinedMax { swap(&filled, &state.filled) }
      return state.waiting.count == 1
    }
  }

  /// Where more are about to come, waits for them, but never for long.
  func fill() async {
    let filled: ServedSignal? = state.withLock { state in
      guard state.waiting.count < Self.joinedMax, state.arrivals.isCrowd(at: .now) else { return nil }
      let signal = ServedSignal()
      state.filled = signal
      return signal
    }
    _ = await filled?.wait(atMost: Self.joiningTime)
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
