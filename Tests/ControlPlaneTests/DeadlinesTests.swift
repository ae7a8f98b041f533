import Runtime
import Synchronization
import Testing

/// One timer for many waits.
@Suite struct DeadlinesTests {
  @Test func callsInTheOrderOfTheirTimes() async {
    let deadlines = Deadlines()
    let (calls, input) = AsyncStream.makeStream(of: Int.self)
    // The later one first: the timer is set anew for the earlier one, and for the later one after that.
    _ = deadlines.call(after: .milliseconds(60)) { input.yield(3) }
    _ = deadlines.call(after: .milliseconds(5)) { input.yield(1) }
    _ = deadlines.call(after: .milliseconds(30)) { input.yield(2) }
    var found: [Int] = []
    for await call in calls {
      found.append(call)
      if found.count == 3 { break }
    }
    #expect(found == [1, 2, 3])
  }

  @Test func neverCallsBeforeTheTime() async {
    let deadlines = Deadlines()
    let started = ContinuousClock.now
    await withCheckedContinuation { continuation in
      _ = deadlines.call(after: .milliseconds(20)) { continuation.resume() }
    }
    #expect(ContinuousClock.now - started >= .milliseconds(20))
    await withCheckedContinuation { continuation in
      _ = deadlines.call(after: .seconds(-1)) { continuation.resume() }
    }
  }

  @Test func whatIsCancelledIsNotCalledAndHoldsNothing() async {
    final class Witness: Sendable {}
    let deadlines = Deadlines()
    let called = Atomic(false)
    weak var witness: Witness?
    do {
      let held = Witness()
      witness = held
      let identifier = deadlines.call(after: .milliseconds(10)) { [held] in
        _ = held
        called.store(true, ordering: .relaxed)
      }
      deadlines.cancel(identifier)
      deadlines.cancel(identifier)
    }
    #expect(witness == nil)
    // The timer fires for nothing, and then for this.
    await withCheckedContinuation { continuation in
      _ = deadlines.call(after: .milliseconds(30)) { continuation.resume() }
    }
    let isCalled = called.load(ordering: .relaxed)
    #expect(!isCalled)
  }
}
