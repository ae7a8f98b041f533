/// A resource as it is now.
public struct ResourceView: Sendable, Equatable {
  public var id: ResourceID
  /// A complete JSON object, with its name, as a PUT would send it; without secrets.
  public var json: String
  /// Of its last change.
  public var revision: UInt64
  public var owner: ResourceOwner
  /// Why it is not served, though the store has it; nil where it is.
  public var unserved: String?

  public init(
    id: ResourceID, json: String, revision: UInt64, owner: ResourceOwner, unserved: String? = nil
  ) {
    self.id = id
    self.json = json
    self.revision = revision
    self.owner = owner
    self.unserved = unserved
  }
}

/// Which resources of a kind are asked for: those for which all that is not nil holds.
public struct ResourceFilter: Sendable, Equatable {
  /// Who owns them.
  public enum Owner: Sendable, Equatable {
    case anyFile
    case exactly(ResourceOwner)

    public func includes(_ owner: ResourceOwner) -> Bool {
      switch (self, owner) {
      case (.anyFile, .file): true
      case (.anyFile, _): false
      case (.exactly(let wanted), _): wanted == owner
      }
    }
  }

  public var namePrefix: String?
  /// Routes and certificates that list exactly this host; lower case.
  public var host: String?
  /// Routes that have this service as a backend.
  public var service: String?
  public var owner: Owner?

  public init(
    namePrefix: String? = nil, host: String? = nil, service: String? = nil, owner: Owner? = nil
  ) {
    self.namePrefix = namePrefix
    self.host = host
    self.service = service
    self.owner = owner
  }
}

public struct ResourcePage: Sendable, Equatable {
  public var items: [ResourceView]
  /// Whether more come after the last of these.
  public var hasMore: Bool
  /// When this was read.
  public var revision: UInt64

  public init(items: [ResourceView], hasMore: Bool, revision: UInt64) {
    self.items = items
    self.hasMore = hasMore
    self.revision = revision
  }
}

/// What is to be rolled back, and who asks.
public struct RollbackRequest: Sendable, Equatable {
  /// The store's resources become what they were after this revision.
  public var revision: UInt64
  public var isDryRun = false
  public var actor: String
  public var remote: String
  public var message: String?

  public init(revision: UInt64, actor: String, remote: String, message: String? = nil) {
    self.revision = revision
    self.actor = actor
    self.remote = remote
    self.message = message
  }
}

/// A question: which listener, certificate, route, service and endpoint a request would get.
public struct ExplainRequest: Sendable, Equatable {
  public struct Field: Sendable, Equatable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// `https://shop.example.com/cart?x=1`.
  public var url: String
  public var method = "GET"
  public var headers: [Field] = []
  /// A listener's name, where the URL's port does not say which is meant.
  public var listener: String?

  public init(url: String) { self.url = url }
}
