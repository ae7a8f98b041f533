import Testing

@testable import Gateway

@Suite struct LoopRecordTests {
  private let tick = Duration.milliseconds(200)
  private let limit = Duration.seconds(1)

  @Test func answersInTimeAreNoEvents() {
    var record = LoopRecord()
    for _ in 0..<100 {
      #expect(record.answered(after: tick, delay: .microseconds(30)) == nil)
    }
    #expect(record.stalls == 0 && record.pauseMax == .microseconds(30))
  }

  @Test func aStallIsSaidOnceAndItsEndOnce() {
    var record = LoopRecord()
    let events = (1...20).map { _ in record.unanswered(after: tick, limit: limit) }
    #expect(events.compactMap(\.self) == [.stalled(.seconds(1))])
    #expect(events[4] != nil && record.isStalled && record.silence == .seconds(4))
    #expect(record.answered(after: tick, delay: .milliseconds(4_100)) == .recovered(.milliseconds(4_100)))
    #expect(!record.isStalled && record.silence == .zero)
    #expect(record.answered(after: tick, delay: .zero) == nil)
    #expect(record.stalls == 1 && record.pauseMax == .milliseconds(4_100))
  }

  @Test func aShortPauseIsNoStallAndIsRemembered() {
    var record = LoopRecord()
    for _ in 0..<3 { #expect(record.unanswered(after: tick, limit: limit) == nil) }
    #expect(record.answered(after: tick, delay: .milliseconds(700)) == nil)
    #expect(record.stalls == 0 && record.pauseMax == .milliseconds(700))
  }

  @Test func anEndlessStallCountsWhileItLasts() {
    var record = LoopRecord()
    for _ in 0..<50 { _ = record.unanswered(after: tick, limit: limit) }
    #expect(record.stalls == 1 && record.pauseMax == .seconds(10))
  }

  /// The clock has gone on by an hour, and the watchdog has run for two of its rounds.
  @Test func timeInWhichNothingRanIsNobodysPause() {
    var record = LoopRecord()
    #expect(record.unanswered(after: tick * 2, limit: limit) == nil)
    #expect(record.answered(after: tick, delay: .seconds(3_600)) == nil)
    #expect(record.pauseMax == tick * 3)
  }
}
