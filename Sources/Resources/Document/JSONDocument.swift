/// Reads one JSON text (RFC 8259) into nodes with places: what YAML's rules make of the same text,
/// at a fraction of the time, as a hundred thousand of them are read when the process starts.
///
/// Strings become scalars that are not plain; numbers, `true`, `false` and `null` plain ones, as they
/// are written. Repeated keys are kept, so that readers report them.
enum JSONDocument {
  /// As ``YAMLDocument/bytesMax``.
  static let bytesMax = 64 << 20
  /// As ``YAMLNodeBuilder/depthMax``.
  static let depthMax = 64

  /// The root node; throws where the bytes are not one JSON text.
  static func parse(_ bytes: [UInt8]) throws(YAMLFailure) -> YAMLNode {
    try parse(bytes.span)
  }

  static func parse(_ bytes: Span<UInt8>) throws(YAMLFailure) -> YAMLNode {
    guard bytes.count <= bytesMax else {
      throw YAMLFailure(
        position: Position(line: 1, column: 1),
        message: "the text has \(bytes.count) bytes, more than the \(bytesMax) allowed")
    }
    var parser = JSONParser(bytes, isASCII: try isASCII(bytes))
    return try parser.document()
  }

  /// Refuses what is not UTF-8 before anything is read.
  private static func isASCII(_ bytes: Span<UInt8>) throws(YAMLFailure) -> Bool {
    do throws(UTF8.ValidationError) {
      return try UTF8Span(validating: bytes).isKnownASCII
    } catch {
      let position = position(of: error.byteOffsets.lowerBound, in: bytes)
      throw YAMLFailure(position: position, message: "not UTF-8", hint: "JSON is written in UTF-8")
    }
  }

  /// Of a byte that need not be read otherwise, after bytes that are UTF-8.
  private static func position(of offset: Int, in bytes: Span<UInt8>) -> Position {
    var position = Position(line: 1, column: 1)
    for index in 0..<offset {
      if bytes[index] == UInt8(ascii: "\n") {
        position = Position(line: position.line + 1, column: 1)
      } else if bytes[index] & 0xC0 != 0x80 {
        position.column += 1
      }
    }
    return position
  }
}

