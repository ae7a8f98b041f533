import COpenSSL

/// Why a certificate, key, bundle or list cannot be used, in words for the person who made the file.
public struct CertificateError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  /// What a status of `cossl_certificate_read` means. `position` counts certificates from 0.
  static func reading(_ status: Int32, position: Int32, keyBits: Int32 = 0) -> CertificateError {
    let number = position + 1
    return switch Int(status) {
    case COSSL_CERTIFICATE_NO_PEM:
      CertificateError(
        "the chain holds no certificate; it must begin with the server's own, in PEM "
          + "(-----BEGIN CERTIFICATE-----)")
    case COSSL_CERTIFICATE_BAD_PEM:
      CertificateError("certificate \(number) of the chain cannot be read; its PEM is damaged or cut short")
    case COSSL_CERTIFICATE_NO_KEY:
      CertificateError("there is no private key; it must be in PEM (-----BEGIN PRIVATE KEY-----)")
    case COSSL_CERTIFICATE_ENCRYPTED_KEY:
      CertificateError(
        "the private key is encrypted with a password; decrypt it first, for example with openssl pkey")
    case COSSL_CERTIFICATE_BAD_KEY:
      CertificateError("the private key cannot be read; its PEM is damaged or of an unknown kind")
    case COSSL_CERTIFICATE_MISMATCH:
      CertificateError(
        "the private key does not belong to the certificate; the first certificate of the chain must be "
          + "the one that the key was made for")
    case COSSL_CERTIFICATE_ORDER:
      CertificateError(
        "the private key belongs to certificate \(number) of the chain; that one must come first, then its "
          + "issuer, and so on")
    case COSSL_CERTIFICATE_CHAIN_ORDER:
      CertificateError(
        "certificate \(number) of the chain was not issued by the one that follows; after the server's own, "
          + "each must be the issuer of the one before")
    case COSSL_CERTIFICATE_KEY_KIND:
      CertificateError("the key is of an unsupported kind; use ECDSA (P-256, P-384, P-521), RSA or Ed25519")
    case COSSL_CERTIFICATE_KEY_SIZE:
      CertificateError("the RSA key is too small; it needs 2048 bits at least")
    case COSSL_CERTIFICATE_WEAK:
      CertificateError(
        "OpenSSL refuses it: its key or signature is too weak (RSA below 2,048 bits, SHA-1)")
    case COSSL_CERTIFICATE_OCSP_OTHER:
      CertificateError("the OCSP response is for another certificate; fetch one for the chain's first")
    default: CertificateError("the certificate cannot be used")
    }
  }
}
