import Glibc

/// What a non-blocking call answered: bytes moved, would block, or an error.
public struct IOResult: Sendable {
  /// Bytes, or the negative of an error number.
  @usableFromInline let code: Int

  @inlinable
  public init(code: Int) { self.code = code }

  public static let wouldBlock = IOResult(code: -Int(EAGAIN))

  public static func failed(_ error: SystemError) -> IOResult { IOResult(code: -Int(error.number)) }

  /// Bytes moved; negative when nothing was.
  @inlinable public var bytes: Int { code }
  @inlinable public var isWouldBlock: Bool { code == -Int(EAGAIN) }
  @inlinable public var isError: Bool { code < 0 && code != -Int(EAGAIN) }
  public var error: SystemError { SystemError(Int32(-code)) }
}

/// What a socket is ready for, or waited for.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt8
  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let readable = Readiness(rawValue: 1)
  public static let writable = Readiness(rawValue: 2)
  /// The peer will send no more, or the connection has failed.
  public static let peerClosed = Readiness(rawValue: 4)
}

/// One socket's news, as the poller reports it.
public struct ReadyEvent: Sendable {
  public var handle: Int32
  public var readiness: Readiness
  @inlinable
  public init(handle: Int32, readiness: Readiness) {
    self.handle = handle
    self.readiness = readiness
  }
}
