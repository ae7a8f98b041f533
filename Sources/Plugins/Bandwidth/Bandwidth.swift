import DataPlane
import Resources

/// Holds content back. As nginx's limit_rate and limit_rate_after, and Envoy's bandwidth_limit.
public struct Bandwidth: PluginSettings {
  public static let name = "bandwidth"
  public static let summary =
    "Sends the content of requests and responses no faster than so many bytes a second."
  public static let priority = 903

  private static let direction = [
    PluginOption.required("rate", .size(1...(1 << 40)), "Bytes a second, for each request."),
    PluginOption(
      "after", .size(0...(1 << 50)), default: .size(0), "So much goes as fast as it can before that."),
  ]

  public static let options = [
    PluginOption("response", .object(direction), "How fast responses go to clients."),
    PluginOption("request", .object(direction), "How fast requests' content goes to services."),
  ]

  struct Limit: Sendable {
    let rate: UInt64
    let after: UInt64

    init(_ values: OptionValues) {
      rate = values.size("rate") ?? 1
      after = values.size("after") ?? 0
    }
  }

  let response: Limit?
  let request: Limit?

  public init(_ values: OptionValues) throws(OptionProblem) {
    response = values.object("response").map(Limit.init)
    request = values.object("request").map(Limit.init)
    if response == nil, request == nil {
      throw OptionProblem("", "nothing is limited", hint: "such as response: {rate: 1MiB}")
    }
  }
}
