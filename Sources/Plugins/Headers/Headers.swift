import DataPlane
import Resources

/// Sets, adds and removes fields of requests and responses. As Kong's request-transformer and
/// response-transformer, and the headers of APISIX's proxy-rewrite and response-rewrite.
public struct Headers: PluginSettings {
  public static let name = "headers"
  public static let summary = "Sets, adds, removes and renames header fields of requests and responses."
  public static let priority = 801

  private static let fieldsMax = 64
  private static let set = PluginOption(
    "set", .map(.token("a name of a field"), .fieldValue, maximum: fieldsMax),
    "Fields by name, in place of those that are there. Values may hold variables, such as $remote_addr.")
  private static let add = PluginOption(
    "add", .map(.token("a name of a field"), .fieldValue, maximum: fieldsMax),
    "Fields by name, beside those that are there. Values may hold variables.")
  private static let remove = PluginOption(
    "remove", .list(.token("a name of a field"), maximum: fieldsMax), "Names of fields that do not go on.")

  public static let options = [
    PluginOption(
      "request",
      .object([
        set, add, remove,
        PluginOption(
          "rename", .map(.token("a name of a field"), .token("a name of a field"), maximum: fieldsMax),
          "Fields by their name, and the name under which they go on."),
      ]), "What changes of a request before it goes to an endpoint."),
    PluginOption(
      "response", .object([set, add, remove]), "What changes of a response before it goes to the client."),
  ]

  /// What becomes of one message's fields.
  struct Changes: Sendable {
    /// In lower case.
    var dropped: [[UInt8]] = []
    /// Without variables.
    var lines: [UInt8] = []
    var texts: [(name: [UInt8], value: TextTemplate)] = []
    /// The first in lower case.
    var renamed: [(from: [UInt8], to: [UInt8])] = []
    var isEmpty: Bool { dropped.isEmpty && lines.isEmpty && texts.isEmpty }
  }

  let request: Changes
  let response: Changes

  public init(_ values: OptionValues) throws(OptionProblem) {
    request =
      try values.object("request").map { values throws(OptionProblem) in
        try Self.changes(values, "request")
      } ?? Changes()
    response =
      try values.object("response").map { values throws(OptionProblem) in
        try Self.changes(values, "response")
      } ?? Changes()
    if request.isEmpty, response.isEmpty {
      throw OptionProblem("", "there is nothing to change", hint: "such as request: {set: {X-Team: shop}}")
    }
  }

  private static func changes(_ values: OptionValues, _ side: String) throws(OptionProblem) -> Changes {
    var changes = Changes()
    var seen: Set<String> = []
    for name in values.texts("remove") {
      try check(name, "\(side).remove", adds: false, side)
      try note(name, in: &seen, "\(side).remove")
      changes.dropped.append(Array(name.lowercased().utf8))
    }
    if side == "request" { try addRenames(values.pairs("rename"), to: &changes, &seen) }
    for (name, text) in values.pairs("set") {
      try note(name, in: &seen, "\(side).set.\(name)")
      changes.dropped.append(Array(name.lowercased().utf8))
      try add(name, text, to: &changes, "\(side).set.\(name)", side)
    }
    for (name, text) in values.pairs("add") {
      try add(name, text, to: &changes, "\(side).add.\(name)", side)
    }
    return changes
  }

  private static func addRenames(
    _ pairs: [(key: String, text: String)], to changes: inout Changes, _ seen: inout Set<String>
  ) throws(OptionProblem) {
    for (from, to) in pairs {
      let option = "request.rename.\(from)"
      try check(from, option, adds: false, "request")
      try check(to, option, adds: true, "request")
      try note(from, in: &seen, option)
      changes.renamed.append((Array(from.lowercased().utf8), Array(to.utf8)))
      changes.dropped.append(Array(from.lowercased().utf8))
    }
  }

  private static func add(
    _ name: String, _ text: String, to changes: inout Changes, _ option: String, _ side: String
  ) throws(OptionProblem) {
    try check(name, option, adds: true, side)
    let template = try TextTemplate(text, option: option)
    if template.isConstant {
      FieldLines.append(Array(name.utf8), template.literal, to: &changes.lines)
    } else {
      changes.texts.append((Array(name.utf8), template))
    }
  }

  private static func check(
    _ name: String, _ option: String, adds: Bool, _ side: String
  ) throws(OptionProblem) {
    if side == "request" {
      try OwnedFields.checkRequest(name, option: option)
    } else {
      try OwnedFields.checkResponse(name, option: option, adds: adds)
    }
  }

  /// What goes on cannot be said twice.
  private static func note(
    _ name: String, in seen: inout Set<String>, _ option: String
  ) throws(OptionProblem) {
    guard !seen.insert(name.lowercased()).inserted else { return }
    throw OptionProblem(
      option, "the field \(name) is named twice", hint: "once in remove, rename and set together")
  }
}