/// The grammar of RFC 8259 §2, by recursive descent.
private struct JSONParser: ~Escapable {
  private let bytes: Span<UInt8>
  /// Columns are then bytes.
  private let isASCII: Bool
  private var index = 0
  private var line = 1
  /// The first byte of the line.
  private var lineStart = 0
  /// The column of the byte at `counted`, where not all is ASCII: each byte is counted once.
  private var column = 1
  private var counted = 0
  /// For strings with escapes; kept for its memory.
  private var scratch: [UInt8] = []

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>, isASCII: Bool) {
    self.bytes = bytes
    self.isASCII = isASCII
  }

  mutating func document() throws(YAMLFailure) -> YAMLNode {
    // RFC 8259 §8.1: a parser may ignore a byte order mark.
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
      index = 3
      lineStart = 3
      counted = 3
    }
    skipSpace()
    if index == bytes.count { throw failure("there is nothing in it") }
    let root = try value(depth: 0)
    skipSpace()
    if index < bytes.count { throw failure("more text after the end", hint: "one value is expected") }
    return root
  }

  // MARK: Values

  /// What begins at `index`, which is not white space.
  private mutating func value(depth: Int) throws(YAMLFailure) -> YAMLNode {
    let position = position()
    guard index < bytes.count else { throw failure("the text ends where a value is expected") }
    switch bytes[index] {
    case UInt8(ascii: "\""):
      return YAMLNode(.scalar(try string(), isPlain: false), at: position)
    case UInt8(ascii: "{"):
      return YAMLNode(.mapping(try object(depth: try deeper(depth))), at: position)
    case UInt8(ascii: "["):
      return YAMLNode(.sequence(try array(depth: try deeper(depth))), at: position)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return YAMLNode(.scalar(try number(), isPlain: true), at: position)
    default:
      return YAMLNode(.scalar(try word(), isPlain: true), at: position)
    }
  }

  private mutating func deeper(_ depth: Int) throws(YAMLFailure) -> Int {
    guard depth < JSONDocument.depthMax else {
      throw failure("nested deeper than \(JSONDocument.depthMax) levels")
    }
    return depth + 1
  }

  private mutating func object(depth: Int) throws(YAMLFailure) -> [YAMLNode.Entry] {
    let begin = position()
    var entries: [YAMLNode.Entry] = []
    index += 1
    skipSpace()
    if take(UInt8(ascii: "}")) { return entries }
    while true {
      let keyPosition = position()
      guard index < bytes.count else { throw unclosed("object", from: begin) }
      guard bytes[index] == UInt8(ascii: "\"") else { throw noKey(isFirst: entries.isEmpty) }
      let key = try string()
      skipSpace()
      guard take(UInt8(ascii: ":")) else {
        throw index < bytes.count
          ? failure("a colon is expected after the key \(quoted(key))") : unclosed("object", from: begin)
      }
      skipSpace()
      let value = try value(depth: depth)
      entries.append(YAMLNode.Entry(key: key, keyPosition: keyPosition, value: value))
      skipSpace()
      if take(UInt8(ascii: ",")) {
        skipSpace()
        continue
      }
      if take(UInt8(ascii: "}")) { return entries }
      throw index < bytes.count ? failure("a comma or \"}\" is expected") : unclosed("object", from: begin)
    }
  }

  private mutating func array(depth: Int) throws(YAMLFailure) -> [YAMLNode] {
    let begin = position()
    var items: [YAMLNode] = []
    index += 1
    skipSpace()
    if take(UInt8(ascii: "]")) { return items }
    while true {
      guard index < bytes.count else { throw unclosed("list", from: begin) }
      if !items.isEmpty, bytes[index] == UInt8(ascii: "]") {
        throw failure("a value is expected after the comma", hint: "remove the comma")
      }
      items.append(try value(depth: depth))
      skipSpace()
      if take(UInt8(ascii: ",")) {
        skipSpace()
        continue
      }
      if take(UInt8(ascii: "]")) { return items }
      throw index < bytes.count ? failure("a comma or \"]\" is expected") : unclosed("list", from: begin)
    }
  }

  private mutating func number() throws(YAMLFailure) -> String {
    guard let end = JSONText.endOfNumber(in: bytes, from: index) else {
      throw failure("this is not a number", hint: "such as 5, -0.5 or 1e3, without leading zeros")
    }
    let text = text(index..<end)
    index = end
    return text
  }

  /// `true`, `false` or `null`.
  private mutating func word() throws(YAMLFailure) -> String {
    var end = index
    while end < bytes.count, end - index < 16, isLetterOrDigit(bytes[end]) { end += 1 }
    let word = text(index..<end)
    guard ["true", "false", "null"].contains(word) else { throw noValue(word) }
    index = end
    return word
  }

  // MARK: Strings

  /// The string whose quote is at `index`.
  private mutating func string() throws(YAMLFailure) -> String {
    let begin = index + 1
    var end = begin
    while end < bytes.count {
      let byte = bytes[end]
      if byte == UInt8(ascii: "\"") {
        index = end + 1
        return text(begin..<end)
      }
      if byte == UInt8(ascii: "\\") || byte < 0x20 { break }
      end += 1
    }
    return try stringWithEscapes(from: begin, firstEscape: end)
  }

  private mutating func stringWithEscapes(
    from begin: Int, firstEscape: Int
  ) throws(YAMLFailure) -> String {
    let beginning = position()
    scratch.removeAll(keepingCapacity: true)
    index = begin
    if firstEscape > begin { appendPlainBytes() }
    while index < bytes.count {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        return String(decoding: scratch, as: UTF8.self)
      case UInt8(ascii: "\\"):
        try escape()
      case 0..<0x20:
        throw controlCharacter(byte, stringFrom: beginning)
      default:
        appendPlainBytes()
      }
    }
    throw unclosed("text", from: beginning)
  }

  /// Those up to the next quote, escape or control character.
  private mutating func appendPlainBytes() {
    var end = index
    while end < bytes.count, bytes[end] >= 0x20, bytes[end] != UInt8(ascii: "\""),
      bytes[end] != UInt8(ascii: "\\")
    {
      end += 1
    }
    let plain = bytes.extracting(index..<end)
    scratch.append(addingCapacity: plain.count) { output in
      for place in plain.indices { output.append(plain[place]) }
    }
    index = end
  }

  private mutating func escape() throws(YAMLFailure) {
    guard index + 1 < bytes.count else { throw failure("the text ends within an escape") }
    switch bytes[index + 1] {
    case UInt8(ascii: "\""): scratch.append(UInt8(ascii: "\""))
    case UInt8(ascii: "\\"): scratch.append(UInt8(ascii: "\\"))
    case UInt8(ascii: "/"): scratch.append(UInt8(ascii: "/"))
    case UInt8(ascii: "b"): scratch.append(0x08)
    case UInt8(ascii: "f"): scratch.append(0x0C)
    case UInt8(ascii: "n"): scratch.append(0x0A)
    case UInt8(ascii: "r"): scratch.append(0x0D)
    case UInt8(ascii: "t"): scratch.append(0x09)
    case UInt8(ascii: "u"): return try unicodeEscape()
    default:
      throw failure("this is no escape of JSON", hint: "a backslash itself is written \\\\")
    }
    index += 2
  }

  /// `\u` with four digits, or two of them for a character outside of the basic plane (RFC 8259 §7).
  private mutating func unicodeEscape() throws(YAMLFailure) {
    let first = try codeUnit()
    let code: UInt32
    switch first {
    case 0xD800...0xDBFF:
      guard index + 7 < bytes.count, bytes[index + 6] == UInt8(ascii: "\\"),
        bytes[index + 7] == UInt8(ascii: "u")
      else { throw loneSurrogate() }
      index += 6
      let second = try codeUnit()
      index -= 6
      guard (0xDC00...0xDFFF).contains(second) else { throw loneSurrogate() }
      code = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    default: code = first
    }
    guard let scalar = Unicode.Scalar(code) else { throw loneSurrogate() }
    scratch.append(contentsOf: scalar.utf8)
    index += code > 0xFFFF ? 12 : 6
  }

  /// The four digits of the escape at `index`.
  private mutating func codeUnit() throws(YAMLFailure) -> UInt32 {
    var code: UInt32 = 0
    for place in index + 2..<index + 6 {
      guard place < bytes.count, let digit = hexadecimalDigit(bytes[place]) else {
        throw failure("four hexadecimal digits are expected after \\u")
      }
      code = code << 4 | digit
    }
    return code
  }

  private func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
  }

  /// Bytes without escapes as they are; they have been found to be UTF-8.
  private func text(_ range: Range<Int>) -> String {
    do throws(UTF8.ValidationError) {
      return String(copying: try UTF8Span(validating: bytes.extracting(range)))
    } catch {
      return ""
    }
  }

  // MARK: Places

  private mutating func take(_ byte: UInt8) -> Bool {
    guard index < bytes.count, bytes[index] == byte else { return false }
    index += 1
    return true
  }

  private mutating func skipSpace() {
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"):
        index += 1
      case UInt8(ascii: "\n"):
        index += 1
        beginLine()
      case UInt8(ascii: "\r"):
        index += 1
        if index == bytes.count || bytes[index] != UInt8(ascii: "\n") { beginLine() }
      default: return
      }
    }
  }

  private mutating func beginLine() {
    line += 1
    lineStart = index
    counted = index
    column = 1
  }

  private mutating func position() -> Position {
    if isASCII { return Position(line: line, column: index - lineStart + 1) }
    while counted < index {
      if bytes[counted] & 0xC0 != 0x80 { column += 1 }
      counted += 1
    }
    return Position(line: line, column: column)
  }

  // MARK: Failures

  private mutating func failure(_ message: String, hint: String? = nil) -> YAMLFailure {
    YAMLFailure(position: position(), message: "not JSON: " + message, hint: hint)
  }

  private mutating func unclosed(_ what: String, from begin: Position) -> YAMLFailure {
    failure("the end comes before that of the \(what) at \(begin.line):\(begin.column)")
  }

  private mutating func noKey(isFirst: Bool) -> YAMLFailure {
    if !isFirst, bytes[index] == UInt8(ascii: "}") {
      return failure("a key is expected after the comma", hint: "remove the comma")
    }
    return failure("a key is expected", hint: "keys are texts in double quotes")
  }

  private mutating func noValue(_ word: String) -> YAMLFailure {
    let hint: String? =
      switch bytes[index] {
      case UInt8(ascii: "'"): "texts are in double quotes"
      case UInt8(ascii: "/"), UInt8(ascii: "#"): "JSON has no comments"
      case UInt8(ascii: "+"), UInt8(ascii: "."): "numbers begin with a digit, or with - and a digit"
      default:
        ["true", "false", "null"].contains(word.lowercased())
          ? "write \(word.lowercased())" : word.isEmpty ? nil : "texts are in double quotes"
      }
    return failure("a value is expected", hint: hint)
  }

  private mutating func controlCharacter(_ byte: UInt8, stringFrom begin: Position) -> YAMLFailure {
    if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
      return failure(
        "the text at \(begin.line):\(begin.column) has no closing quote on its line",
        hint: "a line break is written \\n")
    }
    let code = String(byte, radix: 16, uppercase: true)
    return failure(
      "the character U+\(String(repeating: "0", count: 4 - code.count))\(code) is not allowed in a text",
      hint: byte == UInt8(ascii: "\t") ? "write \\t" : "write it as an escape")
  }

  private mutating func loneSurrogate() -> YAMLFailure {
    failure(
      "half of a surrogate pair", hint: "characters beyond U+FFFF are two escapes, such as \\uD83D\\uDE00")
  }
}
