/// What a resource is: the name of its list in a file, and of its collection in the admin API.
public enum ResourceKind: String, Sendable, Hashable, CaseIterable, Comparable {
  case listeners
  case services
  case certificates
  case routes
  case consumers
  /// Plugins that all requests meet; each has the name of its kind.
  case plugins

  /// As messages name one of them: `route`.
  public var singular: String { String(rawValue.dropLast()) }

  /// What others refer to comes first.
  public static func < (a: ResourceKind, b: ResourceKind) -> Bool { a.rank < b.rank }

  var rank: Int {
    switch self {
    case .listeners: 0
    case .services: 1
    case .certificates: 2
    case .routes: 3
    case .consumers: 4
    case .plugins: 5
    }
  }
}

/// Which resource is meant, whatever source it comes from.
public struct ResourceID: Sendable, Hashable, Comparable, CustomStringConvertible {
  public var kind: ResourceKind
  /// Unique among its kind.
  public var name: String

  public init(_ kind: ResourceKind, _ name: String) {
    self.kind = kind
    self.name = name
  }

  public static func < (a: ResourceID, b: ResourceID) -> Bool { (a.kind, a.name) < (b.kind, b.name) }

  /// `routes/shop`.
  public var description: String { "\(kind.rawValue)/\(name)" }
}

/// A resource of any kind.
public enum Resource: Sendable, Equatable {
  // The large ones are kept apart: lists of 100,000 routes would be six times as long.
  indirect case listener(Listener)
  indirect case service(Service)
  case certificate(CertificateSpec)
  case route(Route)
  indirect case consumer(Consumer)
  indirect case plugin(GlobalPlugin)

  public var id: ResourceID {
    switch self {
    case .listener(let listener): ResourceID(.listeners, listener.name)
    case .service(let service): ResourceID(.services, service.name)
    case .certificate(let certificate): ResourceID(.certificates, certificate.name)
    case .route(let route): ResourceID(.routes, route.name)
    case .consumer(let consumer): ResourceID(.consumers, consumer.name)
    case .plugin(let plugin): ResourceID(.plugins, plugin.name)
    }
  }
}

/// Who owns resources: only they may change them.
public enum ResourceOwner: Sendable, Hashable, CustomStringConvertible {
  /// A configuration file, by its path.
  case file(String)
  /// The embedded store, which the admin API writes.
  case store
  /// Built into the program.
  case builtIn

  /// For messages: `the file shop.yaml`.
  public var description: String {
    switch self {
    case .file(let path): "the file \(path)"
    case .store: "the store"
    case .builtIn: "the built-in configuration"
    }
  }
}
