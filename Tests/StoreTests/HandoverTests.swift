import Testing

@testable import Store

/// One writer at a time, and how it changes.
struct HandoverTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  @Test("a second process that wants to write is refused at once, by the number of the first")
  func secondWriter() throws {
    let tool = try Tool("hold", folder.database)
    #expect(tool.line() == "ready 0")
    let error = try failure { _ = try folder.open() }
    #expect(error.reason == .locked)
    #expect(error.description.contains("in use by another process (its number is \(tool.identifier))"))
    tool.kill()
    // Killed, it holds nothing any more.
    _ = try folder.open()
  }

  @Test("a second store of the same process is refused as well")
  func secondStore() throws {
    let store = try folder.open()
    #expect(try failure { _ = try folder.open() }.reason == .locked)
    try store.commit(1, put("a", "1"))
  }

  @Test("a reader sees what the writer commits, and does not write")
  func reader() throws {
    let old = try folder.open()
    try old.commit(1, put("a", "1"))
    let new = try ResourceStore.openForReading(path: folder.database, historyMax: 100)
    #expect(try new.documents() == ["routes/a": "1"])
    try old.commit(2, put("a", "2"))
    #expect(try new.documents() == ["routes/a": "2"])
    #expect(!new.isWriter)
    let error = try failure { try new.commit(3, put("a", "3")) }
    #expect(error.reason == .notWriter)
    #expect(error.description.contains("another process writes the database"))
    try new.check()
    #expect(try failure { try new.becomeWriter() }.reason == .locked)
  }

  @Test("the writer lets go, and the reader takes over with what it has missed")
  func handover() throws {
    let old = try folder.open()
    try old.commit(1, put("a", "1"))
    let new = try ResourceStore.openForReading(path: folder.database, historyMax: 100)
    let seen = try new.revision()
    try old.commit(2, put("b", "2"))
    old.letGo()
    #expect(try failure { try old.commit(3, put("c", "3")) }.reason == .notWriter)
    #expect(try new.becomeWriter() == 2)
    #expect(try new.changes(from: seen, to: 2).map(\.name) == ["b"])
    try new.commit(3, put("c", "3"))
    // The old one goes on reading, and takes over again where the new one gives up.
    #expect(try old.documents().count == 3)
    #expect(try failure { try old.becomeWriter() }.reason == .locked)
    new.letGo()
    #expect(try old.becomeWriter() == 3)
    try old.commit(4, put("d", "4"))
    #expect(try new.documents().count == 4)
  }

  @Test("the reader takes over from a writer that was killed, with everything it has acknowledged")
  func takeover() throws {
    let tool = try Tool("commit", folder.database)
    _ = tool.line()
    let new = try {
      while true {
        do { return try ResourceStore.openForReading(path: folder.database, historyMax: 50) } catch let error
          as StoreError where error.reason == .locked
        { continue }
      }
    }()
    var last: UInt64 = 0
    for _ in 0..<50 {
      let line = try #require(tool.line())
      last = try #require(UInt64(line))
    }
    tool.kill()
    for line in tool.lines() { last = try #require(UInt64(line)) }
    #expect(try new.becomeWriter() >= last)
    try new.commit(10_000_000, put("a", "1"))
  }

  @Test("where there is no database, there is nothing to read")
  func missing() throws {
    let error = try failure {
      _ = try ResourceStore.openForReading(path: folder.database, historyMax: 100)
    }
    #expect(error.reason == .missing)
    #expect(try folder.names().isEmpty)
  }

  @Test("calls from many threads at once: each commit is whole, readers see but whole ones")
  func threads() async throws {
    let store = try folder.open()
    try store.commit(1, put("a", "0"), put("b", "0"))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask {
          for _ in 0..<200 {
            let documents = try store.documents()
            #expect(documents["routes/a"] == documents["routes/b"])
          }
        }
      }
      group.addTask {
        for revision in 2...300 {
          try store.commit(UInt64(revision), put("a", "\(revision)"), put("b", "\(revision)"))
        }
      }
      try await group.waitForAll()
    }
    #expect(try store.revision() == 300)
  }
}
