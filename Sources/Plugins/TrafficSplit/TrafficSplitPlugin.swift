import DataPlane
import Resources
import Runtime

extension TrafficSplit: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { TrafficSplitPlugin(self, site) }
}

final class TrafficSplitPlugin: Plugin {
  private struct Rule {
    let conditions: ReadyConditions
    let share: Int
    let weights: WeightedServices
    /// Nil: the route's own.
    let services: [NamedService?]
  }

  private let settings: TrafficSplit
  private let worker: Worker
  private let rules: [Rule]
  private let canary: ReadyCanary?
  private let canaryService: NamedService?

  init(_ settings: TrafficSplit, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    rules = settings.rules.map { rule in
      Rule(
        conditions: ReadyConditions(rule.conditions), share: rule.share, weights: rule.services,
        services: rule.services.names.map { $0.map { site.service(named: $0) } })
    }
    canary = settings.canary.map(ReadyCanary.init)
    canaryService = settings.canary.map { site.service(named: $0.service) }
    super.init(.upstreamChoice)
  }

  // MARK: Requests

  override func upstreamChoice(_ exchange: Exchange) throws(PluginFailure) {
    if let service = service(for: exchange) { try exchange.send(to: service) }
  }

  /// Nil: the route's own.
  private func service(for exchange: Exchange) -> NamedService? {
    for (index, rule) in rules.enumerated() where rule.conditions.hold(for: exchange) {
      if rule.share < 1_000_000, !Draw.isHit(draw(2 * index, exchange), rule.share) { continue }
      if rule.services.count == 1 { return rule.services[0] }
      return rule.services[rule.weights.index(of: draw(2 * index + 1, exchange))]
    }
    guard let canary else { return nil }
    switch canary.choice(exchange) {
    case .canary: return canaryService
    case .own: return nil
    case .drawn:
      return canary.canary.weight > 0 && canary.isHit(draw(Self.canaryDecision, exchange))
        ? canaryService : nil
    }
  }

  /// Behind those of rules.
  private static let canaryDecision = 2 * TrafficSplit.rulesMax

  private func draw(_ decision: Int, _ exchange: Exchange) -> UInt64 {
    user(exchange).map { Draw.of($0, decision: decision) } ?? worker.random.next()
  }

  private func user(_ request: some RequestFacts) -> UInt64? {
    settings.users?.stableHash(of: request, after: settings.salt)
  }

  // MARK: Explanations

  override func explainUpstreamChoice(_ request: ExplainedRequest) -> [ExplainedShare]? {
    let user = user(request)
    var shares: [ExplainedShare] = []
    var rest = 1.0
    for (index, rule) in rules.enumerated() where rule.conditions.hold(for: request) {
      let hit =
        user.map { Draw.isHit(Draw.of($0, decision: 2 * index), rule.share) ? 1 : 0 }
        ?? Double(rule.share) / 1_000_000
      let chosen = user.map { rule.weights.index(of: Draw.of($0, decision: 2 * index + 1)) }
      for (place, service) in rule.services.enumerated() {
        let part =
          chosen.map { $0 == place ? 1 : 0 }
          ?? Double(rule.weights.weights[place]) / Double(rule.weights.total)
        shares.append(ExplainedShare(service, share: rest * hit * part, reason: "rules[\(index)]"))
      }
      rest *= 1 - hit
    }
    if let canary, let canaryService, rest > 0 {
      let (share, reason) = explain(canary, request, user)
      shares.append(ExplainedShare(canaryService, share: rest * share, reason: reason))
      rest *= 1 - share
    }
    shares.append(ExplainedShare(nil, share: rest, reason: ""))
    return shares.filter { $0.share > 0 }
  }

  private func explain(
    _ canary: ReadyCanary, _ request: ExplainedRequest, _ user: UInt64?
  ) -> (share: Double, reason: String) {
    switch canary.choice(request) {
    case .canary(let part): (1, "canary by \(part)")
    case .own: (0, "")
    case .drawn:
      (
        user.map { canary.isHit(Draw.of($0, decision: Self.canaryDecision)) ? 1 : 0 } ?? canary.share,
        "canary by weight"
      )
    }
  }
}
