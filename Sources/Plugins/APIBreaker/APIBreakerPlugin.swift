import DataPlane
import Resources
import Runtime

extension APIBreaker: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { APIBreakerPlugin(self, site) }
}

final class APIBreakerPlugin: Plugin {
  private let settings: APIBreaker
  private let worker: Worker
  private let breaker: Breaker
  private let answer: ReadyAnswer
  /// Of a service's own: what other services answer says nothing of it.
  private let service: [UInt8]?

  init(_ settings: APIBreaker, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    breaker = site.sharedState { Breaker(settings.limits) }
    answer = ReadyAnswer(settings.answer)
    if case .service(let name) = site.scope { service = Array(name.utf8) } else { service = nil }
    super.init([.requestHead, .end])
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    let wait = breaker.openFor(at: worker.now.nanoseconds)
    if wait == 0 { return .next }
    let answer = answer.answer(to: exchange)
    if settings.tellsWhen {
      exchange.editResponseLines { lines in
        lines.append("Retry-After: ", decimal: Int((wait + 999_999_999) / 1_000_000_000))
        lines.endLine()
      }
    }
    return .answer(answer)
  }

  override func end(_ exchange: Exchange) {
    if let service, exchange.serviceName != service { return }
    switch exchange.serviceResult {
    case .unknown: break
    case .failed: breaker.fail(at: worker.now.nanoseconds)
    case .answered(let status):
      if settings.failureStatuses.contains(status) {
        breaker.fail(at: worker.now.nanoseconds)
      } else if settings.successStatuses.contains(status) {
        breaker.succeed(at: worker.now.nanoseconds)
      }
    }
  }
}
