import Resources

/// Writes bodies as YAML for people: a line for each value, so that differences are lines.
public struct YAMLText {
  public private(set) var text = ""
  private var indentation = 0
  /// The next line continues that of a list's dash.
  private var isAfterDash = false

  public init() {}

  /// A document that holds only this.
  public static func document(_ body: ResourceBody) -> String {
    var writer = YAMLText()
    writer.write(body)
    return writer.text
  }

  /// A list under a key, as files have it: `routes:`.
  public mutating func list(_ key: String, _ items: [ResourceBody]) {
    member(key, .list(items))
  }

  private mutating func write(_ body: ResourceBody) {
    switch body.content {
    case .mapping(let members) where !members.isEmpty:
      for item in members { member(item.key, item.value.content) }
    case .list(let items) where !items.isEmpty:
      for item in items { self.item(item.content) }
    default: line(inline(body.content))
    }
  }

  private mutating func member(_ key: String, _ value: ResourceBody.Content) {
    let key = Self.scalar(key, isQuoted: true)
    switch value {
    case .mapping(let members) where !members.isEmpty:
      line(key + ":")
      indented { writer in
        for item in members { writer.member(item.key, item.value.content) }
      }
    case .list(let items) where !items.isEmpty:
      line(key + ":")
      indented { writer in
        for item in items { writer.item(item.content) }
      }
    case .scalar(let text, isQuoted: true) where Self.isBlock(text):
      line(key + ": |" + (text.hasSuffix("\n") ? "" : "-"))
      block(text)
    default: line(key + ": " + inline(value))
    }
  }

  private mutating func item(_ value: ResourceBody.Content) {
    guard case .mapping(let members) = value, !members.isEmpty else { return line("- " + inline(value)) }
    text += String(repeating: " ", count: indentation) + "- "
    isAfterDash = true
    indented { writer in
      for item in members { writer.member(item.key, item.value.content) }
    }
  }

  private mutating func indented(_ body: (inout YAMLText) -> Void) {
    indentation += 2
    body(&self)
    indentation -= 2
  }

  private mutating func line(_ content: String) {
    if isAfterDash {
      isAfterDash = false
    } else {
      text += String(repeating: " ", count: indentation)
    }
    text += content + "\n"
  }

  private mutating func block(_ content: String) {
    var lines = content.split(separator: "\n", omittingEmptySubsequences: false)
    if content.hasSuffix("\n") { lines.removeLast() }
    indented { writer in
      for line in lines { writer.line(String(line)) }
    }
  }

  /// On one line; what has a line for each value elsewhere is empty here, or within a list of lists.
  private func inline(_ value: ResourceBody.Content) -> String {
    switch value {
    case .scalar(let text, let isQuoted): Self.scalar(text, isQuoted: isQuoted)
    case .list(let items): "[" + items.map { inline($0.content) }.joined(separator: ", ") + "]"
    case .mapping(let members):
      "{"
        + members.map { Self.scalar($0.key, isQuoted: true) + ": " + inline($0.value.content) }
        .joined(separator: ", ") + "}"
    }
  }

  // MARK: Scalars

  /// - Parameter isQuoted: it is a text, and stays one for every reader of YAML.
  static func scalar(_ text: String, isQuoted: Bool) -> String {
    isQuoted ? (isPlain(text) ? text : doubleQuoted(text)) : (text.isEmpty ? "null" : text)
  }

  /// What YAML 1.2 takes for booleans or nothing. `off` and `on` are texts there, as in all our files.
  private static let reserved: Set<String> = ["true", "false", "null"]

  /// `shop`, `/cart`, `5s`, `20%`, `api.example.com:8080`: no number, date or word of YAML, and no
  /// character that means something.
  private static func isPlain(_ text: String) -> Bool {
    let isLetter = { (byte: UInt8) in (0x61...0x7A).contains(byte | 0x20) }
    guard let first = text.utf8.first, let last = text.utf8.last,
      isLetter(first) || isDigit(first) || first == UInt8(ascii: "/"),
      text.utf8.contains(where: isLetter) || first == UInt8(ascii: "/") || last == UInt8(ascii: "%"),
      last != UInt8(ascii: ":"), last != UInt8(ascii: " ")
    else { return false }
    let isSafe = text.utf8.allSatisfy { byte in
      isLetter(byte) || isDigit(byte) || "/_.-:@+%= ".utf8.contains(byte)
    }
    return isSafe && !text.contains(": ") && !reserved.contains(text.lowercased()) && Double(text) == nil
      && !["0x", "0o", "0b"].contains(text.prefix(2).lowercased())
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  /// Several lines that a literal block gives back as they are.
  private static func isBlock(_ text: String) -> Bool {
    guard text.dropLast().contains("\n"), !text.hasPrefix(" "), !text.hasPrefix("\n"), !text.hasSuffix("\n\n")
    else { return false }
    return text.unicodeScalars.allSatisfy { $0 == "\n" || (!TerminalText.isControl($0) && $0 != "\u{FEFF}") }
  }

  private static func doubleQuoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      default:
        if TerminalText.isControl(scalar) || scalar == "\u{FEFF}" || scalar.value >= 0xF0000 {
          let code = String(scalar.value, radix: 16, uppercase: true)
          quoted += "\\U" + String(repeating: "0", count: 8 - code.count) + code
        } else {
          quoted.unicodeScalars.append(scalar)
        }
      }
    }
    return quoted + "\""
  }
}
