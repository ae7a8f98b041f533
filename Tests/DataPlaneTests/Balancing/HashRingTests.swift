import Runtime
import Testing

@testable import DataPlane

struct HashRingTests {
  /// Addresses that the keys 0..<count belong to.
  private func owners(_ endpoints: [Endpoint], keys: Int) -> [[UInt8]] {
    var trial = Trial(.hash(.clientIP), endpoints)
    return (0..<keys).map { endpoints[trial.pick(key: UInt64($0))!].addressText }
  }

  @Test("Keys of an endpoint that goes are spread, all others stay", arguments: 0..<10)
  func removal(_ removed: Int) {
    let endpoints = Endpoint.numbers(0..<10)
    let before = owners(endpoints, keys: 20_000)
    let after = owners(endpoints.enumerated().filter { $0.offset != removed }.map(\.element), keys: 20_000)
    let moved = zip(before, after).filter { $0 != $1 }
    #expect(moved.allSatisfy { $0.0 == endpoints[removed].addressText })
    #expect((1_500...2_500).contains(moved.count))
    #expect(Set(moved.map(\.1)).count == 9)
  }

  @Test("Keys are spread evenly")
  func evenness() {
    var counts: [[UInt8]: Int] = [:]
    for owner in owners(Endpoint.numbers(0..<10), keys: 50_000) { counts[owner, default: 0] += 1 }
    #expect(counts.count == 10)
    #expect(counts.values.allSatisfy { (3_900...6_100).contains($0) })
  }

  @Test("Keys are spread by weight")
  func weights() {
    let endpoints = Endpoint.weights(1, 2, 0, 5)
    var counts: [[UInt8]: Int] = [:]
    for owner in owners(endpoints, keys: 40_000) { counts[owner, default: 0] += 1 }
    #expect((4_000...6_000).contains(counts[endpoints[0].addressText]!))
    #expect((8_500...11_500).contains(counts[endpoints[1].addressText]!))
    #expect(counts[endpoints[2].addressText] == nil)
  }

  @Test("The order of endpoints and the worker do not matter")
  func agreement() {
    let endpoints = Endpoint.numbers(0..<20)
    #expect(owners(endpoints, keys: 5_000) == owners(endpoints.reversed(), keys: 5_000))
  }

  @Test("What a key maps to is fixed: all versions of the gateway agree")
  func fixed() {
    var trial = Trial(.hash(.clientIP), Endpoint.numbers(0..<10), seed: 99)
    #expect((0..<12).map { trial.pick(key: $0)! } == [5, 6, 2, 3, 0, 5, 0, 9, 8, 1, 6, 3])
  }

  @Test("An endpoint that is out lends its keys to the next, and gets them back")
  func failover() {
    let endpoints = Endpoint.numbers(0..<10)
    var trial = Trial(.hash(.clientIP), endpoints)
    let before = (0..<5_000).map { trial.pick(key: $0)! }
    endpoints[3].isHealthy = false
    let during = (0..<5_000).map { trial.pick(key: $0)! }
    for (one, other) in zip(before, during) { #expect(one == other || one == 3) }
    #expect(Set(zip(before, during).filter { $0.0 == 3 }.map(\.1)).count > 5)
    endpoints[3].isHealthy = true
    #expect((0..<5_000).map { trial.pick(key: $0)! } == before)
  }

  @Test(
    "Memory is bounded", arguments: [(1, 1), (10, 1), (10, 100), (300, 1_000), (500, 1), (70_000, 1_000)])
  func bounded(count: Int, weight: Int) {
    var ring = HashRing()
    ring.endpointsChanged(
      (0..<count).map { Endpoint.number($0 % 65_536, weight: weight) }, Array(repeating: weight, count: count)
    )
    #expect(ring.count <= HashRing.pointsMax)
    #expect(ring.count >= min(HashRing.pointsMax / 2, count * HashRing.pointsPerWeight))
  }

  @Test("A single endpoint of many that is left is found")
  func lastOne() {
    let endpoints = Endpoint.numbers(0..<200)
    for endpoint in endpoints { endpoint.isHealthy = false }
    endpoints[77].isHealthy = true
    var trial = Trial(.hash(.clientIP), endpoints)
    for key in 0..<100 { #expect(trial.pick(key: UInt64(key)) == 77) }
  }

  @Test("Points are in order, however many there are", arguments: [1, 7, 70, 400])
  func sorted(count: Int) {
    var ring = HashRing()
    ring.endpointsChanged((0..<count).map { Endpoint.number($0) }, Array(repeating: 1, count: count))
    #expect(zip(ring.points, ring.points.dropFirst()).allSatisfy { $0 < $1 })
    #expect(Set(ring.points.map { $0 & 0xFFFF }).count == count)
  }
}
