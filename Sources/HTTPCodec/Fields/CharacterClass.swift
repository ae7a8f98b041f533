/// What each byte may be part of, as bits; one look-up instead of a chain of comparisons.
///
/// The literal is laid out at compile time: no lazy initialisation guards the look-up.
private let characterClasses: InlineArray<256, UInt8> = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 5, 0, 1, 5, 1, 5, 5, 4, 4, 5, 5, 4, 7, 7, 0,
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 4, 4, 0, 4, 0, 0,
  4, 15, 15, 15, 15, 15, 15, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 1, 7,
  1, 15, 15, 15, 15, 15, 15, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 1, 0, 7, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]

/// The character classes that the parsers ask about.
enum CharacterClass {
  /// `tchar` of RFC 9110 §5.6.2: methods, field names, list members.
  private static let token: UInt8 = 1
  /// Unreserved characters (RFC 3986 §2.3): all that a host name may hold here.
  private static let unreserved: UInt8 = 2
  /// `pchar` of RFC 3986 §3.3 without percent-encoding: what a path segment holds as it is.
  private static let path: UInt8 = 4
  private static let hexDigit: UInt8 = 8

  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool { characterClasses[Int(byte)] & token != 0 }

  @inline(__always)
  static func isUnreserved(_ byte: UInt8) -> Bool { characterClasses[Int(byte)] & unreserved != 0 }

  @inline(__always)
  static func isPath(_ byte: UInt8) -> Bool { characterClasses[Int(byte)] & path != 0 }

  @inline(__always)
  static func isHexDigit(_ byte: UInt8) -> Bool { characterClasses[Int(byte)] & hexDigit != 0 }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- ASCII.zero < 10 }

  /// Space or tab: the optional white space of RFC 9110 §5.6.3.
  @inline(__always)
  static func isBlank(_ byte: UInt8) -> Bool { byte == ASCII.space || byte == ASCII.tab }
}

/// The bytes that HTTP/1 gives a meaning.
enum ASCII {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20
  static let quote: UInt8 = 0x22
  static let hash: UInt8 = 0x23
  static let percent: UInt8 = 0x25
  static let ampersand: UInt8 = 0x26
  static let asterisk: UInt8 = 0x2A
  static let comma: UInt8 = 0x2C
  static let dot: UInt8 = 0x2E
  static let slash: UInt8 = 0x2F
  static let zero: UInt8 = 0x30
  static let colon: UInt8 = 0x3A
  static let semicolon: UInt8 = 0x3B
  static let equals: UInt8 = 0x3D
  static let question: UInt8 = 0x3F
  static let at: UInt8 = 0x40
  static let openBracket: UInt8 = 0x5B
  static let backslash: UInt8 = 0x5C
  static let closeBracket: UInt8 = 0x5D
  static let delete: UInt8 = 0x7F
}
