import HTTPCodec
import Resources
import Runtime

/// Says which services and endpoints a route's request may get.
struct BackendExplainer {
  let request: ExplainedRequest
  let client: SocketAddress?
  let worker: Worker

  /// - choose: what plugins make of the choice of a service; nil: nothing.
  func explain(
    _ route: CompiledRoute, _ services: ServiceTable,
    choose: (UpstreamService?) -> (plugin: String, shares: [ExplainedShare])?
  ) -> [Explanation.Backend] {
    let total = route.definition.backends.reduce(0) { $0 + max(0, $1.weight) }
    var explained: [Explanation.Backend] = []
    var chosen: [Explanation.Backend] = []
    for (index, backend) in route.definition.backends.enumerated() {
      let number = route.service(ofBackend: index)
      let service = number.flatMap { services.service($0) }
      let share = total > 0 ? Double(max(0, backend.weight)) / Double(total) : 0
      guard share > 0, let choice = choose(service) else {
        explained.append(explain(backend, share, service))
        continue
      }
      let own = choice.shares.reduce(0) { $0 + ($1.service == nil ? $1.share : 0) }
      explained.append(explain(backend, share * own, service))
      for one in choice.shares {
        guard let named = one.service else { continue }
        add(named, share * one.share, "\(choice.plugin), \(one.reason)", to: &chosen)
      }
    }
    return explained + chosen
  }

  private func add(
    _ service: NamedService, _ share: Double, _ reason: String, to chosen: inout [Explanation.Backend]
  ) {
    if let place = chosen.firstIndex(where: { $0.service == service.name && $0.chosenBy == reason }) {
      chosen[place].share += share
      return
    }
    var backend = explain(Backend(service: service.name, weight: 0), share, service.current)
    backend.chosenBy = reason
    chosen.append(backend)
  }

  private func explain(
    _ backend: Backend, _ share: Double, _ service: UpstreamService?
  ) -> Explanation.Backend {
    var explained = Explanation.Backend(
      service: backend.service, weight: backend.weight, share: share, balance: "", endpoints: [],
      endpointCount: 0)
    guard let service else { return explained }
    let policy = service.settings.service.balance
    explained.balance = Self.name(policy)
    explained.endpointCount = service.endpoints.count
    var eligibility = Eligibility(now: worker.now, tried: 0)
    eligibility.ignoresEjection = !eligibility.admitsAny(of: service.endpoints)
    let picked = pick(service, policy, &explained.key)
    explained.endpoints = service.endpoints.prefix(Explanation.endpointsMax).enumerated().map {
      index, endpoint in
      let ejected = endpoint.ejectedUntil.nanoseconds(since: worker.now)
      return Explanation.Endpoint(
        name: endpoint.name, address: String(decoding: endpoint.addressText, as: UTF8.self),
        weight: endpoint.weight, isHealthy: endpoint.isHealthy,
        ejectedForSeconds: ejected > 0 ? Double(ejected) / 1_000_000_000 : nil,
        inFlight: endpoint.inFlight, mayBePicked: eligibility.admits(endpoint, at: index),
        isPicked: index == picked)
    }
    return explained
  }

  /// The very endpoint, where the policy leaves nothing to chance.
  private func pick(_ service: UpstreamService, _ policy: Balance, _ name: inout String?) -> Int? {
    guard let source = service.hashKeySource else { return nil }
    switch policy {
    case .roundRobin, .leastRequest: return nil
    case .hash(.clientIP): name = "client address"
    case .hash(.header(let header)): name = "header \(header)"
    case .hash(.cookie(let cookie)): name = "cookie \(cookie)"
    case .hash(.query(let parameter)): name = "query parameter \(parameter)"
    case .sticky(let cookie): name = "cookie \(cookie)"
    }
    if case .hash(.clientIP) = policy, client == nil { return nil }
    guard let key = source.key(client: client ?? .any, head: request.head, bytes: request.bytes.span) else {
      return nil
    }
    // Copies: asking must not take anybody's turn.
    var balancer = service.balancer
    var random = worker.random
    let picked = balancer.pick(
      from: service.endpoints, key: key, tried: 0, now: worker.now, random: &random)
    // A cookie that no longer names an endpoint that may be picked leaves it to chance.
    if case .sticky = policy, let picked, balancer.stickyCookie(for: picked, key: key) != nil { return nil }
    return picked
  }

  private static func name(_ policy: Balance) -> String {
    switch policy {
    case .roundRobin: "roundRobin"
    case .leastRequest: "leastRequest"
    case .hash: "hash"
    case .sticky: "sticky"
    }
  }
}
