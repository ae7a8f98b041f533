import Foundation
import Testing

@testable import Store

struct CrashTests {
  /// What the tool writes at each revision: the same formula as in StoreCrashTool.
  private struct Model {
    var documents: [String: String] = [:]
    var revision: UInt64 = 0

    mutating func advance(to target: UInt64) {
      while revision < target {
        revision += 1
        for index in 0..<(1 + revision % 7) {
          let name = "r\((revision * 31 + index * 17) % 97)"
          let isDeleted = (revision + index) % 5 == 0
          let filler = String(repeating: ".", count: Int(revision % 3) * 1_000)
          documents["routes/\(name)"] = isDeleted ? nil : "\(name)@\(revision)" + filler
        }
      }
    }
  }

  /// Kills the tool some time after it is ready.
  /// - Returns: the last revision that it said was durable.
  private func runAndKill(_ folder: Folder, after delay: Duration) throws -> UInt64 {
    let tool = try Tool("commit", folder.database)
    let ready = try #require(tool.line())
    try #require(ready.hasPrefix("ready "), "\(ready)")
    var last = try #require(UInt64(ready.dropFirst(6)))
    let identifier = tool.identifier
    let killer = Thread {
      Thread.sleep(forTimeInterval: delay / .seconds(1))
      _ = Glibc.kill(identifier, SIGKILL)
    }
    killer.start()
    // Lines that were written before the kill are in the pipe.
    for line in tool.lines() { last = try #require(UInt64(line)) }
    return last
  }

  @Test("killed at any moment: nothing that was acknowledged is lost, and nothing half done is seen")
  func kills() throws {
    let folder = try Folder()
    var model = Model()
    var random = SystemRandomNumberGenerator()
    for round in 0..<40 {
      let longest = round % 8 == 7 ? 400 : 60
      let delay = Duration.milliseconds(Int.random(in: 0..<longest, using: &random))
      let acknowledged = try runAndKill(folder, after: delay)

      let store = try folder.open(historyMax: 50)
      let revision = try store.revision()
      let group = 1 + acknowledged % 3
      #expect(revision == acknowledged || revision == acknowledged + group, "round \(round)")
      model.advance(to: revision)
      #expect(try store.documents() == model.documents, "round \(round)")
      try store.load { resource in
        #expect(resource.content.material == [UInt8](resource.content.document.utf8.reversed()))
        #expect(resource.content.secret == [1, 2, 3])
      }
      for entry in try store.history(limit: 50) {
        #expect(entry.operationCount == Int(1 + entry.revision % 7))
        #expect(try store.transaction(entry.revision)?.changes.count == entry.operationCount)
      }
      // The history that was kept leads back to what was then.
      let bounds = try store.revisions()
      var past = Model()
      past.advance(to: bounds.lowerBound)
      var documents = model.documents
      for change in try store.changes(from: bounds.upperBound, to: bounds.lowerBound) {
        documents["\(change.kind)/\(change.name)"] = change.after?.content.document
      }
      #expect(documents == past.documents, "round \(round)")
    }
    #expect(model.revision > 100)
  }
}
