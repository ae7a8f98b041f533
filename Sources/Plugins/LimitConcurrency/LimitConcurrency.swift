import DataPlane
import Resources

/// Lets so many requests be in flight at a time, for each key. As APISIX's limit-conn and nginx's limit_conn.
public struct LimitConcurrency: PluginSettings {
  public static let name = "limit-concurrency"
  public static let summary =
    "Lets so many requests be in flight at a time, for each address, consumer or other key."
  public static let priority = 905

  public static let options = [
    .required("requests", .integer(1...1_000_000), "How many may be in flight at a time."),
    PluginOption(
      "by", .list(.text("what requests are told apart by"), maximum: 8), default: .list([.text("address")]),
      "What has a limit of its own: \(RequestKey.hint); several together are one key."),
    PluginOption("status", .integer(400...599), default: .integer(503), "The status of what does not pass."),
    PluginOption(
      "message", .text("a sentence"), default: .text("Too many requests at a time."),
      "The content of what does not pass."),
  ]

  let requests: Int
  let key: RequestKey
  let status: UInt16
  let message: String

  public init(_ values: OptionValues) throws(OptionProblem) {
    requests = values.integer("requests") ?? 1
    key = try RequestKey(values.texts("by"), at: "by")
    status = UInt16(values.integer("status") ?? 503)
    message = values.text("message") ?? ""
  }
}
