import Resources

/// What is to become of one resource.
public struct ResourceChange: Sendable {
  public enum Action: Sendable {
    case put(ResourceBody)
    case patch(ResourceBody)
    case delete
  }

  public var id: ResourceID
  public var action: Action
  /// What must hold before; nil: anything.
  public var condition: ResourceOperation.Condition?

  public init(_ id: ResourceID, _ action: Action, condition: ResourceOperation.Condition? = nil) {
    self.id = id
    self.action = action
    self.condition = condition
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      let (verb, resource): (String, ResourceBody?) =
        switch action {
        case .put(let body): ("put", body)
        case .patch(let body): ("patch", body)
        case .delete: ("delete", nil)
        }
      writer.member("op", verb)
      writer.member("kind", id.kind.rawValue)
      writer.member("name", id.name)
      if let resource {
        writer.key("resource")
        writer.raw(resource.json)
      }
      switch condition {
      case nil: break
      case .exists: writer.member("ifMatch", "*")
      case .isAbsent: writer.member("ifNoneMatch", "*")
      case .revision(let revisions):
        writer.key("ifMatch")
        writer.list(revisions) { $0.string("\"\($1)\"") }
      }
    }
  }
}

/// How a change is made.
public struct ChangeOptions: Sendable {
  /// Everything is checked, and nothing is changed.
  public var isDryRun = false
  /// Whether the answer comes only when every worker serves the change.
  public var waits = true
  /// For the history.
  public var message: String?

  public init() {}

  var query: [(name: String, value: String?)] { [("dryRun", isDryRun ? "true" : nil)] }
}

/// What a change came to.
public struct ChangeReceipt: Sendable, Equatable {
  public struct Result: Sendable, Equatable {
    public var id: ResourceID
    /// `created`, `replaced`, `unchanged` or `deleted`.
    public var outcome: String
  }

  /// Of the change; of the last one before where nothing changed.
  public var revision: UInt64
  /// Whether every worker serves it.
  public var isServed: Bool
  /// In the order of the operations.
  public var results: [Result]

  init(_ document: ResourceBody) throws(ClientFailure) {
    revision = try document.required("revision") { $0.number() }
    isServed = document["served"]?.isTrue ?? false
    results = try document.required("results") { $0 }.items.compactMap { item in
      guard let id = item["id"]?.text.flatMap({ ResourceID(path: $0) }), let outcome = item["outcome"]?.text
      else { return nil }
      return Result(id: id, outcome: TerminalText.line(outcome))
    }
  }

  /// Whether anything is, or would be, different.
  public var changesAnything: Bool { results.contains { $0.outcome != "unchanged" } }
}
