import Glibc

/// An IP address and a port.
public struct SocketAddress: Hashable, Sendable {
  /// Network order; an IPv4 address is mapped into IPv6 (`::ffff:a.b.c.d`), whatever ``isIPv4`` says.
  public var octets: SIMD16<UInt8>
  public var port: UInt16
  public var isIPv4: Bool

  /// An IPv4-mapped address is the IPv4 address that it maps: a client on a dual-stack listener
  /// is the client that it is.
  public init(octets: SIMD16<UInt8>, port: UInt16) {
    self.octets = octets
    self.port = port
    isIPv4 =
      octets.lowHalf == [0, 0, 0, 0, 0, 0, 0, 0] && octets[8] == 0 && octets[9] == 0 && octets[10] == 0xff
      && octets[11] == 0xff
  }

  /// `0.0.0.0:0`.
  public static var any: SocketAddress { SocketAddress(ipv4: 0, 0, 0, 0, port: 0) }

  public init(ipv4 a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, port: UInt16) {
    octets = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
    self.port = port
    isIPv4 = true
  }

  /// From a literal: `10.0.0.1`, `::1`, without brackets or zone; `nil` for anything else.
  public init?(ip: String, port: UInt16) {
    var v4 = in_addr()
    var v6 = in6_addr()
    // inet_pton reads the string and writes the structure given, both alive for the call.
    if unsafe inet_pton(AF_INET, ip, &v4) == 1 {
      self.init(v4, port: port)
    } else if unsafe inet_pton(AF_INET6, ip, &v6) == 1 {
      self.init(v6, port: port)
    } else {
      return nil
    }
  }

  private init(_ address: in_addr, port: UInt16) {
    let host = UInt32(bigEndian: address.s_addr)
    self.init(
      ipv4: UInt8(truncatingIfNeeded: host >> 24), UInt8(truncatingIfNeeded: host >> 16),
      UInt8(truncatingIfNeeded: host >> 8), UInt8(truncatingIfNeeded: host), port: port)
  }

  private init(_ address: in6_addr, port: UInt16) {
    var address = address
    // in6_addr is 16 plain bytes.
    let octets = unsafe withUnsafeBytes(of: &address) { unsafe $0.loadUnaligned(as: SIMD16<UInt8>.self) }
    self.init(octets: octets, port: port)
  }

  /// The address without its port, as in `10.0.0.1` or `::1`.
  public var host: String {
    var text = [UInt8]()
    appendHost { text.append($0) }
    return String(decoding: text, as: UTF8.self)
  }

  /// As written in a URL: `10.0.0.1:80`, `[::1]:80`.
  public var description: String { isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

  /// Writes ``host``, byte by byte and without allocating (RFC 5952 for IPv6).
  @inline(__always)
  func appendHost(_ append: (UInt8) -> Void) {
    if isIPv4 {
      for index in 12..<16 {
        if index > 12 { append(UInt8(ascii: ".")) }
        let octet = octets[index]
        if octet >= 100 { append(48 + octet / 100) }
        if octet >= 10 { append(48 + octet / 10 % 10) }
        append(48 + octet % 10)
      }
      return
    }
    let zeros = longestZeroRun()
    var group = 0
    while group < 8 {
      if group == zeros.lowerBound && zeros.count > 1 {
        append(UInt8(ascii: ":"))
        append(UInt8(ascii: ":"))
        group = zeros.upperBound
        continue
      }
      if group > 0 && !(group == zeros.upperBound && zeros.count > 1) { append(UInt8(ascii: ":")) }
      let value = UInt16(octets[group * 2]) << 8 | UInt16(octets[group * 2 + 1])
      var started = false
      var shift: UInt16 = 16
      while shift > 0 {
        shift -= 4
        let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
        if digit != 0 || started || shift == 0 {
          append(digit < 10 ? 48 + digit : 87 + digit)
          started = true
        }
      }
      group += 1
    }
  }

  private func longestZeroRun() -> Range<Int> {
    var best = 0..<0
    var start = 0
    for group in 0...8 {
      if group < 8 && octets[group * 2] == 0 && octets[group * 2 + 1] == 0 { continue }
      if group - start > best.count { best = start..<group }
      start = group + 1
    }
    return best
  }
}

extension SocketAddress {
  /// From what `accept` and `getsockname` write; `nil` for other families.
  init?(_ storage: sockaddr_storage) {
    var storage = storage
    switch Int32(storage.ss_family) {
    case AF_INET:
      // The family says that the storage holds a sockaddr_in, which is smaller.
      let v4 = unsafe withUnsafeBytes(of: &storage) { unsafe $0.load(as: sockaddr_in.self) }
      self.init(v4.sin_addr, port: UInt16(bigEndian: v4.sin_port))
    case AF_INET6:
      // The family says that the storage holds a sockaddr_in6, which is smaller.
      let v6 = unsafe withUnsafeBytes(of: &storage) { unsafe $0.load(as: sockaddr_in6.self) }
      self.init(v6.sin6_addr, port: UInt16(bigEndian: v6.sin6_port))
    default:
      return nil
    }
  }

  /// Calls `body` with the system's form of the address.
  func withSystemAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    if isIPv4 {
      var v4 = sockaddr_in()
      v4.sin_family = sa_family_t(AF_INET)
      v4.sin_port = port.bigEndian
      let host = (12..<16).reduce(UInt32(0)) { $0 << 8 | UInt32(octets[$1]) }
      v4.sin_addr.s_addr = host.bigEndian
      // sockaddr_in begins as every sockaddr does; the pointer lives for the call.
      return unsafe withUnsafePointer(to: &v4) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    var v6 = sockaddr_in6()
    v6.sin6_family = sa_family_t(AF_INET6)
    v6.sin6_port = port.bigEndian
    // in6_addr is 16 plain bytes.
    unsafe withUnsafeMutableBytes(of: &v6.sin6_addr) {
      unsafe $0.storeBytes(of: octets, as: SIMD16<UInt8>.self)
    }
    // sockaddr_in6 begins as every sockaddr does; the pointer lives for the call.
    return unsafe withUnsafePointer(to: &v6) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
  }
}
