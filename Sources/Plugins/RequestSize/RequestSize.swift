import DataPlane
import Resources

/// Limits the size of requests' content. As Kong's request-size-limiting.
public struct RequestSize: PluginSettings {
  public static let name = "request-size"
  public static let summary = "Refuses requests whose content is too large, or of unknown length."
  public static let priority = 951

  public static let options = [
    PluginOption(
      "limit", .size(0...(1 << 50)), default: .size(128 << 20),
      "What the content of a request may have; more is answered with 413."),
    PluginOption(
      "requireContentLength", .flag, default: .flag(false),
      "Whether content without Content-Length is answered with 411."),
  ]

  let limit: UInt64
  let requiresLength: Bool

  public init(_ values: OptionValues) throws(OptionProblem) {
    limit = values.size("limit") ?? 128 << 20
    requiresLength = values.flag("requireContentLength")
  }
}
