import DataPlane
import Resources

/// Spares a service that fails: requests are answered without it for a while. As APISIX's plugin of this name.
public struct APIBreaker: PluginSettings {
  public static let name = "api-breaker"
  public static let summary = "Answers in place of a service that fails, for a while that doubles."
  /// Behind what says who may call and before what counts how much, as with APISIX.
  public static let priority = 915

  private static let statusesMax = 64

  public static let options: [PluginOption] = [
    .required("breakResponseCode", .integer(200...599), "The status of what does not get to the service."),
    PluginOption(
      "breakResponseBody", .content(bytesMax: WrittenAnswer.contentBytesMax), "Its content, at most 1 MiB."),
    PluginOption(
      "breakResponseHeaders", .map(.token("a name of a field"), .fieldValue, maximum: 64),
      "Its fields. Values may hold variables."),
    PluginOption(
      "maxBreakerSec", .integer(3...86_400), default: .integer(300),
      "Seconds for which the service is spared at most."),
    PluginOption(
      "unhealthy",
      .object([
        PluginOption(
          "httpStatuses", .list(.integer(500...599), maximum: statusesMax), default: .list([.integer(500)]),
          "Statuses that count as failures, beside no connection, no answer in time and one that breaks off."),
        PluginOption(
          "failures", .integer(1...1_000_000), default: .integer(3), "After how many it is spared."),
      ]), "What a failure is."),
    PluginOption(
      "healthy",
      .object([
        PluginOption(
          "httpStatuses", .list(.integer(200...499), maximum: statusesMax), default: .list([.integer(200)]),
          "Statuses that count as successes."),
        PluginOption(
          "successes", .integer(1...1_000_000), default: .integer(3),
          "After how many, one behind the other, failures are forgotten."),
      ]), "What a success is."),
  ]

  let answer: WrittenAnswer
  let failureStatuses: StatusSet
  let successStatuses: StatusSet
  let limits: BreakerLimits
  /// Answers say when it is worth another request (RFC 9110 §10.2.3).
  let tellsWhen: Bool

  public init(_ values: OptionValues) throws(OptionProblem) {
    answer = try Self.answer(values)
    tellsWhen =
      [429, 503].contains(values.integer("breakResponseCode") ?? 0)
      && !values.pairs("breakResponseHeaders").contains { $0.key.lowercased() == "retry-after" }
    let unhealthy = values.object("unhealthy") ?? Self.standard("unhealthy")
    let healthy = values.object("healthy") ?? Self.standard("healthy")
    failureStatuses = StatusSet(unhealthy.integers("httpStatuses"))
    successStatuses = StatusSet(healthy.integers("httpStatuses"))
    guard !successStatuses.isEmpty else {
      throw OptionProblem(
        "healthy.httpStatuses", "the list is empty, and failures would never be forgotten",
        hint: "such as [200]")
    }
    limits = BreakerLimits(
      failures: UInt32(unhealthy.integer("failures") ?? 3),
      successes: UInt32(healthy.integer("successes") ?? 3),
      secondsMax: values.integer("maxBreakerSec") ?? 300)
  }

  /// An object without anything given.
  private static func standard(_ name: String) -> OptionValues {
    for option in options where option.name == name {
      if case .object(let options) = option.type { return OptionValues(options) }
    }
    return OptionValues([])
  }

  private static func answer(_ values: OptionValues) throws(OptionProblem) -> WrittenAnswer {
    let standardType = "text/plain; charset=utf-8"
    var written = OptionValues(WrittenAnswer.options(status: nil, contentType: standardType))
    if let status = values.integer("breakResponseCode") { written.set("status", .integer(status)) }
    if let body = values.text("breakResponseBody") { written.set("body", .text(body)) }
    let fields = values.pairs("breakResponseHeaders")
    if let type = fields.last(where: { $0.key.lowercased() == "content-type" }) {
      written.set("contentType", .text(type.text))
    }
    written.set(
      "headers",
      .map(
        fields.filter { $0.key.lowercased() != "content-type" }.map {
          OptionEntry(key: $0.key, value: .text($0.text))
        }))
    do throws(OptionProblem) {
      return try WrittenAnswer(
        written, standardStatus: 503, standardContent: "The service is not well; please try again later.\n")
    } catch {
      let names = ["body": "breakResponseBody", "headers": "breakResponseHeaders"]
      let first = error.path.prefix { $0 != "." }
      var problem = error
      problem.path = (names[String(first)] ?? String(first)) + error.path.dropFirst(first.count)
      if problem.hint == "leave body out" { problem.hint = "leave breakResponseBody out" }
      throw problem
    }
  }
}
