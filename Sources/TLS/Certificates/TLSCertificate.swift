import COpenSSL

/// A certificate with its chain and key, read and checked. Immutable; from any thread.
///
/// The key is held as DER, since workers parse it at first use: its memory is overwritten before it is
/// freed, as is that of every parsed form. The PEM that it was read from is the caller's.
public final class TLSCertificate: Sendable {
  /// In the order of preference: what costs the server least first.
  public enum KeyKind: UInt8, Sendable, Comparable, CaseIterable {
    case ecdsaP256, ecdsaP384, ecdsaP521, ed25519, rsa

    public static func < (a: KeyKind, b: KeyKind) -> Bool { a.rawValue < b.rawValue }
  }

  /// What it is called in the configuration; unique within a table.
  public let name: String
  /// What it is for, in lower case; `*.example.com` for a wildcard.
  public let hosts: [String]
  /// Seconds since 1970-01-01 UTC.
  public let notBefore: Int64
  /// Seconds since 1970-01-01 UTC.
  public let notAfter: Int64
  public let keyKind: KeyKind
  /// SHA-256 of the certificate's DER.
  public let fingerprint: [UInt8]
  /// RFC 2253.
  public let subject: String
  /// One after the other, the server's own first.
  let chainDER: [UInt8]
  let keyDER: SecretBytes
  let ocspDER: [UInt8]
  /// When the response is of no use any more, in seconds since 1970-01-01 UTC.
  let ocspNotAfter: Int64

  private init(
    _ parsed: ParsedCertificate, name: String, hosts: [String], keyKind: KeyKind, keyDER: SecretBytes,
    ocspDER: [UInt8], ocspNotAfter: Int64
  ) {
    self.name = name
    self.hosts = hosts
    self.keyKind = keyKind
    self.keyDER = keyDER
    self.ocspDER = ocspDER
    self.ocspNotAfter = ocspNotAfter
    notBefore = parsed.leaf.notBefore
    notAfter = parsed.leaf.notAfter
    fingerprint = parsed.leaf.fingerprint
    subject = String(decoding: parsed.leaf.text(.subject), as: UTF8.self)
    chainDER = parsed.chainDER
  }

  /// Reads a certificate. Takes a millisecond or so: for the control plane.
  ///
  /// - Parameters:
  ///   - name: what it is called.
  ///   - chainPEM: the server's certificate, then its issuer, and so on; the root may be missing.
  ///   - keyPEM: its private key, not encrypted.
  ///   - ocspDER: a response of its issuer, to be stapled (RFC 6066 §8) until it expires.
  ///   - hosts: what it is for; `nil`: the names in the certificate.
  public static func load(
    name: String, chainPEM: [UInt8], keyPEM: [UInt8], ocspDER: [UInt8]? = nil, hosts: [String]? = nil
  ) throws(CertificateError) -> TLSCertificate {
    let parsed = try ParsedCertificate(chainPEM: chainPEM, keyPEM: keyPEM)
    guard let keyKind = KeyKind(rawValue: UInt8(parsed.keyKind)), let keyDER = parsed.keyDER else {
      throw CertificateError.reading(Int32(COSSL_CERTIFICATE_KEY_KIND), position: 0)
    }
    var names: [String] = []
    for host in hosts ?? parsed.leaf.hostNames {
      guard let pattern = HostName.pattern(host) else {
        // What cannot be asked for by SNI is of no use, but harmless where the certificate says it.
        if hosts == nil { continue }
        throw CertificateError(
          "'\(host)' is not a host; write a name such as example.com, or *.example.com for one label "
            + "in place of the star")
      }
      if !names.contains(pattern) { names.append(pattern) }
    }
    var ocspNotAfter = Int64.max
    if let ocspDER { ocspNotAfter = try parsed.end(ofOCSP: ocspDER) }
    return TLSCertificate(
      parsed, name: name, hosts: names, keyKind: keyKind, keyDER: keyDER, ocspDER: ocspDER ?? [],
      ocspNotAfter: ocspNotAfter)
  }

  /// Whether the certificate is for a host, by its ``hosts``; the host's case does not matter.
  func covers(_ host: Span<UInt8>) -> Bool {
    for pattern in hosts where HostName.matches(pattern.utf8.span, host) { return true }
    return false
  }
}
