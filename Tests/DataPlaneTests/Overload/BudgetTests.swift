import Runtime
import Testing

@testable import DataPlane

@Suite("What a worker may hold, and how slow clients may be")
struct BudgetTests {
  @Test(
    "Levels of the budget",
    arguments: [
      (0, BufferBudget.Level.low), (499, .low), (500, .tight), (749, .tight), (750, .high), (874, .high),
      (875, .full), (5_000, .full),
    ])
  func levels(used: Int, level: BufferBudget.Level) {
    var budget = BufferBudget(limit: 1_000)
    budget.update(used: used)
    #expect(budget.level == level)
    #expect((budget.receiveBytesMax == .max) == (level == .low))
    budget.update(used: 0)
    #expect(budget.level == .low)
    #expect(budget.receiveBytesMax == .max)
  }

  @Test("What is held counts until it is let go")
  func held() {
    var budget = BufferBudget(limit: 1 << 20)
    budget.hold(700)
    budget.hold(300)
    #expect(budget.usedBytes(exchanges: 0, otherBuffers: 0) == 1_000)
    #expect(budget.usedBytes(exchanges: 2, otherBuffers: 1) > 1_000 + BufferPool.bufferBytes)
    budget.release(700)
    budget.release(300)
    #expect(budget.usedBytes(exchanges: 0, otherBuffers: 0) == 0)
  }

  /// A client that moves so many bytes after each wait of so many seconds.
  private struct Mover {
    var rate = ClientRate()
    var moved: UInt64 = 1 << 30

    /// Whether it is fast enough, at 100 bytes a second over 10 s.
    mutating func wait(_ seconds: Int64, thenMove bytes: UInt64) -> Bool {
      let before = moved
      rate.willWait { before }
      rate.noteWait(seconds * 1_000_000_000)
      moved += bytes
      let after = moved
      return rate.isFastEnough(rate: 100, window: 10_000_000_000) { after }
    }
  }

  @Test("A rate is measured from the first bytes of a window on", arguments: [(100, true), (89, false)])
  func rates(bytes: UInt64, isFast: Bool) {
    var mover = Mover()
    var answers: [Bool] = []
    for _ in 0..<40 { answers.append(mover.wait(1, thenMove: bytes)) }
    #expect(answers.allSatisfy { $0 } == isFast)
  }

  @Test("Silence is not slow, however long, but a byte now and then is")
  func silence() {
    var mover = Mover()
    for _ in 0..<9 {
      let isFast = mover.wait(7, thenMove: 0)
      #expect(isFast)
    }
    let afterSilence = mover.wait(7, thenMove: 1)
    #expect(afterSilence)
    let first = mover.wait(7, thenMove: 1)
    #expect(first)
    let second = mover.wait(7, thenMove: 1)
    #expect(!second)
  }
}
