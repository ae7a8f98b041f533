import GRDB

extension ResourceStore {
  /// Adds entries that belong to no commit, such as those of refused attempts. They are on the disk when
  /// this returns: whoever has many gives them together.
  public func audit(_ entries: [StoreAuditEntry]) throws(StoreError) { try commit([], audit: entries) }

  /// The audit trail, the newest entry first.
  /// - Parameter before: entries with a lower id; nil: from the newest on.
  public func auditTrail(before: UInt64? = nil, limit: Int) throws(StoreError) -> [StoreAuditEntry] {
    try read { database in
      var entries: [StoreAuditEntry] = []
      try Query(
        database,
        """
        SELECT id, time, actor, remote, action, outcome, revision FROM audit
        WHERE id < ? ORDER BY id DESC LIMIT ?
        """
      ).rows(.revision(before ?? .max), .integer(Int64(limit))) { row in
        var entry = StoreAuditEntry(
          time: row.integer(1), actor: row.text(2), remote: row.text(3), action: row.text(4),
          outcome: row.text(5), revision: row.optionalRevision(6))
        entry.id = row.revision(0)
        entries.append(entry)
      }
      return entries
    }
  }
}

enum Audit {
  /// Entries that a commit deletes beyond as many as it writes, so that none takes long.
  private static let pruneStep = 16

  static func append(_ database: Database, _ entries: [StoreAuditEntry], max: Int) throws {
    guard !entries.isEmpty else { return }
    let insert = try Query(
      database,
      "INSERT INTO audit (time, actor, remote, action, outcome, revision) VALUES (?, ?, ?, ?, ?, ?)")
    for entry in entries {
      try insert.run(
        .integer(entry.time), .text(entry.actor), .text(entry.remote), .text(entry.action),
        .text(entry.outcome), .optional(entry.revision))
    }
    // The newest is never deleted, so ids ascend without gaps.
    try Query(
      database,
      """
      DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?
        AND id < (SELECT min(id) FROM audit) + ?
      """
    ).run(.integer(Int64(max)), .integer(Int64(entries.count + pruneStep)))
  }
}
