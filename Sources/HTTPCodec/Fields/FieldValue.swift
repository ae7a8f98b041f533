extension Span where Element == UInt8 {
  /// The bytes of a range, which must lie within the span.
  @inlinable
  @_lifetime(copy self)
  public func bytes(in range: ByteRange) -> Span<UInt8> { extracting(range.range) }

  /// Whether the range holds this text, whatever the case of its ASCII letters.
  ///
  /// - Parameter lowercase: ASCII without upper-case letters.
  public func equalsIgnoringCase(_ range: ByteRange, lowercase: String) -> Bool {
    let text = lowercase.utf8
    guard Int(range.count) == text.count else { return false }
    var position = Int(range.start)
    for byte in text {
      guard self[position].asciiLowercased == byte else { return false }
      position &+= 1
    }
    return true
  }

  /// Whether the range holds these bytes, whatever the case of its ASCII letters.
  ///
  /// - Parameter lowercase: ASCII without upper-case letters.
  @inline(__always)
  public func equalsIgnoringCase(_ range: ByteRange, lowercase: [UInt8]) -> Bool {
    // Mostly that is the difference, which is worth no call.
    Int(range.count) == lowercase.count && isSame(range, lowercase.span)
  }

  /// - other: As long as the range, in lower case.
  @usableFromInline
  func isSame(_ range: ByteRange, _ other: Span<UInt8>) -> Bool {
    let count = other.count
    if count == 0 { return true }
    let one = extracting(range.range)
    if count < 8 { return Word.lowercased(one.shortWord) == other.shortWord }
    var offset = 0
    while offset < count {
      // The last eight may have been compared in part.
      let start = min(offset, count &- 8)
      guard let word = one.word(at: start), Word.lowercased(word) == other.word(at: start) else {
        return false
      }
      offset &+= 8
    }
    return true
  }

  /// Whether two ranges of this span hold the same text but for the case of ASCII letters.
  public func equalIgnoringCase(_ one: ByteRange, _ other: ByteRange) -> Bool {
    guard one.count == other.count else { return false }
    for index in 0..<Int(one.count)
    where self[Int(one.start) &+ index].asciiLowercased != self[Int(other.start) &+ index].asciiLowercased {
      return false
    }
    return true
  }

  /// Whether the range holds exactly these bytes.
  public func equals(_ range: ByteRange, _ other: [UInt8]) -> Bool {
    guard Int(range.count) == other.count else { return false }
    let start = Int(range.start)
    for index in other.indices where self[start &+ index] != other[index] { return false }
    return true
  }

  /// Whether the range holds exactly this text, which is ASCII.
  func equals(_ range: ByteRange, _ text: String) -> Bool {
    guard Int(range.count) == text.utf8.count else { return false }
    var position = Int(range.start)
    for byte in text.utf8 {
      guard self[position] == byte else { return false }
      position &+= 1
    }
    return true
  }

  /// Where a byte stands first from an index on; nil where it does not.
  public func firstIndex(of byte: UInt8, from start: Int) -> Int? {
    var index = start
    while let word = word(at: index) {
      let marks = Word.equal(word, to: byte)
      if marks != 0 { return index &+ Word.firstIndex(marks) }
      index &+= 8
    }
    while index < count {
      if self[index] == byte { return index }
      index &+= 1
    }
    return nil
  }

  /// Whether the range is a token (RFC 9110 §5.6.2).
  public func isToken(_ range: ByteRange) -> Bool {
    guard !range.isEmpty else { return false }
    for index in range.range where !CharacterClass.isToken(self[index]) { return false }
    return true
  }

  /// The number in a range of 1 to 19 decimal digits and nothing else, or nil.
  public func decimal(in range: ByteRange) -> UInt64? {
    guard range.count > 0, range.count <= 19 else { return nil }
    var value: UInt64 = 0
    for index in range.range {
      let digit = self[index] &- ASCII.zero
      guard digit < 10 else { return nil }
      value = value &* 10 &+ UInt64(digit)
    }
    return value
  }

  /// The number in a range of 1 to 16 hexadecimal digits and nothing else, or nil.
  public func hexadecimal(in range: ByteRange) -> UInt64? {
    guard range.count > 0, range.count <= 16 else { return nil }
    var value: UInt64 = 0
    for index in range.range {
      guard let digit = self[index].hexDigitValue else { return nil }
      value = value &<< 4 | UInt64(digit)
    }
    return value
  }

  /// The range without spaces and tabs at both ends.
  public func trimmed(_ range: ByteRange) -> ByteRange {
    var start = Int(range.start)
    var end = range.end
    while start < end, CharacterClass.isBlank(self[start]) { start &+= 1 }
    while end > start, CharacterClass.isBlank(self[end &- 1]) { end &-= 1 }
    return ByteRange(start: start, count: end &- start)
  }
}

extension UInt8 {
  /// The byte with an ASCII upper-case letter made lower-case.
  @inlinable
  public var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

  /// The value of an ASCII hexadecimal digit.
  @inlinable
  public var hexDigitValue: UInt8? {
    if self &- 0x30 < 10 { return self &- 0x30 }
    let letter = self | 0x20
    return letter &- 0x61 < 6 ? letter &- 0x61 &+ 10 : nil
  }
}

/// Walks the members of a comma-separated list (RFC 9110 §5.6.1).
///
/// Empty members are passed over. A comma inside a quoted string separates too: use it for lists
/// of tokens, such as `Connection`.
public struct ListCursor: Sendable {
  private var position: Int
  private let end: Int
  /// Whether a member without text was passed over so far.
  public private(set) var sawEmptyMember = false

  public init(_ value: ByteRange) {
    position = Int(value.start)
    end = value.end
  }

  /// The next member without white space around it, or nil after the last.
  ///
  /// - Parameter bytes: the span that the value's range refers to, the same at each call.
  public mutating func next(in bytes: Span<UInt8>) -> ByteRange? {
    while position <= end {
      let start = position
      while position < end, bytes[position] != ASCII.comma { position &+= 1 }
      let member = bytes.trimmed(ByteRange(start: start, count: position &- start))
      position &+= 1
      if !member.isEmpty { return member }
      sawEmptyMember = true
    }
    return nil
  }
}
