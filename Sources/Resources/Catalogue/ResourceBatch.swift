/// Changes of one owner's resources, in no order.
public struct ResourceBatch: Sendable {
  /// A resource that is to be there as it is here.
  public struct Put: Sendable {
    public var resource: Resource
    /// Where it is in its file; nil for the store.
    public var position: SourcePosition?
    /// Of a route among those of its file, from 0. Without meaning for the store, and for other kinds.
    public var order: UInt32
    /// What was made before, and is put in place again: the revision that it was made by, which decides
    /// between routes where all else is equal. Of the store only.
    public var created: UInt64?
    /// The same: the revision of its last change.
    public var changed: UInt64?

    public init(_ resource: Resource, position: SourcePosition? = nil, order: UInt32 = 0) {
      self.resource = resource
      self.position = position
      self.order = order
    }
  }

  public var owner: ResourceOwner
  /// Each name once. What is the same already is not a change.
  public var puts: [Put]
  /// A resource that is put as well is not removed.
  public var removes: [ResourceID]
  /// Whatever the owner has and ``puts`` does not is removed: for a file that was read again. Files only.
  public var isComplete: Bool
  /// Of the change.
  public var revision: UInt64

  public init(
    owner: ResourceOwner, revision: UInt64, puts: [Put] = [], removes: [ResourceID] = [],
    isComplete: Bool = false
  ) {
    self.owner = owner
    self.revision = revision
    self.puts = puts
    self.removes = removes
    self.isComplete = isComplete
  }
}

/// What ``Catalogue/apply(_:)-(ResourceBatch)`` changed: for the delta, and to undo it.
public struct AppliedBatch: Sendable {
  public struct Change<Value: Sendable>: Sendable {
    /// Nil where there was none.
    public let before: CatalogueEntry<Value>?
    /// Nil where there is none any more.
    public let after: CatalogueEntry<Value>?
  }

  /// Removes stand behind all puts. No number is in two changes.
  public internal(set) var listeners: [Change<Listener>] = []
  /// Removes stand behind all puts. No number is in two changes.
  public internal(set) var services: [Change<Service>] = []
  /// Removes stand before all puts, which may have a removed one's number.
  public internal(set) var certificates: [Change<CertificateSpec>] = []
  /// Removes stand before all puts, which may have a removed one's number.
  public internal(set) var routes: [Change<Route>] = []
  /// Removes stand before all puts, which may have a removed one's number.
  public internal(set) var consumers: [Change<Consumer>] = []
  /// Removes stand before all puts, which may have a removed one's number.
  public internal(set) var plugins: [Change<GlobalPlugin>] = []
  /// Puts of what was there already.
  public internal(set) var unchanged: [ResourceID] = []
  /// Only their place in the file is another.
  var moved = Moved()

  struct Moved {
    var listeners: [Change<Listener>] = []
    var services: [Change<Service>] = []
    var certificates: [Change<CertificateSpec>] = []
    var routes: [Change<Route>] = []
    var consumers: [Change<Consumer>] = []
    var plugins: [Change<GlobalPlugin>] = []
  }

  /// Whether nothing changed.
  public var isEmpty: Bool {
    listeners.isEmpty && services.isEmpty && certificates.isEmpty && routes.isEmpty
      && consumers.isEmpty && plugins.isEmpty
  }
}
