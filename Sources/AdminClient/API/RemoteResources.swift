import Resources

/// Which resources are asked for: those for which all that is not nil holds.
public struct ResourceFilter: Sendable {
  /// What names begin with.
  public var prefix: String?
  /// Routes and certificates with exactly this host.
  public var host: String?
  /// Routes that have this service as a backend.
  public var service: String?
  /// `store`, `file`, `file:PATH`, `built-in`.
  public var owner: String?

  public init() {}
}

/// A resource as the gateway has it.
public struct RemoteResource: Sendable {
  public var id: ResourceID
  /// As a change would send it, without secrets.
  public var body: ResourceBody
  /// Of its last change.
  public var revision: UInt64
  /// `store`, `file:PATH`, `built-in`.
  public var owner: String

  init(_ item: ResourceBody, kind: ResourceKind) throws(ClientFailure) {
    id = ResourceID(kind, try item.required("name") { $0.text })
    body = try item.required("resource") { $0 }
    revision = try item.required("revision") { $0.number() }
    owner = item["owner"]?.text ?? ""
  }
}

public struct ResourcePage: Sendable {
  public var items: [RemoteResource]
  /// Where the next page begins; nil after the last.
  public var next: String?
}

extension ResourceKind {
  /// By its name, in the plural or the singular: `routes`, `route`.
  public init?(word: String) {
    guard let kind = Self.allCases.first(where: { [$0.rawValue, $0.singular].contains(word.lowercased()) })
    else { return nil }
    self = kind
  }
}
