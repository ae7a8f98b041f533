import Testing

@testable import ControlPlane

@Suite struct ExpiryWatchTests {
  static let day: Int64 = 86_400

  private func status(_ name: String, _ notAfter: Int64) -> CertificateStatus {
    CertificateStatus(use: .listeners(name), notBefore: 0, notAfter: notAfter)
  }

  @Test func warnsOnceAheadAndOnceWhenItIsOver() {
    var watch = ExpiryWatch()
    let end = 100 * Self.day
    func stages(_ now: Int64, _ notAfter: Int64 = 100 * Self.day) -> [ExpiryWatch.Stage] {
      watch.noteAll([status("a", notAfter)], now: now).map(\.stage)
    }
    #expect(stages(0) == [])
    #expect(stages(86 * Self.day - 1) == [])
    #expect(stages(86 * Self.day) == [.expiresSoon])
    #expect(stages(87 * Self.day) == [])
    #expect(stages(end) == [.expired])
    #expect(stages(end + Self.day) == [])
    // A renewed one begins anew.
    #expect(stages(end + Self.day, 200 * Self.day) == [])
    #expect(stages(190 * Self.day, 200 * Self.day) == [.expiresSoon])
    // One that is expired when it is first seen is told of once.
    let others = watch.noteAll([status("b", 5)], now: 10)
    #expect(others.map(\.stage) == [.expired])
  }

  @Test func knowsWhenToLookAgain() {
    var watch = ExpiryWatch()
    #expect(watch.pause(now: 0) == nil)
    _ = watch.noteAll([status("a", 14 * Self.day + 30), status("b", 100 * Self.day)], now: 0)
    #expect(watch.pause(now: 0) == .seconds(30))
    _ = watch.noteAll([status("b", 100 * Self.day)], now: 0)
    #expect(watch.pause(now: 0) == ExpiryWatch.pauseMax)
    _ = watch.noteAll([status("c", 5)], now: 10)
    #expect(watch.pause(now: 10) == nil)
  }

  /// Of those that change alone, the others are as they were.
  @Test func takesInSomeByThemselves() {
    var watch = ExpiryWatch()
    #expect(
      watch.note([status("a", 10 * Self.day), status("b", 100 * Self.day)], now: 0).map(\.use) == [
        .listeners("a")
      ])
    #expect(watch.note([status("c", 12 * Self.day)], now: 0).map(\.use) == [.listeners("c")])
    // The same again: neither is warned of a second time.
    #expect(watch.note([status("a", 10 * Self.day), status("c", 12 * Self.day)], now: 5) == [])
    // What comes next of all that were taken in: the end of the first.
    #expect(watch.pause(now: 10 * Self.day - 7) == .seconds(7))
    #expect(watch.note([status("a", 10 * Self.day)], now: 10 * Self.day).map(\.stage) == [.expired])
    // One that is gone, and comes back as it was, is warned of anew.
    #expect(watch.noteAll([status("b", 100 * Self.day)], now: 10 * Self.day) == [])
    #expect(watch.note([status("c", 12 * Self.day)], now: 11 * Self.day).map(\.stage) == [.expiresSoon])
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
      (951_782_400, "2000-02-29T00:00:00Z"),
      (951_868_800, "2000-03-01T00:00:00Z"), (1_796_093_554, "2026-12-01T02:52:34Z"),
      (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
      (-1, "1969-12-31T23:59:59Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
    ] as [(Int64, String)])
  func writesTimes(seconds: Int64, text: String) {
    #expect(WallClock.text(seconds) == text)
  }
}
