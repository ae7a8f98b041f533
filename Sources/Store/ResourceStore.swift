import GRDB
import Synchronization

/// Resources, their history and the audit trail, in a database of SQLite.
///
/// One process writes it at a time. A second one may open it for reading, and become the writer when the
/// first lets go: thus a gateway is replaced without a moment in which nobody can read or write
/// (``openForReading(path:historyMax:auditMax:)``, ``letGo()``, ``becomeWriter()``).
///
/// Calls block until they are done, a commit until it is on the disk: they are for threads of the control
/// plane. Any thread may call, and closures that are given must not call the store.
public final class ResourceStore: Sendable {
  /// Entries of the audit trail that are kept, if nobody says otherwise.
  public static let auditMaxDefault = 100_000
  /// How long damage is looked for when the store is opened. Measured: 200 MB in the page cache take 0.2 s.
  public static let checkTimeDefault = Duration.seconds(1)

  /// What only the writer has.
  struct Writer {
    let lock: WriterLock
    let checkpoints: Checkpoints
    /// In the history.
    var transactionCount: Int
  }

  private struct Failure {
    var error: StoreError
    var time: ContinuousClock.Instant
  }

  /// After a write that waited in vain for somebody else to let go of the database, others wait no more for
  /// this long: they would have to wait one after the other.
  private static let lockPause = Duration.seconds(1)

  public let path: String
  let historyMax: Int
  let auditMax: Int
  /// Writes where this is the writer, and keeps the journal's files in being where it is not.
  let connection: DatabaseQueue
  private let readers: DatabasePool
  private let identity: FileIdentity
  /// Of the journal, which stays as long as this process has it open.
  private let journalIdentity: FileIdentity?
  /// Nil while another process may write. Held during a write.
  private let writer = Mutex<Writer?>(nil)
  /// Why the last write failed, and when; nil after one that did not.
  private let failure = Mutex<Failure?>(nil)
  private let foreignChanges: ForeignChanges
  private let pageBytes: Int64

  /// Opens the database as its writer, and makes it where there is none.
  ///
  /// - Parameters:
  ///   - path: the file; SQLite and the store keep others beside it, whose names begin with its own.
  ///   - historyMax: transactions that are kept, 1 at least.
  ///   - auditMax: entries of the audit trail that are kept.
  ///   - checkTime: how long to look for damage at most.
  public convenience init(
    path: String, historyMax: Int, auditMax: Int = auditMaxDefault, checkTime: Duration = checkTimeDefault
  ) throws(StoreError) {
    let lock = try WriterLock(database: path)
    try StoreFile.checkJournal(path)
    try StoreFile.make(path)
    try Inspection.run(path, limit: checkTime)
    try self.init(path, historyMax: historyMax, auditMax: auditMax) { database in
      try Connections.setUpJournal(database, path: path)
      try Schema.migrate(database, path: path)
    }
    try beginWriting(lock)
  }

  /// Opens a database that another process writes.
  ///
  /// - Throws: ``StoreError/Reason/missing`` where there is none: nobody writes it, so this process can.
  public static func openForReading(
    path: String, historyMax: Int, auditMax: Int = auditMaxDefault
  ) throws(StoreError) -> ResourceStore {
    try StoreFile.checkJournal(path)
    guard let identity = FileIdentity(path: path), identity.byteCount > 0 else {
      throw StoreError(.missing, "there is no database \(path)")
    }
    return try ResourceStore(path, historyMax: historyMax, auditMax: auditMax) { database in
      guard try Schema.check(database, path: path) > 0 else {
        throw StoreError(.missing, "the database \(path) is empty")
      }
    }
  }

  /// - Parameter prepare: what is to be done before anything else.
  private init(
    _ path: String, historyMax: Int, auditMax: Int, prepare: (Database) throws -> Void
  ) throws(StoreError) {
    self.path = path
    self.historyMax = max(historyMax, 1)
    self.auditMax = max(auditMax, 1)
    connection = try Connections.open(path, label: "store-writer")
    do {
      pageBytes = try connection.inDatabase { database in
        try prepare(database)
        return try Query(database, "PRAGMA page_size").first { $0.integer(0) } ?? 0
      }
    } catch { throw StoreError(error, path: path) }
    foreignChanges = ForeignChanges(path: path)
    readers = try Connections.readers(path)
    guard let identity = FileIdentity(path: path) else {
      throw StoreError(.missing, "the database \(path) was removed while it was opened")
    }
    self.identity = identity
    journalIdentity = FileIdentity(path: path + "-wal")
  }

  // MARK: Who writes

  public var isWriter: Bool { writer.withLock { $0 != nil } }

