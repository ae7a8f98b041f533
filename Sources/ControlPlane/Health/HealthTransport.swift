import DataPlane
import Resources
import TLS

/// How checks reach the endpoints of a service, and what is spoken with them.
public struct HealthTransport: Sendable {
  public var `protocol`: ServiceProtocol
  /// `nil`: plain text.
  public var tls: ServiceTLS?
  /// What was made of `tls`. It may change while that does not, as when a file is renewed.
  public var security: ServiceSecurity?

  public init(
    protocol: ServiceProtocol = .http1, tls: ServiceTLS? = nil, security: ServiceSecurity? = nil
  ) {
    self.protocol = `protocol`
    self.tls = tls
    self.security = security
  }

  /// Whether the settings are the same, whatever their files hold.
  func hasSameSettings(as other: HealthTransport) -> Bool {
    `protocol` == other.protocol && tls == other.tls
  }
}

/// What a service's checks do TLS with, made on the checker's worker.
struct HealthTLS {
  var revision: UInt64
  /// Or why there is none.
  var context: Result<TLSClientContext, CertificateError>

  init(_ security: ServiceSecurity, on tls: TLSWorker) {
    revision = security.revision
    do throws(CertificateError) {
      context = .success(try TLSClientContext(security.options, on: tls))
    } catch {
      context = .failure(error)
    }
  }
}
