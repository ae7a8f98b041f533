import Resources
import Runtime
import Testing

@testable import DataPlane

/// What all policies have in common.
struct BalancerTests {
  static let policies: [Balance] = [.roundRobin, .leastRequest, .hash(.clientIP), .sticky(cookie: "sid")]

  @Test("No endpoint is picked that is unhealthy or without a weight", arguments: policies)
  func unavailable(_ policy: Balance) {
    let endpoints = Endpoint.weights(1, 0, 1, 1)
    endpoints[2].isHealthy = false
    endpoints[3].ejectedUntil = .seconds(1_001)
    var trial = Trial(policy, endpoints)
    for key in 0..<100 { #expect(trial.pick(key: UInt64(key) &* 0x9E37_79B9_7F4A_7C15) == 0) }
    #expect(trial.picks(20) == [20, 0, 0, 0])
    trial.now = .seconds(1_001)
    #expect(trial.picks(200)[3] > 50)
  }

  @Test("No endpoint at all", arguments: policies)
  func none(_ policy: Balance) {
    var empty = Trial(policy, [])
    #expect(empty.pick(key: 1) == nil)
    let endpoints = Endpoint.weights(0, 5)
    endpoints[1].isHealthy = false
    var trial = Trial(policy, endpoints)
    #expect(trial.pick(key: 1) == nil)
    #expect(trial.pick(tried: 3) == nil)
  }

  @Test("When all that are healthy are ejected, ejection is ignored", arguments: policies)
  func allEjected(_ policy: Balance) {
    let endpoints = Endpoint.numbers(0..<3)
    for endpoint in endpoints { endpoint.ejectedUntil = .never }
    endpoints[0].isHealthy = false
    var trial = Trial(policy, endpoints)
    let picks = trial.picks(400)
    #expect(picks[0] == 0)
    #expect(picks[1] > 100 && picks[2] > 100)
    #expect(trial.picks(100, tried: 0b010) == [0, 0, 100])
  }

  @Test("Tried endpoints are avoided while there are others", arguments: policies)
  func tried(_ policy: Balance) {
    var trial = Trial(policy, Endpoint.numbers(0..<4))
    for key in 0..<100 { #expect(trial.pick(key: UInt64(key) << 40, tried: 0b1011) == 2) }
    let picks = trial.picks(300, tried: 0b1111)
    #expect(picks.allSatisfy { $0 > 30 })
    trial.endpoints[1].ejectedUntil = .never
    // Available and tried comes before ejected and untried.
    #expect(trial.picks(300, tried: 0b1101)[1] == 0)
  }

  @Test("Endpoints beyond the 64th cannot be marked as tried", arguments: policies)
  func manyEndpoints(_ policy: Balance) {
    var trial = Trial(policy, Endpoint.numbers(0..<66))
    let picks = trial.picks(200, tried: .max)
    #expect(picks[64] > 50 && picks[65] > 50 && picks[64] + picks[65] == 200)
  }

  @Test("A set that changed without notice is noticed", arguments: policies)
  func withoutNotice(_ policy: Balance) {
    var trial = Trial(policy, Endpoint.numbers(0..<5))
    #expect(trial.pick(key: 1) != nil)
    trial.endpoints = Endpoint.numbers(0..<2)
    for key in 0..<50 { #expect(trial.pick(key: UInt64(key) << 50)! < 2) }
  }

  @Test("Random trouble: what is picked may be picked", arguments: policies)
  func property(_ policy: Balance) {
    var random = SplitMix64(seed: 11)
    for round in 0..<200 {
      let endpoints = (0..<1 + random.next(below: 8)).map {
        Endpoint.number($0, weight: random.next(below: 4))
      }
      var trial = Trial(policy, endpoints, slowStart: .seconds(10), seed: UInt64(round))
      for _ in 0..<50 {
        let changed = endpoints[random.next(below: endpoints.count)]
        changed.isHealthy = random.next(below: 3) > 0
        changed.ejectedUntil = .seconds(Double(900 + random.next(below: 200)))
        changed.availableSince = .seconds(Double(900 + random.next(below: 200)))
        changed.inFlight = random.next(below: 5)
        let tried = random.next() & 0xFF
        let key = random.next(below: 2) == 0 ? random.next() : nil
        let healthy = endpoints.indices.filter { endpoints[$0].isHealthy && endpoints[$0].weight > 0 }
        let available = healthy.filter { endpoints[$0].ejectedUntil <= trial.now }
        let candidates = available.isEmpty ? healthy : available
        let untried = candidates.filter { tried >> UInt64($0) & 1 == 0 }
        let allowed = untried.isEmpty ? candidates : untried
        if let index = trial.pick(key: key, tried: tried) {
          #expect(allowed.contains(index))
        } else {
          #expect(allowed.isEmpty)
        }
      }
    }
  }
}
