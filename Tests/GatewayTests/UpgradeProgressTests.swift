import Testing

@testable import Gateway

@Suite struct UpgradeProgressTests {
  typealias Event = UpgradeProgress.Event
  typealias Action = UpgradeProgress.Action

  private func actions(_ events: [Event], socketCount: Int = 4) -> [Action] {
    var progress = UpgradeProgress(socketCount: socketCount)
    return events.map { progress.handle($0) }
  }

  private func isAbandoned(_ action: Action?) -> Bool {
    if case .abandon = action { true } else { false }
  }

  @Test func allGoesWell() {
    let events: [Event] = [.received(.wantsAdmin), .received(.ready(unused: [1, 3])), .received(.serving)]
    #expect(actions(events) == [.releaseAdmin, .proceed, .finish(unused: [1, 3])])
  }

  @Test func withoutAnAdminAddress() {
    #expect(
      actions([.received(.ready(unused: [])), .received(.serving)]) == [.proceed, .finish(unused: [])])
  }

  static let ends: [Event] = [
    .received(.failed("no")), .garbled, .ended(.exited(status: 1)), .ended(nil), .timeLimit,
    .cancelled(reason: "TERM"),
  ]

  /// Each end, at each stage before the new process serves.
  @Test(arguments: ends, 0..<3)
  func whatGoesWrongIsUndone(end: Event, stage: Int) {
    let before: [Event] = [.received(.wantsAdmin), .received(.ready(unused: []))]
    let found = actions(before.prefix(stage) + [end, .received(.serving), end])
    #expect(isAbandoned(found[stage]))
    // Nothing more is done, whatever comes.
    #expect(found.suffix(2) == [.nothing, .nothing])
  }

  @Test(arguments: ends)
  func whatHappensWhenTheNewOneServesIsItsOwnAffair(end: Event) {
    let events: [Event] = [.received(.ready(unused: [])), .received(.serving), end]
    #expect(actions(events).last == .nothing)
  }

  @Test(
    arguments: [
      [.received(.serving)], [.received(.hello(version: 1, socketCount: 0, hasAdmin: false))],
      [.received(.wantsAdmin), .received(.wantsAdmin)],
      [.received(.ready(unused: [])), .received(.wantsAdmin)],
      [.received(.ready(unused: [])), .received(.ready(unused: []))], [.received(.ready(unused: [4]))],
    ] as [[Event]])
  func messagesOutOfTurnEndIt(events: [Event]) {
    #expect(isAbandoned(actions(events).last))
  }

  @Test func reasonsAreToldAsTheyAre() {
    #expect(actions([.received(.failed("the file is wrong"))]) == [.abandon(reason: "the file is wrong")])
    #expect(
      actions([.ended(.killed(signal: 9))]) == [.abandon(reason: "signal 9 ended it")])
  }
}
