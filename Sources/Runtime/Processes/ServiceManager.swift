import CLinux
import Glibc

/// Tells the service manager what the process does (sd_notify(3)): systemd, or whatever else sets
/// `NOTIFY_SOCKET`.
public struct ServiceManager: Sendable {
  /// Says to whom the watchdog's period applies. Not for a process that takes the place of another.
  public static let watchdogVariable = "WATCHDOG_PID"

  private let path: String?
  /// How long the service manager waits for ``News/alive`` before it takes the process for stuck; nil where
  /// it does not (sd_watchdog_enabled(3)).
  public let watchdogPeriod: Duration?

  /// - Parameters:
  ///   - environment: entries of the form `NAME=value`. Without `NOTIFY_SOCKET` nobody is told.
  ///   - identifier: of the process that would tell.
  public init(environment: [String], identifier: Int32 = ChildProcess.ownIdentifier) {
    func value(_ name: String) -> String? {
      environment.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
    path = value("NOTIFY_SOCKET")
    let isMeant = value(Self.watchdogVariable).map { Int32($0) == identifier } ?? true
    let microseconds = value("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
    watchdogPeriod = path != nil && isMeant && microseconds > 0 ? .microseconds(microseconds) : nil
  }

  /// What can be said.
  public enum News: Equatable, Sendable {
    /// The start is complete.
    case ready
    /// The process drains, and will end.
    case stopping
    /// The process does what it is there for; to be said within each period of the watchdog.
    case alive
    /// Another process is the service from now on.
    case successor(identifier: Int32)

    var text: String {
      switch self {
      case .ready: "READY=1"
      case .stopping: "STOPPING=1"
      case .alive: "WATCHDOG=1"
      case .successor(let identifier): "MAINPID=\(identifier)"
      }
    }
  }

  /// Never blocks.
  ///
  /// - Throws: where nobody could be told, though somebody wants to know.
  public func tell(_ news: News) throws(SystemError) {
    guard let path else { return }
    let text = Array(news.text.utf8)
    // Path and text are read during the call only.
    let status = unsafe penstock_send_datagram(path, text, text.count)
    if status < 0 { throw SystemError(-status) }
  }
}
