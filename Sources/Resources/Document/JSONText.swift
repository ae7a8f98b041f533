/// Writes JSON (RFC 8259) without white space, and knows what a number looks like.
struct JSONText {
  private var bytes: [UInt8] = []

  /// What has been written.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Text that is JSON already: brackets, numbers, words.
  mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

  mutating func byte(_ byte: UInt8) { bytes.append(byte) }

  /// A string in quotes. Only what has to be escaped is.
  mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): raw("\\\"")
      case UInt8(ascii: "\\"): raw("\\\\")
      case 0x0A: raw("\\n")
      case 0x0D: raw("\\r")
      case 0x09: raw("\\t")
      case 0..<0x20:
        raw(byte < 0x10 ? "\\u000" : "\\u00")
        raw(String(byte, radix: 16, uppercase: true))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// A scalar that YAML would have without quotes: as it is where JSON has it too, else in quotes.
  mutating func plain(_ text: String) {
    switch text {
    case "true", "false", "null": raw(text)
    // What YAML reads as nothing; see ``Value/isNull``.
    case "", "~", "Null", "NULL": raw("null")
    default: JSONText.isNumber(text) ? raw(text) : string(text)
    }
  }

  static func isNumber(_ text: String) -> Bool {
    guard let first = text.utf8.first, isDigit(first) || first == UInt8(ascii: "-") else { return false }
    let bytes = Array(text.utf8)
    return endOfNumber(in: bytes.span, from: 0) == bytes.count
  }

  /// The end of the number that begins at `begin` (RFC 8259 §6); nil where there is none, or where it
  /// goes on as no number does.
  static func endOfNumber(in bytes: Span<UInt8>, from begin: Int) -> Int? {
    var index = begin
    func byte() -> UInt8 { index < bytes.count ? bytes[index] : 0 }
    func digits() -> Bool {
      let first = index
      while index < bytes.count, isDigit(bytes[index]) { index += 1 }
      return index > first
    }
    if byte() == UInt8(ascii: "-") { index += 1 }
    if byte() == UInt8(ascii: "0") {
      index += 1
    } else if !digits() {
      return nil
    }
    if byte() == UInt8(ascii: ".") {
      index += 1
      guard digits() else { return nil }
    }
    if byte() | 0x20 == UInt8(ascii: "e") {
      index += 1
      if byte() == UInt8(ascii: "+") || byte() == UInt8(ascii: "-") { index += 1 }
      guard digits() else { return nil }
    }
    let next = byte()
    return isLetterOrDigit(next) || next == UInt8(ascii: ".") || next == UInt8(ascii: "_") ? nil : index
  }
}
