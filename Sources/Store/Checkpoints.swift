import Dispatch
import GRDB
import GRDBSQLite
import Synchronization

/// Moves what was committed from the journal into the database, so that the journal can be begun anew.
///
/// That takes milliseconds, so it is done on a thread and a connection of its own while commits go on. Where
/// these come so fast that it never gets to the end, the commit that finds it so does the last, small part.
final class Checkpoints: Sendable {
  /// Pages of the journal that are worth a checkpoint: 4 MB.
  static let pagesMin = 1_000
  /// Pages beyond which a commit moves them itself, lest the journal grow without limit: 64 MB.
  static let pagesMax = 16_384

  private enum Stage { case idle, running, leftSome }

  private let connection: DatabaseQueue
  private let queue = DispatchQueue(label: "store-checkpoints", qos: .utility)
  private let stage = Mutex(Stage.idle)
  private let gauge = JournalGauge()
  /// Checkpoints that were begun or ended: odd while one is made.
  private let steps = Atomic(0)

  init(path: String) throws(StoreError) {
    connection = try Connections.open(path, label: "store-checkpoints")
  }

  /// Counts what `writer` adds to the journal. Checkpoints must live as long as the connection is used.
  func watch(_ writer: Database) {
    // The gauge lives as long as this object, and the hook is called within the writer's commits.
    let context = unsafe Unmanaged.passUnretained(gauge).toOpaque()
    unsafe sqlite3_wal_hook(
      writer.sqliteConnection,
      { context, _, _, pages in
        if let context = unsafe context {
          unsafe Unmanaged<JournalGauge>.fromOpaque(context).takeUnretainedValue().set(Int(pages))
        }
        return SQLITE_OK
      }, context)
  }

  /// Even while nothing is moved; it differs when something has been.
  var stepCount: Int { steps.load(ordering: .sequentiallyConsistent) }

  /// In the journal after the last commit.
  var pages: Int { gauge.pages }

  /// To be called once the connection that is watched is closed, or will not commit any more.
  static func unwatch(_ writer: Database) {
    _ = unsafe sqlite3_wal_hook(writer.sqliteConnection, nil, nil)
  }

  /// After a commit on the connection that is watched.
  func committed(_ writer: Database) {
    let pages = pages
    guard pages >= Self.pagesMin else { return }
    let isLate = stage.withLock { stage in
      if stage == .running { return false }
      let isLate = stage == .leftSome || pages >= Self.pagesMax
      stage = isLate ? .idle : .running
      if !isLate { queue.async { self.run() } }
      return isLate
    }
    // What fails here, fails for the thread of checkpoints too, and harms nobody yet.
    if isLate { _ = try? move(writer) }
  }

  private func run() {
    // A failure, for example for lack of space, is no commit's: the journal keeps everything, and the next
    // commit tries again.
    let isDone = (try? connection.inDatabase { try move($0) }) ?? true
    stage.withLock { $0 = isDone ? .idle : .leftSome }
  }

  /// Moves what can be moved without waiting for anybody.
  /// - Returns: whether that was all.
  private func move(_ database: Database) throws -> Bool {
    steps.add(1, ordering: .sequentiallyConsistent)
    defer { steps.add(1, ordering: .sequentiallyConsistent) }
    return try Query(database, "PRAGMA wal_checkpoint(PASSIVE)").first { $0.integer(1) == $0.integer(2) }
      ?? true
  }
}

/// Pages in the journal after the last commit.
private final class JournalGauge: Sendable {
  private let value = Atomic(0)
  var pages: Int { value.load(ordering: .relaxed) }
  func set(_ pages: Int) { value.store(pages, ordering: .relaxed) }
}
