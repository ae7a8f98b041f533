import DataPlane
import Resources
import Runtime

extension Bandwidth: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { BandwidthPlugin(self, site) }
}

/// What all workers have of one use of the plugin.
private final class BandwidthState: Sendable {
  let response: SharedRates?
  let request: SharedRates?

  init(_ settings: Bandwidth) {
    response = settings.response?.shared.map { SharedRates($0.rate) }
    request = settings.request?.shared.map { SharedRates($0.rate) }
  }
}

final class BandwidthPlugin: Plugin {
  private let settings: Bandwidth
  private let worker: Worker
  private var responseRates: WorkerRates?
  private var requestRates: WorkerRates?

  init(_ settings: Bandwidth, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    if settings.response?.shared != nil || settings.request?.shared != nil {
      let state = site.sharedState { BandwidthState(settings) }
      responseRates = state.response.map { WorkerRates($0) }
      requestRates = state.request.map { WorkerRates($0) }
    }
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if let limit = settings.response {
      if let rate = limit.rate { exchange.limitResponseRate(to: rate, after: limit.after) }
      if let shared = limit.shared, let pace = responseRates?.pace(for: exchange, shared.key, at: worker.now)
      {
        exchange.shareResponseRate(pace)
      }
    }
    if let limit = settings.request {
      if let rate = limit.rate { exchange.limitRequestRate(to: rate, after: limit.after) }
      if let shared = limit.shared, let pace = requestRates?.pace(for: exchange, shared.key, at: worker.now) {
        exchange.shareRequestRate(pace)
      }
    }
    return .next
  }
}
