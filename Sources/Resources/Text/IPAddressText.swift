/// IP addresses and networks in text form.
enum IPAddressText {
  /// 16 bytes in network order; an IPv4 address is mapped (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2).
  static func parse(_ text: String) -> [UInt8]? {
    let bytes = Array(text.utf8)
    if let address = ipv4(bytes[...]) { return mappedPrefix + address }
    return ipv6(bytes)
  }

  static func isIPv4(_ text: String) -> Bool { ipv4(Array(text.utf8)[...]) != nil }

  private static let mappedPrefix: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF]

  /// Four decimal numbers without leading zeros, which some parsers read as octal (RFC 6943 §3.1.1).
  private static func ipv4(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    let parts = bytes.split(separator: 0x2E, omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: [UInt8] = []
    for part in parts {
      guard part.count <= 3, part.count == 1 || part.first != 0x30 else { return nil }
      guard let number = decimal(part), let byte = UInt8(exactly: number) else { return nil }
      address.append(byte)
    }
    return address
  }

  /// RFC 4291 §2.2; zones are refused, they mean something on one machine only.
  private static func ipv6(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count <= 45 else { return nil }
    guard let gap = firstGap(bytes) else {
      guard let groups = groups(bytes[...]), groups.count == 16 else { return nil }
      return groups
    }
    guard let head = groups(bytes[..<gap], isHead: true), let tail = groups(bytes[(gap + 2)...]) else {
      return nil
    }
    // `::` stands for at least one group of zeros.
    guard head.count + tail.count <= 14 else { return nil }
    return head + Array(repeating: 0, count: 16 - head.count - tail.count) + tail
  }

  private static func firstGap(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 2 else { return nil }
    return (0..<(bytes.count - 1)).first { bytes[$0] == 0x3A && bytes[$0 + 1] == 0x3A }
  }

  /// Groups of up to four hexadecimal digits; the last may be an IPv4 address where the text ends.
  private static func groups(_ bytes: ArraySlice<UInt8>, isHead: Bool = false) -> [UInt8]? {
    guard !bytes.isEmpty else { return [] }
    let parts = bytes.split(separator: 0x3A, omittingEmptySubsequences: false)
    var address: [UInt8] = []
    for (index, part) in parts.enumerated() {
      if !isHead, index == parts.count - 1, let last = ipv4(part) {
        address += last
        continue
      }
      guard (1...4).contains(part.count) else { return nil }
      var group: UInt16 = 0
      for byte in part {
        guard let digit = hexadecimalValue(byte) else { return nil }
        group = group << 4 | UInt16(digit)
      }
      address += [UInt8(group >> 8), UInt8(group & 0xFF)]
    }
    return address.count <= 16 ? address : nil
  }
}

func hexadecimalValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x37
  case 0x61...0x66: byte - 0x57
  default: nil
  }
}

extension Network {
  /// Why a text is not a network.
  enum Failure: Error, Equatable {
    case malformed
    /// Bits after the prefix are set; `right` has them cleared.
    case hostBits(right: String)
  }

  /// `10.0.0.0/8`, `2001:db8::/32`, or an address alone.
  static func parse(_ text: String) throws(Failure) -> Network {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let address = IPAddressText.parse(parts[0]) else { throw .malformed }
    let offset = IPAddressText.isIPv4(parts[0]) ? 96 : 0
    var bits = 128
    if parts.count == 2 {
      guard let written = decimal(Array(parts[1].utf8)[...]), written <= 128 - offset else {
        throw .malformed
      }
      bits = Int(written) + offset
    }
    let masked = address.indices.map { index -> UInt8 in
      let kept = min(max(bits - index * 8, 0), 8)
      return address[index] & ~UInt8(truncatingIfNeeded: 0xFF >> kept)
    }
    guard masked == address else {
      throw .hostBits(right: "\(written(masked, isIPv4: offset == 96))/\(bits - offset)")
    }
    return Network(address: address, prefixBits: bits, text: text)
  }

  private static func written(_ address: [UInt8], isIPv4: Bool) -> String {
    if isIPv4 { return address[12...].map(String.init).joined(separator: ".") }
    var groups = (0..<8).map { UInt16(address[$0 * 2]) << 8 | UInt16(address[$0 * 2 + 1]) }
    // A masked address ends in zeros; that run is what `::` replaces.
    var dropped = 0
    while groups.last == 0 {
      groups.removeLast()
      dropped += 1
    }
    let kept = groups.map { String($0, radix: 16) }.joined(separator: ":")
    return dropped == 0 ? kept : dropped == 1 ? kept + ":0" : kept + "::"
  }
}
