import Testing

@testable import Plugins

@Suite("Breakers")
struct BreakerTests {
  private static let second: Int64 = 1_000_000_000
  private static let limits = BreakerLimits(failures: 3, successes: 2, secondsMax: 10)
  private let breaker = Breaker(limits)

  private func fail(_ count: Int, at second: Int64) {
    for _ in 0..<count { breaker.fail(at: second * Self.second) }
  }

  private func succeed(_ count: Int, at second: Int64) {
    for _ in 0..<count { breaker.succeed(at: second * Self.second) }
  }

  private func openFor(at second: Int64) -> Int64 { breaker.openFor(at: second * Self.second) / Self.second }

  @Test("the time doubles with each round, up to the most")
  func doubling() {
    var now: Int64 = 100
    for wanted: Int64 in [2, 4, 8, 10, 10] {
      fail(2, at: now)
      #expect(openFor(at: now) == 0)
      fail(1, at: now)
      #expect(openFor(at: now) == wanted)
      now += wanted
      #expect(openFor(at: now - 1) == 1)
      #expect(openFor(at: now) == 0)
    }
  }

  @Test("failures are forgotten after enough successes one behind the other")
  func closing() {
    fail(2, at: 1)
    succeed(1, at: 1)
    fail(1, at: 1)
    #expect(openFor(at: 1) == 2)
    // Half open: one success is not enough, and a failure begins again.
    succeed(1, at: 3)
    fail(1, at: 3)
    succeed(1, at: 3)
    fail(2, at: 3)
    #expect(openFor(at: 3) == 4)
    succeed(2, at: 7)
    fail(2, at: 7)
    #expect(openFor(at: 7) == 0)
    fail(1, at: 7)
    #expect(openFor(at: 7) == 2)
  }

  @Test("what comes in while it is open was sent before, and changes nothing")
  func late() {
    fail(3, at: 1)
    fail(50, at: 2)
    succeed(50, at: 2)
    #expect(openFor(at: 1) == 2 && openFor(at: 3) == 0)
    fail(3, at: 3)
    #expect(openFor(at: 3) == 4)
  }

  @Test("numbers do not overflow")
  func extremes() {
    let limits = BreakerLimits(failures: 1, successes: .max, secondsMax: 86_400)
    #expect(limits.openNanoseconds(after: 1) == 2 * Self.second)
    #expect(limits.openNanoseconds(after: .max) == 86_400 * Self.second)
    var counts = BreakerCounts()
    counts.failures = .max
    #expect(counts.fail(limits) && counts.failures == .max)
    counts.successes = .max - 1
    #expect(BreakerCounts(packed: counts.packed) == counts)
    #expect(counts.succeed(limits) && counts == BreakerCounts())
  }

  @Test("of many workers' failures, none is lost and none counts twice")
  func concurrently() async {
    let limits = BreakerLimits(failures: 8_000, successes: 1, secondsMax: 300)
    let breaker = Breaker(limits)
    func fail(_ count: Int) async {
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask { for _ in 0..<count { breaker.fail(at: 0) } }
        }
      }
    }
    await fail(999)
    for _ in 0..<7 { breaker.fail(at: 0) }
    #expect(breaker.openFor(at: 0) == 0)
    breaker.fail(at: 0)
    #expect(breaker.openFor(at: 0) == 2 * Self.second)
  }
}
