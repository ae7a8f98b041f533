import COpenSSL
import Runtime

/// How a service's endpoints are spoken to. Plain values, for every worker to make its own context of.
public struct TLSClientOptions: Sendable {
  public var profile = TLSProfile.intermediate
  /// The latest version that is offered; for servers that stumble over a later one.
  public var versionMax = TLSVersion.tls13
  /// `nil`: the server's certificate is not verified.
  public var trust: TLSTrust?
  /// Compared with the server's certificate; `nil`: the name given to ``TLSSocket/startClient``.
  public var verifiedName: String?
  /// Intermediate certificates at most.
  public var depthMax = 5
  public var applicationProtocols: [ApplicationProtocol] = []
  /// Shown to servers that ask for one.
  public var certificate: TLSCertificate?
  public var reusesSessions = true

  public init(trust: TLSTrust?) { self.trust = trust }
}

/// What a service of one worker does TLS with: options, and the last session of each endpoint. Made and
/// used on the worker's thread.
///
/// `@safe`: the context is this object's alone, and sessions are freed when they leave the table.
@safe
public final class TLSClientContext {
  /// Sessions that are kept at most; beyond, all are forgotten, which costs a full handshake each.
  static let sessionsMax = 4_096

  struct SessionKey: Hashable {
    let name: String
    let endpoint: SocketAddress
  }

  let tls: TLSWorker
  private let options: TLSClientOptions
  @unsafe private let context: OpaquePointer
  @unsafe private var sessions: [SessionKey: OpaquePointer] = unsafe [:]

  public init(_ options: TLSClientOptions, on tls: TLSWorker) throws(CertificateError) {
    let alpn = ApplicationProtocol.wireFormat(options.applicationProtocols)
    // The array is copied during the call; the wire lives as long as `tls`.
    let context = unsafe cossl_client_context(tls.wire, options.profile.code, alpn, alpn.count)
    guard let context = unsafe context else {
      throw CertificateError("OpenSSL does not offer what the profile asks for")
    }
    unsafe self.context = context
    self.tls = tls
    self.options = options
    if options.versionMax == .tls12 { unsafe cossl_context_limit_to_tls12(context) }
    if let trust = options.trust {
      // The context takes a reference of its own to the store.
      unsafe cossl_context_verify_servers(context, trust.pointer, Int32(clamping: options.depthMax))
    }
    guard let certificate = options.certificate else { return }
    // OpenSSL takes references of its own to what was parsed.
    guard let parsed = ParsedCertificate(certificate),
      unsafe cossl_context_use_certificate(context, parsed.pointer) == 1
    else { throw CertificateError("OpenSSL does not take the client certificate '\(certificate.name)'") }
  }

  deinit {
    removeSessions()
    unsafe cossl_context_free(context)
  }

  /// Sessions that are kept.
  public var sessionCount: Int { unsafe sessions.count }

  /// Forgets sessions: the next connections make full handshakes.
  public func removeSessions() {
    for unsafe(_, session) in unsafe sessions { unsafe cossl_session_free(session) }
    unsafe sessions.removeAll()
  }

  /// A connection that sends `serverName`, unless that is an address, and verifies it.
  @unsafe
  func makeConnection(_ key: SessionKey) -> OpaquePointer? {
    let isAddress = SocketAddress(ip: key.name, port: 0) != nil
    let sent = isAddress || key.name.isEmpty ? nil : key.name
    let verified: String? =
      options.trust == nil ? nil : options.verifiedName ?? (key.name.isEmpty ? nil : key.name)
    let verifiesAddress = verified.map { SocketAddress(ip: $0, port: 0) != nil } ?? false
    // The strings are copied during the call.
    let connection = unsafe cossl_client_new(context, sent, verified, verifiesAddress ? 1 : 0)
    guard let connection = unsafe connection else { return nil }
    if let session = unsafe sessions[key] { unsafe cossl_set_session(connection, session) }
    return unsafe connection
  }

  /// Keeps a session in place of the endpoint's last one, and takes it over.
  @unsafe
  func keep(_ session: OpaquePointer, for key: SessionKey) {
    guard options.reusesSessions else { return unsafe cossl_session_free(session) }
    if unsafe sessions.count >= Self.sessionsMax { removeSessions() }
    if let old = unsafe sessions.updateValue(session, forKey: key) { unsafe cossl_session_free(old) }
  }
}
