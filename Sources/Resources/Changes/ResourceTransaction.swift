/// A change of the store's resources: all of its operations take effect, or none.
public struct ResourceTransaction: Sendable {
  public var operations: [ResourceOperation]
  /// Everything is checked, and nothing is changed.
  public var isDryRun = false
  /// For the audit trail: who asks, as far as that is known.
  public var actor: String
  /// For the audit trail: the address that the request came from.
  public var remote: String
  /// For the history: why, in the words of the one who asks.
  public var message: String?

  public init(_ operations: [ResourceOperation], actor: String, remote: String) {
    self.operations = operations
    self.actor = actor
    self.remote = remote
  }
}

/// What is to become of one resource.
public struct ResourceOperation: Sendable {
  public enum Action: Sendable {
    /// Made, or replaced whole.
    case put(ResourceBody)
    /// Changed by a JSON merge patch (RFC 7396).
    case patch(ResourceBody)
    case delete
  }

  /// What must hold for the resource before (RFC 9110 §13.1).
  public enum Condition: Sendable, Equatable {
    /// `If-Match: *`: there is one.
    case exists
    /// `If-None-Match: *`: there is none.
    case isAbsent
    /// `If-Match`: its revision is one of these.
    case revision([UInt64])
  }

  public var id: ResourceID
  public var action: Action
  public var condition: Condition?

  public init(_ id: ResourceID, _ action: Action, condition: Condition? = nil) {
    self.id = id
    self.action = action
    self.condition = condition
  }
}

/// What a transaction came to.
public struct TransactionReceipt: Sendable, Equatable {
  public enum Outcome: String, Sendable {
    case created, replaced, unchanged, deleted
  }

  public struct Result: Sendable, Equatable {
    public var id: ResourceID
    public var outcome: Outcome
    /// Of the resource's last change; of its deletion where it was deleted.
    public var revision: UInt64

    public init(id: ResourceID, outcome: Outcome, revision: UInt64) {
      self.id = id
      self.outcome = outcome
      self.revision = revision
    }
  }

  /// Of the change; where nothing changed, and after a dry run, that of the last change before.
  public var revision: UInt64
  /// In the order of the operations.
  public var results: [Result]
  /// Whether every worker serves the change: false where nobody waited for that, or in vain.
  public var isServed = false

  public init(revision: UInt64, results: [Result]) {
    self.revision = revision
    self.results = results
  }
}

/// Why a transaction changed nothing.
public struct TransactionRefusal: Error, Sendable {
  public enum Reason: Sendable, Equatable {
    /// The body cannot be read, or what it says cannot be.
    case invalid
    /// A resource that is to be changed or deleted does not exist.
    case notFound
    /// A condition does not hold.
    case conditionFailed
    /// A file owns the resource.
    case notOwned
    /// There is no store, or it cannot be written now: what runs goes on.
    case storeUnavailable
  }

  public var reason: Reason
  /// At least one.
  public var problems: [ResourceProblem]

  public init(_ reason: Reason, _ problems: [ResourceProblem]) {
    self.reason = reason
    self.problems = problems
  }
}
