import CLinux
import Glibc

/// Whether an address can be listened on.
public enum AddressProbe {
  /// Workers share an address (`SO_REUSEPORT`), and the system would let another process of the
  /// same user share it as well and take part of the traffic. A bind without that option does not
  /// share: it fails when anybody listens there.
  ///
  /// - Returns: why not; `nil` when the address is free. From any thread.
  public static func problem(with address: SocketAddress) -> SystemError? {
    let handle = penstock_tcp_socket(address.isIPv4 ? AF_INET : AF_INET6)
    if handle < 0 { return SystemError(-handle) }
    defer { _ = close(handle) }
    _ = penstock_set_option(handle, SOL_SOCKET, SO_REUSEADDR, 1)
    // bind reads the address during the call only.
    let status = unsafe address.withSystemAddress { unsafe bind(handle, $0, $1) }
    return status == 0 ? nil : SystemError(errno)
  }
}
