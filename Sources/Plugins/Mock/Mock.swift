import DataPlane
import Resources

/// Answers in place of a service. As Kong's request-termination and APISIX's mocking.
public struct Mock: PluginSettings {
  public static let name = "mock"
  public static let summary = "Answers requests in place of a service."
  public static let priority = 2

  private static let delay = PluginOption(
    "delay", .duration(.zero ... .seconds(600)), default: .duration(.zero), "How long the answer takes.")
  private static let template = PluginOption(
    "template", .flag, default: .flag(false), "Whether body may hold variables, such as $uri.")

  public static let options =
    WrittenAnswer.options(status: 200, contentType: "application/json") + [
      delay, template,
      PluginOption(
        "trigger", .object(RequestTrigger.options),
        "Requests that are answered; others go on. Where this is left out, all are answered."),
      PluginOption(
        "examples",
        .list(
          .object(
            [.required("match", .object(RequestTrigger.options), "Requests that get this answer.")]
              + WrittenAnswer.options(status: 200, contentType: "application/json") + [delay, template]),
          maximum: 100),
        "Answers for some requests; the first that matches counts, and what is above for the rest."),
    ]

  struct Example: Sendable {
    var trigger: RequestTrigger?
    var answer: WrittenAnswer
    var delayNanoseconds: Int64
  }

  let trigger: RequestTrigger?
  /// The last one is for all.
  let examples: [Example]

  public var answersAlways: Bool { trigger == nil }

  public init(_ values: OptionValues) throws(OptionProblem) {
    trigger = try values.object("trigger").map { values throws(OptionProblem) in
      try RequestTrigger(values, option: "trigger")
    }
    var examples: [Example] = []
    for (index, example) in values.objects("examples").enumerated() {
      let option = "examples[\(index)]"
      let match = try example.object("match").map { values throws(OptionProblem) in
        try RequestTrigger(values, option: "\(option).match")
      }
      examples.append(try Self.example(example, match, option: "\(option)."))
    }
    examples.append(try Self.example(values, nil, option: ""))
    self.examples = examples
  }

  private static func example(
    _ values: OptionValues, _ trigger: RequestTrigger?, option: String
  ) throws(OptionProblem) -> Example {
    Example(
      trigger: trigger,
      answer: try WrittenAnswer(
        values, standardStatus: 200, option: option, hasVariables: values.flag("template")),
      delayNanoseconds: (values.duration("delay") ?? .zero).wholeNanoseconds)
  }
}
