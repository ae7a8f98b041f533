import Resources
import Runtime

/// Chooses endpoints for the requests of one service, on one worker.
///
/// Looks at the endpoints' health, ejection and requests in flight anew for each pick; only the set
/// and the weights are prepared.
public struct Balancer {
  private enum Policy {
    case roundRobin
    case leastRequest(LeastRequest)
    case hash(HashRing)
    case sticky(StickyCookie)
  }

  private var policy: Policy
  /// Also for requests without a key.
  private var roundRobin = RoundRobin()
  private let slowStart: SlowStart
  /// What was prepared for.
  private var endpoints: [Endpoint] = []
  private var weights: [Int] = []

  public init(policy: Balance, slowStart: Duration) {
    self.slowStart = SlowStart(slowStart)
    switch policy {
    case .roundRobin: self.policy = .roundRobin
    case .leastRequest: self.policy = .leastRequest(LeastRequest())
    case .hash: self.policy = .hash(HashRing())
    case .sticky(let cookie): self.policy = .sticky(StickyCookie(name: cookie))
    }
  }

  /// To be called when endpoints come, go or change their weights. Costs a comparison where none
  /// of that happened.
  public mutating func endpointsChanged(_ changed: [Endpoint]) {
    endpointsChanged(changed, weights: changed.map(\.weight))
  }

  /// The same with weights that the endpoints are yet to have.
  mutating func endpointsChanged(_ changed: [Endpoint], weights changedWeights: [Int]) {
    if isPrepared(for: changed, changedWeights) { return }
    endpoints = changed
    weights = changedWeights
    roundRobin.endpointsChanged(weights)
    switch policy {
    case .roundRobin: break
    case .leastRequest(var leastRequest):
      leastRequest.endpointsChanged(weights)
      policy = .leastRequest(leastRequest)
    case .hash(var ring):
      ring.endpointsChanged(changed, weights)
      policy = .hash(ring)
    case .sticky(var cookie):
      cookie.endpointsChanged(changed)
      policy = .sticky(cookie)
    }
  }

  /// Whether it was told of these endpoints with these weights.
  func isPrepared(for changed: [Endpoint], _ changedWeights: [Int]) -> Bool {
    guard changed.count == endpoints.count, changedWeights == weights else { return false }
    for index in changed.indices where changed[index] !== endpoints[index] { return false }
    return true
  }

  /// The index of the endpoint for a request; nil when no endpoint is healthy and has a weight.
  ///
  /// When all that are healthy are ejected, ejection is ignored: trying is better than refusing.
  ///
  /// - Parameters:
  ///   - endpoints: those last given to ``endpointsChanged(_:)``.
  ///   - key: of ``HashKeySource``.
  ///   - tried: a bit for each of the first 64 endpoints that is to be picked only if no other is left.
  public mutating func pick(
    from endpoints: [Endpoint], key: UInt64?, tried: UInt64, now: MonotonicTime, random: inout SplitMix64
  ) -> Int? {
    if endpoints.count != self.endpoints.count { endpointsChanged(endpoints) }
    if endpoints.isEmpty { return nil }
    var eligibility = Eligibility(now: now, tried: tried)
    if let index = choose(endpoints, key, eligibility, random: &random) { return index }
    eligibility.isRelaxed = true
    if tried != 0 {
      eligibility.tried = 0
      if let index = choose(endpoints, key, eligibility, random: &random) { return index }
    }
    eligibility.ignoresEjection = true
    eligibility.tried = tried
    if let index = choose(endpoints, key, eligibility, random: &random) { return index }
    guard tried != 0 else { return nil }
    eligibility.tried = 0
    return choose(endpoints, key, eligibility, random: &random)
  }

  /// What a `Set-Cookie` field has to hold so that the client stays with the endpoint that was
  /// picked; nil where it stays anyway, and for other policies than the sticky cookie.
  ///
  /// - Parameter key: the request's, as it was given to ``pick(from:key:tried:now:random:)``.
  public func stickyCookie(for index: Int, key: UInt64?) -> [UInt8]? {
    guard case .sticky(let cookie) = policy, weights.indices.contains(index), cookie.token(of: index) != key
    else { return nil }
    return cookie.fieldValue(for: index)
  }

  private mutating func choose(
    _ endpoints: [Endpoint], _ key: UInt64?, _ eligibility: Eligibility, random: inout SplitMix64
  ) -> Int? {
    switch policy {
    case .roundRobin: break
    case .leastRequest(let leastRequest):
      return leastRequest.pick(from: endpoints, eligibility, slowStart, random: &random)
    case .hash(let ring):
      if let key { return ring.pick(key, from: endpoints, eligibility) }
    case .sticky(let cookie):
      if let key, let index = cookie.index(of: key), eligibility.admits(endpoints[index], at: index) {
        return index
      }
    }
    return roundRobin.pick(from: endpoints, eligibility, slowStart, random: &random)
  }
}
