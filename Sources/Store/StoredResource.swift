/// What the store keeps of a resource. It looks into none of it.
public struct StoredContent: Sendable, Equatable {
  /// The resource as it was given, in JSON.
  public var document: String
  /// What was made of the document and is kept for a fast start, such as a certificate that is read
  /// already. No secret.
  public var material: [UInt8]?
  /// What must not be read by those who see the file, sealed by the caller.
  public var secret: [UInt8]?

  public init(document: String, material: [UInt8]? = nil, secret: [UInt8]? = nil) {
    self.document = document
    self.material = material
    self.secret = secret
  }
}

/// What a resource was or is after one of its changes.
public struct StoredVersion: Sendable, Equatable {
  public var content: StoredContent
  /// The revision that the resource was made by.
  public var created: UInt64
  /// The revision of its last change.
  public var revision: UInt64

  public init(content: StoredContent, created: UInt64, revision: UInt64) {
    self.content = content
    self.created = created
    self.revision = revision
  }
}

/// A resource in the store.
public struct StoredResource: Sendable, Equatable {
  public var kind: String
  /// Unique among its kind.
  public var name: String
  public var version: StoredVersion

  public var content: StoredContent { version.content }

  public init(kind: String, name: String, version: StoredVersion) {
    self.kind = kind
    self.name = name
    self.version = version
  }
}

/// Which names a page is to hold. Case matters.
public enum StoreNameFilter: Sendable, Equatable {
  case prefix(String)
  case contains(String)
}

/// Changes that take effect together.
public struct StoreTransaction: Sendable {
  public enum Kind: Sendable, Equatable {
    case change
    /// Back to what was at a revision.
    case rollback(to: UInt64)
  }

  /// Above that of every transaction before; at most `Int64.max`.
  public var revision: UInt64
  /// Milliseconds since 1970-01-01 UTC.
  public var time: Int64
  public var actor: String
  public var remote: String
  public var message: String?
  public var kind: Kind
  /// Each resource once at most.
  public var operations: [StoreOperation]

  public init(
    revision: UInt64, time: Int64, actor: String, remote: String, message: String? = nil,
    kind: Kind = .change, operations: [StoreOperation]
  ) {
    self.revision = revision
    self.time = time
    self.actor = actor
    self.remote = remote
    self.message = message
    self.kind = kind
    self.operations = operations
  }
}

/// What becomes of one resource. What it was before is taken from the store.
public struct StoreOperation: Sendable {
  public var kind: String
  public var name: String
  /// What it is from now on; nil: it is deleted.
  public var content: StoredContent?
  /// The revision it counts as made by, where a rollback brings back what was deleted; nil: that which it
  /// has, or that of the transaction where it is new.
  public var created: UInt64?

  public init(kind: String, name: String, content: StoredContent?, created: UInt64? = nil) {
    self.kind = kind
    self.name = name
    self.content = content
    self.created = created
  }
}

/// A transaction of the past, without its changes.
public struct StoreRevision: Sendable, Equatable {
  public var revision: UInt64
  /// That of the transaction before; 0 where there was none.
  public var previous: UInt64
  /// Milliseconds since 1970-01-01 UTC.
  public var time: Int64
  public var actor: String
  public var remote: String
  public var message: String?
  public var kind: StoreTransaction.Kind
  public var operationCount: Int
}

/// What became of one resource, by a transaction or between two revisions.
public struct StoreChange: Sendable, Equatable {
  public var kind: String
  public var name: String
  /// Nil: it did not exist.
  public var before: StoredVersion?
  /// Nil: it does not exist any more.
  public var after: StoredVersion?
}

/// Who asked for what, and what came of it.
public struct StoreAuditEntry: Sendable, Equatable {
  /// Given by the store, ascending.
  public internal(set) var id: UInt64 = 0
  /// Milliseconds since 1970-01-01 UTC.
  public var time: Int64
  public var actor: String
  public var remote: String
  /// What was asked for: `PUT /v1/routes/shop`.
  public var action: String
  /// What came of it: `applied`, or why it was refused.
  public var outcome: String
  /// That of the change, where there was one.
  public var revision: UInt64?

  public init(
    time: Int64, actor: String, remote: String, action: String, outcome: String, revision: UInt64? = nil
  ) {
    self.time = time
    self.actor = actor
    self.remote = remote
    self.action = action
    self.outcome = outcome
    self.revision = revision
  }
}
