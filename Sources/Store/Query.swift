import GRDB
import GRDBSQLite

/// A prepared statement of a connection, bound and stepped by SQLite's own calls.
///
/// Measured: rows of GRDB's cursors took 4 times as long to read 200,000 resources.
///
/// `@safe`: GRDB's connection keeps the statement as long as it lives, and a query is used within one
/// access to it.
@safe
struct Query {
  private let database: Database
  private let statement: Statement

  /// - Parameter sql: one statement, which is prepared once for a connection.
  init(_ database: Database, _ sql: String) throws {
    self.database = database
    statement = try database.cachedStatement(sql: sql)
  }

  /// Executes a statement that gives no rows, or whose rows are of no interest.
  func run(_ values: Value...) throws { try rows(values) { _ in } }

  /// Calls `body` with each row.
  func rows(_ values: Value..., body: (Row) throws -> Void) throws { try rows(values, body: body) }

  /// The first row's columns, as `body` reads them; nil where there is none.
  func first<Result>(_ values: Value..., body: (Row) throws -> Result) throws -> Result? {
    var result: Result?
    try rows(values) { if result == nil { result = try body($0) } }
    return result
  }

  private func rows(_ values: [Value], body: (Row) throws -> Void) throws {
    let pointer = unsafe statement.sqliteStatement
    // Ends the statement's own transaction and unbinds what it would keep in memory.
    defer {
      unsafe sqlite3_reset(pointer)
      unsafe sqlite3_clear_bindings(pointer)
    }
    for (index, value) in values.enumerated() {
      try check(unsafe value.bind(to: pointer, at: CInt(index + 1)))
    }
    while true {
      // The statement is this connection's, which no other thread uses now.
      let code = unsafe sqlite3_step(pointer)
      if code == SQLITE_DONE { return }
      if code != SQLITE_ROW { throw failure(code) }
      try body(unsafe Row(pointer))
    }
  }

  private func check(_ code: CInt) throws { if code != SQLITE_OK { throw failure(code) } }

  private func failure(_ code: CInt) -> DatabaseError {
    DatabaseError(resultCode: ResultCode(rawValue: code), message: database.lastErrorMessage)
  }
}

extension Query {
  enum Value {
    case null
    case integer(Int64)
    case text(String)
    case blob([UInt8])

    static func revision(_ revision: UInt64) -> Value { .integer(Int64(clamping: revision)) }
    static func optional(_ text: String?) -> Value { text.map { .text($0) } ?? .null }
    static func optional(_ bytes: [UInt8]?) -> Value { bytes.map { .blob($0) } ?? .null }
    static func optional(_ revision: UInt64?) -> Value { revision.map { .revision($0) } ?? .null }

    /// SQLite copies text and bytes before it returns.
    @unsafe
    fileprivate func bind(to statement: OpaquePointer, at index: CInt) -> CInt {
      // SQLITE_TRANSIENT, which is a macro.
      let copies = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
      switch self {
      case .null:
        return unsafe sqlite3_bind_null(statement, index)
      case .integer(let value):
        return unsafe sqlite3_bind_int64(statement, index, value)
      case .text(var text):
        return text.withUTF8 { bytes in
          // An empty string has no address, which would be NULL to SQLite.
          guard let base = bytes.baseAddress else {
            return unsafe sqlite3_bind_text(statement, index, "", 0, copies)
          }
          return unsafe base.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
            unsafe sqlite3_bind_text(statement, index, $0, CInt(bytes.count), copies)
          }
        }
      case .blob(let bytes):
        guard !bytes.isEmpty else { return unsafe sqlite3_bind_zeroblob(statement, index, 0) }
        return unsafe sqlite3_bind_blob(statement, index, bytes, CInt(bytes.count), copies)
      }
    }
  }

  /// A row while it is the statement's current one.
  ///
  /// `@safe`: it is given to a closure that does not keep it; what it reads is copied.
  @safe
  struct Row {
    @unsafe private let statement: OpaquePointer

    @unsafe
    fileprivate init(_ statement: OpaquePointer) { unsafe self.statement = statement }

    func isNull(_ column: CInt) -> Bool { unsafe sqlite3_column_type(statement, column) == SQLITE_NULL }

    func integer(_ column: CInt) -> Int64 { unsafe sqlite3_column_int64(statement, column) }

    func revision(_ column: CInt) -> UInt64 { UInt64(clamping: integer(column)) }

    func optionalRevision(_ column: CInt) -> UInt64? { isNull(column) ? nil : revision(column) }

    /// Empty where the column is NULL.
    func text(_ column: CInt) -> String {
      guard let start = unsafe sqlite3_column_text(statement, column) else { return "" }
      let count = unsafe Int(sqlite3_column_bytes(statement, column))
      return unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    func optionalText(_ column: CInt) -> String? { isNull(column) ? nil : text(column) }

    func blob(_ column: CInt) -> [UInt8]? {
      if isNull(column) { return nil }
      let count = unsafe Int(sqlite3_column_bytes(statement, column))
      return unsafe Array(UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, column), count: count))
    }

    /// Columns of content and its revisions from `column` on, in the order of ``Schema/versionColumns``;
    /// nil where there is no document.
    func version(from column: CInt) -> StoredVersion? {
      guard let document = optionalText(column + 2) else { return nil }
      let content = StoredContent(document: document, material: blob(column + 3), secret: blob(column + 4))
      return StoredVersion(content: content, created: revision(column), revision: revision(column + 1))
    }
  }
}
