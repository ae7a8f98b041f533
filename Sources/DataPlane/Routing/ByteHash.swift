import HTTPCodec
import Runtime

/// A seeded hash over bytes: two 64-bit words per multiplication, in the manner of wyhash.
///
/// Every word is masked with a secret before it is multiplied, so whoever does not know the seed
/// cannot choose texts that collide. Not a message authentication code.
struct ByteHash {
  private let secret: UInt64
  private let otherSecret: UInt64

  init(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    secret = generator.next()
    otherSecret = generator.next()
  }

  /// The hash of `bytes[start..<end]` that follows on `state`: 0, a table's scope, or the hash of
  /// what stands before.
  @inline(__always)
  func hash(_ bytes: Span<UInt8>, from start: Int, to end: Int, after state: UInt64) -> UInt64 {
    hash(bytes, start, end, state, lowercases: false)
  }

  /// The same for the text with its ASCII letters in lower case.
  @inline(__always)
  func hashIgnoringCase(
    _ bytes: Span<UInt8>, from start: Int, to end: Int, after state: UInt64
  ) -> UInt64 {
    hash(bytes, start, end, state, lowercases: true)
  }

  @inline(__always)
  private func hash(
    _ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ state: UInt64, lowercases: Bool
  ) -> UInt64 {
    var hash = Self.mix(state ^ secret, UInt64(truncatingIfNeeded: end &- start) ^ otherSecret)
    var position = start
    while end &- position > 16 {
      let one = bytes.littleEndianWord(at: position)
      let two = bytes.littleEndianWord(at: position &+ 8)
      hash = Self.mix(
        (lowercases ? one.asciiLettersLowercased : one) ^ secret,
        (lowercases ? two.asciiLettersLowercased : two) ^ hash)
      position &+= 16
    }
    let left = end &- position
    var one: UInt64
    var two: UInt64 = 0
    if left >= 8 {
      one = bytes.littleEndianWord(at: position)
      two = bytes.littleEndianWord(at: end &- 8)
    } else {
      one = bytes.littleEndianTail(from: position, to: end)
    }
    if lowercases {
      one = one.asciiLettersLowercased
      two = two.asciiLettersLowercased
    }
    return Self.mix(Self.mix(one ^ secret, two ^ hash), otherSecret)
  }

  @inline(__always)
  private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}

extension UInt64 {
  /// The eight bytes of the word with their ASCII upper-case letters in lower case.
  @inline(__always)
  var asciiLettersLowercased: UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highBits: UInt64 = 0x8080_8080_8080_8080
    let low = self & ~highBits
    // The high bit of each byte: at least "A", above "Z". The sums cannot carry into the next byte.
    let fromA = low &+ ones &* (0x80 - 0x41)
    let aboveZ = low &+ ones &* (0x7F - 0x5A)
    return self | ((fromA & ~aboveZ & ~self & highBits) &>> 2)
  }
}

extension Span where Element == UInt8 {
  /// The eight bytes from `index`, which must all exist. The compiler makes one load of it.
  @inline(__always)
  func littleEndianWord(at index: Int) -> UInt64 {
    let eight = extracting(index..<(index &+ 8))
    return UInt64(eight[0]) | UInt64(eight[1]) &<< 8 | UInt64(eight[2]) &<< 16
      | UInt64(eight[3]) &<< 24 | UInt64(eight[4]) &<< 32 | UInt64(eight[5]) &<< 40
      | UInt64(eight[6]) &<< 48 | UInt64(eight[7]) &<< 56
  }

  /// Fewer than eight bytes, `start..<end`, with zeros above them.
  @inline(__always)
  func littleEndianTail(from start: Int, to end: Int) -> UInt64 {
    // Where the span has eight bytes before `end`, they are one load.
    if end >= 8 {
      return littleEndianWord(at: end &- 8) >> UInt64(truncatingIfNeeded: (8 &- (end &- start)) &* 8)
    }
    var word: UInt64 = 0
    var position = end
    while position > start {
      position &-= 1
      word = word &<< 8 | UInt64(self[position])
    }
    return word
  }

  /// Whether `count` bytes from `start` are those of `other` from `otherStart`.
  ///
  /// - Parameter lowercases: compares the lower-case form of this span's bytes.
  @inline(__always)
  func holds(
    _ other: Span<UInt8>, from otherStart: Int, count: Int, at start: Int, lowercases: Bool
  ) -> Bool {
    var offset = 0
    while offset &+ 8 <= count {
      let word = littleEndianWord(at: start &+ offset)
      guard
        (lowercases ? word.asciiLettersLowercased : word)
          == other.littleEndianWord(at: otherStart &+ offset)
      else { return false }
      offset &+= 8
    }
    while offset < count {
      let byte = self[start &+ offset]
      guard (lowercases ? byte.asciiLowercased : byte) == other[otherStart &+ offset] else { return false }
      offset &+= 1
    }
    return true
  }
}
