import Resources
import Testing

@testable import ControlPlane

/// Who follows changes misses none without being told so.
@Suite struct ChangeFeedTests {
  private static func summary(_ revision: UInt64) -> ChangeSummary {
    ChangeSummary(revision: revision, milliseconds: 0, owner: .store, resourceCount: 0, resources: [])
  }

  /// Revisions of a stream to its end; negative: of a resync.
  private static func revisions(_ stream: AsyncStream<ChangeEvent>) async -> [Int] {
    var revisions: [Int] = []
    for await event in stream {
      switch event {
      case .change(let change): revisions.append(Int(change.revision))
      case .resync(let revision): revisions.append(-Int(revision))
      }
    }
    return revisions
  }

  @Test func tellsOfWhatComesAfter() async {
    var feed = ChangeFeed(after: 10)
    let next = feed.read(after: nil) { _ in }
    let same = feed.read(after: 10) { _ in }
    for revision in 11...14 as ClosedRange<UInt64> { feed.append(Self.summary(revision)) }
    let later = feed.read(after: 12) { _ in }
    let old = feed.read(after: 9) { _ in }
    let ahead = feed.read(after: 15) { _ in }
    feed.append(Self.summary(15))
    #expect(feed.readerCount == 5)
    feed.close()
    #expect(await Self.revisions(next) == [11, 12, 13, 14, 15])
    #expect(await Self.revisions(same) == [11, 12, 13, 14, 15])
    #expect(await Self.revisions(later) == [13, 14, 15])
    // From before it began, or of another life: everything is to be read anew.
    #expect(await Self.revisions(old) == [-14, 15])
    #expect(await Self.revisions(ahead) == [-14, 15])
  }

  @Test func endsTheStreamOfASlowReader() async {
    var feed = ChangeFeed(after: 0)
    let gone = Collected<Int>()
    let slow = feed.read(after: nil) { gone.append($0) }
    let max = UInt64(ChangeFeed.keptMax)
    for revision in 1...max { feed.append(Self.summary(revision)) }
    #expect(feed.readerCount == 1 && gone.count == 0)
    feed.append(Self.summary(max + 1))
    #expect(feed.readerCount == 0 && gone.count == 1)
    // What it gets is whole up to its end, from where it goes on.
    #expect(await Self.revisions(slow) == Array(1...Int(max)))
    let again = feed.read(after: max) { _ in }
    feed.close()
    #expect(await Self.revisions(again) == [Int(max) + 1])
  }

  /// More is kept than may wait for one reader: no change between is passed over.
  @Test func givesAReaderThatWasAwayWhatItCanTake() async {
    var feed = ChangeFeed(after: 0)
    let max = UInt64(ChangeFeed.keptMax)
    for revision in 1...max + 500 { feed.append(Self.summary(revision)) }
    var first = feed.read(after: 1) { _ in }.makeAsyncIterator()
    for revision in 2...max + 1 { #expect(await first.next() == .change(Self.summary(revision))) }
    // It has read all that could wait for it: what comes now would be behind a gap.
    feed.append(Self.summary(max + 501))
    #expect(await first.next() == nil)
    #expect(feed.readerCount == 0)
    let second = feed.read(after: max + 1) { _ in }
    #expect(feed.readerCount == 1)
    feed.close()
    #expect(await Self.revisions(second) == Array((Int(max) + 2)...(Int(max) + 501)))
    // Older ones go in steps.
    var long = ChangeFeed(after: 0)
    for revision in 1...max * 3 { long.append(Self.summary(revision)) }
    let late = long.read(after: 1) { _ in }
    long.close()
    #expect(await Self.revisions(late) == [-Int(max) * 3])
  }

  @Test func tellsOfChangesOfFilesAndOfTheStore() async throws {
    let running = try RunningPlane(TransactionTests.text, in: TestFolder())
    try await running.start()
    var events = await running.control.changes(after: 1).makeAsyncIterator()
    try await running.apply(
      put("services/a", TransactionTests.shop), put("services/b", TransactionTests.shop))
    try running.folder.write(TransactionTests.text.replacing("3000", with: "3001"), to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request))
    try await running.apply(delete("services/a"))
    guard case .change(let first)? = await events.next(), case .change(let second)? = await events.next(),
      case .change(let third)? = await events.next()
    else {
      Issue.record("three changes were made")
      return
    }
    #expect(first.revision == 2 && first.owner == .store && first.actor == "anna" && first.resourceCount == 2)
    #expect(
      first.resources.map(\.id.name) == ["a", "b"] && first.resources.map(\.outcome) == [.created, .created])
    #expect(second.revision == 3 && second.owner == .file(running.folder.path("penstock.yaml")))
    #expect(second.resources == [.init(id: ResourceID(.services, "site"), outcome: .replaced)])
    #expect(third.revision == 4 && third.resources.map(\.outcome) == [.deleted])
    await running.stop()
    #expect(await events.next() == nil)
  }
}
