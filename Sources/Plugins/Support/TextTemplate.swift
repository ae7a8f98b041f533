import DataPlane
import HTTPCodec
import Resources

/// A text of the configuration with variables of the request in it: `https://$host$uri`.
///
/// Parsed when the configuration is read; what a request adds is escaped for the place where it stands, so that
/// it can end neither a line nor a text of JSON or HTML.
struct TextTemplate: Sendable {
  enum Part: Sendable, Equatable {
    case literal([UInt8])
    case variable(RequestVariable)
    /// Of the regular expression that has matched.
    case group(Int)
  }

  private(set) var parts: [Part] = []

  /// Variables that one text may hold: what a request is made to say is a multiple of what it has said.
  static let variablesMax = 16

  /// - option: For messages.
  /// - groups: Of the regular expression that comes with it; nil where there is none.
  init(_ text: String, option: String, groups: Int? = nil) throws(OptionProblem) {
    var parser = TemplateParser(text: Array(text.utf8), option: option, groups: groups)
    try parser.parse()
    parts = parser.parts
  }

  var isConstant: Bool {
    parts.allSatisfy {
      if case .literal = $0 { true } else { false }
    }
  }

  /// Whether it speaks of the request.
  var hasVariables: Bool {
    parts.contains {
      if case .variable = $0 { true } else { false }
    }
  }

  /// What it is without variables.
  var literal: [UInt8] {
    parts.flatMap { part -> [UInt8] in
      if case .literal(let bytes) = part { bytes } else { [] }
    }
  }

  /// A text without variables, for what an expression has found.
  func text(matched: [UInt8], groups: [Range<Int>]) -> [UInt8] {
    var text: [UInt8] = []
    for part in parts {
      switch part {
      case .literal(let bytes): text += bytes
      case .group(let number) where number < groups.count: text += matched[groups[number]]
      case .group, .variable: break
      }
    }
    return text
  }

  /// - matched: what ``Part/group(_:)`` refers to, and where its groups are.
  func text(
    of exchange: Exchange, _ escaping: TextEscaping, matched: [UInt8] = [], groups: [Range<Int>] = []
  ) -> [UInt8] {
    var text: [UInt8] = []
    for part in parts {
      switch part {
      case .literal(let bytes): text += bytes
      case .variable(let variable):
        escaping.append(variable.value(of: exchange), isURI: variable.isURI, to: &text)
      case .group(let number):
        guard number < groups.count else { continue }
        escaping.append(matched[groups[number]], isURI: true, to: &text)
      }
    }
    return text
  }
}

/// Reads `$name`, `${name}`, `$1` and `$$`.
private struct TemplateParser {
  let text: [UInt8]
  let option: String
  let groups: Int?
  var parts: [TextTemplate.Part] = []
  private var literal: [UInt8] = []
  private var position = 0
  private var variableCount = 0

  init(text: [UInt8], option: String, groups: Int?) {
    self.text = text
    self.option = option
    self.groups = groups
  }

  mutating func parse() throws(OptionProblem) {
    while position < text.count {
      let byte = text[position]
      position += 1
      guard byte == UInt8(ascii: "$") else {
        literal.append(byte)
        continue
      }
      if position < text.count, text[position] == UInt8(ascii: "$") {
        literal.append(byte)
        position += 1
        continue
      }
      try parseVariable()
    }
    endLiteral()
  }

  private mutating func parseVariable() throws(OptionProblem) {
    let hasBraces = position < text.count && text[position] == UInt8(ascii: "{")
    if hasBraces { position += 1 }
    let start = position
    // `$1st` is the first group and `st`.
    let isNumber = position < text.count && isDigit(text[position])
    while position < text.count, isNumber ? isDigit(text[position]) : isNamePart(text[position]) {
      position += 1
    }
    let name = String(decoding: text[start..<position], as: UTF8.self)
    if hasBraces {
      guard position < text.count, text[position] == UInt8(ascii: "}") else {
        throw OptionProblem(option, "a \"${\" has no \"}\"", hint: "such as ${host}")
      }
      position += 1
    }
    guard !name.isEmpty else {
      throw OptionProblem(option, "a \"$\" has no name behind it", hint: "a dollar sign itself is $$")
    }
    variableCount += 1
    guard variableCount <= TextTemplate.variablesMax else {
      throw OptionProblem(
        option, "there are too many variables", hint: "at most \(TextTemplate.variablesMax)")
    }
    endLiteral()
    parts.append(isNumber ? try group(name) : try variable(name))
  }

  private func group(_ name: String) throws(OptionProblem) -> TextTemplate.Part {
    guard let groups else {
      throw OptionProblem(
        option, "there is no regular expression that $\(name) could be a group of",
        hint: "a dollar sign itself is $$")
    }
    guard name.utf8.count <= 2, let number = Int(name), number <= groups else {
      throw OptionProblem(
        option, "there is no group $\(name)",
        hint: groups == 0 ? "the regular expression has no groups" : "the last one is $\(groups)")
    }
    return .group(number)
  }

  private func variable(_ name: String) throws(OptionProblem) -> TextTemplate.Part {
    guard let variable = RequestVariable(name) else {
      throw OptionProblem(
        option, "there is no variable $\(name)",
        hint: "\(RequestVariable.names); a dollar sign itself is $$")
    }
    return .variable(variable)
  }

  private mutating func endLiteral() {
    if !literal.isEmpty { parts.append(.literal(literal)) }
    literal = []
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
  private func isNamePart(_ byte: UInt8) -> Bool {
    byte.asciiLowercased &- 0x61 < 26 || isDigit(byte) || byte == UInt8(ascii: "_")
  }
}
