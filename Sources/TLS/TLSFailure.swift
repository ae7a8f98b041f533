import COpenSSL
import Runtime

/// Why a handshake or a connection failed. A plain value; ``description`` makes its text on demand.
public struct TLSFailure: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: UInt8, Sendable, CaseIterable {
    case noSharedCipher
    case unsupportedProtocol
    /// The client asked for a host that no certificate is for.
    case unknownHost
    case clientCertificateRequired
    /// The peer's certificate has expired, was revoked, or is not issued by who is trusted.
    case badCertificate
    /// The server's certificate is for another name.
    case wrongName
    /// The peer sent an alert; ``TLSFailure/alert`` says which.
    case refusedByPeer
    /// What came is not TLS, or breaks its rules.
    case malformed
    /// HTTP without TLS. The socket is plain again and gives the bytes that came, so that they can be
    /// answered.
    case plainHTTP
    case noSharedApplicationProtocol
    /// No certificate that could be presented can be used, for example because its key is too weak.
    case unusableCertificate
    /// The peer closed the connection.
    case closed
    /// A call of the system failed; ``TLSFailure/systemError`` says why.
    case system
    /// For callers, which know the time.
    case timeout
    case other
  }

  public var kind: Kind
  /// The alert that was sent or received (RFC 8446 §6); 0 where there was none.
  public var alert: UInt8 = 0
  public var systemError: SystemError?
  /// OpenSSL's code and its verdict on the peer's certificate.
  private var code: UInt = 0
  private var verdict: Int32 = 0

  public init(_ kind: Kind) { self.kind = kind }

  init(_ kind: Kind, alert: UInt8) {
    self.kind = kind
    self.alert = alert
  }

  init(_ error: SystemError) {
    kind = error == .connectionReset ? .closed : .system
    systemError = error
  }

  /// What the wire says of a call that failed.
  init(_ tls: TLSWorker) {
    // The wire lives as long as the worker's object.
    code = unsafe tls.wire.pointee.error
    verdict = unsafe Int32(truncatingIfNeeded: tls.wire.pointee.verify_error)
    kind = Kind(code: code, verdict: verdict)
    alert = unsafe tls.wire.pointee.alert
  }

  public var description: String {
    var text = Self.text(of: kind)
    if let systemError { text += ": \(systemError)" }
    if code != 0, let reason = unsafe cossl_error_text(code) {
      // OpenSSL's texts are static.
      text += unsafe ": \(String(cString: reason))"
    }
    if verdict != 0 { text += unsafe " (\(String(cString: cossl_verify_text(Int(verdict)))))" }
    if alert != 0 { text += unsafe " [alert \(alert), \(String(cString: cossl_alert_text(Int32(alert))))]" }
    return text
  }

  private static func text(of kind: Kind) -> String {
    switch kind {
    case .noSharedCipher: "no shared cipher suite, group or signature algorithm"
    case .unsupportedProtocol: "no shared protocol version"
    case .unknownHost: "no certificate for the host"
    case .clientCertificateRequired: "the client sent no certificate"
    case .badCertificate: "the peer's certificate is not accepted"
    case .wrongName: "the server's certificate is for another name"
    case .refusedByPeer: "the peer refused"
    case .malformed: "what came is not valid TLS"
    case .plainHTTP: "HTTP without TLS"
    case .noSharedApplicationProtocol: "no shared application protocol"
    case .unusableCertificate: "the certificate cannot be used"
    case .closed: "the peer closed the connection"
    case .system: "a system call failed"
    case .timeout: "timed out"
    case .other: "TLS failed"
    }
  }
}

extension TLSFailure.Kind {
  fileprivate init(code: UInt, verdict: Int32) {
    switch Int(cossl_error_kind(code, Int(verdict))) {
    case COSSL_KIND_NO_SHARED_CIPHER: self = .noSharedCipher
    case COSSL_KIND_UNSUPPORTED_PROTOCOL: self = .unsupportedProtocol
    case COSSL_KIND_UNKNOWN_HOST: self = .unknownHost
    case COSSL_KIND_NO_CLIENT_CERTIFICATE: self = .clientCertificateRequired
    case COSSL_KIND_BAD_CERTIFICATE: self = .badCertificate
    case COSSL_KIND_WRONG_NAME: self = .wrongName
    case COSSL_KIND_ALERT: self = .refusedByPeer
    case COSSL_KIND_MALFORMED: self = .malformed
    case COSSL_KIND_PLAIN_HTTP: self = .plainHTTP
    case COSSL_KIND_NO_APPLICATION_PROTOCOL: self = .noSharedApplicationProtocol
    default: self = .other
    }
  }
}
