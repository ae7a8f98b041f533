/// Where a resource begins in its file; both count from 1, columns in Unicode scalars.
public struct SourcePosition: Sendable, Hashable {
  public var line: UInt32
  public var column: UInt32

  public init(line: UInt32, column: UInt32) {
    self.line = line
    self.column = column
  }

  init(_ position: Position) {
    self.init(line: UInt32(clamping: position.line), column: UInt32(clamping: position.column))
  }
}

/// A resource as the ``Catalogue`` holds it. Never changes: a change makes another one. From any thread.
public final class CatalogueEntry<Value: Sendable>: Sendable {
  public let value: Value
  public let owner: ResourceOwner
  /// Of the last change.
  public let revision: UInt64
  /// Decides between routes where all else is equal: position in its file, or 2³² and the revision of
  /// its creation.
  public let order: UInt64
  /// Nil for resources of the store.
  public let position: SourcePosition?
  private let slot: UInt32

  /// Unique among those of its kind that exist at a time; used again when this one is gone, and kept
  /// when it is replaced.
  public var number: Int { Int(slot) }

  init(
    _ value: Value, number: Int, owner: ResourceOwner, revision: UInt64, order: UInt64,
    position: SourcePosition?
  ) {
    self.value = value
    self.owner = owner
    self.revision = revision
    self.order = order
    self.position = position
    slot = UInt32(number)
  }
}

/// A resource of any kind, as the ``Catalogue`` holds it.
public struct CatalogueItem: Sendable {
  public var resource: Resource
  public var owner: ResourceOwner
  /// Of the last change.
  public var revision: UInt64
  /// Nil for resources of the store.
  public var position: SourcePosition?

  public var id: ResourceID { resource.id }
}
