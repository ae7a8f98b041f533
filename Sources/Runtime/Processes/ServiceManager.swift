import CLinux
import Glibc

/// Tells the service manager what the process does (sd_notify(3)): systemd, or whatever else sets
/// `NOTIFY_SOCKET`.
public struct ServiceManager: Sendable {
  private let path: String?

  /// - Parameter environment: entries of the form `NAME=value`. Without `NOTIFY_SOCKET` nobody is told.
  public init(environment: [String]) {
    let name = "NOTIFY_SOCKET="
    path = environment.first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
  }

  /// What can be said.
  public enum News: Equatable, Sendable {
    /// The start is complete.
    case ready
    /// The process drains, and will end.
    case stopping
    /// Another process is the service from now on.
    case successor(identifier: Int32)

    var text: String {
      switch self {
      case .ready: "READY=1"
      case .stopping: "STOPPING=1"
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
