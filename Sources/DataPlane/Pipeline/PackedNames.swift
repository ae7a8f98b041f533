import HTTPCodec

/// Names of fields in lower case, one behind the other, each behind its length in one byte.
enum PackedNames {
  /// One of 64 for a name. `_` counts as `-`.
  @inline(__always) static func bit(count: Int, last: UInt8) -> UInt64 {
    let last = last == UInt8(ascii: "_") ? UInt8(ascii: "-") : last.asciiLowercased
    return 1 << UInt64((count &* 7 &+ Int(last)) & 63)
  }

  /// - name: Not empty.
  @inline(__always) static func bit(of name: ByteRange, in bytes: Span<UInt8>) -> UInt64 {
    bit(count: Int(name.count), last: bytes[name.end &- 1])
  }

  /// Whether a name is one of them, in any case.
  static func contains(_ name: ByteRange, in bytes: Span<UInt8>, names: Span<UInt8>) -> Bool {
    isOne(name, in: bytes, of: names, readsUnderscores: false)
  }

  /// Whether some servers take the name for one of them: they read `_` as `-`.
  static func mayMean(_ name: ByteRange, in bytes: Span<UInt8>, names: Span<UInt8>) -> Bool {
    isOne(name, in: bytes, of: names, readsUnderscores: true)
  }

  @inline(__always)
  private static func isOne(
    _ name: ByteRange, in bytes: Span<UInt8>, of names: Span<UInt8>, readsUnderscores: Bool
  ) -> Bool {
    let sought = bytes.extracting(name.range)
    var position = 0
    while position < names.count {
      let start = position &+ 1
      let end = start &+ Int(names[position])
      if end &- start == sought.count,
        isSame(sought, names.extracting(start..<end), readsUnderscores: readsUnderscores)
      {
        return true
      }
      position = end
    }
    return false
  }

  @inline(__always)
  private static func isSame(
    _ name: Span<UInt8>, _ other: Span<UInt8>, readsUnderscores: Bool
  ) -> Bool {
    for index in name.indices {
      let byte = name[index].asciiLowercased
      if byte == other[index] { continue }
      guard readsUnderscores, byte == UInt8(ascii: "_"), other[index] == UInt8(ascii: "-") else {
        return false
      }
    }
    return true
  }
}
