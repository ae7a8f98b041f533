import Glibc
import Testing

/// A UDP port that takes everything and answers nothing.
final class SilentServer: Sendable {
  let port: UInt16
  private let handle: Int32

  init() throws {
    port = try freeLocalPort()
    handle = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var address = localAddress(port: port)
    // The structure outlives the call, and has the size given.
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.bind(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(status == 0)
  }

  deinit { _ = close(handle) }

  var hasReceived: Bool {
    var descriptor = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
    // One structure, alive for the call.
    return unsafe poll(&descriptor, 1, 0) == 1
  }
}
