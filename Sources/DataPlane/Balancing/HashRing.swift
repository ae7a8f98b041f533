import Runtime

/// Consistent hashing in the manner of ketama: each endpoint has points on a ring, by its weight,
/// and a key belongs to the next point. When an endpoint comes or goes, only its own keys move.
///
/// Points depend on the endpoint's address alone, so all workers and all gateways agree. Changing
/// how they are made moves keys between versions of the gateway.
struct HashRing {
  /// For a weight of 1 (ketama's number): shares then differ by some 8 %.
  static let pointsPerWeight = 160
  /// Memory: 8 bytes each. Above, endpoints get fewer points for their weight.
  static let pointsMax = 65_536
  /// Points passed before it is asked whether there is any endpoint to be found.
  private static let stepsBeforeCheck = 32
  private static let indexMask: UInt64 = 0xFFFF

  /// In order; the upper 48 bits are the place, the lower 16 the endpoint's index.
  private(set) var points: [UInt64] = []

  var count: Int { points.count }

  /// Uses the first 65,536 endpoints.
  mutating func endpointsChanged(_ endpoints: [Endpoint], _ weights: [Int]) {
    points.removeAll(keepingCapacity: true)
    let endpoints = endpoints.prefix(Int(Self.indexMask) + 1)
    let sum = weights.prefix(endpoints.count).reduce(0) { $0 + max(0, $1) }
    // Halved rather than fitted: a small change in the set must not change everyone's points.
    var perWeight = Self.pointsPerWeight
    while perWeight > 1, sum * perWeight > Self.pointsMax { perWeight /= 2 }
    let divisor = max(1, (sum + Self.pointsMax - 1) / Self.pointsMax)
    let hash = HashKeySource.hash
    for (index, endpoint) in endpoints.enumerated() where weights[index] > 0 {
      let weight = weights[index]
      let text = endpoint.addressText
      var places = SplitMix64(seed: hash.hash(text.span, from: 0, to: text.count, after: 0))
      let count = divisor > 1 ? max(1, weight / divisor) : weight * perWeight
      for _ in 0..<count { points.append(places.next() & ~Self.indexMask | UInt64(index)) }
    }
    sortPoints()
  }

  /// By digits where there are many: comparing 65,536 of them takes a worker 4 ms, this a half.
  private mutating func sortPoints() {
    guard points.count > 1_024 else { return points.sort() }
    var sorted = [UInt64](repeating: 0, count: points.count)
    // The lower 16 bits, the endpoint's index, are in order already.
    for shift in [UInt64(16), 28, 40, 52] {
      var starts = [Int](repeating: 0, count: 4_096)
      for point in points { starts[Int(point >> shift & 4_095)] += 1 }
      var sum = 0
      for digit in starts.indices { (starts[digit], sum) = (sum, sum + starts[digit]) }
      for point in points {
        let digit = Int(point >> shift & 4_095)
        sorted[starts[digit]] = point
        starts[digit] += 1
      }
      swap(&points, &sorted)
    }
  }

  /// The endpoint of a key; where it may not be picked, the next one on the ring, or nil.
  func pick(_ key: UInt64, from endpoints: [Endpoint], _ eligibility: Eligibility) -> Int? {
    if points.isEmpty { return nil }
    var spread = SplitMix64(seed: key)
    var position = firstPoint(from: spread.next() & ~Self.indexMask)
    for step in 0..<points.count {
      if position == points.count { position = 0 }
      let index = Int(points[position] & Self.indexMask)
      if eligibility.admits(endpoints[index], at: index) { return index }
      if step == Self.stepsBeforeCheck, !eligibility.admitsAny(of: endpoints) { return nil }
      position &+= 1
    }
    return nil
  }

  private func firstPoint(from place: UInt64) -> Int {
    var low = 0
    var high = points.count
    while low < high {
      let middle = (low &+ high) &>> 1
      if points[middle] < place { low = middle &+ 1 } else { high = middle }
    }
    return low
  }
}
