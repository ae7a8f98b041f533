import GRDB

extension ResourceStore {
  /// Commits transactions, in their order, as one: all of them are on the disk when this returns, and none
  /// when it throws.
  ///
  /// - Parameter audit: entries that go with them.
  public func commit(_ transactions: [StoreTransaction], audit: [StoreAuditEntry] = []) throws(StoreError) {
    if transactions.isEmpty && audit.isEmpty { return }
    try write { database, writer in
      var operationCount = 0
      for transaction in transactions {
        try Commit(database, transaction).run()
        operationCount += transaction.operations.count
      }
      writer.transactionCount += transactions.count
      try History.prune(
        database, count: &writer.transactionCount, max: historyMax, written: operationCount)
      try Audit.append(database, audit, max: auditMax)
    }
  }
}

/// One transaction of a commit.
private struct Commit {
  private let database: Database
  private let transaction: StoreTransaction

  init(_ database: Database, _ transaction: StoreTransaction) {
    self.database = database
    self.transaction = transaction
  }

  func run() throws {
    let first = try writeTransaction()
    let remember = try Query(
      database,
      """
      INSERT INTO changes (id, kind, name, created, revision, document, material, secret)
      SELECT ?1, ?2, ?3, \(Schema.versionColumns("resources"))
      FROM (SELECT 1) LEFT JOIN resources ON resources.kind = ?2 AND resources.name = ?3
      """)
    let put = try Query(
      database,
      """
      INSERT INTO resources (kind, name, created, revision, document, material, secret)
      VALUES (?1, ?2, coalesce(?3, ?4), ?4, ?5, ?6, ?7)
      ON CONFLICT (kind, name) DO UPDATE SET
        created = coalesce(?3, created), revision = excluded.revision, document = excluded.document,
        material = excluded.material, secret = excluded.secret
      """)
    let delete = try Query(database, "DELETE FROM resources WHERE kind = ? AND name = ?")
    for (offset, operation) in transaction.operations.enumerated() {
      let kind = Query.Value.text(operation.kind)
      let name = Query.Value.text(operation.name)
      try remember.run(.integer(first + Int64(offset)), kind, name)
      if let content = operation.content {
        try put.run(
          kind, name, .optional(operation.created), .revision(transaction.revision), .text(content.document),
          .optional(content.material), .optional(content.secret))
      } else {
        try delete.run(kind, name)
      }
    }
  }

  /// - Returns: the id of the first change.
  private func writeTransaction() throws -> Int64 {
    let last = try Query(
      database, "SELECT revision, first + count FROM transactions ORDER BY revision DESC LIMIT 1"
    ).first { (revision: $0.revision(0), next: $0.integer(1)) }
    let previous = last?.revision ?? 0
    guard transaction.revision > previous, Int64(exactly: transaction.revision) != nil else {
      throw StoreError(
        .other, "revision \(transaction.revision) cannot be stored: the last one is \(previous)")
    }
    var rollback: UInt64?
    if case .rollback(let revision) = transaction.kind { rollback = revision }
    let first = last?.next ?? 1
    try Query(
      database,
      """
      INSERT INTO transactions (revision, previous, time, actor, remote, message, rollback, first, count)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      .revision(transaction.revision), .revision(previous), .integer(transaction.time),
      .text(transaction.actor), .text(transaction.remote), .optional(transaction.message),
      .optional(rollback), .integer(first), .integer(Int64(transaction.operations.count)))
    return first
  }
}
