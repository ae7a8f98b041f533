/// Writes JSON texts for the API, member by member.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// An object with the members that `body` writes.
  static func object(_ body: (inout JSONWriter) -> Void) -> JSONWriter {
    var writer = JSONWriter()
    writer.object(body)
    return writer
  }

  mutating func object(_ body: (inout JSONWriter) -> Void) {
    separate()
    bytes.append(UInt8(ascii: "{"))
    needsComma = false
    body(&self)
    bytes.append(UInt8(ascii: "}"))
    needsComma = true
  }

  mutating func list<Item>(_ items: some Sequence<Item>, _ body: (inout JSONWriter, Item) -> Void) {
    separate()
    bytes.append(UInt8(ascii: "["))
    needsComma = false
    for item in items { body(&self, item) }
    bytes.append(UInt8(ascii: "]"))
    needsComma = true
  }

  /// What follows is this member's value.
  mutating func key(_ name: String) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Nothing where there is no value.
  mutating func member(_ name: String, _ value: String?) {
    guard let value else { return }
    key(name)
    string(value)
  }

  mutating func string(_ text: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    // RFC 8259 §7: only quote, backslash and control characters have to be escaped.
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0x0A: bytes += "\\n".utf8
      case 0..<0x20: bytes += "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// A complete JSON text.
  mutating func raw(_ text: String) {
    separate()
    bytes += text.utf8
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }
}
