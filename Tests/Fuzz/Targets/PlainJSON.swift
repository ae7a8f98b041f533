/// JSON (RFC 8259), read slowly into a tree by code that shares nothing with the gateway's: what that is compared with.
indirect enum PlainJSON: Equatable {
  struct Member: Equatable {
    var name: String
    var value: PlainJSON
  }

  case string(String)
  /// As it is written.
  case number(String)
  case object([Member])
  case array([PlainJSON])
  case word(String)

  private struct Malformed: Error {}

  /// Nil for what is no JSON text of UTF-8, or has containers within each other beyond `depthMax`.
  static func read(_ bytes: [UInt8], depthMax: Int) -> PlainJSON? {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    var rest = Array(text.unicodeScalars)[...]
    skipSpace(&rest)
    guard let value = try? value(&rest, depthMax) else { return nil }
    skipSpace(&rest)
    return rest.isEmpty ? value : nil
  }

  /// The members of an object; nil for others.
  var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  var elements: [PlainJSON]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// Nothing where a name stands twice.
  static func hasRepeatedNames(_ members: [Member]) -> Bool {
    // By their bytes: Swift's strings are equal where only the composition of letters differs.
    Set(members.map { Array($0.name.utf8) }).count < members.count
  }

  private static func skipSpace(_ rest: inout ArraySlice<Unicode.Scalar>) {
    rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
  }

  private static func take(_ text: String, _ rest: inout ArraySlice<Unicode.Scalar>) throws(Malformed) {
    for scalar in text.unicodeScalars {
      guard rest.popFirst() == scalar else { throw Malformed() }
    }
  }

  private static func value(
    _ rest: inout ArraySlice<Unicode.Scalar>, _ depth: Int
  ) throws(Malformed) -> PlainJSON {
    switch rest.first {
    case "\"": return .string(try string(&rest))
    case "{": return .object(try list(&rest, "{", "}", depth, member))
    case "[": return .array(try list(&rest, "[", "]", depth, value))
    case "t": return try word("true", &rest)
    case "f": return try word("false", &rest)
    case "n": return try word("null", &rest)
    default: return .number(try number(&rest))
    }
  }

  private static func word(
    _ word: String, _ rest: inout ArraySlice<Unicode.Scalar>
  ) throws(Malformed) -> PlainJSON {
    try take(word, &rest)
    return .word(word)
  }

  private static func list<Item>(
    _ rest: inout ArraySlice<Unicode.Scalar>, _ open: String, _ close: Unicode.Scalar, _ depth: Int,
    _ item: (inout ArraySlice<Unicode.Scalar>, Int) throws(Malformed) -> Item
  ) throws(Malformed) -> [Item] {
    if depth == 0 { throw Malformed() }
    try take(open, &rest)
    skipSpace(&rest)
    var items: [Item] = []
    while rest.first != close || !items.isEmpty {
      if !items.isEmpty {
        if rest.first == close { break }
        try take(",", &rest)
        skipSpace(&rest)
      }
      items.append(try item(&rest, depth - 1))
      skipSpace(&rest)
    }
    rest = rest.dropFirst()
    return items
  }

  private static func member(
    _ rest: inout ArraySlice<Unicode.Scalar>, _ depth: Int
  ) throws(Malformed) -> Member {
    let name = try string(&rest)
    skipSpace(&rest)
    try take(":", &rest)
    skipSpace(&rest)
    return Member(name: name, value: try value(&rest, depth))
  }

  private static func string(_ rest: inout ArraySlice<Unicode.Scalar>) throws(Malformed) -> String {
    try take("\"", &rest)
    // UTF-16, in which escapes are written.
    var units: [UInt16] = []
    while let scalar = rest.popFirst() {
      switch scalar {
      case "\"":
        guard let text = String(validating: units, as: UTF16.self) else { throw Malformed() }
        return text
      case "\\": units.append(try escape(&rest))
      case "\u{0}"..."\u{1F}": throw Malformed()
      default: units += Array(String(scalar).utf16)
      }
    }
    throw Malformed()
  }

  private static func escape(_ rest: inout ArraySlice<Unicode.Scalar>) throws(Malformed) -> UInt16 {
    switch rest.popFirst() {
    case "\"": return 0x22
    case "\\": return 0x5C
    case "/": return 0x2F
    case "b": return 8
    case "f": return 12
    case "n": return 10
    case "r": return 13
    case "t": return 9
    case "u":
      let digits = String(String.UnicodeScalarView(rest.prefix(4)))
      rest = rest.dropFirst(4)
      guard digits.unicodeScalars.count == 4, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }),
        let unit = UInt16(digits, radix: 16)
      else { throw Malformed() }
      return unit
    default: throw Malformed()
    }
  }

  /// Taken as long as it may be, then looked at as a whole.
  private static func number(_ rest: inout ArraySlice<Unicode.Scalar>) throws(Malformed) -> String {
    let scalars = rest.prefix { ("0"..."9").contains($0) || "+-.eE".unicodeScalars.contains($0) }
    let text = String(String.UnicodeScalarView(scalars))
    guard text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/) != nil else {
      throw Malformed()
    }
    rest = rest.dropFirst(scalars.count)
    return text
  }
}
