import Dispatch
import GRDB
import GRDBSQLite
import Synchronization

/// How connections to a database are opened.
enum Connections {
  /// How long a commit waits for a tool that holds the database, such as a backup being restored.
  static let busyTimeout = 0.25
  /// Of the connection that writes: the inner pages of every index of 100,000 resources.
  static let cacheKilobytes = 8_192
  /// Of each connection that reads.
  static let readerCacheKilobytes = 2_048
  /// What the journal's file is cut to when it is begun anew.
  static let journalBytesMax = 16 << 20
  /// At once; more wait for their turn.
  static let readersMax = 3

  /// One that may write. Opening it changes nothing in the files.
  static func open(_ path: String, label: String) throws(StoreError) -> DatabaseQueue {
    var configuration = configuration(label)
    // A rollback that fails, on a disk that does, must not end the process; the next write makes up for it.
    configuration.allowsUnsafeTransactions = true
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA cache_size = -\(cacheKilobytes)")
      // A commit that was answered is on the disk.
      try database.execute(sql: "PRAGMA synchronous = FULL")
      try database.execute(sql: "PRAGMA journal_size_limit = \(journalBytesMax)")
      // Checkpoints are made where no commit waits for them (Checkpoints).
      try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
    }
    do { return try DatabaseQueue(path: path, configuration: configuration) } catch {
      throw StoreError(error, path: path)
    }
  }

  /// One that changes nothing, whatever happens.
  static func openReadOnly(_ path: String, label: String) throws(StoreError) -> DatabaseQueue {
    var configuration = configuration(label)
    configuration.readonly = true
    do { return try DatabaseQueue(path: path, configuration: configuration) } catch {
      throw StoreError(error, path: path)
    }
  }

  /// Those that only read, each in a state of the database that does not change under it.
  static func readers(_ path: String) throws(StoreError) -> DatabasePool {
    var configuration = configuration("store-reader")
    configuration.readonly = true
    configuration.maximumReaderCount = readersMax
    do { return try DatabasePool(path: path, configuration: configuration) } catch {
      throw StoreError(error, path: path)
    }
  }

  /// Whether a connection waits for others that hold the database.
  static func setWait(_ waits: Bool, of database: Database) {
    // A call on the connection of this access, which only sets a number.
    _ = unsafe sqlite3_busy_timeout(database.sqliteConnection, waits ? CInt(busyTimeout * 1_000) : 0)
  }

  private static func configuration(_ label: String) -> Configuration {
    var configuration = Configuration()
    configuration.label = label
    configuration.busyMode = .timeout(busyTimeout)
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA cache_size = -\(readerCacheKilobytes)")
      try database.execute(sql: "PRAGMA temp_store = MEMORY")
    }
    return configuration
  }

  /// Makes the journal a write-ahead log: readers do not wait for writers, and one sync makes a commit.
  static func setUpJournal(_ database: Database, path: String) throws {
    let mode = try Query(database, "PRAGMA journal_mode = WAL").first { $0.text(0) } ?? ""
    guard mode == "wal" else {
      throw StoreError(
        .other,
        "the database \(path) cannot have a write-ahead log (its mode is \(mode)); it must be on a local disk"
      )
    }
  }
}

/// Looks at a database before anything is written to its files.
enum Inspection {
  /// Refuses a database that is damaged, or not for this program.
  ///
  /// - Parameter limit: when looking for damage is given up; what was seen by then is sound.
  static func run(_ path: String, limit: Duration) throws(StoreError) {
    // A connection that could write would move the journal into a damaged database when it is closed.
    let queue = try Connections.openReadOnly(path, label: "store-inspection")
    let timer = InspectionTimer(queue, limit: limit)
    defer { timer.stop() }
    do {
      let found = try queue.inDatabase { database in
        _ = try Schema.check(database, path: path)
        return try Query(database, "PRAGMA quick_check(1)").first { $0.text(0) }
      }
      if let found, found != "ok" { throw StoreError.damaged(path, found.replacing("\n", with: ": ")) }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
      return
    } catch { throw StoreError(error, path: path) }
  }
}

/// Interrupts what a connection does once it has taken too long.
private final class InspectionTimer: Sendable {
  /// Nil once it is done: the connection is closed then.
  private let queue: Mutex<DatabaseQueue?>

  init(_ queue: DatabaseQueue, limit: Duration) {
    self.queue = Mutex(queue)
    let milliseconds = Int(limit / .milliseconds(1))
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) {
      self.queue.withLock { $0?.interrupt() }
    }
  }

  func stop() { queue.withLock { $0 = nil } }
}
