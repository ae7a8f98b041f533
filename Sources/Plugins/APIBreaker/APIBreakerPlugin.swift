import DataPlane
import Resources
import Runtime

extension APIBreaker: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { APIBreakerPlugin(self, site) }
}

final class APIBreakerPlugin: Plugin {
  private let settings: APIBreaker
  private let worker: Worker
  private let answer: ReadyAnswer
  /// Of a route or a service; nil where it is for the services of many routes, of which one that fails must not stop
  /// the others.
  private let breaker: Breaker?
  private var breakers: WorkerBreakers?
  /// Of a service's own: what other services answer says nothing of it.
  private let service: [UInt8]?

  init(_ settings: APIBreaker, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    answer = ReadyAnswer(settings.answer)
    if case .service(let name) = site.scope { service = Array(name.utf8) } else { service = nil }
    switch site.scope {
    case .route, .service:
      breaker = site.sharedState { Breaker(settings.limits) }
      breakers = nil
    case .everything, .consumer:
      breaker = nil
      breakers = WorkerBreakers(site.sharedState { BreakerTable(settings.limits) })
    }
    super.init(breaker == nil ? [.requestHead, .chosenService, .end] : [.requestHead, .end])
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    // What speaks for every service asks when it is known which one takes the request.
    if breaker == nil, exchange.mayGoToAnother { return .next }
    return answer(for: exchange).map { .answer($0) } ?? .next
  }

  override func serviceChosen(_ exchange: Exchange) throws(PluginFailure) -> PluginAnswer? {
    exchange.mayGoToAnother ? answer(for: exchange) : nil
  }

  /// Nil where its breaker is closed.
  private func answer(for exchange: Exchange) -> PluginAnswer? {
    guard let wait = breaker(for: exchange)?.openFor(at: worker.now.nanoseconds), wait > 0 else { return nil }
    let answer = answer.answer(to: exchange)
    if settings.tellsWhen {
      exchange.editResponseLines { lines in
        lines.append("Retry-After: ", decimal: Int((wait + 999_999_999) / 1_000_000_000))
        lines.endLine()
      }
    }
    return answer
  }

  private func breaker(for exchange: Exchange) -> Breaker? {
    breaker ?? breakers?.breaker(of: exchange.serviceName)
  }

  override func end(_ exchange: Exchange) {
    if let service, exchange.serviceName != service { return }
    guard let breaker = breaker(for: exchange) else { return }
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
