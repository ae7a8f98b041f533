/// What would become of a request, and why. Of one worker; all of them have the same configuration, but
/// each its own view of endpoints.
public struct Explanation: Sendable, Encodable {
  public enum Outcome: String, Sendable, Encodable {
    /// It goes to an endpoint.
    case proxied
    /// The client is sent to https.
    case redirected
    case noListener
    /// The handshake fails: there is no certificate.
    case handshakeRefused
    /// 421: the connection's certificate is for other hosts.
    case misdirected
    /// It cannot be read, or breaks a limit.
    case refused
    /// 404.
    case noRoute
    /// A plugin answers every request of the route.
    case answered
    /// 503: the route has no backend with a weight, or none of its endpoints may be picked.
    case noEndpoint
  }

  /// Of the configuration that this is about.
  public var revision: UInt64
  public var outcome = Outcome.proxied
  /// What the gateway would answer itself; nil where an endpoint answers, or nobody does.
  public var status: Int?
  /// One sentence.
  public var summary = ""
  /// Of a redirect.
  public var location: String?
  public var method: String
  /// In lower case.
  public var host = ""
  /// In the form that routes are matched with.
  public var path = ""
  public var listener: Listener?
  /// Those that were looked at, when the question names none.
  public var listenersConsidered: [ConsideredListener] = []
  /// With TLS only.
  public var certificate: Certificate?
  public var route: Route?
  public var backends: [Backend] = []
  /// What the request meets, in this order.
  public var plugins: [Plugin] = []
  /// The closest first.
  public var nearMisses: [NearMiss] = []
  /// There were more candidates than were looked at.
  public var isNearMissesCutShort = false

  public struct Listener: Sendable, Encodable, Equatable {
    public var name: String
    public var address: String
    /// Why this one.
    public var reason: String
  }

  public struct ConsideredListener: Sendable, Encodable, Equatable {
    public var name: String
    public var address: String
    /// Why it is, or is not, the one.
    public var reason: String
  }

  public struct Certificate: Sendable, Encodable, Equatable {
    public enum Match: String, Sendable, Encodable {
      case exact, wildcard
      /// No certificate is for the host.
      case byDefault = "default"
    }

    public var name: String
    public var keyKind: String
    public var match: Match
    /// The certificate's host that the client's was found by; nil for one by default.
    public var host: String?
    /// Seconds since 1970-01-01 UTC.
    public var notAfter: Int64
    /// For clients that cannot verify the first one's kind of key.
    public var alternatives: [String]
  }

  public struct Route: Sendable, Encodable, Equatable {
    public var name: String
    /// As the route has it: `*.example.com`; nil: it is for any host.
    public var host: String?
    /// Which of its matches, from 0.
    public var match: Int
    /// `exact`, `regex` or `prefix`.
    public var pathKind: String
    public var path: String
    /// Why it comes before others, in a few words.
    public var reason: String
  }

  public struct Plugin: Sendable, Encodable, Equatable {
    public var name: String
    /// Where it is set: `route shop`. Settings of consumers come in place of it when it is known who calls.
    public var scope: String
    public var phases: [String]
    /// No request comes past it.
    public var answersAlways: Bool
  }

  public struct Backend: Sendable, Encodable, Equatable {
    public var service: String
    public var weight: Int
    /// Of such requests, 0 to 1.
    public var share: Double
    /// The plugin that has it take them, and why; nil: the route's own weights do.
    public var chosenBy: String?
    public var balance: String
    /// The first ``endpointsMax``.
    public var endpoints: [Endpoint]
    public var endpointCount: Int
    /// What the policy picks by, where it is not chance: `header x-user`.
    public var key: String?
  }

  public struct Endpoint: Sendable, Encodable, Equatable {
    public var name: String
    public var address: String
    public var weight: Int
    public var isHealthy: Bool
    /// Seconds until this worker uses it again.
    public var ejectedForSeconds: Double?
    /// Of this worker.
    public var inFlight: Int
    public var mayBePicked: Bool
    /// The very one that this request would get.
    public var isPicked: Bool
  }

  public struct NearMiss: Sendable, Encodable, Equatable {
    public enum Reason: String, Sendable, Encodable, CaseIterable {
      /// It takes such requests, but another route comes before it.
      case precedence
      case query, header, method, path, listener, host
    }

    public var route: String
    public var host: String?
    public var pathKind: String
    public var path: String
    public var reason: Reason
    /// What does not fit, or which rule of precedence decides.
    public var detail: String
  }

  /// Near misses that are told of.
  public static let nearMissesMax = 20
  /// Endpoints that are told of, for each backend.
  public static let endpointsMax = 50

  init(revision: UInt64, method: String) {
    self.revision = revision
    self.method = method
  }
}
