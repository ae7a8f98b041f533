import DataPlane
import Resources

/// Limits the size of responses' content. As Kong's response-size-limiting.
public struct ResponseSize: PluginSettings {
  public static let name = "response-size"
  public static let summary = "Keeps back responses of services whose content is too large."
  public static let priority = 949

  public static let options = [
    PluginOption(
      "limit", .size(0...(1 << 50)), default: .size(128 << 20),
      "What the content of a response may have; more is answered with 502, or cut off.")
  ]

  let limit: UInt64

  public init(_ values: OptionValues) throws(OptionProblem) { limit = values.size("limit") ?? 128 << 20 }
}

extension ResponseSize: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { ResponseSizePlugin(limit: limit) }
}

final class ResponseSizePlugin: Plugin {
  private let limit: UInt64

  init(limit: UInt64) {
    self.limit = limit
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    exchange.limitResponseContent(to: limit)
    return .next
  }
}
