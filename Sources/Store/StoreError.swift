import GRDB

/// Why the store cannot do what it was asked for. What it holds is unchanged.
public struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Reason: Sendable, Equatable {
    /// Another process writes this database, or holds it for longer than a commit may wait.
    case locked
    /// No space is left for it.
    case full
    /// What the files hold is not what was written. Nothing was repaired, overwritten or deleted.
    case damaged
    /// The files or their directory cannot be written.
    case readOnly
    /// This store was opened for reading, or let go, and is not the writer.
    case notWriter
    /// The database is of a version that this program does not know.
    case incompatible(version: Int)
    /// There is no database.
    case missing
    /// The history does not reach so far; `oldest` is the first state that it knows.
    case unknownRevision(oldest: UInt64)
    case other
  }

  public let reason: Reason
  /// For the person who has to put it right: what is wrong, where, and what can be done.
  public let description: String

  init(_ reason: Reason, _ description: String) {
    self.reason = reason
    self.description = description
  }

  /// What an error of the database at `path` means.
  init(_ error: any Error, path: String) {
    if let error = error as? StoreError {
      self = error
    } else if let error = error as? DatabaseError {
      self.init(error, path: path)
    } else {
      self.init(.other, "the database \(path) cannot be used: \(error)")
    }
  }

  private init(_ error: DatabaseError, path: String) {
    let words = error.message ?? "\(error.resultCode)"
    switch error.resultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      self.init(
        .locked,
        "the database \(path) is in use by another process, which has held it for too long; "
          + "end that process, or a tool that has the file open")
    case .SQLITE_FULL:
      self = .full(path)
    case .SQLITE_IOERR where Self.needsSpace.contains(error.extendedResultCode):
      self = .full(path)
    case .SQLITE_IOERR:
      self.init(
        .other,
        "the disk of the database \(path) fails: \(words) (SQLite \(error.extendedResultCode.rawValue)); "
          + "look into the kernel's log, and for quotas and limits of file sizes")
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      self = .damaged(path, words)
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
      self = .readOnly(path, words)
    case .SQLITE_CANTOPEN:
      self.init(
        .other,
        "the database \(path) cannot be opened (\(words)); look whether it is there, and who may read it")
    default:
      self.init(
        .other, "the database \(path) cannot be used: \(words) (SQLite \(error.extendedResultCode.rawValue))")
    }
  }

  /// What SQLite says where its shared memory, a file beside the database, cannot grow.
  private static let needsSpace: [ResultCode] = [.SQLITE_IOERR_SHMSIZE, .SQLITE_IOERR_SHMMAP]

  static func full(_ path: String) -> StoreError {
    StoreError(
      .full, "no space is left for the database \(path); free some on its disk: nothing else needs to be done"
    )
  }

  static func damaged(_ path: String, _ what: String) -> StoreError {
    StoreError(
      .damaged,
      "the database \(path) is damaged (\(what)); keep it, with the files that begin with its name, and put "
        + "a backup in its place, or see what the command sqlite3 with .recover gets out of it")
  }

  static func readOnly(_ path: String, _ what: String) -> StoreError {
    StoreError(
      .readOnly,
      "the database \(path) cannot be written (\(what)); the process needs the right to write the file, the "
        + "files that begin with its name, and their directory")
  }
}
