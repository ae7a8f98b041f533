import DataPlane
import Resources

/// Holds content back. As nginx's limit_rate and limit_rate_after, Envoy's bandwidth_limit, and HAProxy's bwlim filters
/// with and without a table.
public struct Bandwidth: PluginSettings {
  public static let name = "bandwidth"
  public static let summary =
    "Sends the content of requests and responses no faster than so many bytes a second."
  public static let priority = 903

  private static let shared = [
    PluginOption.required("rate", .size(1...(1 << 40)), "Bytes a second, for all of them together."),
    PluginOption(
      "by", .list(.text("what requests are told apart by"), maximum: 8), default: .list([.text("address")]),
      "What has a rate of its own: \(RequestKey.hint); several together are one key."),
  ]

  private static let direction = [
    PluginOption("rate", .size(1...(1 << 40)), "Bytes a second, for each request."),
    PluginOption(
      "after", .size(0...(1 << 50)), default: .size(0), "So much goes as fast as it can before that."),
    PluginOption(
      "shared", .object(shared), "A rate for all requests of an address, a consumer or another key together."),
  ]

  public static let options = [
    PluginOption("response", .object(direction), "How fast responses go to clients."),
    PluginOption("request", .object(direction), "How fast requests' content goes to services."),
  ]

  struct Limit: Sendable {
    /// Nil: a request has none of its own.
    let rate: UInt64?
    let after: UInt64
    let shared: Shared?
  }

  struct Shared: Sendable {
    let rate: UInt64
    let key: RequestKey
  }

  let response: Limit?
  let request: Limit?

  public init(_ values: OptionValues) throws(OptionProblem) {
    response = try Self.limit(values, "response")
    request = try Self.limit(values, "request")
    if response == nil, request == nil {
      throw OptionProblem("", "nothing is limited", hint: "such as response: {rate: 1MiB}")
    }
  }

  private static func limit(_ values: OptionValues, _ name: String) throws(OptionProblem) -> Limit? {
    guard let values = values.object(name) else { return nil }
    let rate = values.size("rate")
    let after = values.size("after") ?? 0
    guard rate != nil || values.isGiven("shared") else {
      throw OptionProblem(name, "there is no rate", hint: "rate, shared or both are needed")
    }
    if rate == nil, after > 0 {
      throw OptionProblem(
        "\(name).after", "a request has no rate that this could be before", hint: "add rate")
    }
    let shared = try values.object("shared").map { values throws(OptionProblem) in
      Shared(
        rate: values.size("rate") ?? 1, key: try RequestKey(values.texts("by"), at: "\(name).shared.by"))
    }
    return Limit(rate: rate, after: after, shared: shared)
  }
}
