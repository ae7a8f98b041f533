import Testing

@testable import Store

struct HistoryTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  /// A change as text: `a: 1 -> 2`, with `-` for nothing.
  private func text(_ change: StoreChange) -> String {
    "\(change.name): \(change.before?.content.document ?? "-") -> \(change.after?.content.document ?? "-")"
  }

  private func changes(_ store: ResourceStore, _ from: UInt64, _ to: UInt64) throws -> [String] {
    try store.changes(from: from, to: to).map(text).sorted()
  }

  private func filled() throws -> ResourceStore {
    let store = try folder.open()
    try store.commit(1, put("a", "a1"), put("b", "b1"))
    try store.commit(2, put("a", "a2"))
    try store.commit(4, delete("b"), put("c", "c4"))
    try store.commit(5, put("b", "b5"), put("a", "a1"))
    return store
  }

  @Test("a transaction says who made it, when and why, and what each resource was before and after")
  func transactions() throws {
    let store = try filled()
    let second = try #require(try store.transaction(2))
    #expect(
      second.revision
        == StoreRevision(
          revision: 2, previous: 1, time: 2_000, actor: "anna", remote: "192.0.2.7", message: "change 2",
          kind: .change, operationCount: 1))
    #expect(second.changes.map(text) == ["a: a1 -> a2"])
    #expect(second.changes.first?.before?.revision == 1)
    #expect(second.changes.first?.after?.revision == 2)
    #expect(try store.transaction(1)?.changes.map(text) == ["a: - -> a1", "b: - -> b1"])
    #expect(try store.transaction(4)?.changes.map(text) == ["b: b1 -> -", "c: - -> c4"])
    #expect(try store.transaction(5)?.changes.map(text) == ["b: - -> b5", "a: a2 -> a1"])
    #expect(try store.transaction(5, skipping: 1)?.changes.map(text) == ["a: a2 -> a1"])
    #expect(try store.transaction(5, limit: 1)?.changes.map(text) == ["b: - -> b5"])
    #expect(try store.transaction(5, skipping: 9)?.changes.count == 0)
    #expect(try store.transaction(3) == nil)
  }

  @Test("the history is given from the newest on, in pages")
  func pages() throws {
    let store = try filled()
    #expect(try store.history(limit: 3).map(\.revision) == [5, 4, 2])
    #expect(try store.history(before: 2, limit: 3).map(\.revision) == [1])
    #expect(try store.history(limit: 3).map(\.previous) == [4, 2, 1])
  }

  @Test("changes between two states are net, and go both ways")
  func net() throws {
    let store = try filled()
    #expect(try changes(store, 0, 1) == ["a: - -> a1", "b: - -> b1"])
    #expect(try changes(store, 1, 5) == ["b: b1 -> b5", "c: - -> c4"])
    #expect(try changes(store, 5, 1) == ["b: b5 -> b1", "c: c4 -> -"])
    #expect(try changes(store, 2, 4) == ["b: b1 -> -", "c: - -> c4"])
    // Between transactions nothing changed.
    #expect(try changes(store, 3, 4) == ["b: b1 -> -", "c: - -> c4"])
    #expect(try changes(store, 2, 3) == [])
    #expect(try changes(store, 5, 5) == [])
    #expect(try changes(store, 5, 99) == [])
    // Made and deleted in between: not worth a word.
    try store.commit(6, put("d", "d6"))
    try store.commit(7, delete("d"))
    #expect(try changes(store, 5, 7) == [])
  }

  @Test("a rollback by what changes say brings back content, secrets and order of creation")
  func rollback() throws {
    let store = try folder.open()
    let content = StoredContent(document: "d", material: [1], secret: [2])
    try store.commit([transaction(1, [StoreOperation(kind: "certificates", name: "a", content: content)])])
    try store.commit([transaction(2, [delete("a", kind: "certificates")])])
    let back = try store.changes(from: 2, to: 1).map {
      StoreOperation(kind: $0.kind, name: $0.name, content: $0.after?.content, created: $0.after?.created)
    }
    try store.commit([transaction(3, back, kind: .rollback(to: 1))])
    let restored = try #require(try store.resource("certificates", "a"))
    #expect(restored.content == content)
    #expect(restored.version.created == 1)
    #expect(restored.version.revision == 3)
    #expect(try store.history(limit: 1).first?.kind == .rollback(to: 1))
    #expect(try store.changes(from: 1, to: 3).isEmpty)
  }

  @Test("only the newest transactions are kept, and what is older is said to be unknown")
  func pruning() throws {
    let store = try folder.open(historyMax: 10)
    for revision in 1...50 { try store.commit(UInt64(revision), put("r\(revision % 3)", "\(revision)")) }
    #expect(try store.revisions() == 40...50)
    #expect(try store.history(limit: 100).map(\.revision) == (41...50).reversed().map { UInt64($0) })
    #expect(try changes(store, 40, 50) == ["r0: 39 -> 48", "r1: 40 -> 49", "r2: 38 -> 50"])
    let error = try failure { _ = try store.changes(from: 39, to: 50) }
    #expect(error.reason == .unknownRevision(oldest: 40))
    #expect(error.description.contains("revision 39"))
    #expect(try store.transaction(40) == nil)
    #expect(try store.documents() == ["routes/r0": "48", "routes/r1": "49", "routes/r2": "50"])
    #expect(try rowCount(store, "changes") == 10)
  }

  @Test("a lower limit, and a large transaction, are forgotten in small steps")
  func steps() throws {
    try folder.open(historyMax: 1_000).commit((1...200).map { transaction($0, [put("r\($0)", "{}")]) })
    let store = try folder.open(historyMax: 5)
    try store.commit([transaction(201, (0..<500).map { put("s\($0)", "{}") })])
    // As many as it wrote, and a few more.
    #expect(try store.revisions() == 196...201)
    var counts: [Int] = []
    for revision in 202...340 {
      let before = try rowCount(store, "changes")
      try store.commit(UInt64(revision), put("x", "\(revision)"))
      counts.append(before + 1 - (try rowCount(store, "changes")))
    }
    #expect(counts.allSatisfy { (0...5).contains($0) })
    #expect(try rowCount(store, "changes") == 5)
    #expect(try store.revisions() == 335...340)
    #expect(try store.documents().count == 701)
  }

  @Test("a history that was cut short is known to be so after the store is opened again")
  func reopened() throws {
    for revision in 1...9 { try folder.open(historyMax: 3).commit(UInt64(revision), put("a", "\(revision)")) }
    let store = try folder.open(historyMax: 3)
    #expect(try store.revisions() == 6...9)
    #expect(try changes(store, 6, 9) == ["a: 6 -> 9"])
  }

  @Test("the audit trail keeps refused attempts too, and its newest entries")
  func audit() throws {
    let store = try folder.open(auditMax: 5)
    func entry(_ number: Int, revision: UInt64? = nil) -> StoreAuditEntry {
      StoreAuditEntry(
        time: Int64(number), actor: "anna", remote: "192.0.2.7", action: "PUT /v1/routes/\(number)",
        outcome: revision == nil ? "refused" : "applied", revision: revision)
    }
    try store.audit([entry(1), entry(2)])
    try store.commit([transaction(1, [put("a", "{}")])], audit: [entry(3, revision: 1)])
    let trail = try store.auditTrail(limit: 2)
    #expect(trail.map(\.time) == [3, 2])
    #expect(trail.map(\.revision) == [1, nil])
    #expect(trail.first?.action == "PUT /v1/routes/3")
    #expect(trail.first?.outcome == "applied")
    #expect(try store.auditTrail(before: trail.last?.id, limit: 9).map(\.time) == [1])
    for number in 4...20 { try store.audit([entry(number)]) }
    #expect(try store.auditTrail(limit: 99).map(\.time) == [20, 19, 18, 17, 16])
    #expect(try store.auditTrail(limit: 99).map(\.id) == [20, 19, 18, 17, 16])
  }

  private func rowCount(_ store: ResourceStore, _ table: String) throws -> Int {
    try store.connection.inDatabase { database in
      try Query(database, "SELECT count(*) FROM \(table)").first { Int($0.integer(0)) } ?? 0
    }
  }
}
