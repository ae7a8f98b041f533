import GRDB

extension ResourceStore {
  /// Reads all resources, in about the order of their creation.
  /// - Returns: the revision of the state that was read.
  @discardableResult
  public func load(_ body: (StoredResource) -> Void) throws(StoreError) -> UInt64 {
    try read { database in
      try Query(database, Self.select + " ORDER BY id").rows { row in
        if let resource = Self.resource(row) { body(resource) }
      }
      return try History.newest(database)
    }
  }

  /// The revision of the last change; 0 where there was none.
  public func revision() throws(StoreError) -> UInt64 { try read { try History.newest($0) } }

  /// - Returns: nil where there is none.
  public func resource(_ kind: String, _ name: String) throws(StoreError) -> StoredResource? {
    try read { database in
      try Query(database, Self.select + " WHERE kind = ? AND name = ?").first(.text(kind), .text(name)) {
        Self.resource($0)
      } ?? nil
    }
  }

  /// Resources of one kind, by name in the order of its bytes.
  ///
  /// - Parameters:
  ///   - after: the last name of the page before; nil: the first page.
  ///   - limit: how many at most. Fewer come at the end only.
  public func page(
    _ kind: String, after: String? = nil, limit: Int, filter: StoreNameFilter? = nil
  ) throws(StoreError) -> [StoredResource] {
    var condition = "kind = ?1 AND name > ?2"
    var text = ""
    switch filter {
    case .prefix(let prefix):
      // The bound lets the search begin and end where such names stand in the index.
      condition += " AND name >= ?4 AND name < ?4 || char(0x10ffff)"
      text = prefix
    case .contains(let part):
      condition += " AND instr(name, ?4) > 0"
      text = part
    case nil: condition += " AND ?4 = ''"
    }
    return try read { database in
      var page: [StoredResource] = []
      try Query(database, Self.select + " WHERE \(condition) ORDER BY name LIMIT ?3").rows(
        .text(kind), .text(after ?? ""), .integer(Int64(limit)), .text(text)
      ) { row in
        if let resource = Self.resource(row) { page.append(resource) }
      }
      return page
    }
  }

  private static let select = "SELECT kind, name, \(Schema.versionColumns("resources")) FROM resources"

  private static func resource(_ row: Query.Row) -> StoredResource? {
    guard let version = row.version(from: 2) else { return nil }
    return StoredResource(kind: row.text(0), name: row.text(1), version: version)
  }
}
