import DataPlane
import Resources
import Testing

@testable import ControlPlane

/// Changes of the store's resources, with a store of SQLite.
@Suite struct TransactionTests {
  static let text = """
    store: {path: penstock.db}
    listeners: [{name: web, address: "127.0.0.1:8080"}]
    services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
    routes: [{name: home, service: site, hosts: [home.test]}]

    """
  static let shop = #"{"endpoints":["127.0.0.1:4000"]}"#

  @Test func putsPatchesAndDeletes() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    #expect(await running.control.resourceStatus.store == .writable)
    let created = try await running.apply(
      put("services/shop", Self.shop), put("routes/shop", #"{"service":"shop","hosts":["shop.test"]}"#))
    #expect(created.revision == 2 && created.results.map(\.outcome) == [.created, .created])
    #expect(created.results.map(\.revision) == [2, 2])
    #expect(running.sink.deltas.map(\.counts) == [[0, 0, 1, 1, 0, 0]])
    #expect(running.served.endpoints(of: "shop")?.map(\.address.port) == [4000])
    #expect(try await running.view("routes/shop")?.owner == .store)

    let patched = try await running.apply(patch("services/shop", #"{"endpoints":["127.0.0.1:4001"]}"#))
    #expect(patched.results.map(\.outcome) == [.replaced] && patched.revision == 3)
    #expect(running.served.endpoints(of: "shop")?.map(\.address.port) == [4001])
    #expect(try await running.revision("services/shop") == 3)
    #expect(try await running.revision("routes/shop") == 2)
    // The document is what was sent, with the patch.
    #expect(try await running.apply(patch("routes/shop", #"{"hosts":null}"#)).revision == 4)
    #expect(running.served.route("shop")?.route.hosts == [])

    let deleted = try await running.apply(delete("routes/shop"), delete("services/shop"))
    #expect(deleted.results.map(\.outcome) == [.deleted, .deleted] && deleted.revision == 5)
    #expect(running.served.service("shop") == nil && running.served.routeNames == ["home"])
    #expect(try await running.view("services/shop") == nil)
    #expect(await running.directory?.endpoints(of: "shop") == [])
    #expect(try await running.refusal(delete("routes/shop")).reason == .notFound)
    #expect(try await running.refusal(patch("routes/shop", "{}")).reason == .notFound)
    let status = await running.control.status
    #expect(status.transactionsApplied == 4 && status.transactionsRefused == 2)
    await running.stop()
  }

  @Test func looksAtConditions() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    #expect(
      try await running.refusal(put("services/shop", Self.shop, if: .exists)).reason == .conditionFailed)
    try await running.apply(put("services/shop", Self.shop, if: .isAbsent))
    let again = try await running.refusal(put("services/shop", Self.shop, if: .isAbsent))
    #expect(again.reason == .conditionFailed && again.problems[0].message.contains("exists already"))
    let wrong = try await running.refusal(delete("services/shop", if: .revision([1, 3])))
    #expect(wrong.reason == .conditionFailed && wrong.problems[0].message.contains("its revision is 2 now"))
    #expect(try await running.refusal(delete("services/none", if: .revision([2]))).reason == .conditionFailed)
    #expect(await running.control.resourceStatus.revision == 2)
    try await running.apply(delete("services/shop", if: .revision([1, 2])))
    #expect(try await running.view("services/shop") == nil)
    await running.stop()
  }

  @Test func leavesToFilesWhatIsTheirs() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    let before = await running.picture()
    let path = running.folder.path("penstock.yaml")
    for operation in [
      try put("routes/home", #"{"service":"site"}"#), try patch("routes/home", "{}"),
      try delete("routes/home"),
      try put("routes/home", #"{"service":"site"}"#, if: .exists),
    ] {
      let refusal = try await running.refusal(operation)
      #expect(refusal.reason == .notOwned)
      #expect(refusal.problems[0].message == "the file \(path) owns this route")
    }
    #expect(await running.picture() == before && running.sink.deltas.isEmpty)
    // What the store holds may refer to what files hold.
    try await running.apply(
      put("routes/more", #"{"service":"site","hosts":["more.test"],"listeners":["web"]}"#))
    #expect(running.served.route("more")?.listeners == [0])
    await running.stop()
  }

  @Test func changesNothingInADryRun() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    try await running.apply(put("services/shop", Self.shop))
    let before = await running.picture()
    let dry = try await running.apply(
      put("services/shop", #"{"endpoints":["127.0.0.1:4001"]}"#), put("services/next", Self.shop),
      isDryRun: true, waitingAtMost: .seconds(20))
    #expect(dry.results.map(\.outcome) == [.replaced, .created] && dry.revision == 2 && !dry.isServed)
    let wrong = try await running.refusal(put("routes/shop", #"{"service":"shpo"}"#), isDryRun: true)
    #expect(wrong.reason == .invalid && wrong.problems[0].hint?.contains("shop") == true)
    #expect(await running.picture() == before)
    #expect(try await running.control.history(before: nil, limit: 10).count == 1)
    // Nobody needs to know who asked what would be.
    #expect(try await running.control.auditTrail(before: nil, limit: 10).count == 1)
    await running.stop()
  }

  @Test func takesTheSameForNoChange() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    try await running.apply(put("services/shop", Self.shop))
    let before = await running.picture()
    let same = try await running.apply(
      put("services/shop", #"{ "name": "shop", "endpoints": ["127.0.0.1:4000"] }"#),
      waitingAtMost: .seconds(20))
    #expect(same.results == [.init(id: ResourceID(.services, "shop"), outcome: .unchanged, revision: 2)])
    #expect(same.revision == 2 && same.isServed)
    #expect(await running.picture() == before)
    // Beside something that does change, it keeps its revision.
    let mixed = try await running.apply(put("services/shop", Self.shop), put("services/next", Self.shop))
    #expect(mixed.results.map(\.outcome) == [.unchanged, .created])
    #expect(mixed.results.map(\.revision) == [2, 3])
    #expect(running.sink.deltas.last?.counts == [0, 0, 1, 0, 0, 0])
    #expect(try await running.control.change(3)?.summary.resourceCount == 1)
    await running.stop()
  }

  @Test func makesAllOperationsOrNone() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    try await running.apply(put("services/old", Self.shop))
    let before = await running.picture()
    // Wrong by itself, wrong beside others, and two that nothing is wrong with.
    let shape = try await running.refusal(
      put("services/a", Self.shop), put("services/b", #"{"endpoints":["nowhere"],"balanse":1}"#),
      delete("services/old"))
    #expect(shape.reason == .invalid && Set(shape.problems.map(\.operation)) == [1])
    #expect(
      shape.problems.contains { $0.message.contains("balanse") || $0.field.contains("balanse") },
      "\(shape.problems)")
    let beside = try await running.refusal(
      put("services/a", Self.shop), delete("services/old"),
      put("routes/r", #"{"service":"old","hosts":["r.test"]}"#))
    #expect(beside.reason == .invalid && beside.problems.map(\.operation) == [2])
    #expect(beside.problems.map(\.field) == ["service"], "\(beside.problems)")
    let gone = try await running.refusal(put("services/a", Self.shop), delete("services/none"))
    #expect(gone.reason == .notFound)
    #expect(await running.picture() == before && running.sink.deltas.count == 1)
    // Refusals are in the audit trail, newest first.
    let audit = try await running.control.auditTrail(before: nil, limit: 10)
    #expect(audit.map(\.outcome) == ["refused", "refused", "refused", "applied"])
    #expect(
      audit.map(\.action) == [
        "transaction of 2", "transaction of 3", "transaction of 3", "put services/old",
      ])
    #expect(Set(audit.map(\.actor)) == ["anna"] && audit[0].detail?.contains("services/none") == true)
    await running.stop()
  }

  /// Many at a time: each is made, whole, under a revision of its own.
  @Test func makesConcurrentTransactions() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    let receipts = try await withThrowingTaskGroup(of: TransactionReceipt.self) { group in
      for index in 0..<60 {
        group.addTask {
          try await running.apply(
            put("services/s\(index)", Self.shop),
            put("routes/r\(index)", #"{"service":"s\#(index)","hosts":["r\#(index).test"]}"#),
            waitingAtMost: .seconds(20))
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(receipts.map(\.revision).sorted() == Array(2...61))
    #expect(Set(receipts.map(\.isServed)) == [true])
    for receipt in receipts {
      #expect(receipt.results.map(\.revision) == [receipt.revision, receipt.revision])
    }
    #expect(running.served.routes.count == 61 && running.served.services.count == 61)
    #expect(running.sink.deltas.count == 60)
    #expect(
      try await running.control.history(before: nil, limit: 100).map(\.revision) == Array((2...61).reversed())
    )
    await running.stop()
  }

  /// Of transactions that are written together, a wrong one is refused alone, and a later one may build on
  /// what an earlier one makes.
  @Test func writesTransactionsTogether() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    let control = running.control
    let answers = Collected<String>()
    let reader = OperationReader(folder: "")
    let groups: [[ResourceOperation]] = [
      [try put("services/a", Self.shop)],
      [try put("routes/a", #"{"service":"a","hosts":["a.test"]}"#)],
      [try put("routes/b", #"{"service":"b","hosts":["b.test"]}"#)],
      [try put("routes/c", #"{"service":"a","hosts":["a.test"]}"#)],
      [try put("services/d", Self.shop)],
      [try delete("services/d")],
    ]
    for (index, operations) in groups.enumerated() {
      var pending = PendingTransaction(
        ResourceTransaction(operations, actor: "anna", remote: ""),
        try operations.map { try reader.prepare($0) })
      pending.answer = { result in
        let text = (try? result.get()).map { "revision \($0.revision)" } ?? "refused"
        answers.append("\(index): \(text)")
      }
      // As if the writer of the one before had been at work all the while.
      let wasEmpty = control.queue.append(pending)
      #expect(wasEmpty == (index == 0))
    }
    control.eventsInput.yield(.transactions)
    try await eventually("all are answered") { answers.count == groups.count }
    #expect(
      answers.values.sorted() == [
        "0: revision 2", "1: revision 3", "2: refused", "3: refused", "4: revision 4", "5: revision 5",
      ])
    #expect(running.served.routeNames == ["home", "a"] && running.served.service("d") == nil)
    #expect(await control.resourceStatus.revision == 5)
    await running.stop()
  }

  @Test func takesTransactionsThatDoNotTouchEachOther() throws {
    let queue = TransactionQueue()
    func append(_ operations: [ResourceOperation]) throws -> Bool? {
      let reader = OperationReader(folder: "")
      return queue.append(
        PendingTransaction(
          ResourceTransaction(operations, actor: "", remote: ""),
          try operations.map { try reader.prepare($0) }))
    }
    #expect(try append([try delete("routes/a"), try delete("routes/b")]) == true)
    #expect(try append([try delete("services/a")]) == false)
    #expect(try append([try delete("routes/c"), try delete("routes/b")]) == false)
    #expect(try append([try delete("routes/d")]) == false)
    let first = queue.take()
    #expect(first.group.count == 2 && first.hasMore)
    let second = queue.take()
    #expect(second.group.count == 2 && !second.hasMore)
    // One that is larger than a group may be is a group by itself.
    let large = try (0...TransactionQueue.operationsMax).map { try delete("routes/\($0)") }
    #expect(try append([try delete("services/a")]) == true)
    #expect(try append(large) == false)
    #expect(queue.take().group.count == 1)
    #expect(queue.take().group.map(\.operations.count) == [large.count])
    #expect(try append([try delete("services/a")]) == true)
    #expect(queue.close().count == 1)
    #expect(try append([try delete("services/a")]) == nil)
  }

  @Test func tellsWhetherWorkersServeIt() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    running.sink.hold()
    let late = try await running.apply(put("services/a", Self.shop), waitingAtMost: .milliseconds(10))
    #expect(!late.isServed && late.revision == 2)
    var status = await running.control.resourceStatus
    #expect(status.revision == 2 && status.servedRevision == 1)
    async let waiting = running.apply(put("services/b", Self.shop), waitingAtMost: .seconds(60))
    try await eventually("workers are told") { running.sink.deltas.count == 2 }
    running.sink.release()
    #expect(try await waiting.isServed)
    try await eventually("it is served") { await running.control.resourceStatus.servedRevision == 3 }
    // Nobody waits: nobody knows.
    #expect(try await running.apply(put("services/c", Self.shop)).isServed == false)
    status = await running.control.resourceStatus
    #expect(status.owners.map(\.owner) == [.file(running.folder.path("penstock.yaml")), .store])
    #expect(status.owners.last?.counts[.services] == 3)
    await running.stop()
    #expect(try await running.refusal(put("services/d", Self.shop)).reason == .storeUnavailable)
  }

  @Test func checksTheHealthOfWhatItMakes() async throws {
    let origin = try Origin(answer: Origin.status("500 Internal Server Error"))
    defer { origin.stop() }
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    let check = #""health":{"path":"/","interval":"20ms","timeout":"15ms","fall":1}"#
    try await running.apply(put("services/s", #"{"endpoints":["127.0.0.1:\#(origin.port)"],\#(check)}"#))
    try await eventually("it is unhealthy") { running.sink.verdicts == [false] }
    // What is known stays where something else changes.
    try await running.apply(patch("services/s", #"{"balance":"least-request"}"#))
    #expect(running.served.endpoints(of: "s")?.map(\.isHealthy) == [false])
    try await running.apply(patch("services/s", #"{"health":null}"#))
    #expect(running.served.endpoints(of: "s")?.map(\.isHealthy) == [true])
    try await running.apply(delete("services/s"))
    await running.stop()
  }

  @Test func needsAStore() async throws {
    let running = try RunningPlane(
      Self.text.replacing("store: {path: penstock.db}\n", with: ""), in: TestFolder())
    try await running.start()
    let refusal = try await running.refusal(put("services/a", Self.shop))
    #expect(refusal.reason == .storeUnavailable && refusal.problems[0].hint?.contains("store: {path") == true)
    #expect(await running.control.resourceStatus.store == .none)
    await #expect(throws: StoreUnavailable.self) {
      try await running.control.history(before: nil, limit: 1)
    }
    await running.stop()
  }
}
