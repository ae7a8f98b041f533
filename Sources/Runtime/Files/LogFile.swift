import Glibc

/// A file, pipe or terminal that lines are appended to.
///
/// `@unchecked Sendable`: made by one thread and then used by one other.
public final class LogFile: @unchecked Sendable {
  /// Stands for standard output.
  public static let standardOutput = "-"

  public let path: String
  private var descriptor: Int32
  /// The last write ended within a line.
  private var endsMidLine = false
  /// Nothing was written yet to the file that is open: what is in it is somebody else's.
  private var isNew = true

  /// Between two looks at an end that is not a line's: somebody else may be in the middle of writing it.
  private static let lookNanoseconds = 20_000_000

  /// Opens for appending; the file is made, readable by owner and group, where it does not exist.
  /// A named pipe that nobody reads is an error rather than a wait.
  public init(path: String) throws(SystemError) {
    self.path = path
    descriptor = try Self.open(path)
  }

  deinit { Self.close(descriptor) }

  /// Opens the path again, after it was renamed. Where that fails the present file stays in use.
  public func reopen() throws(SystemError) {
    guard path != Self.standardOutput else { return }
    let opened = try Self.open(path)
    Self.close(descriptor)
    descriptor = opened
    endsMidLine = false
    isNew = true
  }

  /// Writes the buffer's bytes and takes them out of it as they are written.
  ///
  /// Waits while a pipe is full, asking `shouldStop` ten times a second.
  ///
  /// - Returns: the error that ended it, `timedOut` when it was stopped; nil when all is written.
  public func write(_ buffer: Buffer, shouldStop: () -> Bool) -> SystemError? {
    if isNew { lookAtEnd() }
    if endsMidLine, let error = endLine() { return error }
    while !buffer.isEmpty {
      // The pointer does not leave the call.
      let result = unsafe buffer.withBytes { unsafe put($0) }
      if result > 0 {
        endsMidLine = buffer.bytes[result - 1] != UInt8(ascii: "\n")
        buffer.consume(result)
        continue
      }
      let number = Int32(-result)
      if number == EINTR { continue }
      guard number == EAGAIN else { return SystemError(number) }
      if shouldStop() { return .timedOut }
      waitUntilWritable()
    }
    return nil
  }

  /// Looks whether the file ends within a line, as a process leaves it that is killed while it writes: the next line
  /// would be lost with it.
  private func lookAtEnd() {
    isNew = false
    guard let cutAt = cutEnd() else { return }
    var pause = timespec(tv_sec: 0, tv_nsec: Self.lookNanoseconds)
    // A local variable, alive for the call.
    unsafe nanosleep(&pause, nil)
    endsMidLine = cutEnd() == cutAt
  }

  /// The size of a file that ends within a line; nil for all others.
  private func cutEnd() -> Int64? {
    var information = stat()
    // fstat fills in the structure given.
    guard unsafe fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG,
      information.st_size > 0
    else { return nil }
    // The same file, whatever its path stands for by now. The string lives for the call.
    let reader = unsafe Glibc.open("/proc/self/fd/\(descriptor)", O_RDONLY | O_CLOEXEC)
    guard reader >= 0 else { return nil }
    defer { _ = Glibc.close(reader) }
    var last = UInt8(ascii: "\n")
    // One byte into a local variable.
    guard unsafe pread(reader, &last, 1, information.st_size - 1) == 1 else { return nil }
    return last == UInt8(ascii: "\n") ? nil : Int64(information.st_size)
  }

  /// Ends a line that an earlier error cut, so that the next one starts at a line's begin.
  private func endLine() -> SystemError? {
    var newline = UInt8(ascii: "\n")
    // One byte of a local variable.
    guard unsafe Glibc.write(descriptor, &newline, 1) == 1 else { return SystemError(errno) }
    endsMidLine = false
    return nil
  }

  /// Bytes written or the negative of an error number.
  private func put(_ bytes: UnsafeRawBufferPointer) -> Int {
    // The caller's bytes are valid for the call.
    let written = unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    if written > 0 { return written }
    return written == 0 ? -Int(EIO) : -Int(errno)
  }

  private func waitUntilWritable() {
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    // One entry, alive for the call.
    _ = unsafe Glibc.poll(&entry, 1, 100)
  }

  private static func open(_ path: String) throws(SystemError) -> Int32 {
    if path == standardOutput { return STDOUT_FILENO }
    // Non-blocking matters for pipes only; regular files ignore it.
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK
    // The string lives for the call.
    let descriptor = unsafe Glibc.open(path, flags, 0o640)
    if descriptor < 0 { throw SystemError(errno) }
    return descriptor
  }

  private static func close(_ descriptor: Int32) {
    if descriptor != STDOUT_FILENO { _ = Glibc.close(descriptor) }
  }
}
