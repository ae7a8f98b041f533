/// Writes YAML text: block mappings and lists, quotes where another reader might see no text.
struct YAMLWriter {
  private var text = ""
  private var indentation = 0
  /// The next line continues the one of a list's dash.
  private var isAfterDash = false

  /// A document that holds a mapping with these entries.
  static func document(_ entries: [WrittenValue.Entry]) -> String {
    var writer = YAMLWriter()
    writer.write(entries)
    return writer.text
  }

  private mutating func line(_ content: String) {
    if isAfterDash {
      isAfterDash = false
    } else {
      text += String(repeating: " ", count: indentation)
    }
    text += content
    text += "\n"
  }

  private mutating func write(_ entries: [WrittenValue.Entry]) {
    for entry in entries {
      let key = YAMLWriter.scalar(entry.key)
      switch entry.value {
      case .mapping(let inner) where !inner.isEmpty:
        line(key + ":")
        indentation += 2
        write(inner)
        indentation -= 2
      case .list(let items) where !items.isEmpty:
        line(key + ":")
        indentation += 2
        for item in items { write(item: item) }
        indentation -= 2
      default: line(key + ": " + YAMLWriter.flow(entry.value))
      }
    }
  }

  private mutating func write(item: WrittenValue) {
    guard case .mapping(let entries) = item, !entries.isEmpty else {
      line("- " + YAMLWriter.flow(item))
      return
    }
    text += String(repeating: " ", count: indentation) + "- "
    isAfterDash = true
    indentation += 2
    write(entries)
    indentation -= 2
  }

  /// A value on one line.
  private static func flow(_ value: WrittenValue) -> String {
    switch value {
    case .text(let text): scalar(text)
    case .word(let word): word
    case .flowList(let items), .list(let items): "[" + items.map(flow).joined(separator: ", ") + "]"
    case .flowMapping(let entries), .mapping(let entries):
      "{" + entries.map { scalar($0.key) + ": " + flow($0.value) }.joined(separator: ", ") + "}"
    }
  }

  /// A text as a scalar that every YAML reader takes for the same text.
  private static func scalar(_ text: String) -> String {
    isPlain(text) ? text : doubleQuoted(text)
  }

  /// YAML 1.1 takes these for booleans or nothing, and the vocabulary has the last two.
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
