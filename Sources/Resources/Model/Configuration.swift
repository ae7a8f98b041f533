/// Everything that one configuration says: the typed form of a file, with defaults filled in.
///
/// A value of this type has been validated: names are unique, references resolve.
public struct Configuration: Sendable, Equatable {
  /// Worker threads; `nil` means one for each CPU that the process may use.
  public var workers: Int?
  public var listeners: [Listener] = []
  public var certificates: [CertificateSpec] = []
  public var admin: Admin?
  /// `nil`: resources come from files only.
  public var store: StoreSettings?
  public var http = HTTPSettings()
  public var accessLog: AccessLog?
  public var services: [Service] = []
  public var routes: [Route] = []
  public var consumers: [Consumer] = []
  public var plugins: [GlobalPlugin] = []

  public init() {}

  /// The settings of the process alone.
  public var withoutResources: Configuration {
    var settings = self
    settings.listeners = []
    settings.certificates = []
    settings.services = []
    settings.routes = []
    settings.consumers = []
    settings.plugins = []
    return settings
  }
}

/// A host or IP address and a port, as written: `10.0.0.1:8080`, `[::1]:80`, `orders.internal:80`.
public struct HostPort: Sendable, Hashable {
  /// Without the brackets of an IPv6 literal; lower case.
  public var host: String
  public var port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// The form that a file would hold: IPv6 literals in brackets.
  public var description: String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}

public struct Listener: Sendable, Equatable {
  public var name: String
  public var address: HostPort
  /// Connections begin with a PROXY protocol header, version 1 or 2; without one they are closed.
  public var proxyProtocol = false
  /// `nil`: plain text.
  public var tls: ListenerTLS?
  /// Plain text only: connections that begin with HTTP/2's preface are HTTP/2 (prior knowledge, RFC
  /// 9113 §3.3). With TLS, ALPN decides.
  public var h2c = true
  /// Plain text only: every request is sent to https, except those of routes that say otherwise.
  public var redirect: HTTPSRedirect?
  /// TLS only: for routes that say nothing themselves.
  public var hsts: StrictTransportSecurity?
  /// Client connections of this listener, for the process; those above are closed. `nil`: no limit but
  /// that of the process.
  public var connections: Int?

  public init(name: String, address: HostPort) {
    self.name = name
    self.address = address
  }
}

public struct Admin: Sendable, Equatable {
  public var address: HostPort
  /// What requests have to show; `nil` on a loopback address only.
  public var token: SecretSource?

  public init(address: HostPort, token: SecretSource? = nil) {
    self.address = address
    self.token = token
  }
}

/// Where a secret is, so that no configuration holds it.
public enum SecretSource: Sendable, Equatable {
  /// A file's path.
  case file(String)
  /// The name of an environment variable.
  case environment(String)
}

/// The embedded store of resources, which the admin API writes.
public struct StoreSettings: Sendable, Equatable {
  /// The database's file.
  public var path: String
  /// What private keys are encrypted with; `nil`: the store takes none.
  public var key: SecretSource?
  /// Revisions that are kept for diffs and rollbacks; at least 1.
  public var history = 10_000

  public init(path: String, key: SecretSource? = nil) {
    self.path = path
    self.key = key
  }
}

/// How the gateway speaks HTTP with clients.
public struct HTTPSettings: Sendable, Equatable {
  public var timeouts = ClientTimeouts()
  public var limits = MessageLimits()
  public var forwarding = Forwarding()
  public var http2 = HTTP2Settings()
  public var rates = ClientRates()
  /// `nil`: whatever comes is begun.
  public var admission: Admission? = Admission()
  public init() {}
}

public struct ClientTimeouts: Sendable, Equatable {
  /// From a request's first byte to the end of its head; 408 after that. nginx's
  /// `client_header_timeout` is 60 s; 15 s leaves slow senders less.
  public var head = Duration.seconds(15)
  /// Between two reads of a request's content.
  public var body = Duration.seconds(60)
  /// Between two writes that the client accepts.
  public var send = Duration.seconds(60)
  /// Keep-alive without a request; nginx's `keepalive_timeout`.
  public var idle = Duration.seconds(75)
  /// What requests in flight are given to finish when the process stops.
  public var drain = Duration.seconds(30)
  public init() {}
}

public struct MessageLimits: Sendable, Equatable {
  /// A request's or response's head, first line and fields together; 431 above.
  public var headBytes = 16_384
  /// The request target; 414 above.
  public var targetBytes = 8_192
  /// Field lines in a head; 431 above.
  public var fields = 100
  /// A request's content; 413 above. `nil`: no limit.
  public var bodyBytes: UInt64?
  /// Client connections of the whole process; the longest idle are closed, then new ones refused.
  public var connections = 100_000
  /// Requests on one client connection before it is closed. `nil`: no limit.
  public var requestsPerConnection: Int?
  /// TLS handshakes of the whole process at a time: each costs far more than a request.
  public var handshakes = 1_000
  /// Client connections from one address, an IPv6 network of 64 bits being one; those above are closed.
  /// Peers in trusted networks are not counted: many clients stand behind them. `nil`: no limit.
  public var connectionsPerAddress: Int? = 20_000
  /// TLS handshakes that one address may begin in a second; twice as many at once. `nil`: no limit.
  public var handshakesPerAddress: Int?
  /// Requests at endpoints at a time, for the process; 503 above. HTTP/2 could otherwise multiply the
  /// limit on connections by that on streams.
  public var inFlight = 100_000
  /// What the process may hold of messages at a time. At half of it reads get smaller, at three quarters
  /// idle connections are closed, at seven eighths new requests get 503.
  public var bufferBytes: UInt64 = 1 << 30
  public init() {}
}

/// Which fields tell an endpoint about the client, and whose incoming ones are believed.
public struct Forwarding: Sendable, Equatable {
  /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
  public var xForwarded = true
  /// `Forwarded` (RFC 7239).
  public var forwarded = false
  /// `X-Request-ID`: made where there is none or the sender is not trusted.
  public var requestID = true
  /// `Via` in both directions (RFC 9110 §7.6.3).
  public var via = true
  /// `Client-Cert` (RFC 9440): the certificate that a client has shown, where the listener verifies
  /// them. Never believed from anyone.
  public var clientCertificate = true
  /// Peers in these networks may send forwarding fields of their own; those of others are removed.
  public var trustedNetworks: [Network] = []
  public init() {}
}

/// An address block in CIDR form.
public struct Network: Sendable, Hashable {
  /// 16 bytes; an IPv4 address is mapped (`::ffff:a.b.c.d`).
  public var address: [UInt8]
  /// Leading bits that must agree, of 128.
  public var prefixBits: Int
  /// As written.
  public var text: String
  public init(address: [UInt8], prefixBits: Int, text: String) {
    self.address = address
    self.prefixBits = prefixBits
    self.text = text
  }
}

public struct AccessLog: Sendable, Equatable {
  public enum Format: String, Sendable, CaseIterable { case json, common }
  public var format = Format.json
  /// A file's path; `-` is standard output.
  public var path = "-"
  public init() {}
}
