import HTTPCodec

/// Fields that tell an endpoint who calls, by Kong's names. Where there are consumers, clients cannot send them.
public enum ConsumerFields {
  /// Without a prefix in common, in lower case.
  private static let others = ["x-credential-identifier", "x-anonymous-consumer", "x-authenticated-groups"]
    .map { Array($0.utf8) }
  /// Those that the gateway writes.
  static let all =
    others + ["x-consumer-username", "x-consumer-custom-id", "x-consumer-groups"].map { Array($0.utf8) }
  private static let prefix = Array("x-consumer-".utf8)

  /// Whether a name is one of them; `_` counts as `-`, since some servers read both alike.
  static func isOne(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    guard name.range.count > prefix.count, bytes[Int(name.start)].asciiLowercased == UInt8(ascii: "x") else {
      return false
    }
    if begins(name, in: bytes, with: prefix) { return true }
    for other in others where other.count == name.range.count && begins(name, in: bytes, with: other) {
      return true
    }
    return false
  }

  private static func begins(_ name: ByteRange, in bytes: Span<UInt8>, with text: [UInt8]) -> Bool {
    for offset in text.indices {
      let byte = bytes[Int(name.start) + offset].asciiLowercased
      guard byte == text[offset] || byte == UInt8(ascii: "_") && text[offset] == UInt8(ascii: "-") else {
        return false
      }
    }
    return true
  }
}
