import Glibc
import Synchronization

/// Below the ports that systems give to outgoing connections, which could take one meanwhile.
private let candidates: Range<UInt16> = 10_240..<16_000
private let given = Mutex<Set<UInt16>>([])

/// A port of 127.0.0.1 that nobody listens on, for TCP and UDP; each is given once.
func freeLocalPort() throws -> UInt16 {
  for _ in 0..<200 {
    let port = UInt16.random(in: candidates)
    guard given.withLock({ $0.insert(port).inserted }) else { continue }
    if canBind(SOCK_STREAM, port: port), canBind(SOCK_DGRAM, port: port) { return port }
  }
  throw NoFreePort()
}

struct NoFreePort: Error {}

private func canBind(_ type: __socket_type, port: UInt16) -> Bool {
  let handle = socket(AF_INET, Int32(type.rawValue), 0)
  defer { _ = close(handle) }
  var address = localAddress(port: port)
  // The structure outlives the call, and has the size given.
  return unsafe withUnsafePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe bind(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}

/// Whether somebody accepts connections.
func canConnect(port: UInt16) -> Bool {
  let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { _ = close(handle) }
  var address = localAddress(port: port)
  // The structure outlives the call, and has the size given.
  return unsafe withUnsafePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe connect(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}

func localAddress(port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}
