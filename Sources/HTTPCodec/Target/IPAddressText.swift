/// Reads textual IP addresses from spans, strictly: what `inet_pton` reads, and nothing else.
enum IPAddressText {
  static func isIPv6(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
    parseIPv6(bytes, range) != nil
  }

  /// Four decimal numbers without leading zeros (RFC 3986 §3.2.2), as an IPv4-mapped address.
  static func parseIPv4(_ bytes: Span<UInt8>, _ range: ByteRange) -> IPAddressBytes? {
    guard let octets = octets(bytes, range) else { return nil }
    return .mapped(octets)
  }

  /// An IPv6 address in any form of RFC 4291 §2.2, without a zone.
  static func parseIPv6(_ bytes: Span<UInt8>, _ range: ByteRange) -> IPAddressBytes? {
    var before: InlineArray<8, UInt16> = .init(repeating: 0)
    var count = 0
    var gap: Int?
    var position = Int(range.start)
    let end = range.end
    if position &+ 1 < end, bytes[position] == ASCII.colon {
      guard bytes[position &+ 1] == ASCII.colon else { return nil }
      gap = 0
      position &+= 2
    }
    var needsGroup = gap == nil
    while position < end {
      guard count < 8 else { return nil }
      let groupEnd = bytes.index(of: ASCII.colon, from: position, to: end)
      let group = ByteRange(start: position, count: groupEnd &- position)
      if groupEnd == end, let quad = octets(bytes, group) {
        guard count <= 6 else { return nil }
        before[count] = UInt16(quad >> 16)
        before[count &+ 1] = UInt16(truncatingIfNeeded: quad)
        count &+= 2
        needsGroup = false
        break
      }
      guard group.count <= 4, let value = bytes.hexadecimal(in: group) else { return nil }
      before[count] = UInt16(truncatingIfNeeded: value)
      count &+= 1
      needsGroup = false
      position = groupEnd
      guard position < end else { break }
      position &+= 1
      needsGroup = true
      if position < end, bytes[position] == ASCII.colon {
        guard gap == nil else { return nil }
        gap = count
        position &+= 1
        needsGroup = false
      }
    }
    guard !needsGroup else { return nil }
    return expand(before, count: count, gap: gap)
  }

  /// Puts the zeros of `::` where they belong.
  private static func expand(_ groups: InlineArray<8, UInt16>, count: Int, gap: Int?) -> IPAddressBytes? {
    // "::" stands for at least one group.
    guard gap == nil ? count == 8 : count < 8 else { return nil }
    var address = IPAddressBytes(repeating: 0)
    for index in 0..<count {
      let target = index < (gap ?? 8) ? index : index &+ 8 &- count
      address[target &* 2] = UInt8(groups[index] >> 8)
      address[target &* 2 &+ 1] = UInt8(truncatingIfNeeded: groups[index])
    }
    return address
  }

  private static func octets(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt32? {
    var address: UInt32 = 0
    var position = Int(range.start)
    for index in 0..<4 {
      let end = index == 3 ? range.end : bytes.index(of: ASCII.dot, from: position, to: range.end)
      let digits = ByteRange(start: position, count: max(0, end &- position))
      guard digits.count <= 3, let octet = bytes.decimal(in: digits), octet <= 255,
        digits.count == 1 || bytes[position] != ASCII.zero
      else { return nil }
      address = address << 8 | UInt32(octet)
      position = end &+ 1
    }
    return address
  }
}

/// An IP address in network byte order; IPv4 as an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2).
public typealias IPAddressBytes = InlineArray<16, UInt8>

extension InlineArray where Element == UInt8, count == 16 {
  /// The IPv4-mapped form of an IPv4 address.
  static func mapped(_ address: UInt32) -> IPAddressBytes {
    var bytes = IPAddressBytes(repeating: 0)
    bytes[10] = 0xFF
    bytes[11] = 0xFF
    for index in 0..<4 {
      bytes[12 &+ index] = UInt8(truncatingIfNeeded: address >> UInt32(24 &- index &* 8))
    }
    return bytes
  }
}
