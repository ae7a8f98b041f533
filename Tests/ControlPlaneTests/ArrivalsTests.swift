import Resources
import Testing

@testable import ControlPlane

/// Commits wait for others in a crowd of clients, and for nobody else.
@Suite struct ArrivalsTests {
  private func arrivals(clients: Int, every interval: Duration) -> (Arrivals, ContinuousClock.Instant) {
    var arrivals = Arrivals()
    var now = ContinuousClock.now
    for number in 0..<20 {
      now += interval
      arrivals.note(client: "127.0.0.1:\(number % clients)", at: now)
    }
    return (arrivals, now)
  }

  @Test func aCrowdIsManyClientsInAShortTime() {
    let (crowd, now) = arrivals(clients: 16, every: .milliseconds(1))
    #expect(crowd.isCrowd(at: now))
    #expect(!crowd.isCrowd(at: now + Arrivals.span))
    let (few, fewNow) = arrivals(clients: Arrivals.clientsMin - 1, every: .milliseconds(1))
    #expect(!few.isCrowd(at: fewNow))
    let (slow, slowNow) = arrivals(clients: 16, every: .milliseconds(5))
    #expect(!slow.isCrowd(at: slowNow))
    #expect(!Arrivals().isCrowd(at: .now))
  }

  @Test func aCommitWaitsForACrowdUntilThereAreEnough() async throws {
    let queue = TransactionQueue()
    func append(_ number: Int) {
      _ = queue.append(
        PendingTransaction(
          operations: [], isDryRun: false, action: "\(number)", actor: "", remote: "\(number)",
          message: nil))
    }
    append(0)
    await queue.fill()
    #expect(queue.take().group.count == 1)
    for number in 1..<TransactionQueue.joinedMax { append(number) }
    // There are seven, and the eighth ends the wait; where it is late, the time does.
    async let filled: Void = queue.fill()
    append(8)
    await filled
    #expect(queue.take().group.count == TransactionQueue.joinedMax)
  }
}
