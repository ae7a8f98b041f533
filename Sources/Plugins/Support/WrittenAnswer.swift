import DataPlane
import Resources

/// An answer that the configuration writes: status, content and fields.
struct WrittenAnswer: Sendable {
  static let contentBytesMax = 1 << 20
  private static let fieldsMax = 64

  static func options(status: Int?, contentType: String) -> [PluginOption] {
    [
      PluginOption(
        "status", .integer(200...599), default: status.map { .integer($0) }, "The status."),
      PluginOption(
        "contentType", .fieldValue, default: .text(contentType), "Of the content, where there is some."),
      PluginOption("body", .content(bytesMax: contentBytesMax), "The content, at most 1 MiB."),
      PluginOption(
        "headers", .map(.token("a name of a field"), .fieldValue, maximum: fieldsMax),
        "Further fields. Values may hold variables."),
    ]
  }

  private let status: UInt16
  private let contentType: String
  private let content: [UInt8]
  /// Where the content has variables.
  private let template: TextTemplate?
  private let lines: [UInt8]
  private let texts: [(name: [UInt8], value: TextTemplate)]

  /// - option: What stands before the options' names in messages: `examples[0].`
  /// - hasVariables: Whether the content is to be read as a text with variables.
  init(
    _ values: OptionValues, standardStatus: Int, option: String = "", hasVariables: Bool = false,
    standardContent: String = ""
  ) throws(OptionProblem) {
    status = UInt16(values.integer("status") ?? standardStatus)
    contentType = values.text("contentType") ?? "text/plain; charset=utf-8"
    let isWithout = [204, 205, 304].contains(status)
    let body = values.text("body") ?? (isWithout ? "" : standardContent)
    content = Array(body.utf8)
    if isWithout, !content.isEmpty {
      throw OptionProblem(
        "\(option)body", "an answer with status \(status) has no content", hint: "leave body out")
    }
    let template = hasVariables ? try TextTemplate(body, option: "\(option)body") : nil
    self.template = template?.isConstant == false ? template : nil
    var lines: [UInt8] = []
    var texts: [(name: [UInt8], value: TextTemplate)] = []
    for (name, text) in values.pairs("headers") {
      let path = "\(option)headers.\(name)"
      if name.lowercased() == "content-type" {
        throw OptionProblem(path, "contentType says what the content is", hint: "set it there")
      }
      try OwnedFields.checkResponse(name, option: path, adds: true)
      let value = try TextTemplate(text, option: path)
      if value.isConstant {
        FieldLines.append(Array(name.utf8), value.literal, to: &lines)
      } else {
        texts.append((Array(name.utf8), value))
      }
    }
    self.lines = lines
    self.texts = texts
  }

  /// The answer where it is the same for all requests.
  var constant: PluginAnswer? {
    guard template == nil, texts.isEmpty else { return nil }
    return PluginAnswer(status, content: content, contentType: contentType, lines: lines)
  }

  func answer(to exchange: Exchange) -> PluginAnswer {
    var lines = lines
    for (name, value) in texts {
      FieldLines.append(name, value, of: exchange, to: &lines)
    }
    let content = template?.text(of: exchange, TextEscaping(contentType: contentType)) ?? content
    return PluginAnswer(status, content: content, contentType: contentType, lines: lines)
  }
}

/// A ``WrittenAnswer`` as a worker gives it: made once where it is always the same.
struct ReadyAnswer {
  private let written: WrittenAnswer
  private let constant: PluginAnswer?

  init(_ written: WrittenAnswer) {
    self.written = written
    constant = written.constant
  }

  func answer(to exchange: Exchange) -> PluginAnswer { constant ?? written.answer(to: exchange) }
}
