/// Names of hosts as certificates and SNI write them.
enum HostName {
  /// Octets of a name at most (RFC 1035 §2.3.4, without the root's).
  static let bytesMax = 253

  /// The lower-case form of an exact name or a wildcard; nil for what is neither.
  ///
  /// A wildcard stands for the whole first label, and for one label (RFC 9525 §6.3); there must be two
  /// labels at least behind it, so that nobody has a certificate for `*.com`.
  static func pattern(_ text: String) -> String? {
    var name = text.lowercased()
    if name.hasSuffix(".") { name.removeLast() }
    if name.utf8.count > bytesMax { return nil }
    let labels = name.split(separator: ".", omittingEmptySubsequences: false)
    if labels.first == "*" {
      guard labels.count >= 3, labels.dropFirst().allSatisfy(isLabel) else { return nil }
    } else {
      guard labels.allSatisfy(isLabel), !isAddress(labels) else { return nil }
    }
    return name
  }

  /// Underscores are no part of host names, but of names that are in use.
  private static func isLabel(_ label: Substring) -> Bool {
    (1...63).contains(label.utf8.count) && label.utf8.allSatisfy { isNameByte($0) }
      && label.first != "-" && label.last != "-"
  }

  /// SNI does not carry addresses (RFC 6066 §3).
  private static func isAddress(_ labels: [Substring]) -> Bool {
    labels.count == 4 && labels.allSatisfy { $0.utf8.allSatisfy { (48...57).contains($0) } }
  }

  @inline(__always)
  static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  @inline(__always)
  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  /// Whether a name that a client asked for can be looked up.
  static func isName(_ bytes: Span<UInt8>) -> Bool {
    guard bytes.count > 0 && bytes.count <= bytesMax else { return false }
    for index in bytes.indices where !isNameByte(bytes[index]) && bytes[index] != UInt8(ascii: ".") {
      return false
    }
    return true
  }

  /// Whether `host`, of any case, is what `pattern` says.
  static func matches(_ pattern: Span<UInt8>, _ host: Span<UInt8>) -> Bool {
    guard pattern.count > 0 && pattern[0] == UInt8(ascii: "*") else { return isSame(pattern, host, from: 0) }
    guard let dot = firstDot(host) else { return false }
    return isSame(pattern.extracting(1..<pattern.count), host, from: dot)
  }

  /// Where the first label ends; nil where it is empty or the only one.
  static func firstDot(_ host: Span<UInt8>) -> Int? {
    for index in host.indices where host[index] == UInt8(ascii: ".") { return index > 0 ? index : nil }
    return nil
  }

  /// Whether `host` from `start` on is `name`, which is in lower case.
  static func isSame(_ name: Span<UInt8>, _ host: Span<UInt8>, from start: Int) -> Bool {
    guard name.count == host.count - start else { return false }
    for index in name.indices where name[index] != lowercased(host[start + index]) { return false }
    return true
  }
}
