import CLinux
import Glibc
import Synchronization

/// A program that this process has started.
public final class ChildProcess: Sendable {
  /// How it ended.
  public enum End: Equatable, Sendable, CustomStringConvertible {
    case exited(status: Int32)
    case killed(signal: Int32)

    public var description: String {
      switch self {
      case .exited(let status): "it exited with status \(status)"
      case .killed(let signal): "signal \(signal) ended it"
      }
    }
  }

  /// The descriptor by which the program finds its end of a ``DescriptorChannel``.
  public static let channelHandle: Int32 = 3

  public let identifier: Int32

  /// Starts a program. It gets the standard descriptors, and ``channelHandle``; no other descriptor of this
  /// process, no blocked signal, and each signal's default action.
  ///
  /// - Parameters:
  ///   - path: a name without a slash is looked for in PATH.
  ///   - arguments: the first is the program's own name.
  ///   - environment: entries of the form `NAME=value`, and no others.
  ///   - channel: the program's end; this process has no use for it any more.
  public init(
    path: String, arguments: [String], environment: [String], channel: DescriptorChannel
  ) throws(SystemError) {
    let identifier = Mutex<Int32>(0)
    ControlThreads.withoutGivingWay {
      let started = Self.spawn(path, arguments, environment, channel)
      identifier.withLock { $0 = started }
    }
    self.identifier = identifier.withLock(\.self)
    if self.identifier < 0 { throw SystemError(-self.identifier) }
  }

  /// - Returns: its identifier, or -errno.
  private static func spawn(
    _ path: String, _ arguments: [String], _ environment: [String], _ channel: DescriptorChannel
  ) -> Int32 {
    // The copies are freed below; the call reads them before it returns.
    let argumentCopies = unsafe arguments.map { unsafe strdup($0) } + [nil]
    let environmentCopies = unsafe environment.map { unsafe strdup($0) } + [nil]
    defer {
      for index in unsafe argumentCopies.indices { unsafe free(argumentCopies[index]) }
      for index in unsafe environmentCopies.indices { unsafe free(environmentCopies[index]) }
    }
    return unsafe penstock_spawn(path, argumentCopies, environmentCopies, channel.handle)
  }

  /// Ends it without asking. To be called before its end was taken note of only.
  public func kill() { _ = Glibc.kill(identifier, SIGKILL) }

  /// Takes note of its end, once; blocks until then.
  public func waitForEnd() -> End? {
    var status: Int32 = 0
    // Writes the one number.
    return unsafe penstock_reap(identifier, 1, &status) == 1 ? Self.end(status) : nil
  }

  /// Its end, once, if it has come.
  public func endIfEnded() -> End? {
    var status: Int32 = 0
    // Writes the one number.
    return unsafe penstock_reap(identifier, 0, &status) == 1 ? Self.end(status) : nil
  }

  private static func end(_ status: Int32) -> End {
    status < 0 ? .killed(signal: -status) : .exited(status: status)
  }

  /// The environment of this process, in the form that ``init(path:arguments:environment:channel:)`` takes.
  public static func ownEnvironment() -> [String] {
    var entries: [String] = []
    var position = unsafe environ
    // environ ends with a null pointer, and nothing in this process changes it.
    while let entry = unsafe position.pointee {
      entries.append(unsafe String(cString: entry))
      unsafe position += 1
    }
    return entries
  }

  public static var ownIdentifier: Int32 { getpid() }
}
