import Runtime

/// Round robin: in turn where all weights are equal, smooth and weighted as in nginx elsewhere.
struct RoundRobin {
  /// Comparisons spent on a random start, at most.
  private static let startWorkMax = 4_096

  /// Whether all weights above zero are equal.
  private var isEven = true
  private var position = 0
  private var isStartDue = true
  /// What each endpoint has gained and not yet paid, by index; see ``pickSmoothly(from:_:_:)``.
  private var currentWeights: [Int] = []

  /// Begins anew; the next pick chooses where.
  mutating func endpointsChanged(_ weights: [Int]) {
    var first = 0
    isEven = true
    isStartDue = true
    currentWeights = [Int](repeating: 0, count: weights.count)
    for weight in weights where weight > 0 {
      if first != 0, weight != first { isEven = false }
      first = weight
    }
  }

  /// The next endpoint that may be picked, or nil.
  mutating func pick(
    from endpoints: [Endpoint], _ eligibility: Eligibility, _ slowStart: SlowStart, random: inout SplitMix64
  ) -> Int? {
    if isStartDue { start(endpoints, random: &random) }
    // Each request takes one turn: with two, every other endpoint would be passed over.
    guard isEven, !eligibility.isRelaxed else {
      return pickSmoothly(from: endpoints, eligibility, slowStart)
    }
    let index = position < endpoints.count ? position : 0
    position = index &+ 1
    let endpoint = endpoints[index]
    if eligibility.admits(endpoint, at: index),
      slowStart.accepts(endpoint, at: eligibility.now, random: &random)
    {
      return index
    }
    // A turn that its endpoint does not take goes round among the others. Its successor would
    // otherwise take two turns. With a starting endpoint of share f among n, the turns that it
    // takes and its part of those that it does not add up to f / (n - 1 + f), which is its due.
    return pickSmoothly(from: endpoints, eligibility, slowStart)
  }

  /// Chooses a random place in the cycle, so that workers do not march in step.
  private mutating func start(_ endpoints: [Endpoint], random: inout SplitMix64) {
    isStartDue = false
    position = random.next(below: endpoints.count)
    if isEven { return }
    let cycle = endpoints.reduce(0) { $0 + $1.weight }
    let steps = random.next(below: min(cycle, Self.startWorkMax / endpoints.count + 1))
    let eligibility = Eligibility(now: MonotonicTime(nanoseconds: 0), tried: 0, ignoresEjection: true)
    for _ in 0..<steps { _ = pickSmoothly(from: endpoints, eligibility, SlowStart(.zero)) }
  }

  /// Each endpoint gains its weight, the richest is picked and pays what all have gained. Those that
  /// may not be picked stay as they are.
  private mutating func pickSmoothly(
    from endpoints: [Endpoint], _ eligibility: Eligibility, _ slowStart: SlowStart
  ) -> Int? {
    var total = 0
    var richest = -1
    var most = Int.min
    for index in endpoints.indices {
      let endpoint = endpoints[index]
      guard eligibility.admits(endpoint, at: index) else { continue }
      let weight = slowStart.weight(of: endpoint, at: eligibility.now)
      total &+= weight
      let current = currentWeights[index] &+ weight
      currentWeights[index] = current
      if current > most {
        most = current
        richest = index
      }
    }
    guard richest >= 0 else { return nil }
    currentWeights[richest] &-= total
    return richest
  }
}
