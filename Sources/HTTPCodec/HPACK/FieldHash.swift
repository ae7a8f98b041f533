/// Hashes of field names and values, by which an encoder finds entries of its table.
///
/// Not keyed: who makes hashes collide only makes an encoder forget, for no entry is searched for
/// beyond its one place.
enum FieldHash {
  private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15

  @inline(__always)
  private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    let product = (hash ^ word).multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }

  /// The hash of a name, whatever its case. Names that differ in bit 5 of other bytes hash alike.
  @inline(__always)
  static func name(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt64 {
    hash(bytes, range, seed: factor, setting: Word.bit5)
  }

  /// The hash of a field, from that of its name and its value.
  @inline(__always)
  static func field(name: UInt64, _ bytes: Span<UInt8>, value: ByteRange) -> UInt64 {
    hash(bytes, value, seed: name, setting: 0)
  }

  @inline(__always)
  private static func hash(
    _ bytes: Span<UInt8>, _ range: ByteRange, seed: UInt64, setting bits: UInt64
  ) -> UInt64 {
    var hash = mix(seed, UInt64(range.count) &+ 1)
    var position = Int(range.start)
    var left = Int(range.count)
    while left > 0 {
      hash = mix(hash, bytes.word(at: position, count: left) | bits)
      position &+= 8
      left &-= 8
    }
    return hash
  }
}

extension Span where Element == UInt8 {
  /// Whether a range holds the same bytes as a run of another span.
  @inline(__always)
  func equals(_ range: ByteRange, _ other: Span<UInt8>, at start: Int) -> Bool {
    var offset = 0
    let count = Int(range.count)
    while offset < count {
      let one = word(at: Int(range.start) &+ offset, count: count &- offset)
      guard one == other.word(at: start &+ offset, count: count &- offset) else { return false }
      offset &+= 8
    }
    return true
  }

  /// Whether a range holds the same text as a lower-case run of another span.
  @inline(__always)
  func equalsIgnoringCase(_ range: ByteRange, lowercase other: Span<UInt8>, at start: Int) -> Bool {
    var offset = 0
    let count = Int(range.count)
    while offset < count {
      let one = word(at: Int(range.start) &+ offset, count: count &- offset)
      guard Word.lowercased(one) == other.word(at: start &+ offset, count: count &- offset) else {
        return false
      }
      offset &+= 8
    }
    return true
  }
}
