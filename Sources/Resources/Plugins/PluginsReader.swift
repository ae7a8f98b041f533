/// Reads the plugins of a resource: a mapping of their names.
enum PluginsReader {
  /// Kinds that one resource may use: more than there are.
  static let attachmentsMax = 64

  /// Of a route, a service or a consumer. In the order in which they run; after an error, what could be read.
  static func read(_ value: Value) -> [PluginAttachment]? {
    let hint = "such as {key-auth: {}}"
    guard let entries = MappingReader.uniqueEntries(of: value, wanted: "a mapping of plugins", hint: hint)
    else { return nil }
    guard entries.count <= attachmentsMax else {
      value.report("\(entries.count) plugins are too many", hint: "at most \(attachmentsMax)")
      return nil
    }
    let attachments = entries.compactMap { entry -> PluginAttachment? in
      let member = Value(
        node: entry.value, place: .key(entry.key, value.place), diagnostics: value.diagnostics)
      let attachment = read(entry.key, at: entry.keyPosition, member)
      if attachment?.settings.seesConnections == true {
        member.report(
          "\(entry.key) is to act on connections, for which neither a route nor a consumer is known yet",
          hint: "set it for everything, among the plugins of the top level")
      }
      return attachment
    }
    return attachments.sorted { ($1.priority, $0.name) < ($0.priority, $1.name) }
  }

  /// - keyPosition: Of its name.
  /// - other: keys that are allowed beside the plugin's options.
  static func read(
    _ name: String, at keyPosition: Position, _ value: Value, other: [String] = []
  ) -> PluginAttachment? {
    let catalog = value.diagnostics.plugins
    guard let kind = catalog[name] else {
      let names = catalog.kinds.map { $0.name }
      let nearest = value.diagnostics.suggestion(for: name, among: names)
      value.diagnostics.report(
        "no plugin is named \(quoted(name))",
        hint: nearest.map { "did you mean \(quoted($0))?" } ?? "one of " + names.joined(separator: ", "),
        at: keyPosition, place: value.place)
      return nil
    }
    // Nothing behind the name: everything by default.
    let value =
      value.isNull
      ? Value(
        node: YAMLNode(.mapping([]), at: value.node.position), place: value.place,
        diagnostics: value.diagnostics) : value
    var isEnabled = true
    if let enabled = value.member("enabled") {
      guard let flag = enabled.boolean() else { return nil }
      isEnabled = flag
    }
    guard let values = OptionReader.read(value, kind.options, other: ["enabled"] + other) else { return nil }
    do throws(OptionProblem) {
      return PluginAttachment(
        name: name, isEnabled: isEnabled, values: values, settings: try kind.init(values))
    } catch {
      report(error, at: value)
      return nil
    }
  }

  /// At the option that the problem names.
  static func report(_ problem: OptionProblem, at value: Value) {
    value.diagnostics.report(
      problem.message, hint: problem.hint, at: FieldPlace(problem.path, in: value.node).node.position,
      place: value.place.appending(problem.path))
  }
}
