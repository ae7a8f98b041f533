import Glibc

/// Asks the system for the addresses of a name (getaddrinfo(3)). Blocks, for as long as the system's settings let it:
/// for threads of their own.
public enum NameLookup {
  /// Addresses that are used at most.
  private static let addressesMax = 8

  /// In the system's order; none where the name is not known.
  public static func addresses(of name: String, port: UInt16) -> [SocketAddress] {
    // A structure of C's; what it points to stays empty.
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    // The strings live through the call; the list is freed below.
    guard unsafe getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
    defer { unsafe freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var entry = unsafe list
    while let current = unsafe entry, found.count < addressesMax {
      if let address = unsafe address(current.pointee.ai_addr, port), !found.contains(address) {
        found.append(address)
      }
      unsafe entry = current.pointee.ai_next
    }
    return found
  }

  @unsafe
  private static func address(_ pointer: UnsafeMutablePointer<sockaddr>?, _ port: UInt16) -> SocketAddress? {
    guard let pointer = unsafe pointer else { return nil }
    // The family says which structure it is; both are longer than the text.
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let size: socklen_t
    switch unsafe Int32(pointer.pointee.sa_family) {
    case AF_INET: size = socklen_t(MemoryLayout<sockaddr_in>.size)
    case AF_INET6: size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    default: return nil
    }
    guard
      unsafe getnameinfo(pointer, size, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
    else { return nil }
    let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return SocketAddress(ip: text, port: port)
  }
}
