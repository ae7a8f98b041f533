import HTTPCodec

/// Entity tags (RFC 9110 §8.8.3) as they are written: `"x"`, or `W/"x"` where it is weak.
enum EntityTags {
  /// Whether a text is one.
  static func isValid(_ range: ByteRange, in bytes: Span<UInt8>) -> Bool {
    let opaque = opaque(range, in: bytes)
    guard opaque.count >= 2, bytes[Int(opaque.start)] == UInt8(ascii: "\""),
      bytes[opaque.end - 1] == UInt8(ascii: "\"")
    else { return false }
    for index in Int(opaque.start) + 1..<opaque.end - 1 {
      let byte = bytes[index]
      if byte < 0x21 || byte == UInt8(ascii: "\"") || byte == 0x7F { return false }
    }
    return true
  }

  static func isWeak(_ tag: [UInt8]) -> Bool { tag.first == UInt8(ascii: "W") }

  private static func opaque(_ range: ByteRange, in bytes: Span<UInt8>) -> ByteRange {
    let start = Int(range.start)
    guard range.count >= 2, bytes[start] == UInt8(ascii: "W"), bytes[start + 1] == UInt8(ascii: "/") else {
      return range
    }
    return ByteRange(start: start + 2, count: Int(range.count) - 2)
  }

  /// Whether two are the same by the weak comparison (§8.8.3.2).
  static func match(_ tag: [UInt8], _ other: [UInt8]) -> Bool {
    let (one, two) = (tag.span, other.span)
    let a = opaque(ByteRange(start: 0, count: tag.count), in: one)
    let b = opaque(ByteRange(start: 0, count: other.count), in: two)
    return tag[a.range] == other[b.range]
  }

  /// Whether a list of `If-None-Match` has a tag, by the weak comparison, or is `*`.
  /// - tag: Empty where the response has none.
  static func matches(_ list: ByteRange, in bytes: Span<UInt8>, _ tag: [UInt8]) -> Bool {
    let trimmed = bytes.trimmed(list)
    if trimmed.count == 1, bytes[Int(trimmed.start)] == UInt8(ascii: "*") { return true }
    guard !tag.isEmpty else { return false }
    let own = Array(tag[opaque(ByteRange(start: 0, count: tag.count), in: tag.span).range])
    var position = Int(list.start)
    while position < list.end {
      // A comma may stand within a tag: it ends with its second quote.
      guard bytes[position] == UInt8(ascii: "\"") else {
        position += 1
        continue
      }
      let start = position
      position += 1
      while position < list.end, bytes[position] != UInt8(ascii: "\"") { position += 1 }
      guard position < list.end else { return false }
      position += 1
      if bytes.equals(ByteRange(start: start, count: position - start), own) { return true }
    }
    return false
  }
}

/// The part of a content that a request asks for (RFC 9110 §14.2).
enum RequestedRange: Equatable {
  /// None, several, or one that cannot be understood: the whole.
  case whole
  case part(Range<Int>)
  case unsatisfiable

  /// - length: Of the whole content.
  init(_ value: ByteRange, in bytes: Span<UInt8>, length: Int) {
    self = .whole
    let unit = ByteRange(start: Int(value.start), count: min(6, Int(value.count)))
    guard bytes.equalsIgnoringCase(unit, lowercase: "bytes=") else { return }
    let spec = bytes.trimmed(ByteRange(start: unit.end, count: value.end - unit.end))
    guard let dash = spec.range.first(where: { bytes[$0] == UInt8(ascii: "-") }) else { return }
    let first = ByteRange(start: Int(spec.start), count: dash - Int(spec.start))
    let last = ByteRange(start: dash + 1, count: spec.end - dash - 1)
    if first.isEmpty {
      guard let suffix = DeltaLength.read(last, in: bytes) else { return }
      self = suffix == 0 || length == 0 ? .unsatisfiable : .part(max(0, length - suffix)..<length)
      return
    }
    guard let start = DeltaLength.read(first, in: bytes) else { return }
    var end = length
    if !last.isEmpty {
      guard let lastByte = DeltaLength.read(last, in: bytes), lastByte >= start else { return }
      end = min(length, lastByte + 1)
    }
    self = start < length ? .part(start..<end) : .unsatisfiable
  }
}

/// Positions in content; what is larger than any content counts as one that none has.
private enum DeltaLength {
  static func read(_ range: ByteRange, in bytes: Span<UInt8>) -> Int? {
    guard !range.isEmpty else { return nil }
    var value = 0
    for index in range.range {
      let digit = bytes[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      value = value >= .max / 16 ? .max / 16 : value * 10 + Int(digit)
    }
    return value
  }
}
