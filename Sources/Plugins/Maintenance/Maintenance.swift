import DataPlane
import Resources

/// Closes a route, a service or everything for a while, but for those who work on it.
public struct Maintenance: PluginSettings {
  public static let name = "maintenance"
  public static let summary = "Answers that a service is under maintenance, but to those who may pass."
  /// Behind the plugins that find out who calls, and before those that count requests.
  public static let priority = 940

  public static let options =
    WrittenAnswer.options(status: 503, contentType: "text/plain; charset=utf-8") + [
      PluginOption(
        "retryAfter", .duration(.zero ... .seconds(31_536_000)), default: .duration(.seconds(300)),
        "What Retry-After says; 0s: it is not sent."),
      PluginOption(
        "allow",
        .object([
          PluginOption("networks", .list(.network, maximum: 256), "Clients of these networks and addresses."),
          PluginOption("consumers", .list(.text("a consumer's name"), maximum: 256), "These consumers."),
          PluginOption("groups", .list(.text("a group's name"), maximum: 256), "Consumers of these groups."),
          PluginOption(
            "headers", .map(.token("a name of a field"), .fieldValue, maximum: 16),
            "Requests that have one of these fields with this value."),
        ]), "Who still passes: whom any of this holds for."),
    ]

  let answer: WrittenAnswer
  let networks: [Network]
  let consumers: Set<String>
  let groups: Set<String>
  /// Names in lower case.
  let fields: [(name: [UInt8], value: [UInt8])]
  /// Empty: there is none.
  let retryAfterLine: [UInt8]

  public var answersAlways: Bool {
    networks.isEmpty && consumers.isEmpty && groups.isEmpty && fields.isEmpty
  }

  public init(_ values: OptionValues) throws(OptionProblem) {
    answer = try WrittenAnswer(
      values, standardStatus: 503, standardContent: "The service is under maintenance.\n")
    let allow = values.object("allow")
    networks = allow?.networks("networks") ?? []
    consumers = Set(allow?.texts("consumers") ?? [])
    groups = Set(allow?.texts("groups") ?? [])
    fields = (allow?.pairs("headers") ?? []).map { (Array($0.key.lowercased().utf8), Array($0.text.utf8)) }
    for (name, value) in fields where value.isEmpty {
      throw OptionProblem(
        "allow.headers.\(String(decoding: name, as: UTF8.self))", "the value is empty",
        hint: "a long random text")
    }
    if values.pairs("headers").contains(where: { $0.key.lowercased() == "retry-after" }) {
      throw OptionProblem("headers.Retry-After", "retryAfter says it", hint: "set it there")
    }
    let seconds = values.duration("retryAfter")?.components.seconds ?? 0
    retryAfterLine = seconds > 0 ? FieldLines.line("Retry-After", "\(seconds)") : []
  }
}
