import DataPlane
import Resources

/// Makes requests fail or wait, to see what callers do then. As APISIX's fault-injection.
public struct Fault: PluginSettings {
  public static let name = "fault"
  public static let summary =
    "Answers some requests with an error, or makes them wait, to test what callers do."
  /// As APISIX's fault-injection, which Kong has no counterpart of: before all others.
  public static let priority = 11_000

  private static let percentage = PluginOption(
    "percentage", .percentage, default: .share(1_000_000), "Of requests, each on its own.")

  public static let options = [
    PluginOption(
      "abort",
      .object(
        WrittenAnswer.options(status: nil, contentType: "text/plain; charset=utf-8").map { option in
          var option = option
          option.isRequired = option.name == "status"
          return option
        } + [percentage]), "Requests are answered, and go no further."),
    PluginOption(
      "delay",
      .object([
        .required("duration", .duration(.milliseconds(1) ... .seconds(600)), "How long they wait."),
        percentage,
      ]), "Requests wait before they go on, or are aborted."),
    PluginOption(
      "trigger", .object(RequestTrigger.options),
      "Requests that are meant; where this is left out, all."),
  ]

  let abort: WrittenAnswer?
  /// In millionths of all requests.
  let abortShare: Int
  let delayNanoseconds: Int64
  let delayShare: Int
  let trigger: RequestTrigger?

  public init(_ values: OptionValues) throws(OptionProblem) {
    let abort = values.object("abort")
    let delay = values.object("delay")
    if abort == nil, delay == nil {
      throw OptionProblem("", "there is no fault", hint: "abort: {status: 503}, or delay: {duration: 2s}")
    }
    self.abort = try abort.map { values throws(OptionProblem) in
      try WrittenAnswer(
        values, standardStatus: 503, option: "abort.", standardContent: "This fault was asked for.\n")
    }
    abortShare = abort?.share("percentage") ?? 0
    delayNanoseconds = delay?.duration("duration")?.wholeNanoseconds ?? 0
    delayShare = delay?.share("percentage") ?? 0
    trigger = try values.object("trigger").map { values throws(OptionProblem) in
      try RequestTrigger(values, option: "trigger")
    }
  }
}
