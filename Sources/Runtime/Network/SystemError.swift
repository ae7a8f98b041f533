import Glibc

/// An error number of the system, with the system's own words for it.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  public let number: Int32

  public init(_ number: Int32) { self.number = number }

  public var description: String {
    // strerror's result is copied before another call can change it.
    unsafe String(cString: strerror(number))
  }

  /// The system has run out of descriptors, ports or memory: it may succeed later.
  public var isShortage: Bool {
    number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS || number == EADDRNOTAVAIL
  }

  /// There is no such file or folder.
  public var isMissing: Bool { number == ENOENT }
  /// A disk has no room left.
  public var isFull: Bool { number == ENOSPC || number == EDQUOT }
  public var isForbidden: Bool { number == EPERM }

  public static let tooManyFiles = SystemError(EMFILE)
  public static let connectionRefused = SystemError(ECONNREFUSED)
  public static let connectionReset = SystemError(ECONNRESET)
  public static let timedOut = SystemError(ETIMEDOUT)
  public static let brokenPipe = SystemError(EPIPE)
  public static let invalidArgument = SystemError(EINVAL)
}
