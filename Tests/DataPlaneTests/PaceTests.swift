import Runtime
import Testing

@testable import DataPlane

@Suite("The pace of content")
struct PaceTests {
  private func at(_ milliseconds: Int64) -> MonotonicTime {
    MonotonicTime(nanoseconds: 5_000_000_000 + milliseconds * 1_000_000)
  }

  /// Lets all go that may, and waits as long as it is told to.
  private func bytes(_ pace: inout Pace, until end: Int64) -> Int {
    var now = at(0)
    var moved = 0
    while now <= at(end) {
      let allowed = pace.allowed(.max, at: now)
      if allowed == 0 {
        now = pace.resumption(after: now)
        continue
      }
      pace.moved(allowed)
      moved += allowed
    }
    return moved
  }

  @Test(
    "in any time, the rate and an eighth of a second's worth", arguments: [1_024, 10_000, 1 << 20, 1 << 40])
  func rate(rate: Int) {
    var pace = Pace(rate: UInt64(rate), after: 0)
    let moved = bytes(&pace, until: 10_000)
    #expect(moved <= 10 * rate + max(rate / 8, 1_024))
    #expect(moved >= 10 * rate - rate / 16)
  }

  @Test("what comes before goes as fast as it can")
  func after() {
    var pace = Pace(rate: 1_000, after: 50_000)
    #expect(pace.allowed(.max, at: at(0)) == 51_024)
    pace.moved(50_000)
    #expect(pace.allowed(.max, at: at(0)) == 1_024)
    pace.moved(1_024)
    #expect(pace.allowed(.max, at: at(0)) == 0)
    #expect(pace.resumption(after: at(0)) > at(61))
  }

  @Test("time in which nothing went is not saved up")
  func pauses() {
    var pace = Pace(rate: 8_192, after: 0)
    #expect(pace.allowed(.max, at: at(0)) == 1_024)
    #expect(pace.allowed(.max, at: at(60_000)) == 1_024)
  }

  @Test("small steps of the clock add up", arguments: [1, 3, 7])
  func smallSteps(step: Int) {
    var pace = Pace(rate: 1_000, after: 0)
    var moved = 0
    for time in stride(from: 0, through: 10_000, by: step) {
      let allowed = pace.allowed(.max, at: at(Int64(time)))
      pace.moved(allowed)
      moved += allowed
    }
    #expect((11_010...11_024).contains(moved))
    // Steps in which no whole byte comes.
    var slow = Pace(rate: 10, after: 0)
    slow.moved(slow.allowed(.max, at: at(0)))
    moved = 0
    for time in stride(from: 0, through: 100_000, by: step) {
      let allowed = slow.allowed(.max, at: at(Int64(time)))
      slow.moved(allowed)
      moved += allowed
    }
    #expect((998...1_000).contains(moved))
  }

  @Test("the lowest rate does not wait for ever, and a byte at a time is enough")
  func lowest() {
    var pace = Pace(rate: 1, after: 0)
    pace.moved(pace.allowed(.max, at: at(0)))
    #expect(pace.resumption(after: at(0)) == at(1_000))
    #expect(pace.allowed(.max, at: at(999)) == 0)
    #expect(pace.allowed(.max, at: at(1_000)) == 1)
  }
}
