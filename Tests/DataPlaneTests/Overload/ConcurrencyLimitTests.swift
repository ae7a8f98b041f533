import Testing

@testable import DataPlane

@Suite("The limit on a service's requests that follows response times")
struct ConcurrencyLimitTests {
  static let millisecond: Int64 = 1_000_000

  /// Drives a service that answers `parallel` requests at once in 10 ms each and lets others wait, with as
  /// many requests as the limit allows.
  private func settle(parallel: Int, windows: Int, _ limit: inout ConcurrencyLimit, from start: Int64 = 0)
    -> Int64
  {
    var now = start
    for _ in 0..<windows * 20 {
      now += 10 * Self.millisecond
      let inFlight = limit.current
      let waiting = max(inFlight - parallel, 0)
      let response = 10 * Self.millisecond * Int64(parallel + waiting) / Int64(parallel)
      for _ in 0..<4 { limit.record(response: response, inFlight: inFlight, now: now) }
    }
    return now
  }

  private func limit(minimum: Int = 5, maximum: Int = 1_000) -> ConcurrencyLimit {
    ConcurrencyLimit(minimum: minimum, maximum: maximum, tolerancePercent: 150)
  }

  @Test("It finds out what the service does at once, and lets little wait", arguments: [40, 100, 300])
  func findsCapacity(parallel: Int) {
    var limit = limit()
    _ = settle(parallel: parallel, windows: 100, &limit)
    #expect(limit.current >= parallel)
    #expect(limit.current <= parallel * 5 / 2)
  }

  @Test("It shrinks when the service gets slower, not below its minimum")
  func shrinks() {
    var limit = limit(minimum: 10)
    var now = settle(parallel: 200, windows: 60, &limit)
    let before = limit.current
    now = settle(parallel: 10, windows: 60, &limit, from: now)
    #expect(limit.current < before / 2)
    #expect(limit.current >= 10)
  }

  @Test("It stays within its bounds")
  func bounds() {
    var limit = limit(minimum: 8, maximum: 50)
    _ = settle(parallel: 10_000, windows: 100, &limit)
    #expect(limit.current == 50)
    for now in 0..<1_000 {
      limit.record(
        response: Int64(now + 1) * 1_000 * Self.millisecond, inFlight: limit.current,
        now: Int64(now) * 20 * Self.millisecond)
      #expect((8...50).contains(limit.current))
    }
    #expect(ConcurrencyLimit(minimum: 90, maximum: 50, tolerancePercent: 150).current == 50)
  }

  @Test("A service that is hardly used tells nothing")
  func idle() {
    var limit = limit()
    let before = limit.current
    for now in 0..<1_000 {
      limit.record(response: 50 * Self.millisecond, inFlight: 1, now: Int64(now) * 20 * Self.millisecond)
    }
    #expect(limit.current == before)
  }
}
