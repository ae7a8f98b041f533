import Foundation
import Store

/// A directory for one test, removed with it.
final class Folder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "store-tests-\(UUID().uuidString)/")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  var database: String { path("store.db") }

  func path(_ name: String) -> String { url.appending(path: name).path() }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: url.appending(path: name)) }

  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: url.path()).sorted() }

  func open(historyMax: Int = 100, auditMax: Int = 100) throws -> ResourceStore {
    try ResourceStore(path: database, historyMax: historyMax, auditMax: auditMax)
  }
}

/// The reason that `body` fails for, and what it says.
func failure(_ body: () throws -> Void) throws -> StoreError {
  do { try body() } catch let error as StoreError { return error }
  throw UnexpectedSuccess()
}

struct UnexpectedSuccess: Error {}

func put(_ name: String, _ document: String, kind: String = "routes", created: UInt64? = nil)
  -> StoreOperation
{
  StoreOperation(kind: kind, name: name, content: StoredContent(document: document), created: created)
}

func delete(_ name: String, kind: String = "routes") -> StoreOperation {
  StoreOperation(kind: kind, name: name, content: nil)
}

func transaction(
  _ revision: UInt64, _ operations: [StoreOperation], kind: StoreTransaction.Kind = .change
) -> StoreTransaction {
  StoreTransaction(
    revision: revision, time: Int64(revision) * 1_000, actor: "anna", remote: "192.0.2.7",
    message: "change \(revision)", kind: kind, operations: operations)
}

extension ResourceStore {
  func commit(_ revision: UInt64, _ operations: StoreOperation...) throws {
    try commit([StoreTests.transaction(revision, operations)])
  }

  /// Documents by kind and name, as loading gives them.
  func documents() throws -> [String: String] {
    var documents: [String: String] = [:]
    try load { documents["\($0.kind)/\($0.name)"] = $0.content.document }
    return documents
  }
}
