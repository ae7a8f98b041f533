import Glibc

/// Which file a path leads to; it differs after the file was moved, deleted or replaced.
struct FileIdentity: Equatable, Sendable {
  private let device: UInt64
  private let number: UInt64
  let byteCount: Int64

  /// - Returns: nil where there is no file, or none that may be looked at.
  init?(path: String) {
    var status = stat()
    // The path is read, and the structure written, during the call.
    guard unsafe stat(path, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
    byteCount = Int64(status.st_size)
  }

  static func == (a: FileIdentity, b: FileIdentity) -> Bool { a.device == b.device && a.number == b.number }
}

/// The database's file before SQLite opens it, and what must be known of it.
enum StoreFile {
  /// Makes an empty file, which SQLite takes as a new database, for its owner alone: SQLite gives its other
  /// files the same rights.
  static func make(_ path: String) throws(StoreError) {
    // The path is read during the call.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor < 0 && errno == EEXIST {
      // SQLite would open it for reading alone, and say so at the first commit.
      if unsafe access(path, W_OK) != 0 { throw failure(path, errno) }
      return
    }
    guard descriptor >= 0 else { throw failure(path, errno) }
    close(descriptor)
    try syncDirectory(of: path)
  }

  /// Refuses where SQLite would delete the journal: it does so when the database beside it is empty.
  static func checkJournal(_ path: String) throws(StoreError) {
    let journal = FileIdentity(path: path + "-wal")?.byteCount ?? 0
    guard journal > 0 else { return }
    guard let database = FileIdentity(path: path) else {
      throw .damaged(path, "the file is missing, but its journal \(path)-wal is there")
    }
    if database.byteCount == 0 {
      throw .damaged(path, "the file is empty, but its journal \(path)-wal is not")
    }
  }

  /// A file that was made must be found after a loss of power.
  private static func syncDirectory(of path: String) throws(StoreError) {
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(directory, errno) }
    defer { close(descriptor) }
    if fsync(descriptor) != 0 { throw failure(directory, errno) }
  }

  static func failure(_ path: String, _ code: Int32) -> StoreError {
    let words = words(code)
    return switch code {
    case EACCES, EPERM, EROFS: .readOnly(path, words)
    case ENOSPC, EDQUOT: .full(path)
    case ENOENT, ENOTDIR:
      StoreError(
        .missing, "the directory of \(path) does not exist; make it, for the gateway's user to write in")
    default: StoreError(.other, "\(path) cannot be opened: \(words)")
    }
  }

  private static func words(_ code: Int32) -> String {
    // The C library's text lives as long as the process.
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }
}

/// The right to write a database, for one process at a time. The system gives it back when the process ends,
/// however that comes.
///
/// It is a lock on a file beside the database: closing another descriptor of the database's own file would
/// end the locks that SQLite holds on it (POSIX fcntl(2)).
final class WriterLock: Sendable {
  private let descriptor: Int32

  /// - Throws: ``StoreError/Reason/locked`` at once where another holds it.
  init(database path: String) throws(StoreError) {
    let lockPath = path + "-lock"
    // The path is read during the call. Programs that this process starts do not inherit the descriptor.
    descriptor = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw StoreFile.failure(lockPath, errno) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      let holder = Self.holder(descriptor)
      close(descriptor)
      guard code == EWOULDBLOCK else { throw StoreFile.failure(lockPath, code) }
      throw StoreError(
        .locked,
        "the database \(path) is in use by another process\(holder); end that one first, or give this one "
          + "a database of its own")
    }
    writeHolder()
  }

  deinit {
    // A process that is being started has a copy of the descriptor until it runs its program, which would
    // keep the lock.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// For the message that others give; whoever reads it must not rely on it.
  private func writeHolder() {
    let text = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    // The array is read during the call.
    _ = unsafe pwrite(descriptor, text, text.count, 0)
  }

  private static func holder(_ descriptor: Int32) -> String {
    var text = [UInt8](repeating: 0, count: 16)
    // The array has the room that is named.
    let count = unsafe pread(descriptor, &text, text.count, 0)
    let digits = text.prefix(max(count, 0)).prefix { (48...57).contains($0) }
    return digits.isEmpty ? "" : " (its number is \(String(decoding: digits, as: UTF8.self)))"
  }
}
