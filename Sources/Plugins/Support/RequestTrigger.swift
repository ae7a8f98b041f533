import DataPlane
import HTTPCodec
import Resources

/// Which requests something is meant for: all that is given has to hold.
struct RequestTrigger: Sendable {
  static let options = [
    PluginOption("method", .list(.token("a method"), maximum: 16), "One of these methods."),
    PluginOption(
      "path", .text("a path such as /orders"), "This path, exactly, in the form in which it is forwarded."),
    PluginOption(
      "headers", .map(.token("a name of a field"), .content(bytesMax: 8_192), maximum: 16),
      "Fields by name; the value has to be the same, and \"\" stands for any."),
    PluginOption(
      "query", .map(.text("a name of a parameter"), .content(bytesMax: 8_192), maximum: 16),
      "Parameters by name; the decoded value has to be the same, and \"\" stands for any."),
  ]

  private let methods: [[UInt8]]
  private let path: [UInt8]?
  /// Names in lower case.
  private let fields: [(name: [UInt8], value: [UInt8])]
  private let parameters: [(name: [UInt8], value: [UInt8])]

  /// - option: For messages.
  init(_ values: OptionValues, option: String) throws(OptionProblem) {
    methods = values.texts("method").map { Array($0.utf8) }
    path = try values.text("path").map { text throws(OptionProblem) in
      try NormalPath.read(text, option: "\(option).path")
    }
    fields = values.pairs("headers").map { (Array($0.key.lowercased().utf8), Array($0.text.utf8)) }
    parameters = values.pairs("query").map { (Array($0.key.utf8), Array($0.text.utf8)) }
    if methods.isEmpty, path == nil, fields.isEmpty, parameters.isEmpty {
      throw OptionProblem(option, "it says nothing of the request", hint: "such as headers: {X-Mock: \"1\"}")
    }
  }

  func holds(for exchange: Exchange) -> Bool {
    if !methods.isEmpty, !methods.contains(exchange.method) { return false }
    if let path, !isPath(path, of: exchange) { return false }
    for (name, value) in fields {
      guard let field = exchange.firstField(name) else { return false }
      if !value.isEmpty, exchange.copy(field) != value { return false }
    }
    for (name, value) in parameters {
      guard let parameter = exchange.queryParameter(name) else { return false }
      if !value.isEmpty, parameter != value { return false }
    }
    return true
  }

  private func isPath(_ wanted: [UInt8], of exchange: Exchange) -> Bool {
    exchange.withPath { path in
      guard path.count == wanted.count else { return false }
      for index in path.indices where path[index] != wanted[index] { return false }
      return true
    }
  }
}
