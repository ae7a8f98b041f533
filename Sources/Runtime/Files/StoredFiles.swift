import CLinux
import Glibc

/// Files that are written once, by one process, and read as a whole: under paths that the caller makes. No symbolic
/// link is followed at the end of a path. Blocks: not for workers. From any thread.
public enum StoredFiles {
  /// Makes a folder for this user alone, unless there is one.
  ///
  /// Throws `EPERM` for one that belongs to another user or that others may write to, and `ENOTDIR` for what is
  /// none.
  public static func makeFolder(_ path: String) throws(SystemError) {
    // The string lives for the call.
    if unsafe mkdir(path, 0o700) == 0 { return }
    guard errno == EEXIST else { throw SystemError(errno) }
    var information = stat()
    // lstat fills in the structure given.
    guard unsafe lstat(path, &information) == 0 else { throw SystemError(errno) }
    guard information.st_mode & S_IFMT == S_IFDIR else { throw SystemError(ENOTDIR) }
    guard information.st_uid == geteuid(), information.st_mode & 0o022 == 0 else { throw SystemError(EPERM) }
  }

  /// Writes a file for this user alone under a name of its own, and then gives it the right one, so that nobody finds
  /// half of it. Leaves nothing behind where that fails.
  public static func write(
    _ head: [UInt8], _ content: FrozenBytes, by temporary: String, to path: String
  ) throws(SystemError) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    // The string lives for the call.
    let handle = unsafe open(temporary, flags, 0o600)
    guard handle >= 0 else { throw SystemError(errno) }
    // The bytes are read during the call.
    var problem = unsafe head.withUnsafeBytes { unsafe put($0, handle) }
    if problem == nil { problem = unsafe content.buffer.withBytes { unsafe put($0, handle) } }
    // Some file systems say only then that there is no room.
    if close(handle) != 0, problem == nil { problem = SystemError(errno) }
    if problem == nil, unsafe rename(temporary, path) != 0 { problem = SystemError(errno) }
    guard let problem else { return }
    _ = unsafe unlink(temporary)
    throw problem
  }

  private static func put(_ bytes: UnsafeRawBufferPointer, _ handle: Int32) -> SystemError? {
    var sent = 0
    while sent < bytes.count {
      // sent is within the bytes, which are valid for the call.
      let count = unsafe Glibc.write(handle, bytes.baseAddress! + sent, bytes.count - sent)
      if count > 0 {
        sent += count
      } else if count == 0 || errno != EINTR {
        return SystemError(count == 0 ? EIO : errno)
      }
    }
    return nil
  }

  /// For names of files that only this process makes.
  public static var processNumber: Int32 { getpid() }

  /// - Returns: whether there is none of that name now.
  @discardableResult
  public static func remove(_ path: String) -> Bool {
    // The string lives for the call.
    unsafe unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR
  }

  /// The names in a folder, but for `.` and `..`, as far as they are UTF-8.
  public static func names(in path: String) throws(SystemError) -> [String] {
    // Owned here, and closed below.
    guard let folder = unsafe opendir(path) else { throw SystemError(errno) }
    defer { _ = unsafe closedir(folder) }
    var names: [String] = []
    // The entry is the folder's, and valid until the next call; its name ends with NUL.
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(validatingCString: $0)
        }
      }
      if let name, name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Seconds since something was written to a file; nil where there is none.
  public static func secondsSinceChange(of path: String) -> Int64? {
    var information = stat()
    // lstat fills in the structure given.
    guard unsafe lstat(path, &information) == 0 else { return nil }
    return SystemClock.wallNanoseconds / 1_000_000_000 - Int64(information.st_mtim.tv_sec)
  }
}

/// A file that is open for reading, also when its name is gone. Blocks: not for workers. From any thread.
public struct StoredFileReader: ~Copyable, Sendable {
  private let handle: Int32
  /// Bytes.
  public let size: Int

  /// Throws `EINVAL` for what is no file.
  public init(_ path: String) throws(SystemError) {
    // Without O_NONBLOCK the opening of a pipe would wait for a writer. The string lives for the call.
    let handle = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard handle >= 0 else { throw SystemError(errno) }
    var information = stat()
    // fstat fills in the structure given.
    guard unsafe fstat(handle, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
      close(handle)
      throw SystemError(EINVAL)
    }
    self.handle = handle
    size = Int(information.st_size)
  }

  deinit { close(handle) }

  /// Appends bytes of the file to a buffer.
  /// - Returns: false where there are not so many.
  public func read(_ range: Range<Int>, into buffer: Buffer) throws(SystemError) -> Bool {
    buffer.reserve(range.count)
    var left = range.count
    while left > 0 {
      // Written to during the call, at most as much as there is room.
      let room = unsafe buffer.takeRoom(atMost: left)
      let got = unsafe pread(handle, room.baseAddress!, room.count, range.upperBound - left)
      if got == 0 { return false }
      if got < 0 {
        if errno == EINTR { continue }
        throw SystemError(errno)
      }
      buffer.keep(got)
      left -= got
    }
    return true
  }
}

/// Which of several processes may write to a folder: the last that has asked for it. Used by one thread.
public final class FolderOwnership {
  private let path: String
  private let temporary: String
  private var handle: Int32 = -1

  /// - folder: With a file `owner`, which is locked by the process that owns it for as long as that runs.
  public init(of folder: String) {
    path = folder + "/owner"
    temporary = folder + "/owner.\(getpid())"
  }

  deinit { if handle >= 0 { close(handle) } }

  /// Takes it, also from another process, which finds out by ``isHeld``.
  public func take() throws(SystemError) {
    // The strings live for the calls.
    _ = unsafe unlink(temporary)
    let new = unsafe open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard new >= 0 else { throw SystemError(errno) }
    guard flock(new, LOCK_EX | LOCK_NB) == 0, unsafe rename(temporary, path) == 0 else {
      let problem = SystemError(errno)
      close(new)
      _ = unsafe unlink(temporary)
      throw problem
    }
    if handle >= 0 { close(handle) }
    handle = new
  }

  /// Whether nobody has taken it since, and nobody the file.
  public var isHeld: Bool {
    var own = stat()
    var present = stat()
    // Both fill in the structure given; the string lives for the call.
    guard handle >= 0, unsafe fstat(handle, &own) == 0, unsafe lstat(path, &present) == 0 else {
      return false
    }
    return own.st_ino == present.st_ino && own.st_dev == present.st_dev
  }

  /// Whether nobody has it: who had it has ended.
  public var isFree: Bool {
    // The string lives for the call.
    let other = unsafe open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard other >= 0 else { return errno == ENOENT }
    defer { close(other) }
    // Let go of with the descriptor.
    return flock(other, LOCK_EX | LOCK_NB) == 0
  }
}

/// The system's clocks, for threads that are no workers.
public enum SystemClock {
  /// Since 1970.
  public static var wallNanoseconds: Int64 { read(CLOCK_REALTIME) }
  /// As workers have it.
  public static var monotonicNanoseconds: Int64 { read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    // Fills in the structure given.
    _ = unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
