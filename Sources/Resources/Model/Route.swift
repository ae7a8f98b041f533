/// Which requests go to which services.
public struct Route: Sendable, Equatable {
  public var name: String
  /// Listeners that it is attached to, by name; empty: all.
  public var listeners: [String] = []
  /// `api.example.com`, `*.example.com` (any number of labels, at least one), lower case; empty: any host.
  public var hosts: [String] = []
  /// Any of these; a file that says none means one that matches every path.
  public var matches: [Match] = [Match()]
  /// Empty only where all requests are redirected, or answered by a plugin.
  public var backends: [Backend]
  /// Protocols that `Upgrade`, or HTTP/2's extended CONNECT (RFC 8441), may switch to; lower case.
  public var upgrades = ["websocket"]
  /// For requests that come without TLS. `nil`: as the listener.
  public var redirect: Override<HTTPSRedirect>?
  /// For responses that go by TLS. `nil`: as the listener.
  public var hsts: Override<StrictTransportSecurity>?
  /// In the order in which they run; each takes the place of its service's, and of the one for everything.
  public var plugins: [PluginAttachment] = []

  public init(name: String, backends: [Backend]) {
    self.name = name
    self.backends = backends
  }

  /// Whether a plugin of its own answers all requests, so that none gets to a service.
  var answersAlways: Bool { plugins.contains { $0.isEnabled && $0.settings.answersAlways } }
}

/// All conditions must hold (Gateway API `HTTPRouteMatch`).
public struct Match: Sendable, Hashable {
  public var path = PathMatch.prefix("/")
  /// Upper case; empty: any.
  public var methods: [String] = []
  /// Names in lower case.
  public var headers: [FieldMatch] = []
  /// Names are case-sensitive.
  public var query: [FieldMatch] = []
  public init() {}
}

public enum PathMatch: Sendable, Hashable {
  case exact(String)
  /// Whole segments: `/a` matches `/a` and `/a/b`, not `/ab`.
  case prefix(String)
  /// RE2, anchored at both ends.
  case regex(String)
}

public struct FieldMatch: Sendable, Hashable {
  public enum Value: Sendable, Hashable {
    case exact(String)
    /// RE2, anchored at both ends.
    case regex(String)
  }
  public var name: String
  public var value: Value
  public init(name: String, value: Value) {
    self.name = name
    self.value = value
  }
}

public struct Backend: Sendable, Equatable {
  public var service: String
  /// 0 to 1,000,000; 0 takes no requests.
  public var weight = 1
  public init(service: String, weight: Int = 1) {
    self.service = service
    self.weight = weight
  }
}
