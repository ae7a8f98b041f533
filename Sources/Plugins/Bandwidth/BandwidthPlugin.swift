import DataPlane
import Resources

extension Bandwidth: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { BandwidthPlugin(self) }
}

final class BandwidthPlugin: Plugin {
  private let settings: Bandwidth

  init(_ settings: Bandwidth) {
    self.settings = settings
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if let limit = settings.response { exchange.limitResponseRate(to: limit.rate, after: limit.after) }
    if let limit = settings.request { exchange.limitRequestRate(to: limit.rate, after: limit.after) }
    return .next
  }
}
