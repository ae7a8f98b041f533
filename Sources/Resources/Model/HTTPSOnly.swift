/// What a route says about a setting that its listener may have as well. Where the route says
/// nothing (`nil`), the listener's holds.
public enum Override<Value: Sendable & Equatable>: Sendable, Equatable {
  case off
  case on(Value)

  /// The setting that holds for a route: its own, or `inherited`.
  public static func resolve(_ own: Override?, inherited: Value?) -> Value? {
    switch own {
    case nil: inherited
    case .off: nil
    case .on(let value): value
    }
  }
}

/// An answer that sends clients to the same URL with https.
public struct HTTPSRedirect: Sendable, Equatable {
  static let statuses: [UInt16] = [301, 302, 303, 307, 308]

  /// The port of the URL; 443 is left out of it.
  public var port: UInt16 = 443
  /// 301, 302, 303, 307 or 308. 308 keeps the method, and is ingress-nginx's default too.
  public var status: UInt16 = 308
  public init() {}
}

/// `Strict-Transport-Security` (RFC 6797), on responses that go by TLS.
public struct StrictTransportSecurity: Sendable, Equatable {
  /// How long browsers use https only, in whole seconds. A year, as in ingress-nginx; zero makes
  /// browsers forget.
  public var maxAge = Duration.seconds(365 * 86_400)
  /// ingress-nginx has true. False here: true also binds hosts that are served elsewhere.
  public var includeSubdomains = false
  /// Consent to the lists that browsers ship.
  public var preload = false
  public init() {}

  /// The field's value.
  public var fieldValue: String {
    "max-age=\(maxAge.components.seconds)" + (includeSubdomains ? "; includeSubDomains" : "")
      + (preload ? "; preload" : "")
  }
}
