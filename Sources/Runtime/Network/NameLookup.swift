import Glibc

/// Addresses of hosts by the system's own resolver, `/etc/hosts` and all, for what a worker connects to on its own
/// account. Endpoints of services are resolved by the control plane, which knows how long names hold.
public enum NameLookup {
  /// What the system says of a name that it cannot resolve.
  public struct Failure: Error, Sendable {
    public let message: String
  }

  /// Looks a name up on a thread of its own: it may take many seconds. The first eight addresses, in the order of
  /// RFC 6724; an address as text is its own answer.
  public static func addresses(
    of host: String, port: UInt16
  ) async -> Result<[SocketAddress], Failure> {
    if let address = SocketAddress(ip: host, port: port) { return .success([address]) }
    return await withCheckedContinuation { continuation in
      BackgroundThread.start(name: "names") { continuation.resume(returning: ask(host, port)) }
    }
  }

  private static let addressesMax = 8

  /// The same for a thread of its own, which it blocks for as long as the system's settings let it.
  public static func ask(_ host: String, _ port: UInt16) -> Result<[SocketAddress], Failure> {
    // A plain structure of this frame, all zero; its pointers stay nil.
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    // The strings and structures live for the call; what it allocates is freed below.
    let status = unsafe getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0 else {
      // The text is a constant of the C library's.
      return .failure(Failure(message: unsafe String(cString: gai_strerror(status))))
    }
    defer { unsafe freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = unsafe list
    // The list ends with nil, and each node's address has the length beside it.
    while let node = unsafe next, addresses.count < addressesMax {
      var storage = sockaddr_storage()
      if let address = unsafe node.pointee.ai_addr,
        unsafe Int(node.pointee.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size
      {
        unsafe withUnsafeMutableBytes(of: &storage) {
          unsafe $0.copyMemory(
            from: UnsafeRawBufferPointer(start: address, count: Int(node.pointee.ai_addrlen)))
        }
        if let found = SocketAddress(storage) { addresses.append(found) }
      }
      unsafe next = node.pointee.ai_next
    }
    if addresses.isEmpty { return .failure(Failure(message: "the name has no address")) }
    return .success(addresses)
  }
}
