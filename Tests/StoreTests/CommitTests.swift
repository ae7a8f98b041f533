import Foundation
import Testing

@testable import Store

struct CommitTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  @Test("a new store is empty, and its files are for their owner alone")
  func new() throws {
    let store = try folder.open()
    #expect(try store.revision() == 0)
    #expect(try store.documents().isEmpty)
    #expect(try store.revisions() == 0...0)
    try store.commit(1, put("a", "{}"))
    for name in try folder.names() {
      let attributes = try FileManager.default.attributesOfItem(atPath: folder.path(name))
      #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
    }
  }

  @Test("what was committed is there after the store is opened again, byte by byte")
  func durable() throws {
    let content = StoredContent(
      document: "{\"name\":\"späß \u{1F600}\u{0}\"}", material: [0, 1, 255], secret: [0, 0, 7])
    let empty = StoredContent(document: "", material: [], secret: nil)
    do {
      let store = try folder.open()
      try store.commit([
        transaction(
          7,
          [
            StoreOperation(kind: "certificates", name: "a", content: content),
            StoreOperation(kind: "certificates", name: "b", content: empty),
          ])
      ])
    }
    let store = try folder.open()
    #expect(try store.revision() == 7)
    #expect(
      try store.resource("certificates", "a")
        == StoredResource(
          kind: "certificates", name: "a",
          version: StoredVersion(content: content, created: 7, revision: 7)))
    #expect(try store.resource("certificates", "b")?.content == empty)
    #expect(try store.resource("routes", "a") == nil)
    var loaded: [StoredResource] = []
    #expect(try store.load { loaded.append($0) } == 7)
    #expect(loaded.map(\.name) == ["a", "b"])
    #expect(loaded.first?.content == content)
  }

  @Test("every connection that writes waits for the disk at each commit")
  func synchronous() throws {
    let store = try folder.open()
    let mode = try store.connection.inDatabase {
      try Query($0, "PRAGMA synchronous").first { $0.integer(0) }
    }
    #expect(mode == 2)
    let journal = try store.connection.inDatabase {
      try Query($0, "PRAGMA journal_mode").first { $0.text(0) }
    }
    #expect(journal == "wal")
  }

  @Test("a change keeps the revision of creation; deleted and made again, a resource is a new one")
  func created() throws {
    let store = try folder.open()
    try store.commit(1, put("a", "1"), put("b", "1"))
    try store.commit(2, put("a", "2"))
    #expect(try store.resource("routes", "a")?.version.created == 1)
    #expect(try store.resource("routes", "a")?.version.revision == 2)
    try store.commit(3, delete("a"))
    try store.commit(4, put("a", "4"), put("b", "4", created: 1))
    #expect(try store.resource("routes", "a")?.version.created == 4)
    try store.commit(5, delete("a"))
    try store.commit(6, put("a", "4", created: 4))
    #expect(try store.resource("routes", "a")?.version.created == 4)
    #expect(try store.resource("routes", "a")?.version.revision == 6)
  }

  @Test("transactions that are committed together take effect together or not at all")
  func group() throws {
    let store = try folder.open()
    try store.commit([
      transaction(1, [put("a", "1")]), transaction(2, [put("a", "2"), put("b", "2")]), transaction(9, []),
    ])
    #expect(try store.revision() == 9)
    #expect(try store.documents() == ["routes/a": "2", "routes/b": "2"])
    let error = try failure {
      try store.commit([transaction(10, [put("c", "10")]), transaction(10, [delete("a")])])
    }
    #expect(error.reason == .other)
    #expect(error.description.contains("revision 10 cannot be stored: the last one is 10"))
    #expect(try store.revision() == 9)
    #expect(try store.documents() == ["routes/a": "2", "routes/b": "2"])
    try store.commit(10, put("c", "10"))
    #expect(try store.transaction(10)?.changes.count == 1)
  }

  @Test("names are of one kind; kinds do not meet")
  func kinds() throws {
    let store = try folder.open()
    try store.commit(1, put("a", "r"), put("a", "s", kind: "services"))
    try store.commit(2, delete("a"))
    #expect(try store.documents() == ["services/a": "s"])
  }

  @Test("pages hold the names after the last one, in order, filtered")
  func pages() throws {
    let store = try folder.open()
    try store.commit([
      transaction(1, ["b", "a", "shop-2", "shop-1", "shop", "z", "my-shop"].map { put($0, "{}") }),
      transaction(2, [put("shop-0", "{}", kind: "services")]),
    ])
    func names(_ after: String?, _ limit: Int, _ filter: StoreNameFilter? = nil) throws -> [String] {
      try store.page("routes", after: after, limit: limit, filter: filter).map(\.name)
    }
    #expect(try names(nil, 3) == ["a", "b", "my-shop"])
    #expect(try names("my-shop", 3) == ["shop", "shop-1", "shop-2"])
    #expect(try names("shop-2", 3) == ["z"])
    #expect(try names(nil, 2, .prefix("shop")) == ["shop", "shop-1"])
    #expect(try names("shop-1", 2, .prefix("shop")) == ["shop-2"])
    #expect(try names(nil, 9, .contains("shop")) == ["my-shop", "shop", "shop-1", "shop-2"])
    #expect(try names("shop", 9, .contains("shop")) == ["shop-1", "shop-2"])
    #expect(try names(nil, 9, .contains("%")) == [])
    #expect(try names(nil, 9, .prefix("_")) == [])
  }

  @Test("the journal is moved into the database while commits go on, and does not grow without end")
  func checkpoints() throws {
    let store = try folder.open()
    let filler = String(repeating: "x", count: 100_000)
    var revision: UInt64 = 0
    func commit(_ content: String) throws {
      revision += 1
      try store.commit(revision, put("r\(revision % 50)", content))
    }
    while store.journalPages < Checkpoints.pagesMin { try commit(filler) }
    // At the latest once the checkpoint has caught up, a commit begins the journal anew.
    var attempts = 0
    while store.journalPages >= Checkpoints.pagesMin && attempts < 10_000 {
      try commit("small")
      attempts += 1
    }
    #expect(store.journalPages < Checkpoints.pagesMin)
    let database = try #require(FileIdentity(path: folder.database))
    #expect(database.byteCount > 3 << 20)
    #expect(try store.documents().count == min(Int(revision), 50))
  }
}
