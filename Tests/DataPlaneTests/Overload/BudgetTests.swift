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

  @Test("What waits in the system for clients makes memory short, and keeps nobody from the process's own")
  func unsent() {
    var budget = BufferBudget(limit: 1_000)
    budget.holdUnsent(249)
    budget.update(used: 0)
    #expect(!budget.isShort && budget.receiveBytesMax == .max)
    budget.holdUnsent(1_000_000)
    budget.update(used: 0)
    #expect(budget.isShort && budget.receiveBytesMax == BufferBudget.tightReceiveBytes)
    #expect(budget.level == .low)
    #expect(budget.usedBytes(exchanges: 0, otherBuffers: 0) == 0)
    budget.update(used: 500)
    #expect(budget.isShort && budget.level == .tight)
    budget.releaseUnsent(1_000_249)
    budget.update(used: 500)
    #expect(budget.isShort)
    budget.update(used: 0)
    #expect(!budget.isShort && budget.level == .low)
  }

  @Test("The system may have less for connections than the budget allows", arguments: [nil, 100, 1_000_000])
  func systemMemory(bytes: Int?) {
    var budget = BufferBudget(limit: 1_000, systemBytes: bytes)
    #expect(budget.unsentLimit == (bytes == 100 ? 25 : 250))
    budget.setLimit(16)
    #expect(budget.unsentLimit == 4)
  }

  @Test(
    "A buffer holds and takes the same when what was taken of it was given back",
    arguments: [0, 100, 5_000, 40_000, 79_999, 80_000])
  func givingBack(left: Int) {
    let buffer = Buffer(capacity: BufferPool.bufferBytes)
    let bytes = (0..<80_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
    buffer.append(bytes)
    buffer.consume(80_000 - left)
    #expect(buffer.reach == 80_000)
    let hasGivenBack = buffer.giveBackTaken(atLeast: 100)
    #expect(hasGivenBack == (left <= 79_900))
    #expect(buffer.reach == (hasGivenBack ? left : 80_000))
    #expect(buffer.copy(0..<left) == Array(bytes[(80_000 - left)...]))
    buffer.append(bytes)
    #expect(buffer.copy(0..<left) == Array(bytes[(80_000 - left)...]))
    #expect(buffer.copy(left..<left + 80_000) == bytes)
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
