import GRDB

extension ResourceStore {
  /// The oldest state that can be returned to, and the newest. Between them lie the transactions that are
  /// kept: that of the oldest itself is not among them.
  public func revisions() throws(StoreError) -> ClosedRange<UInt64> {
    try read { try History.oldest($0)...History.newest($0) }
  }

  /// The transactions that are kept, the newest first.
  /// - Parameter before: those before it; nil: from the newest on.
  public func history(before: UInt64? = nil, limit: Int) throws(StoreError) -> [StoreRevision] {
    try read { database in
      var history: [StoreRevision] = []
      try Query(database, History.select + " WHERE revision < ? ORDER BY revision DESC LIMIT ?").rows(
        .revision(before ?? .max), .integer(Int64(limit))
      ) { history.append(History.revision($0)) }
      return history
    }
  }

  /// A transaction and what it changed, in the order of its operations.
  ///
  /// - Parameters:
  ///   - skipping: changes that are left out, for the second page and those after it.
  ///   - limit: how many changes at most.
  /// - Returns: nil where there is none of this revision, or none any more.
  public func transaction(
    _ revision: UInt64, skipping: Int = 0, limit: Int = .max
  ) throws(StoreError) -> (revision: StoreRevision, changes: [StoreChange])? {
    try read { database in
      let found = try Query(database, History.select + " WHERE revision = ?").first(.revision(revision)) {
        (revision: History.revision($0), first: $0.integer(7))
      }
      guard let found else { return nil }
      let operationCount = Int64(found.revision.operationCount)
      let end = found.first + operationCount
      let begin = found.first + min(Int64(max(skipping, 0)), operationCount)
      var changes: [StoreChange] = []
      let select = "SELECT kind, name, \(Schema.versionColumns("changes")), id FROM changes"
      try Query(database, select + " WHERE id >= ? AND id < ? ORDER BY id LIMIT ?").rows(
        .integer(begin), .integer(end), .integer(Int64(limit))
      ) { row in
        let kind = row.text(0)
        let name = row.text(1)
        let after = try History.version(database, kind, name, from: row.integer(7) + 1)
        changes.append(StoreChange(kind: kind, name: name, before: row.version(from: 2), after: after))
      }
      return (found.revision, changes)
    }
  }

  /// What differs between two states, whichever of them is the later, by resource. Resources that are the
  /// same in both are left out, whatever happened to them in between.
  ///
  /// States are those after a transaction; that of a revision in between is that of the transaction before.
  /// - Throws: ``StoreError/Reason/unknownRevision(oldest:)`` where one of them is not kept any more.
  public func changes(from: UInt64, to: UInt64) throws(StoreError) -> [StoreChange] {
    try read { database in
      let oldest = try History.oldest(database)
      guard min(from, to) >= oldest else {
        throw StoreError(
          .unknownRevision(oldest: oldest),
          "the history does not reach back to revision \(min(from, to)); the oldest state that is kept is "
            + "that of revision \(oldest)")
      }
      let earlier = try History.firstChange(database, after: min(from, to))
      let later = try History.firstChange(database, after: max(from, to))
      var changes: [StoreChange] = []
      // The plus signs keep SQLite from reading the whole index of names instead of the range of ids.
      try Query(
        database,
        "SELECT kind, name, min(id) FROM changes WHERE id >= ? AND id < ? GROUP BY +kind, +name"
      ).rows(.integer(earlier), .integer(later)) { row in
        let kind = row.text(0)
        let name = row.text(1)
        let old = try History.version(database, kind, name, from: row.integer(2))
        let new = try History.version(database, kind, name, from: later)
        if old?.content == new?.content { return }
        changes.append(
          StoreChange(kind: kind, name: name, before: from < to ? old : new, after: from < to ? new : old))
      }
      return changes
    }
  }
}

/// What transactions and changes say, and how long they are kept.
enum History {
  /// Rows that a commit deletes beyond as many as it writes. Each lies on a page of its own in the index of
  /// names: with 16, a commit after an import of 200,000 took 4 ms, for all the pages that wait to be moved.
  private static let pruneStep = 4

  static let select =
    "SELECT revision, previous, time, actor, remote, message, rollback, first, count FROM transactions"

  static func revision(_ row: Query.Row) -> StoreRevision {
    StoreRevision(
      revision: row.revision(0), previous: row.revision(1), time: row.integer(2), actor: row.text(3),
      remote: row.text(4), message: row.optionalText(5),
      kind: row.optionalRevision(6).map { .rollback(to: $0) } ?? .change,
      operationCount: Int(row.integer(8)))
  }

  static func newest(_ database: Database) throws -> UInt64 {
    try Query(database, "SELECT max(revision) FROM transactions").first { $0.revision(0) } ?? 0
  }

  static func oldest(_ database: Database) throws -> UInt64 {
    try Query(database, "SELECT previous FROM transactions ORDER BY revision LIMIT 1").first {
      $0.revision(0)
    } ?? 0
  }

  /// The id of the first change after a revision, whether there is one already or not.
  static func firstChange(_ database: Database, after revision: UInt64) throws -> Int64 {
    try Query(
      database,
      """
      SELECT coalesce(
        (SELECT first FROM transactions WHERE revision > ? ORDER BY revision LIMIT 1),
        (SELECT first + count FROM transactions ORDER BY revision DESC LIMIT 1), 1)
      """
    ).first(.revision(revision)) { $0.integer(0) } ?? 1
  }

  /// What a resource was before the change `id` and those after it; nil: it did not exist.
  static func version(
    _ database: Database, _ kind: String, _ name: String, from id: Int64
  ) throws -> StoredVersion? {
    let next = try Query(
      database,
      """
      SELECT \(Schema.versionColumns("changes")) FROM changes
      WHERE kind = ? AND name = ? AND id >= ? ORDER BY id LIMIT 1
      """
    ).first(.text(kind), .text(name), .integer(id)) { $0.version(from: 0) }
    // The inner nil says that it did not exist, the outer one that nothing has changed it since.
    if let next { return next }
    return try Query(
      database,
      "SELECT \(Schema.versionColumns("resources")) FROM resources WHERE kind = ? AND name = ?"
    ).first(.text(kind), .text(name)) { $0.version(from: 0) } ?? nil
  }

  /// Forgets the oldest transactions, then changes that belong to none any more, a few at a time.
  ///
  /// - Parameters:
  ///   - count: transactions that there are.
  ///   - max: how many are to be kept.
  ///   - written: changes that this commit wrote.
  static func prune(_ database: Database, count: inout Int, max: Int, written: Int) throws {
    if count > max {
      // Every commit may delete more than it adds, so that a lower limit is reached in the end.
      let surplus = min(count - max, written + pruneStep)
      try Query(
        database,
        "DELETE FROM transactions WHERE revision IN (SELECT revision FROM transactions ORDER BY revision LIMIT ?)"
      ).run(.integer(Int64(surplus)))
      count -= surplus
    }
    // One bound: of two, SQLite would search by the first and look at all rows up to it, at every commit
    // anew while the changes of a large transaction are forgotten bit by bit.
    try Query(
      database,
      """
      DELETE FROM changes WHERE id < min(
        (SELECT first FROM transactions ORDER BY revision LIMIT 1), (SELECT min(id) FROM changes) + ?)
      """
    ).run(.integer(Int64(written + pruneStep)))
  }
}
