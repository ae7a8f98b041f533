import GRDB
import GRDBSQLite
import Glibc
import Synchronization

/// What is known of the database's files, to notice that somebody else has changed them: SQLite reads what it
/// has in memory, and would go on for long.
///
/// Looking costs a `stat` or two and one small read. Only where a file was written by somebody else is the
/// database looked through, as it is when it is opened.
final class ForeignChanges: Sendable {
  /// How long damage is looked for while the store is in use.
  private static let inspectionTime = Duration.seconds(1)
  /// Of a frame in the journal, beside its page (SQLite's file format, 4.2).
  private static let frameHeaderBytes: Int64 = 24
  private static let journalHeaderBytes: Int64 = 32

  private struct Known {
    /// The database never shrinks: nothing vacuums it.
    var bytesMax: Int64 = 0
    /// SQLite's counter of changes to the first page.
    var counterMax: UInt32 = 0
    /// Whether the first page says whose database it is: the first checkpoint writes that.
    var isMarked = false
    /// How the file was when nobody here wrote it.
    var quiet: Quiet?
    /// What is wrong with the first page, until it is right again.
    var firstPageDamage: StoreError?
    /// What was found when the file was looked through, until it is another again.
    var damage: StoreError?
  }

  /// The file between two checkpoints.
  private struct Quiet: Equatable {
    var checkpoints: Int
    var content: FileContentStamp
  }

  private let path: String
  private let known = Mutex(Known())

  init(path: String) { self.path = path }

  /// To be called before each use.
  func check(_ identity: FileIdentity) throws(StoreError) {
    let damage: StoreError? = known.withLock { known in
      if identity.byteCount < known.bytesMax {
        return .damaged(
          path, "the file has \(identity.byteCount) bytes and had \(known.bytesMax): it was cut or replaced")
      }
      known.bytesMax = identity.byteCount
      return known.firstPageDamage ?? known.damage
    }
    if let damage { throw damage }
  }

  /// - Parameter pages: of the journal after the last commit.
  func checkJournal(pages: Int, pageBytes: Int64) throws(StoreError) {
    guard pages > 0 else { return }
    let needed = Self.journalHeaderBytes + Int64(pages) * (Self.frameHeaderBytes + pageBytes)
    let bytes = FileIdentity(path: path + "-wal")?.byteCount ?? 0
    guard bytes >= needed else {
      throw .damaged(path, "its journal has \(bytes) bytes and had \(needed): it was cut or replaced")
    }
  }

  /// Looks at the file's first bytes, and at the rest where somebody else has written it.
  ///
  /// - Parameter checkpoints: how many have been begun and ended; nil: only the first bytes count, as another
  ///   process may write the rest.
  func look(_ connection: DatabaseQueue, checkpoints: () -> Int?) throws(StoreError) {
    var firstPageDamage: StoreError?
    do {
      // Twice: a checkpoint may write the page meanwhile.
      if try !isSound(header(connection)), try !isSound(header(connection)) {
        firstPageDamage = .damaged(path, "its first page is not what was written")
      }
    } catch { firstPageDamage = StoreError(error, path: path) }
    known.withLock { $0.firstPageDamage = firstPageDamage }
    if let firstPageDamage { throw firstPageDamage }
    guard let before = checkpoints(), before % 2 == 0, let content = FileContentStamp(path: path),
      checkpoints() == before
    else { return }
    let now = Quiet(checkpoints: before, content: content)
    let isForeign = known.withLock { known in
      let isForeign = known.quiet?.checkpoints == before && known.quiet != now
      if !isForeign { known.quiet = now }
      return isForeign
    }
    guard isForeign else { return }
    var damage: StoreError?
    do throws(StoreError) {
      try Inspection.run(path, limit: Self.inspectionTime)
    } catch {
      damage = error
    }
    known.withLock { known in
      known.quiet = now
      known.damage = damage
    }
    if let damage { throw damage }
  }

  private func isSound(_ header: [UInt8]) -> Bool {
    guard header.starts(with: "SQLite format 3\0".utf8) else { return false }
    let counter = Self.number(header, at: 24)
    return known.withLock { known in
      let application = Self.number(header, at: 68)
      let isMarked = application == UInt32(Schema.applicationID)
      guard isMarked || (application == 0 && !known.isMarked), counter >= known.counterMax else {
        return false
      }
      known.counterMax = counter
      known.isMarked = isMarked
      return true
    }
  }

  private static func number(_ bytes: [UInt8], at place: Int) -> UInt32 {
    bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// By SQLite's own descriptor: closing another one would end the locks that it holds (POSIX fcntl(2)).
  private func header(_ connection: DatabaseQueue) throws -> [UInt8] {
    try connection.inDatabase { database in
      var bytes = [UInt8](repeating: 0, count: 100)
      var file: UnsafeMutablePointer<sqlite3_file>?
      // SQLite writes the pointer to its own file, which lives as long as the connection does.
      var code = unsafe sqlite3_file_control(
        database.sqliteConnection, "main", SQLITE_FCNTL_FILE_POINTER, &file)
      if code == SQLITE_OK, let file = unsafe file, let read = unsafe file.pointee.pMethods?.pointee.xRead {
        // At most the array's length is written into it, during the call.
        code = unsafe bytes.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, CInt($0.count), 0) }
      }
      // What is missing is filled with zeros, which are not what was written.
      guard code == SQLITE_OK || code == SQLITE_IOERR | (2 << 8) else {
        throw DatabaseError(resultCode: ResultCode(rawValue: code))
      }
      return bytes
    }
  }
}

/// When a file was last written, and how long it is.
struct FileContentStamp: Equatable, Sendable {
  private let seconds: Int
  private let nanoseconds: Int
  private let byteCount: Int64

  init?(path: String) {
    var status = stat()
    // The path is read, and the structure written, during the call.
    guard unsafe stat(path, &status) == 0 else { return nil }
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
    byteCount = Int64(status.st_size)
  }
}
