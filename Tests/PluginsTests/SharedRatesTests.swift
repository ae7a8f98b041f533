import Resources
import Runtime
import Testing

@testable import DataPlane
@testable import Plugins

@Suite("Rates that requests share")
struct SharedRatesTests {
  private func at(_ milliseconds: Int64) -> MonotonicTime {
    MonotonicTime(nanoseconds: 5_000_000_000 + milliseconds * 1_000_000)
  }

  @Test("Workers have the same for a key, as long as anybody has it")
  func workers() {
    let shared = SharedRates(1_000)
    var first = WorkerRates(shared)
    var second = WorkerRates(shared)
    let pace = first.pace(for: 1, at: at(0))
    #expect(second.pace(for: 1, at: at(0)) === pace)
    #expect(first.pace(for: 2, at: at(0)) !== pace)
  }

  @Test("Those that are in use are not forgotten, whatever else comes; those that are not, are")
  func sweeping() {
    let shared = SharedRates(1_000)
    var rates = WorkerRates(shared)
    let used = rates.pace(for: -1, at: at(0))
    _ = used.take(used.turnBytes, at: at(0))
    for key in 0..<5_000 { _ = rates.pace(for: key, at: at(0)) }
    #expect(rates.count <= 1_024)
    #expect(rates.pace(for: -1, at: at(0)) === used)
    // All of them in use.
    for key in 0..<100_000 { _ = rates.pace(for: key, at: at(0)).take(1, at: at(0)) }
    #expect(rates.count <= WorkerRates.pacesMax)
    // A request has it still.
    #expect(rates.pace(for: -1, at: at(0)) === used)
  }

  @Test("Together they get the rate, and each its part", arguments: [1_000, 100_000, 10 << 20, 1 << 32])
  func parts(rate: Int) {
    let pace = SharedPace(rate: UInt64(rate))
    var requests = (0..<7).map { _ in (share: PaceShare(pace), moved: 0, wakes: at(0)) }
    let end = at(10_000)
    // As an event loop does: whoever's time has come goes on, the earliest first.
    while let next = requests.indices.min(by: { requests[$0].wakes < requests[$1].wakes }),
      requests[next].wakes <= end
    {
      let now = requests[next].wakes
      let allowed = requests[next].share.allowed(1 << 40, at: now)
      if allowed == 0 {
        requests[next].wakes = requests[next].share.from
        continue
      }
      requests[next].share.moved(allowed)
      requests[next].moved += allowed
    }
    let total = requests.map(\.moved).reduce(0, +)
    #expect(total <= 10 * rate + max(rate / 8, 1_024) + 1)
    #expect(total >= 10 * rate - 8 * pace.turnBytes - rate / 100)
    for request in requests {
      #expect(abs(request.moved - total / 7) <= 2 * pace.turnBytes + max(rate / 8, 1_024))
    }
  }

  @Test("What was taken and not used goes back, and is not saved up")
  func givingBack() {
    let pace = SharedPace(rate: 16_000)
    var share = PaceShare(pace)
    // Three turns of a sixteenth of a second: the first two are the bucket's.
    #expect(share.allowed(5_000, at: at(0)) == 1_000)
    #expect(!pace.isIdle(at: at(0)))
    share.giveBack(at: at(0))
    #expect(pace.isIdle(at: at(0)))
    var others = (0..<100).map { _ in PaceShare(pace) }
    let first = others.indices.map { others[$0].allowed(1_000, at: at(0)) }
    #expect(first.reduce(0, +) == 2_048 / 1_024 * 1_000)
    // All wait for their turns and use none: later, no more than the bucket holds and the last quarter of a second.
    let later = others.indices.map { others[$0].allowed(1_000, at: at(60_000)) }
    #expect(later.reduce(0, +) <= 2_000 + 4_000)
    // What comes too late to go back does not make room for what is taken meanwhile.
    for index in others.indices { others[index].giveBack(at: at(70_000)) }
    let last = others.indices.map { others[$0].allowed(1_000, at: at(70_000)) }
    #expect(last.reduce(0, +) == 2_000)
  }

  @Test("What is free is not counted")
  func free() {
    let pace = SharedPace(rate: 16)
    var share = PaceShare(pace)
    share.free = 500
    #expect(share.allowed(500, at: at(0)) == 500)
    share.moved(500)
    #expect(pace.isIdle(at: at(0)))
  }
}
