import Glibc
import Testing

/// A port of 127.0.0.1 that nobody listens on, for TCP and UDP.
func freeLocalPort() throws -> UInt16 {
  for _ in 0..<50 {
    let port = try #require(bind(SOCK_STREAM, port: 0))
    if bind(SOCK_DGRAM, port: port) != nil { return port }
  }
  throw NoFreePort()
}

struct NoFreePort: Error {}

/// Binds a socket, closes it again and returns its port.
private func bind(_ type: __socket_type, port: UInt16) -> UInt16? {
  let handle = socket(AF_INET, Int32(type.rawValue), 0)
  defer { _ = close(handle) }
  var address = localAddress(port: port)
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  // The structure outlives the calls, and has the size given.
  let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe Glibc.bind(handle, $0, length) == 0 ? getsockname(handle, $0, &length) : -1
    }
  }
  return status == 0 ? UInt16(bigEndian: address.sin_port) : nil
}

func localAddress(port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}
