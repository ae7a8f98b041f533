import Foundation
import NIOCore
import NIOPosix

/// Makes sentences of what the system says about connections.
enum ConnectFailure {
  static func explain(_ error: any Error, to address: AdminAddress, within time: Duration) -> ClientFailure {
    switch error {
    case let error as NIOConnectionError:
      if error.dnsAError != nil || error.dnsAAAAError != nil, error.connectionErrors.isEmpty {
        return .unreachable(address, reason: "the name cannot be resolved", isRefused: false)
      }
      // All addresses of a name failed; the last is as good as any.
      guard let last = error.connectionErrors.last?.error else { break }
      return explain(last, to: address, within: time)
    case let error as IOError:
      return .unreachable(address, reason: text(error), isRefused: error.errnoCode == ECONNREFUSED)
    case is ChannelError:
      if case .connectTimeout = error as? ChannelError {
        let reason = "no answer within \(time.components.seconds) s"
        return .unreachable(address, reason: reason, isRefused: false)
      }
    default: break
    }
    return .unreachable(address, reason: "\(error)", isRefused: false)
  }

  /// `Connection refused`.
  static func text(_ error: IOError) -> String {
    unsafe String(cString: strerror(error.errnoCode))  // static text, copied at once
  }
}
