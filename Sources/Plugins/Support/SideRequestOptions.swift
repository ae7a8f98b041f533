import DataPlane
import Resources

/// What plugins that send requests of their own have in common.
enum SideRequestOptions {
  static let host = PluginOption(
    "host", .text("a host such as auth.example.com"),
    "Host that it is sent with.")

  static func extraHeaders(_ whose: String) -> PluginOption {
    PluginOption(
      "extraHeaders", .map(.token("a name of a field"), .fieldValue, maximum: 64),
      "Further fields of \(whose). Values may hold variables, such as $remote_addr.")
  }

  static func host(_ values: OptionValues) throws(OptionProblem) -> [UInt8]? {
    try values.text("host").map { text throws(OptionProblem) in try Rewrite.host(text) }
  }
}

/// Fields that an option sets, whose values may hold variables.
struct WrittenFields: Sendable {
  /// Those without variables.
  private var lines: [UInt8] = []
  private var texts: [(name: [UInt8], value: TextTemplate)] = []
  let names: [String]

  /// Any may be set but those of framing and of the connection, and `Host`.
  init(_ values: OptionValues, _ option: String) throws(OptionProblem) {
    let pairs = values.pairs(option)
    names = pairs.map(\.key)
    for (name, text) in pairs {
      let path = "\(option).\(name)"
      if name.lowercased() == "host" {
        throw OptionProblem(path, "the field Host is the gateway's own", hint: "host sets it")
      }
      try OwnedFields.checkMessage(name, option: path)
      let value = try TextTemplate(text, option: path)
      if value.isConstant {
        FieldLines.append(Array(name.utf8), value.literal, to: &lines)
      } else {
        texts.append((Array(name.utf8), value))
      }
    }
  }

  func append(of exchange: Exchange, to lines: inout [UInt8]) {
    lines += self.lines
    for (name, value) in texts { FieldLines.append(name, value, of: exchange, to: &lines) }
  }
}
