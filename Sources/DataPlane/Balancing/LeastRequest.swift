import Runtime

/// The better of two endpoints that are drawn by weight: the one with fewer requests in flight for
/// its weight (power of two choices).
struct LeastRequest {
  /// Draws before all endpoints are looked at.
  private static let drawsMax = 8

  /// The sums of weights up to and with each endpoint; empty where all weights are equal.
  private var sums: [Int] = []

  mutating func endpointsChanged(_ weights: [Int]) {
    sums.removeAll()
    guard let first = weights.first, !weights.allSatisfy({ $0 == first }) else { return }
    sums.reserveCapacity(weights.count)
    var sum = 0
    for weight in weights {
      sum += max(0, weight)
      sums.append(sum)
    }
  }

  func pick(
    from endpoints: [Endpoint], _ eligibility: Eligibility, _ slowStart: SlowStart, random: inout SplitMix64
  ) -> Int? {
    guard let one = draw(from: endpoints, except: -1, eligibility, slowStart, random: &random) else {
      return nil
    }
    guard endpoints.count > 1,
      let other = draw(from: endpoints, except: one, eligibility, slowStart, random: &random)
    else { return one }
    let oneInFlight = endpoints[one].inFlight
    let otherInFlight = endpoints[other].inFlight
    // Between two idle ones the draw decides: it knows the weights.
    if oneInFlight | otherInFlight == 0 { return one }
    let oneWeight = slowStart.weight(of: endpoints[one], at: eligibility.now)
    let otherWeight = slowStart.weight(of: endpoints[other], at: eligibility.now)
    return (oneInFlight &+ 1) &* otherWeight <= (otherInFlight &+ 1) &* oneWeight ? one : other
  }

  /// A random endpoint, each in proportion to its weight.
  private func draw(
    from endpoints: [Endpoint], except excluded: Int, _ eligibility: Eligibility, _ slowStart: SlowStart,
    random: inout SplitMix64
  ) -> Int? {
    for _ in 0..<Self.drawsMax {
      let index = sums.isEmpty ? random.next(below: endpoints.count) : weightedIndex(random: &random)
      if index != excluded, eligibility.admits(endpoints[index], at: index),
        slowStart.accepts(endpoints[index], at: eligibility.now, random: &random)
      {
        return index
      }
    }
    // Few are left: one pass over all of them, in which each replaces the one before with the
    // probability that is its part of the weights so far.
    var drawn = -1
    var total = 0
    for index in endpoints.indices where index != excluded && eligibility.admits(endpoints[index], at: index)
    {
      let weight = slowStart.weight(of: endpoints[index], at: eligibility.now)
      total &+= weight
      if random.next(below: total) < weight { drawn = index }
    }
    return drawn < 0 ? nil : drawn
  }

  /// The first endpoint whose sum is above a random number.
  private func weightedIndex(random: inout SplitMix64) -> Int {
    let total = sums[sums.count - 1]
    guard total > 0 else { return 0 }
    let target = random.next(below: total)
    var low = 0
    var high = sums.count &- 1
    while low < high {
      let middle = (low &+ high) &>> 1
      if sums[middle] > target { high = middle } else { low = middle &+ 1 }
    }
    return low
  }
}
