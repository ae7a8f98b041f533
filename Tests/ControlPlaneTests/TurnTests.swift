import Foundation
import Resources
import Testing

@testable import ControlPlane

/// What is found out in a change's turn, and what waits without holding anything.
@Suite struct TurnTests {
  private static let text = TransactionTests.text

  /// A change that was made between the request and its turn is undone like those before it.
  @Test func aRollbackUndoesWhatCameBeforeItsTurn() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    try await running.apply(put("services/a", TransactionTests.shop))
    try await running.apply(put("services/b", TransactionTests.shop))
    let link = try await running.control.registry.requireStore()
    var pending = PendingTransaction(
      operations: [], isDryRun: false, action: "rollback to 2", actor: "anna", remote: "", message: nil)
    pending.kind = .rollback(to: 2)
    try ControlPlane.plan(&pending, to: 2, link)
    #expect(pending.operations.map(\.id.name) == ["b"])
    // Nothing has happened since: it is not read again.
    let planned = pending.plannedAt
    try ControlPlane.plan(&pending, to: 2, link)
    #expect(pending.plannedAt == planned)

    try await running.apply(put("services/c", TransactionTests.shop))
    let receipt = try await withCheckedThrowingContinuation { continuation in
      pending.answer = { continuation.resume(with: $0.mapError { $0 as any Error }) }
      #expect(running.control.queue.append(pending) == true)
      running.control.eventsInput.yield(.transactions)
    }
    #expect(Set(receipt.results.map(\.id.name)) == ["b", "c"])
    #expect(Set(running.served.services.values.map(\.service.name)) == ["site", "a"])
    #expect(try await running.control.difference(from: 2, to: receipt.revision) == [])
    await running.stop()
  }

  @Test func aRollbackIsWrittenByItself() throws {
    let queue = TransactionQueue()
    func pending(_ name: String, rollback: UInt64? = nil) throws -> PendingTransaction {
      var pending = PendingTransaction(
        operations: rollback == nil ? [PreparedOperation(id: try resourceID("services/\(name)"))] : [],
        isDryRun: false, action: name, actor: "", remote: "", message: nil)
      if let rollback { pending.kind = .rollback(to: rollback) }
      return pending
    }
    _ = queue.append(try pending("a"))
    _ = queue.append(try pending("b"))
    _ = queue.append(try pending("back", rollback: 1))
    _ = queue.append(try pending("again", rollback: 2))
    _ = queue.append(try pending("c"))
    var groups: [[String]] = []
    var hasMore = true
    while hasMore {
      let (group, more) = queue.take()
      groups.append(group.map(\.action))
      hasMore = more
    }
    #expect(groups == [["a", "b"], ["back"], ["again"], ["c"]])
  }

  /// Files that were read together are one change: a reader that comes back has all of it, or none.
  @Test func filesThatChangeTogetherAreOneChange() async throws {
    let folder = try TestFolder()
    try folder.makeFolder("conf")
    try folder.write(
      """
      listeners: [{name: web, address: "127.0.0.1:8080"}]
      services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
      """, to: "conf/a.yaml")
    try folder.write("routes: [{name: home, service: site, hosts: [home.test]}]\n", to: "conf/b.yaml")
    let running = RunningPlane(.file(folder.path("conf")), in: folder)
    try await running.start()
    await running.control.freeze()
    try folder.write(
      """
      listeners: [{name: web, address: "127.0.0.1:8080"}]
      services: [{name: site, endpoints: ["127.0.0.1:3001"]}]
      """, to: "conf/a.yaml")
    try folder.write("routes: [{name: home, service: site, hosts: [other.test]}]\n", to: "conf/b.yaml")
    let stream = await running.control.changes(after: 1)
    _ = await running.control.resume()
    #expect(await running.control.reload(reason: .request))
    await running.control.registry.close()
    var parts: [ChangeSummary] = []
    for await event in stream { if case .change(let part) = event { parts.append(part) } }
    #expect(parts.map(\.revision) == [2, 2] && parts.map(\.isContinued) == [true, false])
    #expect(parts.map(\.owner) == [.file(folder.path("conf/a.yaml")), .file(folder.path("conf/b.yaml"))])
    await running.stop()
  }

  /// Most waits end long before their time, and none of them may hold memory until then.
  @Test func aWaitThatIsOverHoldsNothing() async throws {
    func wait(_ count: Int) async {
      for _ in 0..<count {
        let signal = ServedSignal()
        async let isServed = signal.wait(atMost: .seconds(3_600))
        while !signal.isAwaited { await Task.yield() }
        await Task.yield()
        signal.signal()
        #expect(await isServed)
      }
    }
    await wait(1_000)
    let count = 10_000
    var grown: [Int] = []
    // Other tests need memory too, so that one round of several has to do; a task that sleeps holds 700 bytes.
    for _ in 0..<5 {
      let before = try residentBytes()
      await wait(count)
      grown.append((try residentBytes() - before) / count)
      if grown.last ?? 0 < 200 { return }
    }
    Issue.record("bytes a wait: \(grown)")
  }

  private func residentBytes() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return try #require(fields.count > 1 ? Int(fields[1]) : nil) * 4_096
  }

  @Test func aWaitEndsWithItsTime() async {
    #expect(await ServedSignal().wait(atMost: .milliseconds(1)) == false)
    #expect(await ServedSignal().wait(atMost: .zero) == false)
  }

  @Test func aRefusedEditIsAProblemUntilAGoodOne() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    #expect(await running.control.status.reloadProblem == nil)
    try running.folder.write(Self.text + "nonsense: 1\nrubbish: 2\n", to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request) == false)
    let problem = try #require(await running.control.status.reloadProblem)
    #expect(problem.contains("penstock.yaml:5:1: ") && problem.contains("and 1 more"), "\(problem)")
    try running.folder.write(Self.text, to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request))
    #expect(await running.control.status.reloadProblem == nil)
    await running.stop()
  }
}
