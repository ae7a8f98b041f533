import Glibc

/// Reads whole files, and tells whether they may have changed. Blocks: not for workers. From any thread.
public enum FileContent {
  /// 64 MiB: ten times what 100,000 routes take. More is a mistake in the path.
  public static let bytesMax = 64 << 20

  /// The file's bytes. Throws `EFBIG` above `bytesMax` and `EINVAL` for what is not a file.
  public static func read(_ path: String, bytesMax: Int = bytesMax) throws(SystemError) -> [UInt8] {
    // Without O_NONBLOCK the opening of a pipe would wait for a writer.
    let handle = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard handle >= 0 else { throw SystemError(errno) }
    defer { _ = close(handle) }
    var information = stat()
    // fstat fills in the structure given.
    guard unsafe fstat(handle, &information) == 0 else { throw SystemError(errno) }
    switch information.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw SystemError(EISDIR)
    default: throw SystemError(EINVAL)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(Int(information.st_size), bytesMax))
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      // At most the array's length is written into it, during the call.
      let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(handle, $0.baseAddress!, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError(errno)
      }
      if count == 0 { return bytes }
      guard bytes.count + count <= bytesMax else { throw SystemError(EFBIG) }
      bytes.append(contentsOf: chunk[..<count])
    }
  }

  /// A number that differs between differing contents; holds within this process only.
  public static func hash(_ bytes: [UInt8]) -> Int {
    var hasher = Hasher()
    // The bytes are read during the call.
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    return hasher.finalize()
  }
}

/// What `stat` says about a file: if it is the same as before, the file need not be read.
public struct FileSignature: Equatable, Sendable {
  private var device: UInt64
  private var inode: UInt64
  private var size: Int64
  private var modifiedSeconds: Int, modifiedNanoseconds: Int
  private var changedSeconds: Int, changedNanoseconds: Int

  /// `nil` when there is no file, or it cannot be looked at.
  public init?(path: String) {
    var information = stat()
    // stat reads the string and fills in the structure, during the call.
    guard unsafe stat(path, &information) == 0 else { return nil }
    device = UInt64(information.st_dev)
    inode = UInt64(information.st_ino)
    size = Int64(information.st_size)
    modifiedSeconds = information.st_mtim.tv_sec
    modifiedNanoseconds = information.st_mtim.tv_nsec
    changedSeconds = information.st_ctim.tv_sec
    changedNanoseconds = information.st_ctim.tv_nsec
  }
}
