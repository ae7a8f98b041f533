/// One change, in short: a line of the history, and an event of the stream.
public struct ChangeSummary: Sendable, Equatable {
  public struct Resource: Sendable, Equatable {
    public var id: ResourceID
    /// `created`, `replaced` or `deleted`.
    public var outcome: TransactionReceipt.Outcome

    public init(id: ResourceID, outcome: TransactionReceipt.Outcome) {
      self.id = id
      self.outcome = outcome
    }
  }

  /// A summary names at most so many resources: a batch of 100,000 stays a line.
  public static let resourcesMax = 100

  public var revision: UInt64
  /// When, in milliseconds since 1970-01-01 UTC.
  public var milliseconds: Int64
  /// Whose resources were changed.
  public var owner: ResourceOwner
  /// Who asked, where that is known; a file that was edited names nobody.
  public var actor: String?
  public var message: String?
  /// All that the change touched.
  public var resourceCount: Int
  /// The first ``resourcesMax`` of them.
  public var resources: [Resource]
  /// Whether another owner's part of the same revision follows: several files that were read together are
  /// one change, and have an event each.
  public var isContinued: Bool

  public init(
    revision: UInt64, milliseconds: Int64, owner: ResourceOwner, actor: String? = nil,
    message: String? = nil, resourceCount: Int, resources: [Resource], isContinued: Bool = false
  ) {
    self.revision = revision
    self.milliseconds = milliseconds
    self.owner = owner
    self.actor = actor
    self.message = message
    self.resourceCount = resourceCount
    self.resources = resources
    self.isContinued = isContinued
  }
}

/// What one resource was and became; JSON objects as in ``ResourceView/json``, without secrets.
public struct ResourceDifference: Sendable, Equatable {
  public var id: ResourceID
  /// Nil: there was none.
  public var before: String?
  /// Nil: it was deleted.
  public var after: String?

  public init(id: ResourceID, before: String?, after: String?) {
    self.id = id
    self.before = before
    self.after = after
  }
}

/// One change with all that it did.
public struct ChangeRecord: Sendable, Equatable {
  public var summary: ChangeSummary
  public var differences: [ResourceDifference]

  public init(summary: ChangeSummary, differences: [ResourceDifference]) {
    self.summary = summary
    self.differences = differences
  }
}

/// What the stream of changes says.
public enum ChangeEvent: Sendable, Equatable {
  case change(ChangeSummary)
  /// Changes are missing here: read everything again; what follows comes after this revision.
  case resync(revision: UInt64)
}

/// Who tried what, and what became of it.
public struct AuditEntry: Sendable, Equatable {
  /// Grows with every entry.
  public var number: Int64
  /// When, in milliseconds since 1970-01-01 UTC.
  public var milliseconds: Int64
  public var actor: String
  /// The address that the request came from.
  public var remote: String
  /// `transaction`, `rollback`.
  public var action: String
  /// `applied`, `refused`.
  public var outcome: String
  /// Of the change; nil where there was none.
  public var revision: UInt64?
  /// What it was about, or why it was refused.
  public var detail: String?

  public init(
    number: Int64, milliseconds: Int64, actor: String, remote: String, action: String, outcome: String,
    revision: UInt64? = nil, detail: String? = nil
  ) {
    self.number = number
    self.milliseconds = milliseconds
    self.actor = actor
    self.remote = remote
    self.action = action
    self.outcome = outcome
    self.revision = revision
    self.detail = detail
  }
}

/// How it goes with resources and their store, for `/v1/status`.
public struct ResourceStatus: Sendable, Equatable {
  /// Resources of one owner, by kind.
  public struct Owner: Sendable, Equatable {
    public var owner: ResourceOwner
    public var counts: [ResourceKind: Int]

    public init(owner: ResourceOwner, counts: [ResourceKind: Int]) {
      self.owner = owner
      self.counts = counts
    }
  }

  public enum Store: Sendable, Equatable {
    /// None is configured: only files say what is served.
    case none
    case writable
    /// It cannot be written now, and why: what runs goes on.
    case unavailable(String)
  }

  /// Of the last change.
  public var revision: UInt64
  /// The last revision that every worker serves.
  public var servedRevision: UInt64
  public var owners: [Owner]
  public var store: Store
  /// Resources of the store that are not served; not among those of ``owners``.
  public var unservedCount = 0

  public init(revision: UInt64, servedRevision: UInt64, owners: [Owner], store: Store) {
    self.revision = revision
    self.servedRevision = servedRevision
    self.owners = owners
    self.store = store
  }
}
