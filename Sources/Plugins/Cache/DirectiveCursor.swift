import HTTPCodec

/// Walks the directives of a `Cache-Control` field (RFC 9111 §5.2): names with or without an argument, a token or
/// a quoted string.
struct DirectiveCursor {
  struct Directive {
    var name: ByteRange
    /// Without quotes; nil where there is none.
    var argument: ByteRange?
  }

  private var position: Int
  private let end: Int
  /// A quoted string has no end: what follows it may be anything.
  private(set) var isBroken = false

  init(_ value: ByteRange) {
    position = Int(value.start)
    end = value.end
  }

  /// - bytes: Those that the range refers to, the same at each call.
  mutating func next(in bytes: Span<UInt8>) -> Directive? {
    while position < end {
      let start = position
      var isQuoted = false
      while position < end {
        let byte = bytes[position]
        if isQuoted {
          if byte == UInt8(ascii: "\\") {
            position += 1
          } else if byte == UInt8(ascii: "\"") {
            isQuoted = false
          }
        } else if byte == UInt8(ascii: "\"") {
          isQuoted = true
        } else if byte == UInt8(ascii: ",") {
          break
        }
        position += 1
      }
      position = min(position, end)
      if isQuoted { isBroken = true }
      let member = bytes.trimmed(ByteRange(start: start, count: position - start))
      position += 1
      if !member.isEmpty { return Self.directive(member, in: bytes) }
    }
    return nil
  }

  private static func directive(_ member: ByteRange, in bytes: Span<UInt8>) -> Directive {
    var sign = Int(member.start)
    while sign < member.end, bytes[sign] != UInt8(ascii: "=") { sign += 1 }
    let name = bytes.trimmed(ByteRange(start: Int(member.start), count: sign - Int(member.start)))
    guard sign < member.end else { return Directive(name: name, argument: nil) }
    var argument = bytes.trimmed(ByteRange(start: sign + 1, count: member.end - sign - 1))
    if argument.count >= 2, bytes[Int(argument.start)] == UInt8(ascii: "\""),
      bytes[argument.end - 1] == UInt8(ascii: "\"")
    {
      argument = ByteRange(start: Int(argument.start) + 1, count: Int(argument.count) - 2)
    }
    return Directive(name: name, argument: argument)
  }
}

/// Seconds of a directive (RFC 9111 §1.2.2).
enum DeltaSeconds {
  /// What is larger counts as this: 68 years.
  static let max: Int64 = 2_147_483_648

  /// Nil where it is not a number.
  static func read(_ range: ByteRange?, in bytes: Span<UInt8>) -> Int64? {
    guard let range, !range.isEmpty else { return nil }
    var value: Int64 = 0
    for index in range.range {
      let digit = bytes[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      value = min(value * 10 + Int64(digit), max)
    }
    return value
  }
}
