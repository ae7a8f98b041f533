import COpenSSL

/// Certificates that peers' certificates are verified against. Immutable; shared by workers.
///
/// Whoever is listed is trusted, be it a root or an intermediate certificate.
///
/// `@unchecked Sendable`: OpenSSL's store has a lock of its own, and nothing is added after `init`.
@safe
public final class TLSTrust: @unchecked Sendable {
  @unsafe let pointer: OpaquePointer
  /// Differs where another set of peers would be accepted.
  let digest: [UInt8]

  @unsafe
  private init(_ pointer: OpaquePointer, digest: [UInt8]) {
    unsafe self.pointer = pointer
    self.digest = digest
  }

  deinit { unsafe cossl_trust_free(pointer) }

  /// Reads a bundle. For the control plane: a large bundle takes tens of milliseconds.
  ///
  /// - Parameter revokedPEM: certificate revocation lists. Every certificate of a chain must then be
  ///   covered by the list of its issuer.
  public static func load(pem: [UInt8], revokedPEM: [UInt8]? = nil) throws(CertificateError) -> TLSTrust {
    var status: Int32 = 0
    // The arrays are read during the call.
    let pointer =
      if let revokedPEM {
        unsafe cossl_trust_read(pem, pem.count, revokedPEM, revokedPEM.count, &status)
      } else {
        unsafe cossl_trust_read(pem, pem.count, nil, 0, &status)
      }
    guard let pointer = unsafe pointer else { throw error(status) }
    return unsafe TLSTrust(pointer, digest: Digest.sha256(pem + [0] + (revokedPEM ?? [])))
  }

  /// The system's own bundle, as OpenSSL finds it.
  public static func system() throws(CertificateError) -> TLSTrust {
    guard let pointer = unsafe cossl_trust_system() else {
      throw CertificateError(
        "the system's certificates cannot be read; is the package ca-certificates installed?")
    }
    return unsafe TLSTrust(pointer, digest: [])
  }

  private static func error(_ status: Int32) -> CertificateError {
    switch Int(status) {
    case COSSL_CERTIFICATE_NO_PEM:
      CertificateError("the bundle holds no certificate; it must be in PEM (-----BEGIN CERTIFICATE-----)")
    case COSSL_CERTIFICATE_BAD_PEM:
      CertificateError("a certificate of the bundle cannot be read; its PEM is damaged or cut short")
    case COSSL_CERTIFICATE_NO_KEY:
      CertificateError("there is no revocation list; it must be in PEM (-----BEGIN X509 CRL-----)")
    default: CertificateError("a revocation list cannot be read; its PEM is damaged or cut short")
    }
  }
}

enum Digest {
  static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    // The array is read during the call, and the digest has its size.
    unsafe cossl_sha256(bytes, bytes.count, &digest)
    return digest
  }
}
