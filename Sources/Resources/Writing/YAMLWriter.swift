/// Writes YAML text: block mappings and lists, quotes where another reader might see no text.
struct YAMLWriter {
  private(set) var text = ""
  private var indentation = 0
  /// The next line continues the one of a list's dash.
  private var isAfterDash = false

  mutating func line(_ content: String) {
    if isAfterDash {
      isAfterDash = false
    } else {
      text += String(repeating: " ", count: indentation)
    }
    text += content
    text += "\n"
  }

  /// `key: value`, the value as it is.
  mutating func pair(_ key: String, _ value: String) {
    line("\(key): \(value)")
  }

  mutating func pair(_ key: String, texts: [String]) {
    pair(key, "[" + texts.map(YAMLWriter.scalar).joined(separator: ", ") + "]")
  }

  /// `key:` with an indented block.
  mutating func block(_ key: String, _ body: (inout YAMLWriter) -> Void) {
    line(key + ":")
    indentation += 2
    body(&self)
    indentation -= 2
  }

  /// `key:` with a list of blocks; `[]` where there are none.
  mutating func list<Item>(_ key: String, _ items: [Item], _ body: (inout YAMLWriter, Item) -> Void) {
    guard !items.isEmpty else {
      pair(key, "[]")
      return
    }
    block(key) { writer in
      for item in items {
        writer.text += String(repeating: " ", count: writer.indentation) + "- "
        writer.isAfterDash = true
        writer.indentation += 2
        body(&writer, item)
        writer.indentation -= 2
      }
    }
  }

  /// A text as a scalar that every YAML reader takes for the same text.
  static func scalar(_ text: String) -> String {
    isPlain(text) ? text : doubleQuoted(text)
  }

  private static let reserved: Set<String> = [
    "true", "false", "yes", "no", "on", "off", "null", "y", "n", "none", "auto",
  ]

  private static func isPlain(_ text: String) -> Bool {
    guard let first = text.utf8.first, first == 0x2F || isLetterOrDigit(first) && !isDigit(first) else {
      return false
    }
    return text.utf8.allSatisfy { isLetterOrDigit($0) || "/_.-".utf8.contains($0) }
      && !reserved.contains(text.lowercased())
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
      case "\u{20}"..."\u{7E}", "\u{A0}"..."\u{2027}", "\u{202A}"..."\u{D7FF}", "\u{E000}"..."\u{FEFE}":
        quoted.unicodeScalars.append(scalar)
      default:
        let code = String(scalar.value, radix: 16, uppercase: true)
        quoted += "\\U" + String(repeating: "0", count: 8 - code.count) + code
      }
    }
    return quoted + "\""
  }
}
