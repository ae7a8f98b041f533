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
  let tls: TLSWorker
  let verifiesClients: Bool
  private let issuesTickets: Bool
  @unsafe private let context: OpaquePointer
  /// Held, since the context refers to them.
  private var ticketKeys: TicketKeys
  private var defaults: [TLSCertificate] = []

  /// - Parameter ticketKeys: `nil`: a random key of its own.
  public init(
    _ options: TLSServerOptions, certificates: CertificateTable, ticketKeys: TicketKeys? = nil,
    on tls: TLSWorker
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
    self.tls = tls
    issuesTickets = options.issuesTickets
    self.ticketKeys = ticketKeys ?? TicketKeys()
    setTicketKeys(self.ticketKeys)
  }

  deinit { unsafe cossl_context_free(context) }

  /// For clients that name no host, or one that no certificate is for. Empty: they are refused, with the
  /// alert unrecognized_name.
  public func setDefaultCertificates(_ certificates: [TLSCertificate]) {
    defaults = certificates.sorted { $0.keyKind < $1.keyKind }
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
    let candidates = certificates.candidates(for: host)
    return candidates.isEmpty ? defaults : candidates
  }
}
