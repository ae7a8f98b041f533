/// TLS towards clients, as one listener does it. Which certificates it shows is up to
/// ``CertificateSpec/listeners``.
public struct ListenerTLS: Sendable, Equatable {
  public var profile = Profile.intermediate
  /// What ALPN (RFC 7301) offers, in order of preference; at least one, each once.
  public var protocols: [ApplicationProtocol] = [.http2, .http1]
  /// `nil`: clients are not asked for a certificate.
  public var clientCertificates: ClientCertificates?
  public var tickets = SessionTickets.rotating(every: .seconds(12 * 3_600))
  /// From the accepted connection to the end of the handshake; nginx gives 60 s, which a slow sender
  /// can hold handshakes with.
  public var handshakeTimeout = Duration.seconds(10)
  /// `nil`: `defaultCertificate` if the listener has one, else `refuse`; see ``Catalogue/unknownHost(of:)``.
  public var unknownHost: UnknownHost?
  public init() {}

  /// Versions, cipher suites and groups, as Mozilla's server side TLS guidelines name them.
  public enum Profile: String, Sendable, CaseIterable {
    /// TLS 1.2 and 1.3: every client since about 2014.
    case intermediate
    /// TLS 1.3 only.
    case modern
  }

  /// What a connection speaks: ALPN's names (RFC 9113 §3.1, RFC 7301 §6).
  public enum ApplicationProtocol: String, Sendable, CaseIterable {
    case http2 = "h2"
    case http1 = "http/1.1"
  }

  /// What becomes of a handshake that names a host without a certificate, or names none.
  public enum UnknownHost: String, Sendable, CaseIterable {
    /// The alert `unrecognized_name` (RFC 6066 §3), nginx's `ssl_reject_handshake`.
    case refuse
    /// A certificate with ``CertificateSpec/isDefault``.
    case defaultCertificate = "default"
  }
}

/// Certificates that clients show.
public struct ClientCertificates: Sendable, Equatable {
  public enum Verification: String, Sendable, CaseIterable {
    /// Asked for; a client without one is served, a client with a bad one is not.
    case optional
    /// Without a good one there is no connection.
    case required
  }
  public var verification = Verification.required
  /// PEM file of the authorities that may have signed them.
  public var authoritiesPath: String
  /// PEM file of revocation lists; `nil`: nothing is revoked.
  public var revocationsPath: String?
  /// Intermediate certificates between the client's and the authority's; nginx's `ssl_verify_depth`
  /// is 1 as well.
  public var depth = 1

  public init(authoritiesPath: String) { self.authoritiesPath = authoritiesPath }
}

/// Session tickets (RFC 8446 §4.6.1, RFC 5077), with keys that all workers share.
public enum SessionTickets: Sendable, Equatable {
  case off
  /// Keys of the process's own, a new one each time; the two before still decrypt. Caddy rotates
  /// every 12 hours, nginx never.
  case rotating(every: Duration)
  /// Keys from files of 48 or 80 bytes, as nginx's `ssl_session_ticket_key` reads them: the first
  /// encrypts, all decrypt. At least one.
  case files([String])
}

/// A certificate with its key, and the hosts that it is shown for.
public struct CertificateSpec: Sendable, Equatable {
  public var name: String
  /// PEM file: the certificate, then the intermediate ones. Empty where ``pem`` holds them.
  public var chainPath: String
  /// PEM file of its private key. Empty where ``pem`` holds it.
  public var keyPath: String
  /// Certificates and key themselves, where they were given instead of paths.
  public var pem: CertificatePEM?
  /// Stands for what ``pem`` held where it is no longer here, so that another certificate is a change.
  public var contentHash = 0
  /// `shop.example.com`, or `*.example.com`, which is one label here (RFC 9525 §6.3); lower case;
  /// empty: the names in the certificate. Up to two certificates may name the same host, where one
  /// has an ECDSA key and the other an RSA key.
  public var hosts: [String] = []
  /// DER file with an OCSP response to staple (RFC 6960).
  public var ocspPath: String?
  /// Shown where no certificate has the host; on two at most, as with ``hosts``.
  public var isDefault = false
  /// Listeners that show it, by name; empty: all with TLS.
  public var listeners: [String] = []

  public init(name: String, chainPath: String, keyPath: String) {
    self.name = name
    self.chainPath = chainPath
    self.keyPath = keyPath
  }

  public init(name: String, pem: CertificatePEM) {
    self.init(name: name, chainPath: "", keyPath: "")
    self.pem = pem
  }

  /// Whether a listener with TLS shows it.
  public func isServed(by listener: String) -> Bool { listeners.isEmpty || listeners.contains(listener) }
}

/// TLS towards a service's endpoints.
public struct ServiceTLS: Sendable, Equatable {
  /// Whether an endpoint has to show a certificate for its name that an authority signed. nginx's
  /// `proxy_ssl_verify` is off; here it is on.
  public var verify = true
  /// PEM file of the authorities; `nil`: the system's.
  public var authoritiesPath: String?
  /// The name for SNI and verification; `nil`: the endpoint's host. An endpoint that is an address
  /// gets no SNI, and its certificate has to name the address.
  public var serverName: String?
  public var clientCertificate: KeyPair?
  public init() {}

  /// The gateway's own certificate for services that ask for one.
  public struct KeyPair: Sendable, Equatable {
    /// PEM file: the certificate, then the intermediate ones.
    public var chainPath: String
    /// PEM file of its private key.
    public var keyPath: String
    public init(chainPath: String, keyPath: String) {
      self.chainPath = chainPath
      self.keyPath = keyPath
    }
  }
}
