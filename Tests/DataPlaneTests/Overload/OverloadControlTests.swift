import Testing

@testable import DataPlane

@Suite("When a worker has too much to do")
struct OverloadControlTests {
  static let millisecond: Int64 = 1_000_000
  static let target = 50 * millisecond

  /// One that has found overload, and when.
  private func overloaded() -> (OverloadControl, now: Int64) {
    var control = OverloadControl()
    var now: Int64 = 0
    while !control.isOverloaded {
      control.note(delay: Self.target + 1, behind: 2_000, target: Self.target, now: now)
      now += 20 * Self.millisecond
    }
    return (control, now)
  }

  @Test("A delay that lasts for the interval is an overload")
  func lastingDelay() {
    let (_, now) = overloaded()
    #expect(now > OverloadBounds.standard.intervalNanoseconds)
    #expect(now <= OverloadBounds.standard.intervalNanoseconds + 40 * Self.millisecond)
  }

  @Test("Bursts are none, however long the delay within them")
  func bursts() {
    var control = OverloadControl()
    for look in 0..<1_000 {
      // Four long delays of five.
      let delay = look % 5 == 0 ? Self.target : 100 * Self.target
      control.note(delay: delay, behind: 2_000, target: Self.target, now: Int64(look) * 20 * Self.millisecond)
      #expect(!control.isOverloaded)
    }
  }

  @Test(
    "The number of requests in a round follows what they cost",
    arguments: [5_000, 22_000, 400_000, 3_000_000])
  func limitFollowsCost(costNanoseconds: Int64) {
    var (control, now) = overloaded()
    for _ in 0..<2_000 {
      let spent = Int64(control.requestsPerRound) * costNanoseconds
      now += spent
      control.roundEnded(spent: spent, hasRefused: true, now: now)
    }
    let spent = Int64(control.requestsPerRound) * costNanoseconds
    // At least one request is begun, whatever it costs.
    #expect(spent <= OverloadBounds.standard.roundNanoseconds + costNanoseconds)
    #expect(spent + 2 * costNanoseconds >= OverloadBounds.standard.roundNanoseconds / 2)
    #expect(control.isOverloaded)
  }

  @Test("A worker that is slow with few requests has no surplus")
  func slowWorker() {
    var control = OverloadControl()
    for look in 0..<1_000 {
      control.note(delay: 10 * Self.target, behind: 300, target: Self.target, now: Int64(look) * 20_000_000)
    }
    #expect(!control.isOverloaded)
  }

  @Test("It is over when nothing was refused for a while, and not before")
  func end() {
    var (control, now) = overloaded()
    control.roundEnded(spent: Self.millisecond / 2, hasRefused: true, now: now)
    let refused = now
    while control.isOverloaded {
      now += Self.millisecond
      control.roundEnded(spent: Self.millisecond / 2, hasRefused: false, now: now)
      #expect(now - refused <= OverloadBounds.standard.calmNanoseconds)
    }
    #expect(now - refused == OverloadBounds.standard.calmNanoseconds)
    // What was noticed before counts no more.
    control.note(delay: Self.target + 1, behind: 2_000, target: Self.target, now: now)
    #expect(!control.isOverloaded)
  }
}
