import Runtime
import Testing

@testable import DataPlane

struct LeastRequestTests {
  @Test("The busier of two is not picked")
  func two() {
    let endpoints = Endpoint.numbers(0..<2)
    endpoints[0].inFlight = 3
    endpoints[1].inFlight = 2
    var trial = Trial(.leastRequest, endpoints)
    #expect(trial.picks(100) == [0, 100])
  }

  @Test("In flight is seen in proportion to the weight")
  func weighted() {
    let endpoints = Endpoint.weights(10, 1)
    var trial = Trial(.leastRequest, endpoints)
    endpoints[0].inFlight = 8
    #expect(trial.picks(100) == [100, 0])
    endpoints[0].inFlight = 10
    #expect(trial.picks(100) == [0, 100])
  }

  @Test("Idle endpoints are picked by weight")
  func idle() {
    var even = Trial(.leastRequest, Endpoint.numbers(0..<4))
    #expect(even.picks(8_000).allSatisfy { (1_850...2_150).contains($0) })
    var uneven = Trial(.leastRequest, Endpoint.weights(6, 0, 3, 1))
    let picks = uneven.picks(10_000)
    #expect((5_800...6_200).contains(picks[0]))
    #expect(picks[1] == 0)
    #expect((2_800...3_200).contains(picks[2]))
    #expect((850...1_150).contains(picks[3]))
  }

  @Test("The busiest of many gets none, and load evens out")
  func many() {
    let endpoints = Endpoint.numbers(0..<20)
    endpoints[7].inFlight = 1_000
    var trial = Trial(.leastRequest, endpoints)
    #expect(trial.picks(2_000)[7] == 0)
    endpoints[7].inFlight = 0
    for _ in 0..<2_000 { endpoints[trial.pick()!].inFlight += 1 }
    // 100 each; one random choice alone would spread over some 70 to 130.
    #expect(endpoints.allSatisfy { (96...104).contains($0.inFlight) })
  }

  @Test("Few that are left among many are found")
  func fewLeft() {
    let endpoints = Endpoint.numbers(0..<300)
    for endpoint in endpoints { endpoint.isHealthy = false }
    endpoints[100].isHealthy = true
    endpoints[200].isHealthy = true
    var trial = Trial(.leastRequest, endpoints)
    let picks = trial.picks(1_000)
    #expect(picks[100] + picks[200] == 1_000)
    #expect(picks[100] > 400 && picks[200] > 400)
  }
}
