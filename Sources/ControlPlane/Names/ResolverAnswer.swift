import CCares
import Glibc
import Runtime

/// The addresses and the TTL that c-ares found.
struct ResolverAnswer {
  var addresses: [SocketAddress] = []
  /// In seconds.
  var timeToLive = Int.max

  /// Copies what it needs; `information` is valid for the call.
  init(_ information: UnsafeMutablePointer<ares_addrinfo>) {
    var found: Set<SocketAddress> = []
    var unroutable: Set<SocketAddress> = []
    // Both lists are c-ares's own and end with nil.
    var node = unsafe information.pointee.nodes
    while let present = unsafe node {
      timeToLive = min(timeToLive, unsafe Int(present.pointee.ai_ttl))
      if let address = unsafe SocketAddress(present.pointee), address.canBeConnectedTo {
        if unsafe Self.isRoutable(present.pointee) {
          found.insert(address)
        } else {
          unroutable.insert(address)
        }
      }
      unsafe node = present.pointee.ai_next
    }
    var alias = unsafe information.pointee.cnames
    while let present = unsafe alias {
      // A name without an alias is listed as one with a TTL of 0.
      if unsafe present.pointee.alias != nil { timeToLive = min(timeToLive, unsafe Int(present.pointee.ttl)) }
      unsafe alias = present.pointee.next
    }
    timeToLive = max(0, timeToLive)
    let usable = found.isEmpty ? unroutable : found
    addresses = Array(usable.sorted { $0.precedes($1) }.prefix(ResolverLoop.addressesMax))
  }

  /// Whether this host has a way to an address. Most have none for IPv6, and an endpoint that
  /// cannot be reached would be tried again and again. Connecting a UDP socket sends nothing.
  private static func isRoutable(_ node: ares_addrinfo_node) -> Bool {
    let handle = socket(unsafe node.ai_family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard handle >= 0 else { return errno != EAFNOSUPPORT }
    defer { _ = close(handle) }
    // The kernel reads ai_addrlen bytes at ai_addr, as c-ares allocated them.
    if unsafe connect(handle, node.ai_addr, node.ai_addrlen) == 0 { return true }
    switch errno {
    case ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT: return false
    default: return true
    }
  }
}

extension SocketAddress {
  /// False for addresses of which nobody is a host (RFC 6890): "this network", which the system would take
  /// for its own loopback and filtering resolvers answer with, multicast, and the limited broadcast. Private
  /// and loopback addresses are what many endpoints have.
  fileprivate var canBeConnectedTo: Bool {
    guard isIPv4 else { return octets != SIMD16(repeating: 0) && octets[0] != 0xff }
    let isBroadcast = (12..<16).allSatisfy { octets[$0] == 255 }
    return octets[12] != 0 && !(224...239).contains(octets[12]) && !isBroadcast
  }

  /// With port 0; `nil` for families other than IPv4 and IPv6.
  fileprivate init?(_ node: ares_addrinfo_node) {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let length = socklen_t(text.count)
    switch unsafe node.ai_family {
    case AF_INET:
      // The family says that a sockaddr_in is there; its text fits the array.
      unsafe node.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        _ = unsafe inet_ntop(AF_INET, &$0.pointee.sin_addr, &text, length)
      }
    case AF_INET6:
      // The family says that a sockaddr_in6 is there; its text fits the array.
      unsafe node.ai_addr.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
        _ = unsafe inet_ntop(AF_INET6, &$0.pointee.sin6_addr, &text, length)
      }
    default:
      return nil
    }
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    self.init(ip: String(decoding: bytes, as: UTF8.self), port: 0)
  }
}

extension ResolverError {
  /// From a status of c-ares, with its own words.
  init(status: Int32) {
    let reason: Reason =
      switch status {
      case ARES_ENOTFOUND: .notFound
      case ARES_ENODATA: .noAddress
      case ARES_ETIMEOUT: .timedOut
      case ARES_ESERVFAIL, ARES_EREFUSED, ARES_ECONNREFUSED, ARES_EBADRESP,
        ARES_ENOTIMP, ARES_EFORMERR:
        .serverFailure
      case ARES_EBADNAME, ARES_EBADSTR: .invalidName
      case ARES_ECANCELLED, ARES_EDESTRUCTION: .cancelled
      default: .other
      }
    // The text is a constant of c-ares.
    self.init(reason, unsafe String(cString: ares_strerror(status)))
  }
}
