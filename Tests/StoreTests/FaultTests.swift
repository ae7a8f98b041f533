import Foundation
import GRDB
import Testing

@testable import Store

/// What can be wrong with files and disks: each has its own message, nothing is lost, and nothing is made
/// worse.
struct FaultTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  // MARK: Damage

  private func fill() throws {
    let store = try folder.open()
    let operations = (0..<2_000).map { put("r\($0)", String(repeating: "\($0) ", count: 50)) }
    try store.commit([transaction(1, operations)])
  }

  private func refusesUnchanged(_ what: String) throws -> StoreError {
    let before = try folder.bytes("store.db")
    let error = try failure { _ = try folder.open() }
    #expect(try folder.bytes("store.db") == before, "\(what)")
    return error
  }

  @Test("bytes that were overwritten are noticed when the store is opened, and left as they are")
  func overwritten() throws {
    try fill()
    let file = try FileHandle(forUpdating: URL(filePath: folder.database))
    let size = try file.seekToEnd()
    for page in stride(from: size / 4096 / 4, to: size / 4096 * 3 / 4, by: 1) {
      try file.seek(toOffset: page * 4096)
      try file.write(contentsOf: Data(repeating: 0xA5, count: 64))
    }
    try file.close()
    let error = try refusesUnchanged("overwritten")
    #expect(error.reason == .damaged)
    #expect(error.description.contains(folder.database))
    #expect(error.description.contains("is damaged"))
    #expect(error.description.contains("backup"))
  }

  @Test("a file that was cut short is noticed", arguments: [0.5, 0.9])
  func truncated(part: Double) throws {
    try fill()
    let file = try FileHandle(forUpdating: URL(filePath: folder.database))
    try file.truncate(atOffset: UInt64(Double(try file.seekToEnd()) * part) & ~4095)
    try file.close()
    #expect(try refusesUnchanged("truncated").reason == .damaged)
  }

  @Test("a journal is not moved into a damaged database")
  func damagedWithJournal() throws {
    try fill()
    let tool = try Tool("hold", folder.database)
    _ = tool.line()
    tool.kill()
    // What a process that was killed leaves behind.
    let store = try folder.open()
    try store.commit(2, put("a", "{}"))
    let journal = try folder.bytes("store.db-wal")
    let copy = try Folder()
    var database = try folder.bytes("store.db")
    database.replaceSubrange(8_192..<8_192 + 4_096, with: Data(repeating: 0xA5, count: 4_096))
    try database.write(to: URL(filePath: copy.database))
    try journal.write(to: URL(filePath: copy.path("store.db-wal")))
    #expect(try failure { _ = try copy.open() }.reason == .damaged)
    #expect(try copy.bytes("store.db") == database)
    #expect(try copy.bytes("store.db-wal") == journal)
  }

  @Test("a file that is no database is refused and not overwritten")
  func noDatabase() throws {
    try Data(repeating: 0x41, count: 10_000).write(to: URL(filePath: folder.database))
    #expect(try refusesUnchanged("text").reason == .damaged)
  }

  @Test("a database of another program is refused and not changed")
  func foreign() throws {
    let queue = try DatabaseQueue(path: folder.database)
    try queue.write { try $0.execute(sql: "CREATE TABLE accounts (id INTEGER)") }
    try queue.close()
    let error = try refusesUnchanged("foreign")
    #expect(error.description.contains("another program"))
  }

  @Test("a database of a later version is refused and not changed")
  func later() throws {
    try fill()
    let queue = try DatabaseQueue(path: folder.database)
    try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
    try queue.close()
    let error = try refusesUnchanged("later")
    #expect(error.reason == .incompatible(version: 99))
    #expect(error.description.contains("version 99"))
  }

  @Test("a journal without its database is not thrown away", arguments: [true, false])
  func orphanedJournal(isMissing: Bool) throws {
    let journal = Data(repeating: 1, count: 5_000)
    try journal.write(to: URL(filePath: folder.path("store.db-wal")))
    if !isMissing { try Data().write(to: URL(filePath: folder.database)) }
    let error = try failure { _ = try folder.open() }
    #expect(error.reason == .damaged)
    #expect(error.description.contains("journal"))
    #expect(try folder.bytes("store.db-wal") == journal)
  }

  @Test("a database that was removed while it is used takes no commit, and says so")
  func removed() throws {
    let store = try folder.open()
    try store.commit(1, put("a", "1"))
    try FileManager.default.moveItem(atPath: folder.database, toPath: folder.path("elsewhere.db"))
    let error = try failure { try store.commit(2, put("a", "2")) }
    #expect(error.reason == .damaged)
    #expect(error.description.contains("moved, deleted or replaced"))
    #expect(try failure { try store.check() }.reason == .damaged)
    #expect(try failure { _ = try store.documents() }.reason == .damaged)
    try FileManager.default.moveItem(atPath: folder.path("elsewhere.db"), toPath: folder.database)
    try store.check()
    try store.commit(2, put("a", "2"))
  }

  @Test("a file that is cut while it is used takes no commit, and says so", arguments: [true, false])
  func cutWhileUsed(isJournal: Bool) throws {
    let store = try folder.open()
    try store.commit([transaction(1, (0..<2_000).map { put("r\($0)", String(repeating: "x", count: 200)) })])
    if !isJournal {
      // So that the file has more than its first page.
      store.letGo()
      try store.becomeWriter()
    }
    try store.check()
    let file = try FileHandle(
      forUpdating: URL(filePath: isJournal ? folder.path("store.db-wal") : folder.database))
    try file.truncate(atOffset: 4_096)
    try file.close()
    #expect(try failure { try store.check() }.reason == .damaged)
    let error = try failure { try store.commit(2, put("a", "2")) }
    #expect(error.reason == .damaged && error.description.contains("was cut or replaced"), "\(error)")
  }

  @Test("a file that others overwrite while it is used is looked through")
  func overwrittenWhileUsed() throws {
    try fill()
    let store = try folder.open()
    try store.check()
    let sound = try folder.bytes("store.db")
    // What writes the same bytes has done no harm.
    try overwrite(sound)
    try store.check()
    try store.commit(2, put("a", "2"))
    var damaged = sound
    for page in stride(from: 8, to: sound.count / 4_096, by: 3) {
      damaged.replaceSubrange(page * 4_096..<page * 4_096 + 64, with: Data(repeating: 0xA5, count: 64))
    }
    try overwrite(damaged)
    #expect(try failure { try store.check() }.reason == .damaged)
    #expect(try failure { try store.check() }.reason == .damaged)
    #expect(try failure { try store.commit(3, put("a", "3")) }.reason == .damaged)
    // Somebody puts it right.
    try overwrite(sound)
    try store.check()
    try store.commit(3, put("a", "3"))
    #expect(try store.documents().count == 2_001)
  }

  @Test("an older database that is copied over the one in use is noticed")
  func replacedInPlaceWhileUsed() throws {
    try fill()
    let older = try folder.bytes("store.db")
    let store = try folder.open()
    try store.commit([transaction(2, (0..<2_000).map { put("s\($0)", String(repeating: "y", count: 100)) })])
    store.letGo()
    try store.becomeWriter()
    try store.check()
    let size = try folder.bytes("store.db").count
    // As long as the one that it replaces, so that only what it holds tells.
    try overwrite(older + Data(repeating: 0, count: size - older.count))
    #expect(try failure { try store.check() }.reason == .damaged)
  }

  @Test("other bytes in the place of the first page are noticed at once")
  func firstPageWhileUsed() throws {
    try fill()
    let store = try folder.open()
    try store.check()
    var bytes = try folder.bytes("store.db")
    bytes.replaceSubrange(0..<16, with: Data(repeating: 0x41, count: 16))
    try overwrite(bytes)
    let error = try failure { try store.check() }
    #expect(error.reason == .damaged && error.description.contains("first page"))
  }

  /// Into the file itself, as `cp` does.
  private func overwrite(_ bytes: Data) throws {
    let file = try FileHandle(forUpdating: URL(filePath: folder.database))
    try file.write(contentsOf: bytes)
    try file.truncate(atOffset: UInt64(bytes.count))
    try file.close()
  }

  // MARK: Locks

  @Test("who holds the database keeps one commit waiting, and not those after it as well")
  func lockedForMany() throws {
    let store = try folder.open()
    try store.commit(1, put("a", "1"))
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: folder.database, configuration: configuration)
    try other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    #expect(try wait(store) == 250)
    let first = try failure { try store.commit(2, put("a", "2")) }
    #expect(first.reason == .locked)
    for _ in 0..<20 {
      #expect(try failure { try store.commit(2, put("a", "2")) }.reason == .locked)
      #expect(try wait(store) == 0)
    }
    try other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    try store.commit(2, put("a", "2"))
    // The next one waits again.
    try store.commit(3, put("a", "3"))
    #expect(try wait(store) == 250)
  }

  /// How long the connection that writes waits for others, in milliseconds.
  private func wait(_ store: ResourceStore) throws -> Int64 {
    try store.connection.inDatabase { database in
      try Query(database, "PRAGMA busy_timeout").first { $0.integer(0) } ?? -1
    }
  }

  @Test("a tool that holds the database makes commits fail in good time, and nothing else")
  func locked() throws {
    let store = try folder.open()
    try store.commit(1, put("a", "1"))
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: folder.database, configuration: configuration)
    try other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    let error = try failure { try store.commit(2, put("a", "2")) }
    #expect(error.reason == .locked)
    #expect(error.description.contains("in use by another process"))
    #expect(try store.documents() == ["routes/a": "1"])
    #expect(try failure { try store.check() }.reason == .locked)
    try other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    try store.check()
    try store.commit(2, put("a", "2"))
    #expect(try store.documents() == ["routes/a": "2"])
  }

  // MARK: Space and rights

  @Test("a limit to the database's size refuses commits whole, and goes on once it is lifted")
  func full() throws {
    let store = try folder.open()
    try store.commit(1, put("a", "1"))
    let pages = try store.connection.inDatabase { database in
      try Query(database, "PRAGMA page_count").first { $0.integer(0) } ?? 0
    }
    try setPagesMax(store, pages + 20)
    let many = (0..<500).map { put("r\($0)", String(repeating: "x", count: 1_000)) }
    let error = try failure { try store.commit([transaction(2, [put("a", "2")]), transaction(3, many)]) }
    #expect(error.reason == .full)
    #expect(error.description.contains("no space is left"))
    #expect(try store.documents() == ["routes/a": "1"])
    #expect(try store.revision() == 1)
    try setPagesMax(store, 1_000_000)
    try store.commit([transaction(2, [put("a", "2")]), transaction(3, many)])
    #expect(try store.documents().count == 501)
  }

  private func setPagesMax(_ store: ResourceStore, _ pages: Int64) throws {
    try store.connection.inDatabase { try Query($0, "PRAGMA max_page_count = \(pages)").run() }
  }

  @Test(
    "a full disk: commits fail, reading goes on, and commits succeed when there is room again",
    .enabled(if: SmallDisk.isPossible))
  func fullDisk() throws {
    let disk = try SmallDisk(megabytes: 2)
    let store = try ResourceStore(path: disk.path("store.db"), historyMax: 5)
    var revision: UInt64 = 0
    var error: StoreError?
    let filler = String(repeating: "x", count: 20_000)
    while error == nil && revision < 1_000 {
      do {
        try store.commit(revision + 1, put("r\(revision)", filler))
        revision += 1
      } catch let failure as StoreError { error = failure }
    }
    #expect(error?.reason == .full)
    #expect(revision > 10)
    #expect(try store.revision() == revision)
    #expect(try store.documents().count == Int(revision))
    #expect(try failure { try store.commit(revision + 1, put("last", filler)) }.reason == .full)
    try disk.grow(megabytes: 16)
    try store.check()
    try store.commit(revision + 1, put("last", filler))
    #expect(try store.documents().count == Int(revision) + 1)
  }

  @Test("a file that may not grow: what was committed stays, and goes on when it may")
  func fileLimit() throws {
    let tool = try Tool("limit", folder.database, "1000000")
    let lines = tool.lines()
    try #require(lines.count == 3, "\(lines)")
    #expect(lines[0].hasPrefix("failed the disk of the database") || lines[0].hasPrefix("failed no space"))
    let counts = lines[1].split(separator: " ")
    let last = try #require(UInt64(counts[0]))
    #expect(last > 10)
    #expect(counts[0] == counts[1])
    #expect(lines[2] == "\(last + 1)")
    #expect(try folder.open().revision() == last + 1)
  }

  @Test("a directory, or a database, that cannot be written is named")
  func readOnly() throws {
    try fill()
    try FileManager.default.removeItem(atPath: folder.path("store.db-lock"))
    let manager = FileManager.default
    try manager.setAttributes([.posixPermissions: 0o444], ofItemAtPath: folder.database)
    try manager.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.url.path())
    defer { try? manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.url.path()) }
    let directory = try Tool("unprivileged", folder.database).lines()
    #expect(directory.count == 1)
    #expect(
      directory.first?.hasPrefix("error readOnly: the database \(folder.database)-lock") == true,
      "\(directory)")
    try manager.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.url.path())
    let file = try Tool("unprivileged", folder.database).lines()
    #expect(
      file.first?.hasPrefix("error readOnly: the database \(folder.database) cannot be written") == true,
      "\(file)")
    #expect(try folder.open().revision() == 1)
  }

  @Test("a directory that does not exist is named")
  func noDirectory() throws {
    let error = try failure { _ = try ResourceStore(path: folder.path("none/store.db"), historyMax: 5) }
    #expect(error.reason == .missing)
    #expect(error.description.contains("directory"))
  }
}

/// A file system of a few megabytes in memory; it takes the rights of root.
final class SmallDisk {
  static let isPossible: Bool = {
    if getuid() != 0 { return false }
    return (try? SmallDisk(megabytes: 1)) != nil
  }()

  private let folder: Folder

  init(megabytes: Int) throws {
    folder = try Folder()
    try Self.run("/bin/mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", folder.url.path())
  }

  deinit { try? Self.run("/bin/umount", "-l", folder.url.path()) }

  func path(_ name: String) -> String { folder.path(name) }

  func grow(megabytes: Int) throws {
    try Self.run("/bin/mount", "-o", "remount,size=\(megabytes)m", folder.url.path())
  }

  private static func run(_ program: String, _ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    if process.terminationStatus != 0 { throw CocoaError(.fileWriteUnknown) }
  }
}
