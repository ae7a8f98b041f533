import HTTPCodec
import Runtime

/// Bytes that the log formats give a meaning.
enum ASCIIByte {
  static let lineFeed: UInt8 = 0x0A
  static let quote: UInt8 = 0x22
  static let backslash: UInt8 = 0x5C
  static let delete: UInt8 = 0x7F
}

/// Text of strangers made fit for a line of a log: no byte of it can end the string or the line.
///
/// Runs that need no escape, which is nearly all there is, are found eight bytes at a time and
/// copied whole.
enum LogText {
  /// As nginx writes it.
  static func name(of version: HTTPVersion) -> StaticString {
    switch version {
    case .http10: "HTTP/1.0"
    case .http11: "HTTP/1.1"
    case .http2: "HTTP/2.0"
    }
  }

  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Whether any of eight bytes is a control, a quote, a backslash, DEL or not ASCII.
  @inline(__always)
  private static func needsEscape(_ word: UInt64) -> Bool {
    let control = (word &- ones &* 0x20) & ~word
    let quote = zeroBytes(word ^ (ones &* UInt64(ASCIIByte.quote)))
    let backslash = zeroBytes(word ^ (ones &* UInt64(ASCIIByte.backslash)))
    let delete = zeroBytes(word ^ (ones &* UInt64(ASCIIByte.delete)))
    return (control | quote | backslash | delete | word) & highBits != 0
  }

  /// The high bit is set in a byte that is zero, and in none where no byte is.
  @inline(__always)
  private static func zeroBytes(_ word: UInt64) -> UInt64 { (word &- ones) & ~word }

  @inline(__always)
  static func needsEscape(_ byte: UInt8) -> Bool {
    byte &- 0x20 >= 0x5F || byte == ASCIIByte.quote || byte == ASCIIByte.backslash
  }

  /// The index of the first byte from `start` that needs an escape, or the span's count.
  @inline(__always)
  static func plainEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index <= bytes.count &- 8 {
      // Written byte by byte, checked once; the compiler makes one load of it.
      let eight = bytes.extracting(index..<(index &+ 8))
      let low =
        UInt64(eight[0]) | UInt64(eight[1]) &<< 8 | UInt64(eight[2]) &<< 16 | UInt64(eight[3]) &<< 24
      let high =
        UInt64(eight[4]) &<< 32 | UInt64(eight[5]) &<< 40 | UInt64(eight[6]) &<< 48
        | UInt64(eight[7]) &<< 56
      if needsEscape(low | high) { break }
      index &+= 8
    }
    while index < bytes.count, !needsEscape(bytes[index]) { index &+= 1 }
    return index
  }

  /// Appends the content of a JSON string (RFC 8259 §7), without the quotes around it.
  ///
  /// Valid UTF-8 is kept; a byte that is not part of any is written by its value, as `\u00XX`.
  /// Controls (C0, DEL, C1) and the separators U+2028 and U+2029, at which some readers break
  /// lines, are escaped. Text beyond `limit` bytes is cut, and `…` says so.
  @inline(__always)
  static func appendJSON(_ bytes: Span<UInt8>, limit: Int, to out: inout TextWriter) {
    if bytes.count <= limit, plainEnd(bytes, from: 0) == bytes.count {
      out.append(bytes)
    } else {
      appendJSONEscaped(bytes, limit: limit, to: &out)
    }
  }

  @inline(never)
  private static func appendJSONEscaped(_ whole: Span<UInt8>, limit: Int, to out: inout TextWriter) {
    let bytes = whole.extracting(first: limit)
    var index = 0
    while index < bytes.count {
      let end = plainEnd(bytes, from: index)
      out.append(bytes.extracting(index..<end))
      index = end
      if index < bytes.count { index &+= appendEscape(at: index, in: bytes, to: &out) }
    }
    if whole.count > limit { out.append("…") }
  }

  /// Appends what stands for the character at `index`, and tells how many bytes it has.
  private static func appendEscape(at index: Int, in bytes: Span<UInt8>, to out: inout TextWriter) -> Int {
    let byte = bytes[index]
    switch byte {
    case ASCIIByte.quote: out.append("\\\"")
    case ASCIIByte.backslash: out.append("\\\\")
    case 0x0A: out.append("\\n")
    case 0x0D: out.append("\\r")
    case 0x09: out.append("\\t")
    case 0x80...:
      let length = characterLength(at: index, in: bytes)
      if length > 1 {
        appendCharacter(bytes.extracting(index..<(index &+ length)), to: &out)
        return length
      }
      appendCodeUnit(UInt64(byte), to: &out)
    default: appendCodeUnit(UInt64(byte), to: &out)
    }
    return 1
  }

  private static func appendCodeUnit(_ value: UInt64, to out: inout TextWriter) {
    out.append("\\u")
    out.append(hexadecimal: value, digits: 4)
  }

  /// Appends a valid character of two to four bytes.
  private static func appendCharacter(_ character: Span<UInt8>, to out: inout TextWriter) {
    if character[0] == 0xC2, character[1] < 0xA0 {
      appendCodeUnit(UInt64(character[1]), to: &out)
    } else if character.count == 3, character[0] == 0xE2, character[1] == 0x80, character[2] & 0xFE == 0xA8 {
      appendCodeUnit(0x2000 | UInt64(character[2] & 0x3F), to: &out)
    } else {
      out.append(character)
    }
  }

  /// Bytes of the well-formed UTF-8 character at `index` (Unicode 3.9, table 3-7), which does not
  /// begin with ASCII; 1 where there is none.
  private static func characterLength(at index: Int, in bytes: Span<UInt8>) -> Int {
    let first = bytes[index]
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch first {
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF:
      length = 3
      if first == 0xE0 { second = 0xA0...0xBF }
      if first == 0xED { second = 0x80...0x9F }
    case 0xF0...0xF4:
      length = 4
      if first == 0xF0 { second = 0x90...0xBF }
      if first == 0xF4 { second = 0x80...0x8F }
    default: return 1
    }
    guard index &+ length <= bytes.count, second.contains(bytes[index &+ 1]) else { return 1 }
    for offset in 2..<max(2, length) where bytes[index &+ offset] & 0xC0 != 0x80 { return 1 }
    return length
  }

  /// Appends text for the common format: anything but printable ASCII as `\xHH`, quotes and
  /// backslashes with a backslash, as Apache and nginx do. Cut at `limit` bytes with `...`.
  static func appendCommon(_ whole: Span<UInt8>, limit: Int, to out: inout TextWriter) {
    let bytes = whole.extracting(first: limit)
    var index = 0
    while true {
      let end = plainEnd(bytes, from: index)
      out.append(bytes.extracting(index..<end))
      if end == bytes.count { break }
      let byte = bytes[end]
      if byte == ASCIIByte.quote || byte == ASCIIByte.backslash {
        out.append(ASCIIByte.backslash)
        out.append(byte)
      } else {
        out.append("\\x")
        out.append(hexadecimal: UInt64(byte), digits: 2)
      }
      index = end &+ 1
    }
    if whole.count > limit { out.append("...") }
  }
}
