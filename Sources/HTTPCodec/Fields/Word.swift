/// Eight bytes at once, as a little-endian word: how long runs are scanned without `unsafe`.
///
/// The loads are written byte by byte, checked once; the compiler makes one load of them.
enum Word {
  static let bit5: UInt64 = 0x2020_2020_2020_2020
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Marks (in its high bit) every byte that is less than `limit`, which is at most 128.
  ///
  /// The lowest mark is exact; marks above it may be false, because of the borrow.
  @inline(__always)
  static func less(_ word: UInt64, than limit: UInt8) -> UInt64 {
    (word &- ones &* UInt64(limit)) & ~word & highBits
  }

  /// Marks every byte that equals `byte`; only the lowest mark is exact.
  @inline(__always)
  static func equal(_ word: UInt64, to byte: UInt8) -> UInt64 {
    less(word ^ (ones &* UInt64(byte)), than: 1)
  }

  /// Marks every byte that is not an ASCII letter, digit or hyphen; all marks are exact.
  ///
  /// No sum carries into the next byte: the high bits are put aside first.
  @inline(__always)
  static func notNamePart(_ word: UInt64) -> UInt64 {
    let low = word & ~highBits
    let lower = low | bit5
    let letters = atLeast(lower, UInt8(ascii: "a")) & ~atLeast(lower, UInt8(ascii: "z") &+ 1)
    let digits = atLeast(low, ASCII.zero) & ~atLeast(low, ASCII.colon)
    let hyphens = ~atLeast(low ^ (ones &* 0x2D), 1)
    return (~(letters | digits | hyphens) | word) & highBits
  }

  /// Marks every ASCII upper-case letter; all marks are exact.
  @inline(__always)
  static func upperCase(_ word: UInt64) -> UInt64 {
    let low = word & ~highBits
    return atLeast(low, UInt8(ascii: "A")) & ~atLeast(low, UInt8(ascii: "Z") &+ 1) & ~word & highBits
  }

  /// The word with its ASCII upper-case letters made lower-case.
  @inline(__always)
  static func lowercased(_ word: UInt64) -> UInt64 { word | upperCase(word) &>> 2 }

  /// Marks every byte that equals `byte`, which is less than 128; all marks are exact.
  @inline(__always)
  static func exactlyEqual(_ word: UInt64, to byte: UInt8) -> UInt64 {
    ~(atLeast(word & ~highBits ^ (ones &* UInt64(byte)), 1) | word) & highBits
  }

  /// All bits below the lowest mark; all bits where there is none.
  @inline(__always)
  static func below(_ marks: UInt64) -> UInt64 { ~marks & (marks &- 1) }

  /// Sets the high bit of every byte that is at least `limit`; all bytes are less than 128.
  @inline(__always)
  private static func atLeast(_ word: UInt64, _ limit: UInt8) -> UInt64 {
    word &+ ones &* UInt64(0x80 &- limit)
  }

  /// Marks every byte of 128 and above.
  @inline(__always)
  static func high(_ word: UInt64) -> UInt64 { word & highBits }

  /// The index of the byte with the lowest mark; `marks` is not zero.
  @inline(__always)
  static func firstIndex(_ marks: UInt64) -> Int { marks.trailingZeroBitCount &>> 3 }

  /// The bytes of a word that belong to a string of `count` (1 to 8) bytes.
  @inline(__always)
  static func mask(_ count: Int) -> UInt64 { UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- count &* 8) }
}

extension Span where Element == UInt8 {
  /// The eight bytes from `index`, or nil where fewer are left.
  @inline(__always)
  func word(at index: Int) -> UInt64? {
    guard index >= 0, index <= count &- 8 else { return nil }
    let eight = extracting(index..<(index &+ 8))
    return UInt64(eight[0]) | UInt64(eight[1]) &<< 8 | UInt64(eight[2]) &<< 16
      | UInt64(eight[3]) &<< 24 | UInt64(eight[4]) &<< 32 | UInt64(eight[5]) &<< 40
      | UInt64(eight[6]) &<< 48 | UInt64(eight[7]) &<< 56
  }

  /// All bytes of a span that has one to seven, some of them twice: where two are equally long, they are the same
  /// where these are.
  @inline(__always)
  var shortWord: UInt64 {
    if count < 4 {
      return UInt64(self[0]) | UInt64(self[count &>> 1]) &<< 8 | UInt64(self[count &- 1]) &<< 16
    }
    return four(at: 0) | four(at: count &- 4) &<< 32
  }

  @inline(__always)
  private func four(at index: Int) -> UInt64 {
    let four = extracting(index..<(index &+ 4))
    return UInt64(four[0]) | UInt64(four[1]) &<< 8 | UInt64(four[2]) &<< 16 | UInt64(four[3]) &<< 24
  }

  /// At most eight bytes from `index`, zero where the string has ended.
  @inline(__always)
  func word(at index: Int, count length: Int) -> UInt64 {
    if let word = word(at: index) { return length >= 8 ? word : word & Word.mask(length) }
    return wordTail(at: index, count: length)
  }

  /// The same near the end of the span, where eight bytes cannot be read.
  @inline(never)
  private func wordTail(at index: Int, count length: Int) -> UInt64 {
    var word: UInt64 = 0
    var offset = 0
    while offset < length {
      word |= UInt64(self[index &+ offset]) &<< UInt64(offset &* 8)
      offset &+= 1
    }
    return word
  }

  /// At most eight bytes from `index` with bit 5 set, zero where the string has ended.
  @inline(__always)
  func lowercasedWord(at index: Int, count length: Int) -> UInt64 {
    if let word = word(at: index) { return (word | Word.bit5) & Word.mask(length) }
    return lowercasedTail(at: index, count: length)
  }

  /// The same near the end of the span, where eight bytes cannot be read.
  @inline(never)
  private func lowercasedTail(at index: Int, count length: Int) -> UInt64 {
    var word: UInt64 = 0
    var offset = 0
    while offset < length {
      word |= UInt64(self[index &+ offset] | 0x20) &<< UInt64(offset &* 8)
      offset &+= 1
    }
    return word
  }
}
