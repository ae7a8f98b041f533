/// A value of a JSON text, where it stands.
struct JSONSlice {
  enum Kind: UInt8 {
    case string, number, object, array, `true`, `false`, null
  }

  let kind: Kind
  /// Of a string what is between the quotes, of anything else all of it.
  let range: Range<Int>
  /// The string has escapes.
  let hasEscapes: Bool
}

/// A name and a value of a JSON object.
struct JSONMember {
  let name: JSONSlice
  let value: JSONSlice
}

/// What is wrong with a text.
struct JSONProblem: Error {
  let message: StaticString
  let position: Int
}

/// Reads JSON (RFC 8259) where it stands, and strictly: UTF-8, no repeated names (RFC 7515 §4), nothing behind the
/// end. Nothing is made of it but a list of where its parts are; depth, members and elements are bounded.
enum JSONReading {
  static let depthMax = 16
  static let membersMax = 64

  /// The members of the object that a text is; replaces what the list had.
  static func members(
    of text: Span<UInt8>, into members: inout [JSONMember]
  ) throws(JSONProblem) {
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: text)
    } catch {
      throw JSONProblem(message: "it is not UTF-8", position: error.byteOffsets.lowerBound)
    }
    var scanner = JSONScanner(text, 0..<text.count)
    scanner.skipSpace()
    try scanner.object(depth: 1, into: &members)
    try scanner.end()
  }

  /// The members of an object within a text that was read before.
  static func members(
    of text: Span<UInt8>, in object: JSONSlice, into members: inout [JSONMember]
  ) throws(JSONProblem) {
    var scanner = JSONScanner(text, object.range)
    try scanner.object(depth: 1, into: &members)
  }

  /// The elements of an array within a text that was read before.
  static func elements(of text: Span<UInt8>, in array: JSONSlice) throws(JSONProblem) -> [JSONSlice] {
    var elements: [JSONSlice] = []
    var scanner = JSONScanner(text, array.range)
    try scanner.array(depth: 1) { elements.append($0) }
    return elements
  }
}

extension JSONSlice {
  /// The text of a string, without escapes.
  func string(in text: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    guard hasEscapes else {
      for index in range { bytes.append(text[index]) }
      return bytes
    }
    var position = range.lowerBound
    while position < range.upperBound {
      let byte = text[position]
      if byte == UInt8(ascii: "\\") {
        position = JSONScanner.appendEscape(in: text, at: position, to: &bytes)
      } else {
        bytes.append(byte)
        position += 1
      }
    }
    return bytes
  }

  /// Whether it is this string.
  func equals(_ other: [UInt8], in text: Span<UInt8>) -> Bool {
    guard kind == .string else { return false }
    if hasEscapes { return string(in: text) == other }
    guard range.count == other.count else { return false }
    let bytes = text.extracting(range)
    for index in other.indices where bytes[index] != other[index] { return false }
    return true
  }

  /// A number's value; nil for anything else, and for numbers beyond what a Double can say.
  func number(in text: Span<UInt8>) -> Double? {
    guard kind == .number, range.count <= 32 else { return nil }
    var whole: Int64 = 0
    var isWhole = range.count <= 15
    for index in range {
      let digit = text[index] &- 48
      if digit >= 10 {
        isWhole = false
        break
      }
      whole = whole &* 10 &+ Int64(digit)
    }
    if isWhole { return Double(whole) }
    guard let value = Double(String(decoding: string(in: text), as: UTF8.self)), value.isFinite else {
      return nil
    }
    return value
  }
}

extension [JSONMember] {
  /// The value of a name; nil where there is none.
  func value(of name: [UInt8], in text: Span<UInt8>) -> JSONSlice? {
    for index in indices where self[index].name.equals(name, in: text) { return self[index].value }
    return nil
  }
}

/// The grammar of RFC 8259 §2, by recursion as deep as is allowed.
private struct JSONScanner: ~Escapable {
  private let text: Span<UInt8>
  private var position: Int
  private let limit: Int

