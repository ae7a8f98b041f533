import Resources
import Store

/// Reads everything that the store holds, on all cores.
enum StoreLoading {
  /// Rows that are decoded together.
  private static let chunk = 2_048

  struct Loaded: Sendable {
    var operations: [PreparedOperation] = []
    /// Rows that cannot be read, such as certificates whose key was encrypted with another one.
    var unreadable: [UnservedResources.Entry] = []
    /// What is to be said of rows of no known kind.
    var unknown: [String] = []
    var revision: UInt64 = 0
  }

  static func load(_ link: StoreLink) async throws(ConfigurationSourceError) -> Loaded {
    let (rows, input) = AsyncStream.makeStream(of: (Int, [StoredResource]).self)
    let reading = Task.detached { () -> Result<UInt64, StoreError> in
      defer { input.finish() }
      var rows: [StoredResource] = []
      var index = 0
      do throws(StoreError) {
        let revision = try link.store.load { row in
          rows.append(row)
          if rows.count == chunk {
            input.yield((index, rows))
            index += 1
            rows = []
          }
        }
        input.yield((index, rows))
        return .success(revision)
      } catch {
        return .failure(error)
      }
    }
    var chunks = await withTaskGroup(of: (Int, Loaded).self) { group in
      for await (index, rows) in rows {
        group.addTask { (index, decode(rows, link)) }
      }
      return await group.reduce(into: [(Int, Loaded)]()) { $0.append($1) }
    }
    chunks.sort { $0.0 < $1.0 }
    var loaded = Loaded()
    switch await reading.value {
    case .failure(let error): throw .store(error.description)
    case .success(let revision): loaded.revision = revision
    }
    for (_, part) in chunks {
      loaded.operations += part.operations
      loaded.unreadable += part.unreadable
      loaded.unknown += part.unknown
    }
    return loaded
  }

  private static func decode(_ rows: [StoredResource], _ link: StoreLink) -> Loaded {
    var loaded = Loaded()
    loaded.operations.reserveCapacity(rows.count)
    for row in rows {
      guard let kind = ResourceKind(rawValue: row.kind) else {
        loaded.unknown.append("\(row.kind)/\(row.name): this version knows no such kind of resource")
        continue
      }
      let id = ResourceID(kind, row.name)
      do throws(ResourceProblems) {
        var operation = try link.prepare(id, row.version)
        // What is freed now is used again for the next; freed at the end, it would leave holes.
        operation.result?.document = ""
        operation.result?.stored?.content = StoredContent(document: "")
        loaded.operations.append(operation)
      } catch {
        loaded.unreadable.append(
          UnservedResources.Entry(
            id: id, document: row.version.content.document, created: row.version.created,
            revision: row.version.revision, reason: error.problems[0]))
      }
    }
    return loaded
  }
}
