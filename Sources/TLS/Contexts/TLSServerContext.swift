import COpenSSL
import Runtime

/// How a listener does TLS. Plain values, for every worker to make its own context of.
public struct TLSServerOptions: Sendable {
  public enum ClientCertificates: Sendable {
    case off
    /// Asked for; one that is sent and not trusted fails the handshake.
    case optional(TLSTrust)
    case required(TLSTrust)
  }

  public var profile = TLSProfile.intermediate
  /// The latest version that is accepted.
  public var versionMax = TLSVersion.tls13
  /// In order of preference; empty: ALPN is ignored. A client that offers others only is refused
  /// (RFC 7301 §3.2).
  public var applicationProtocols: [ApplicationProtocol] = [.http2, .http11]
  public var issuesTickets = true
  /// How long a session can be resumed. A day, as Mozilla's guidelines say; a week at most in TLS 1.3.
  public var sessionLifetime = Duration.seconds(86_400)
  public var clientCertificates = ClientCertificates.off
  /// Intermediate certificates between a client's and a trusted one, at most. nginx's default.
  public var clientCertificateDepthMax = 1

  public init() {}

  /// A session is resumed only where a client would be verified alike: tickets of another listener must
  /// not get around that.
  var sessionContext: [UInt8] {
    switch clientCertificates {
    case .off: Digest.sha256([0])
    case .optional(let trust): Digest.sha256([1, UInt8(clamping: clientCertificateDepthMax)] + trust.digest)
    case .required(let trust): Digest.sha256([2, UInt8(clamping: clientCertificateDepthMax)] + trust.digest)
    }
  }
}

/// What a listener of one worker does TLS with. Made and used on the worker's thread.
///
/// `@safe`: the context is this object's alone, and connections hold the object.
@safe
public final class TLSServerContext {
  public let certificates: CertificateTable
  /// Which of the certificates it shows: those for this listener, and those for all.
  public let listener: Int
  let tls: TLSWorker
  let verifiesClients: Bool
  private let issuesTickets: Bool
  @unsafe private let context: OpaquePointer
  /// Held, since the context refers to them.
  private var ticketKeys: TicketKeys
  /// Those of ``setDefaultCertificates(_:)``, the best first.
  public private(set) var defaultCertificates: [TLSCertificate] = []

  /// - Parameters:
  ///   - listener: its number among those that `certificates` serves.
  ///   - ticketKeys: `nil`: a random key of its own.
  public init(
    _ options: TLSServerOptions, certificates: CertificateTable, listener: Int = 0,
    ticketKeys: TicketKeys? = nil, on tls: TLSWorker
  ) throws(CertificateError) {
    let alpn = ApplicationProtocol.wireFormat(options.applicationProtocols)
    let seconds = Int(clamping: options.sessionLifetime.components.seconds)
    // The arrays are copied during the call; the wire lives as long as `tls`.
    let context = unsafe cossl_server_context(
      tls.wire, options.profile.code, alpn, alpn.count, options.sessionContext, seconds)
    guard let context = unsafe context else {
      throw CertificateError("OpenSSL does not offer what the profile asks for")
    }
    if options.versionMax == .tls12 { unsafe cossl_context_limit_to_tls12(context) }
    let depth = Int32(clamping: options.clientCertificateDepthMax)
    switch options.clientCertificates {
    case .off: verifiesClients = false
    // The context takes a reference of its own to the store.
    case .optional(let trust):
      unsafe cossl_context_verify_clients(context, trust.pointer, 0, depth)
      verifiesClients = true
    case .required(let trust):
      unsafe cossl_context_verify_clients(context, trust.pointer, 1, depth)
      verifiesClients = true
    }
    unsafe self.context = context
    self.certificates = certificates
    self.listener = listener
    self.tls = tls
    issuesTickets = options.issuesTickets
    self.ticketKeys = ticketKeys ?? TicketKeys()
    setTicketKeys(self.ticketKeys)
  }

  deinit { unsafe cossl_context_free(context) }

  /// For clients that name no host, or one that no certificate is for. Empty: they are refused, with the
  /// alert unrecognized_name.
  public func setDefaultCertificates(_ certificates: [TLSCertificate]) {
    defaultCertificates = certificates.sorted { $0.keyKind < $1.keyKind }
  }

  /// From now on; connections do not notice.
  public func setTicketKeys(_ keys: TicketKeys) {
    // Held by this object until they are replaced.
    unsafe cossl_context_set_ticket_keys(context, issuesTickets ? keys.pointer : nil)
    ticketKeys = keys
  }

  @unsafe
  func makeConnection() -> OpaquePointer? { unsafe cossl_server_new(context) }

  /// The certificates for a host in lower case, the best first.
  func candidates(for host: [UInt8]) -> [TLSCertificate] {
    let candidates = certificates.candidates(for: host, listener: listener)
    return candidates.isEmpty ? defaultCertificates : candidates
  }

  /// Whether a connection that named `serverName` and was shown `certificate` may ask for a host.
  func covers(_ host: Span<UInt8>, _ certificate: TLSCertificate, serverName: [UInt8]) -> Bool {
    if HostName.isSame(serverName.span, host, from: 0) { return true }
    guard HostName.isName(host) else { return true }
    var lowercased: [UInt8] = []
    for index in host.indices { lowercased.append(HostName.lowercased(host[index])) }
    let own = certificates.candidates(for: lowercased, listener: listener)
    if !own.isEmpty { return own.contains { $0.name == certificate.name } }
    // Made before the table changed.
    if certificate.covers(host) { return true }
    return defaultCertificates.isEmpty || defaultCertificates.contains { $0.name == certificate.name }
  }

  /// The same for those who ask without a connection; the server's name is in lower case.
  public func covers(host: String, certificate: TLSCertificate, serverName: String) -> Bool {
    let host = host
    return covers(host.utf8.span, certificate, serverName: Array(serverName.utf8))
  }
}
