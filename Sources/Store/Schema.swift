import GRDB

/// The tables, and how databases of older versions come to them.
enum Schema {
  /// `PENS`, at a fixed place in the file: it tells our databases from those of other programs.
  static let applicationID: Int64 = 0x5045_4E53

  /// What brings a database from version N to N + 1, by N. Steps are added, never changed.
  private static let steps = [version1]

  static var version: Int { steps.count }

  /// Columns of a ``StoredVersion``, of `resources` and `changes` alike.
  static func versionColumns(_ table: String) -> String {
    ["created", "revision", "document", "material", "secret"].map { "\(table).\($0)" }.joined(separator: ", ")
  }

  /// A transaction's changes have the ids from `first` on. A change holds what the resource was before; what
  /// it was afterwards is in the next change of the same resource, or in `resources`. Thus content is
  /// written once, and a new resource costs its history but a few bytes.
  private static let version1 = """
    CREATE TABLE resources (
      id INTEGER PRIMARY KEY,
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      created INTEGER NOT NULL,
      revision INTEGER NOT NULL,
      document TEXT NOT NULL,
      material BLOB,
      secret BLOB
    ) STRICT;
    CREATE UNIQUE INDEX resources_by_name ON resources (kind, name);
    CREATE TABLE transactions (
      revision INTEGER PRIMARY KEY,
      previous INTEGER NOT NULL,
      time INTEGER NOT NULL,
      actor TEXT NOT NULL,
      remote TEXT NOT NULL,
      message TEXT,
      rollback INTEGER,
      first INTEGER NOT NULL,
      count INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE changes (
      id INTEGER PRIMARY KEY,
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      created INTEGER,
      revision INTEGER,
      document TEXT,
      material BLOB,
      secret BLOB
    ) STRICT;
    CREATE INDEX changes_by_name ON changes (kind, name, id);
    CREATE TABLE audit (
      id INTEGER PRIMARY KEY,
      time INTEGER NOT NULL,
      actor TEXT NOT NULL,
      remote TEXT NOT NULL,
      action TEXT NOT NULL,
      outcome TEXT NOT NULL,
      revision INTEGER
    ) STRICT;
    """

  /// Refuses what is not a database of ours, or of a later version.
  /// - Returns: its version; 0 where it is empty.
  static func check(_ database: Database, path: String) throws -> Int {
    let version = try number(database, "PRAGMA user_version")
    let application = try number(database, "PRAGMA application_id")
    let tables = try number(database, "SELECT count(*) FROM sqlite_schema")
    if application != applicationID && tables > 0 {
      throw StoreError(.other, "\(path) is a database of another program; name another file for the store")
    }
    guard version <= Self.version else {
      throw StoreError(
        .incompatible(version: Int(version)),
        "the database \(path) is of version \(version), from a later release of Penstock; this one knows "
          + "versions up to \(Self.version): use the later release, or another database")
    }
    return tables == 0 ? 0 : Int(version)
  }

  /// Brings the database to the newest version, all of it or nothing.
  static func migrate(_ database: Database, path: String) throws {
    var done = false
    try database.inTransaction(.immediate) {
      let version = try check(database, path: path)
      done = version == Self.version
      if done { return .rollback }
      if version == 0 { try database.execute(sql: "PRAGMA application_id = \(applicationID)") }
      for step in steps[version...] { try database.execute(sql: step) }
      try database.execute(sql: "PRAGMA user_version = \(Self.version)")
      return .commit
    }
  }

  private static func number(_ database: Database, _ sql: String) throws -> Int64 {
    try Query(database, sql).first { $0.integer(0) } ?? 0
  }
}
