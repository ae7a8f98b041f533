import DataPlane
import Resources
import Runtime

extension Fault: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { FaultPlugin(self, site) }
}

final class FaultPlugin: Plugin {
  private let settings: Fault
  private let worker: Worker
  private let abort: ReadyAnswer?
  private var delays = DelayCount()

  init(_ settings: Fault, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    abort = settings.abort.map(ReadyAnswer.init)
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if let trigger = settings.trigger, !trigger.holds(for: exchange) { return .next }
    if isHit(settings.delayShare), delays.mayBegin { return .wait }
    return verdict(exchange)
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    delays.begin()
    await exchange.sleep(nanoseconds: settings.delayNanoseconds)
    delays.end()
    return verdict(exchange)
  }

  private func verdict(_ exchange: Exchange) -> PluginVerdict {
    guard let abort, isHit(settings.abortShare) else { return .next }
    return .answer(abort.answer(to: exchange))
  }

  /// - share: in millionths.
  private func isHit(_ share: Int) -> Bool {
    share >= 1_000_000 || share > 0 && worker.random.next(below: 1_000_000) < share
  }
}