  @_lifetime(copy text)
  init(_ text: Span<UInt8>, _ range: Range<Int>) {
    self.text = text
    position = range.lowerBound
    limit = range.upperBound
  }

  private func problem(_ message: StaticString) -> JSONProblem {
    JSONProblem(message: message, position: position)
  }

  private var byte: UInt8? { position < limit ? text[position] : nil }

  /// Mostly there is none.
  @inline(__always)
  mutating func skipSpace() {
    while position < limit, text[position] <= 0x20 {
      switch text[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  @inline(__always)
  private mutating func take(_ wanted: UInt8) -> Bool {
    guard byte == wanted else { return false }
    position += 1
    return true
  }

  mutating func end() throws(JSONProblem) {
    skipSpace()
    if position < limit { throw problem("there is more behind the end") }
  }

  mutating func object(depth: Int, into members: inout [JSONMember]) throws(JSONProblem) {
    members.removeAll(keepingCapacity: true)
    guard take(UInt8(ascii: "{")) else { throw problem("an object is expected") }
    skipSpace()
    if take(UInt8(ascii: "}")) { return }
    while true {
      let name = try string()
      for index in members.indices where isSame(members[index].name, name) {
        throw problem("a name stands twice in an object")
      }
      let value = try memberValue(depth)
      guard members.count < JSONReading.membersMax else { throw problem("an object has too many members") }
      members.append(JSONMember(name: name, value: value))
      if take(UInt8(ascii: "}")) { return }
      try nextItem()
    }
  }

  private mutating func memberValue(_ depth: Int) throws(JSONProblem) -> JSONSlice {
    skipSpace()
    guard take(UInt8(ascii: ":")) else { throw problem("a colon is expected") }
    skipSpace()
    let value = try value(depth: depth)
    skipSpace()
    return value
  }

  private mutating func nextItem() throws(JSONProblem) {
    guard take(UInt8(ascii: ",")) else { throw problem("a comma or the end is expected") }
    skipSpace()
  }

  private func isSame(_ one: JSONSlice, _ other: JSONSlice) -> Bool {
    if one.hasEscapes || other.hasEscapes { return one.string(in: text) == other.string(in: text) }
    guard one.range.count == other.range.count else { return false }
    let (a, b) = (text.extracting(one.range), text.extracting(other.range))
    for index in a.indices where a[index] != b[index] { return false }
    return true
  }

  mutating func array(depth: Int, _ body: (JSONSlice) -> Void) throws(JSONProblem) {
    guard take(UInt8(ascii: "[")) else { throw problem("an array is expected") }
    skipSpace()
    if take(UInt8(ascii: "]")) { return }
    while true {
      let element = try value(depth: depth)
      body(element)
      skipSpace()
      if take(UInt8(ascii: "]")) { return }
      try nextItem()
    }
  }

  /// Of nested objects, repeated names are passed over: nothing in them is looked at before it is read by itself.
  private mutating func value(depth: Int) throws(JSONProblem) -> JSONSlice {
    let start = position
    switch byte {
    case UInt8(ascii: "\""): return try string()
    case UInt8(ascii: "{"):
      try deepen(depth)
      try skipObject(depth: depth + 1)
      return JSONSlice(kind: .object, range: start..<position, hasEscapes: false)
    case UInt8(ascii: "["):
      try deepen(depth)
      try array(depth: depth + 1) { _ in }
      return JSONSlice(kind: .array, range: start..<position, hasEscapes: false)
    case UInt8(ascii: "t"): return try word("true", .true)
    case UInt8(ascii: "f"): return try word("false", .false)
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private func deepen(_ depth: Int) throws(JSONProblem) {
    if depth >= JSONReading.depthMax { throw problem("it is nested too deep") }
  }

  private mutating func skipObject(depth: Int) throws(JSONProblem) {
    position += 1
    skipSpace()
    if take(UInt8(ascii: "}")) { return }
    while true {
      _ = try string()
      _ = try memberValue(depth)
      if take(UInt8(ascii: "}")) { return }
      try nextItem()
    }
  }

  private mutating func word(_ word: StaticString, _ kind: JSONSlice.Kind) throws(JSONProblem) -> JSONSlice {
    let start = position
    let count = word.utf8CodeUnitCount
    guard limit - position >= count, isWord(word) else { throw problem("a value is expected") }
    position += count
    return JSONSlice(kind: kind, range: start..<position, hasEscapes: false)
  }

  private func isWord(_ word: StaticString) -> Bool {
    var index = position
    for wanted in word.description.utf8 {
      if text[index] != wanted { return false }
      index += 1
    }
    return true
  }

  /// RFC 8259 §6.
  private mutating func number() throws(JSONProblem) -> JSONSlice {
    let start = position
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    if take(UInt8(ascii: ".")) { try digits() }
    if let byte, byte | 0x20 == UInt8(ascii: "e") {
      position += 1
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    return JSONSlice(kind: .number, range: start..<position, hasEscapes: false)
  }

  private mutating func digits() throws(JSONProblem) {
    let start = position
    while let byte, byte &- 48 < 10 { position += 1 }
    if position == start { throw problem("a value is expected") }
  }

  private mutating func string() throws(JSONProblem) -> JSONSlice {
    guard take(UInt8(ascii: "\"")) else { throw problem("a string is expected") }
    let start = position
    var hasEscapes = false
    while true {
      skipPlain()
      guard position < limit else { throw problem("a string has no end") }
      switch text[position] {
      case UInt8(ascii: "\""):
        position += 1
        return JSONSlice(kind: .string, range: start..<position - 1, hasEscapes: hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        try skipEscape()
      default: throw problem("a string has a control character")
      }
    }
  }

  /// To the next byte of a string that is not just itself.
  @inline(__always)
  private mutating func skipPlain() {
    var index = position
    while index < limit {
      let byte = text[index]
      if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
      index &+= 1
    }
    position = index
  }

  private mutating func skipEscape() throws(JSONProblem) {
    guard position + 1 < limit else { throw problem("a string has no end") }
    switch text[position + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 2
    case UInt8(ascii: "u"):
      guard let first = codeUnit(at: position) else { throw problem("an escape is malformed") }
      position += 6
      guard first & 0xF800 == 0xD800 else { return }
      // RFC 8259 §7: a character beyond the basic plane is a pair.
      guard first & 0xFC00 == 0xD800, let second = codeUnit(at: position), second & 0xFC00 == 0xDC00 else {
        throw problem("half of a surrogate pair")
      }
      position += 6
    default: throw problem("an escape is malformed")
    }
  }

  private func codeUnit(at position: Int) -> UInt32? {
    guard limit - position >= 6 else { return nil }
    return Self.codeUnit(in: text, at: position)
  }

  /// The four digits of `\uXXXX`.
  private static func codeUnit(in text: Span<UInt8>, at position: Int) -> UInt32? {
    guard text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u") else { return nil }
    var unit: UInt32 = 0
    for index in position + 2..<position + 6 {
      let byte = text[index]
      let letter = (byte | 0x20) &- UInt8(ascii: "a")
      if byte &- 48 < 10 {
        unit = unit << 4 | UInt32(byte &- 48)
      } else if letter < 6 {
        unit = unit << 4 | UInt32(letter + 10)
      } else {
        return nil
      }
    }
    return unit
  }

  /// Of a string that was read, and is right.
  /// - Returns: where the string goes on.
  static func appendEscape(in text: Span<UInt8>, at position: Int, to bytes: inout [UInt8]) -> Int {
    switch text[position + 1] {
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      let first = codeUnit(in: text, at: position) ?? 0
      guard first & 0xFC00 == 0xD800 else {
        append(first, to: &bytes)
        return position + 6
      }
      let second = codeUnit(in: text, at: position + 6) ?? 0
      append(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF, to: &bytes)
      return position + 12
    case let byte: bytes.append(byte)
    }
    return position + 2
  }

  private static func append(_ code: UInt32, to bytes: inout [UInt8]) {
    guard let scalar = Unicode.Scalar(code) else { return }
    bytes.append(contentsOf: String(Character(scalar)).utf8)
  }
}
