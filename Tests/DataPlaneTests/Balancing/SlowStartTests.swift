import Resources
import Runtime
import Testing

@testable import DataPlane

struct SlowStartTests {
  @Test(
    "An endpoint's share grows from a tenth to all of its weight",
    arguments: [(0.0, 0.1), (0.25, 0.325), (0.5, 0.55), (0.75, 0.775), (1.0, 1.0), (5.0, 1.0), (-3.0, 0.1)])
  func line(elapsed: Double, expected: Double) {
    let endpoint = Endpoint.number(1)
    endpoint.availableSince = .seconds(100)
    let share = SlowStart(.seconds(20)).share(of: endpoint, at: .seconds(100 + 20 * elapsed))
    #expect(abs(Double(share) / Double(SlowStart.whole) - expected) < 0.002)
  }

  @Test("Endpoints that were there from the start, and services without slow start, have all of it")
  func notStarting() {
    let old = Endpoint.number(1)
    #expect(SlowStart(.seconds(20)).share(of: old, at: .seconds(1)) == SlowStart.whole)
    let new = Endpoint.number(1)
    new.availableSince = .seconds(5)
    #expect(SlowStart(.zero).share(of: new, at: .seconds(5)) == SlowStart.whole)
  }

  @Test(
    "A starting endpoint among nine gets its due",
    arguments: [Balance.roundRobin, .leastRequest], [1, 2])
  func due(_ policy: Balance, otherWeight: Int) {
    // With equal and with different weights: the paths through round robin differ.
    let endpoints = (0..<10).map { Endpoint.number($0, weight: $0 == 1 ? otherWeight : 1) }
    var trial = Trial(policy, endpoints, slowStart: .seconds(60))
    endpoints[4].availableSince = trial.now
    trial.now = .seconds(1_000 + 60 * 0.4)
    let due = 0.46 / (8.46 + Double(otherWeight)) * 20_000
    #expect(abs(Double(trial.picks(20_000)[4]) - due) < due * 0.1)
    trial.now = .seconds(1_060)
    let full = 20_000 / (9 + Double(otherWeight))
    #expect(abs(Double(trial.picks(20_000)[4]) - full) < full * 0.1)
  }

  @Test("Where all start, nobody waits", arguments: [Balance.roundRobin, .leastRequest])
  func all(_ policy: Balance) {
    let endpoints = Endpoint.numbers(0..<3)
    for endpoint in endpoints { endpoint.availableSince = .seconds(1_000) }
    var trial = Trial(policy, endpoints, slowStart: .seconds(60))
    #expect(trial.picks(3_000).allSatisfy { (900...1_100).contains($0) })
  }
}
