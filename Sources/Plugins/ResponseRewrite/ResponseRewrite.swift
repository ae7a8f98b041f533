import DataPlane
import Resources

/// Changes the status and the content of endpoints' responses. As APISIX's response-rewrite.
public struct ResponseRewrite: PluginSettings {
  public static let name = "response-rewrite"
  public static let summary = "Changes the status and the content of services' responses."
  public static let priority = 899

  private static let expressionsMax = 16
  private static let contentBytesMax = 1 << 20

  public static let options = [
    PluginOption(
      "statuses", .list(.integer(200...599), maximum: 64),
      "Only responses of these statuses are changed; where this is left out, all are."),
    PluginOption("status", .integer(200...599), "Is sent instead of the service's status."),
    PluginOption(
      "body", .content(bytesMax: contentBytesMax),
      "Is sent instead of the service's content, at most 1 MiB. May hold variables."),
    PluginOption(
      "contentType", .fieldValue, "Of \"body\"; where this is left out, text/plain; charset=utf-8."),
    PluginOption(
      "filters",
      .list(
        .object([
          .required("match", .regex, "RE2, looked for anywhere in the content."),
          .required(
            "replace", .content(bytesMax: 65_536),
            "Takes the place of what was found; $1 is the first group of the expression."),
          PluginOption(
            "scope", .choice(["once", "global"]), default: .text("global"),
            "Whether only the first that is found is replaced, or all."),
        ]), maximum: expressionsMax), "What is replaced within the service's content, one after the other."),
    PluginOption(
      "bytesMax", .size(1...UInt64(contentBytesMax)), default: .size(262_144),
      "Content that is longer goes on as it is."),
  ]

  struct Filter: Sendable {
    var pattern: String
    var replacement: TextTemplate
    var isGlobal: Bool
  }

  /// Empty: all.
  let statuses: Set<UInt16>
  let status: UInt16?
  let body: TextTemplate?
  let contentType: String
  let filters: [Filter]
  let contentBytesMax: Int

  public init(_ values: OptionValues) throws(OptionProblem) {
    statuses = Set(values.integers("statuses").map { UInt16($0) })
    status = values.integer("status").map { UInt16($0) }
    body = try values.text("body").map { text throws(OptionProblem) in
      try TextTemplate(text, option: "body")
    }
    contentType = values.text("contentType") ?? "text/plain; charset=utf-8"
    contentBytesMax = Int(values.size("bytesMax") ?? 262_144)
    var filters: [Filter] = []
    for (index, filter) in values.objects("filters").enumerated() {
      let option = "filters[\(index)]"
      let pattern = filter.text("match") ?? ""
      let groups = try MatchedPath.groupCount(pattern, option: "\(option).match")
      let replacement = try TextTemplate(
        filter.text("replace") ?? "", option: "\(option).replace", groups: groups)
      // What clients send must not become a part of pages: which of their texts would have to be escaped is not known.
      guard !replacement.hasVariables else {
        throw OptionProblem(
          "\(option).replace", "variables cannot be used here",
          hint: "$1 is the first group of the expression, and a dollar sign itself is $$")
      }
      filters.append(
        Filter(pattern: pattern, replacement: replacement, isGlobal: filter.text("scope") != "once"))
    }
    self.filters = filters
    try Self.check(values, status)
  }

  private static func check(_ values: OptionValues, _ status: UInt16?) throws(OptionProblem) {
    if let status, [204, 205, 304].contains(status) {
      throw OptionProblem(
        "status", "a response with status \(status) has no content", hint: "another status from 200 to 599")
    }
    if values.isGiven("body"), values.isGiven("filters") {
      throw OptionProblem(
        "filters", "body and filters exclude each other", hint: "filters change what the service sends")
    }
    if values.isGiven("contentType"), !values.isGiven("body") {
      throw OptionProblem("contentType", "this is for body", hint: "the plugin headers changes Content-Type")
    }
    if !["status", "body", "filters"].contains(where: { values.isGiven($0) }) {
      throw OptionProblem("", "there is nothing to change", hint: "such as body: Sorry.")
    }
  }
}
