import Runtime
import Testing

@testable import DataPlane

struct RoundRobinTests {
  @Test("Equal weights take turns")
  func turns() {
    var trial = Trial(.roundRobin, Endpoint.weights(3, 3, 3))
    let picks = (0..<9).map { _ in trial.pick()! }
    #expect(Set(picks[0..<3]) == [0, 1, 2])
    #expect(Array(picks[0..<3]) == Array(picks[3..<6]) && Array(picks[3..<6]) == Array(picks[6..<9]))
  }

  @Test("Different weights are kept exactly in each cycle, whatever the start", arguments: 0..<20)
  func weights(seed: UInt64) {
    var trial = Trial(.roundRobin, Endpoint.weights(5, 1, 2), seed: seed)
    #expect(trial.picks(8) == [5, 1, 2])
    #expect(trial.picks(80) == [50, 10, 20])
  }

  @Test("Weights are spread, not bunched")
  func smooth() {
    var trial = Trial(.roundRobin, Endpoint.weights(5, 1, 1))
    let picks = (0..<70).map { _ in trial.pick()! }
    // nginx's sequence is a a b a c a a: across cycles never more than four in a row.
    let longest = picks.reduce(into: (run: 0, longest: 0)) { state, index in
      state.run = index == 0 ? state.run + 1 : 0
      state.longest = max(state.longest, state.run)
    }.longest
    #expect(longest <= 4)
    #expect((0..<63).allSatisfy { picks[$0] == picks[$0 + 7] })
  }

  @Test("Workers start at different places")
  func starts() {
    let even = Set(
      (0..<50).map { seed -> Int in
        var trial = Trial(.roundRobin, Endpoint.numbers(0..<5), seed: UInt64(seed))
        return trial.pick()!
      })
    #expect(even == [0, 1, 2, 3, 4])
    let uneven = Set(
      (0..<50).map { seed -> [Int] in
        var trial = Trial(.roundRobin, Endpoint.weights(3, 2, 1), seed: UInt64(seed))
        return (0..<6).map { _ in trial.pick()! }
      })
    #expect(uneven.count == 6)
  }

  @Test("The turns of an endpoint that is out are shared evenly")
  func sharedTurns() {
    let endpoints = Endpoint.numbers(0..<4)
    var trial = Trial(.roundRobin, endpoints)
    endpoints[1].isHealthy = false
    #expect(trial.picks(1_200) == [400, 0, 400, 400])
  }

  @Test("Retries are spread over the others")
  func retries() {
    var trial = Trial(.roundRobin, Endpoint.numbers(0..<4))
    #expect(trial.picks(1_200, tried: 0b0010).filter { $0 == 400 }.count == 3)
  }

  @Test("A changed weight counts from the next pick")
  func changedWeight() {
    let endpoints = Endpoint.weights(1_000, 1)
    var trial = Trial(.roundRobin, endpoints)
    _ = trial.picks(1_500)
    endpoints[0].weight = 1
    trial.balancer.endpointsChanged(endpoints)
    #expect(trial.picks(10) == [5, 5])
  }

  @Test("Being told of a change that is none does not disturb the turns")
  func noChange() {
    let endpoints = Endpoint.weights(2, 1)
    var trial = Trial(.roundRobin, endpoints)
    var picks: [Int] = []
    for _ in 0..<9 {
      trial.balancer.endpointsChanged(endpoints)
      picks.append(trial.pick()!)
    }
    #expect(picks.filter { $0 == 0 }.count == 6)
    #expect(Array(picks[0..<3]) == Array(picks[3..<6]))
  }
}