  /// Takes over the database when the process that wrote it has let go or ended.
  ///
  /// It may have written since this one read: `changes(from:to:)` from the revision that was read on says
  /// what.
  /// - Returns: the revision of the last change.
  /// - Throws: ``StoreError/Reason/locked`` at once while another process writes it: try again.
  @discardableResult
  public func becomeWriter() throws(StoreError) -> UInt64 {
    if !isWriter {
      let lock = try WriterLock(database: path)
      try checkIdentity()
      do { try connection.inDatabase { try Schema.migrate($0, path: path) } } catch {
        throw StoreError(error, path: path)
      }
      try beginWriting(lock)
    }
    return try revision()
  }

  /// Leaves the database to another process, once a write that is under way is done. Reading goes on, and
  /// so does writing after ``becomeWriter()``.
  public func letGo() {
    writer.withLock { writer in
      if writer != nil {
        connection.inDatabase { database in
          Checkpoints.unwatch(database)
          // So that the file is whole by itself; where a reader is in the way, the journal stays beside it.
          _ = try? database.checkpoint(.truncate)
        }
      }
      writer = nil
    }
  }

  private func beginWriting(_ lock: WriterLock) throws(StoreError) {
    let checkpoints = try Checkpoints(path: path)
    do {
      let count = try connection.inDatabase { database in
        checkpoints.watch(database)
        return try Query(database, "SELECT count(*) FROM transactions").first { Int($0.integer(0)) } ?? 0
      }
      writer.withLock { $0 = Writer(lock: lock, checkpoints: checkpoints, transactionCount: count) }
    } catch { throw StoreError(error, path: path) }
  }

  // MARK: Access

  /// Everything that `body` reads is of one state of the database.
  func read<Result>(_ body: (Database) throws -> Result) throws(StoreError) -> Result {
    // A further connection would open what has come in the file's place.
    try checkIdentity()
    do { return try readers.read(body) } catch { throw StoreError(error, path: path) }
  }

  /// Executes `body` as one transaction of the database: all of it is on the disk when this returns, or
  /// nothing of it is there when this throws.
  func write(_ body: (Database, inout Writer) throws -> Void) throws(StoreError) {
    try writer.withLock { (slot: inout Writer?) throws(StoreError) in
      guard var writer = slot else {
        throw StoreError(.notWriter, "another process writes the database \(path); this one only reads it")
      }
      do {
        // Looking through the file is left to ``check()``: a commit must not wait for that.
        try foreignChanges.look(connection) { nil }
        try checkIdentity()
        try foreignChanges.checkJournal(pages: writer.checkpoints.pages, pageBytes: pageBytes)
        let waits = failure.withLock { failure in
          failure?.error.reason != .locked || failure.map { .now - $0.time > Self.lockPause } ?? true
        }
        try connection.inDatabase { database in
          Connections.setWait(waits, of: database)
          if database.isInsideTransaction { try database.rollback() }
          try database.inTransaction(.immediate) {
            try body(database, &writer)
            return .commit
          }
          writer.checkpoints.committed(database)
        }
      } catch {
        let error = StoreError(error, path: path)
        failure.withLock { $0 = Failure(error: error, time: .now) }
        throw error
      }
      failure.withLock { $0 = nil }
      slot = writer
    }
  }

  /// What is written to a file that was removed is lost with this process.
  private func checkIdentity() throws(StoreError) {
    guard let present = FileIdentity(path: path), present == identity else {
      throw .damaged(path, "the file was moved, deleted or replaced while the gateway uses it")
    }
    try foreignChanges.check(present)
    if let journalIdentity, FileIdentity(path: path + "-wal") != journalIdentity {
      throw .damaged(path, "its journal was moved, deleted or replaced while the gateway uses it")
    }
  }

  /// Pages of the journal after the last commit; 0 where another process writes.
  var journalPages: Int { writer.withLock { $0?.checkpoints.pages ?? 0 } }

  /// Whether the store can be used, at the cost of two small reads; where the last write failed, of one small
  /// write, which tells whether the reason is gone. Where somebody else has written the file, it is looked
  /// through for damage, for a second at most.
  public func check() throws(StoreError) {
    try foreignChanges.look(connection) { writer.withLock { $0?.checkpoints.stepCount } }
    _ = try revision()
    try writer.withLock { (writer: inout Writer?) throws(StoreError) in
      guard let writer else { return }
      try foreignChanges.checkJournal(pages: writer.checkpoints.pages, pageBytes: pageBytes)
    }
    let isFailing = failure.withLock { $0 != nil }
    guard isFailing && isWriter else { return }
    try write { database, _ in
      // Writes one page, with what it holds already.
      try database.execute(sql: "PRAGMA user_version = \(Schema.version)")
    }
  }
}
