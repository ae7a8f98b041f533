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

  /// Also where the head was looked at: a consumer's plugins may have come between.
  override func serviceChosen(_ exchange: Exchange) throws(PluginFailure) -> PluginAnswer? {
    answer(for: exchange)
  }

  /// Nil where its breaker is closed.
  private func answer(for exchange: Exchange) -> PluginAnswer? {
    let now = worker.now.nanoseconds
    let wait = breaker?.openFor(at: now) ?? breakers?.breaker(of: exchange.serviceName).openFor(at: now) ?? 0
    if wait == 0 { return nil }
    let answer = answer.answer(to: exchange)
    if settings.tellsWhen {
      let lines = exchange.addedResponseLines
      lines.append("Retry-After: ")
      lines.append(decimal: UInt64((wait + 999_999_999) / 1_000_000_000))
      lines.append("\r\n")
    }
    return answer
  }

  override func end(_ exchange: Exchange) {
    if let service, exchange.serviceName != service { return }
    switch exchange.serviceResult {
    case .unknown: break
    case .failed: note(exchange, isSuccess: false)
    case .answered(let status):
      if settings.failureStatuses.contains(status) {
        note(exchange, isSuccess: false)
      } else if settings.successStatuses.contains(status) {
        note(exchange, isSuccess: true)
      }
    }
  }

  private func note(_ exchange: Exchange, isSuccess: Bool) {
    let now = worker.now.nanoseconds
    if let breaker {
      breaker.note(isSuccess: isSuccess, at: now)
    } else {
      breakers?.breaker(of: exchange.serviceName).note(isSuccess: isSuccess, at: now)
    }
  }
}
