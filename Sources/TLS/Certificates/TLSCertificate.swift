import COpenSSL

/// A certificate with its chain and key, read and checked. Immutable; from any thread.
///
/// There may be 100,000 of them, so one takes little memory: that of its chain and key in DER, and 250 bytes.
/// Workers parse it at first use. The key's memory is overwritten before it is freed, as is that of every
/// parsed form. The PEM that it was read from is the caller's.
public final class TLSCertificate: Sendable {
  /// In the order of preference: what costs the server least first.
  public enum KeyKind: UInt8, Sendable, Comparable, CaseIterable {
    case ecdsaP256, ecdsaP384, ecdsaP521, ed25519, rsa

    public static func < (a: KeyKind, b: KeyKind) -> Bool { a.rawValue < b.rawValue }
  }

  /// What it is called in the configuration; unique within a table.
  public let name: String
  /// Its private key in PKCS #8.
  let key: SecretBytes
  /// What is public. Its spans live as long as a copy of it does: those who need one make it first.
  let archive: CertificateArchive

  private init(name: String, _ archive: CertificateArchive, key: SecretBytes) {
    self.name = name
    self.archive = archive
    self.key = key
  }

  // MARK: Reading

  /// Reads a certificate. For the control plane: measured with ECDSA P-256, 0.03 ms. Where OpenSSL
  /// has to decode the certificate's public key, it takes 0.1 more.
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
    guard let keyKind = KeyKind(rawValue: UInt8(parsed.keyKind)), let key = parsed.keyDER else {
      throw CertificateError.reading(Int32(COSSL_CERTIFICATE_KEY_KIND), position: 0)
    }
    let names =
      try hosts.map { hosts throws(CertificateError) in try patterns(hosts) } ?? parsed.leaf.patterns
    var ocspNotAfter = Int64.max
    if let ocspDER { ocspNotAfter = try parsed.end(ofOCSP: ocspDER) }
    let chain = parsed.chainDER
    let ocsp = ocspDER ?? []
    let archive = CertificateArchive(
      keyKind: keyKind, hosts: names, notBefore: parsed.leaf.notBefore, notAfter: parsed.leaf.notAfter,
      ocspNotAfter: ocspNotAfter, chain: chain.span, ocsp: ocsp.span)
    return TLSCertificate(name: name, archive, key: key)
  }

  /// The same certificate for other hosts.
  ///
  /// - Parameter hosts: what it is for; `nil`: the names in the certificate.
  public func serving(hosts: [String]?) throws(CertificateError) -> TLSCertificate {
    let names: [String]
    if let hosts {
      names = try Self.patterns(hosts)
    } else if let parsed = ParsedCertificate(self) {
      names = parsed.leaf.patterns
    } else {
      throw CertificateError("the certificate cannot be read any more")
    }
    let old = archive
    let new = CertificateArchive(
      keyKind: keyKind, hosts: names, notBefore: notBefore, notAfter: notAfter,
      ocspNotAfter: ocspNotAfter, chain: old.chain, ocsp: old.ocsp)
    return TLSCertificate(name: name, new, key: key)
  }

  private static func patterns(_ hosts: [String]) throws(CertificateError) -> [String] {
    var patterns: [String] = []
    for host in hosts {
      guard let pattern = HostName.pattern(host) else {
        throw CertificateError(
          "'\(host)' is not a host; write a name such as example.com, or *.example.com for one label "
            + "in place of the star")
      }
      if !patterns.contains(pattern) { patterns.append(pattern) }
    }
    return patterns
  }

  // MARK: Keeping

  /// What it takes to have it again without reading it: `material` is public, `secret` is to be sealed
  /// (``SealingKey``).
  public var archived: (material: [UInt8], secret: SecretBytes) { (archive.bytes, key) }

  /// A certificate that was archived. Takes a microsecond or two: nothing of it is parsed.
  public init(name: String, archived material: [UInt8], secret: SecretBytes) throws(CertificateError) {
    self.name = name
    archive = try CertificateArchive(material)
    key = secret
  }

  /// Differs where certificate, chain, key, hosts or OCSP response differ; it is of use within this process
  /// only.
  public var contentHash: Int {
    var hasher = Hasher()
    hasher.combine(archive.bytes)
    key.hash(into: &hasher)
    return hasher.finalize()
  }

  // MARK: What it is

  /// Seconds since 1970-01-01 UTC.
  public var notBefore: Int64 { archive.notBefore }
  /// Seconds since 1970-01-01 UTC.
  public var notAfter: Int64 { archive.notAfter }
  public var keyKind: KeyKind { archive.keyKind }
  /// When the OCSP response is of no use any more, in seconds since 1970-01-01 UTC.
  var ocspNotAfter: Int64 { archive.ocspNotAfter }

  /// What it is for, in lower case; `*.example.com` for a wildcard. Made anew at each call.
  public var hosts: [String] {
    let archive = archive
    return archive.hostIndices.map { index in
      let host = archive.host(index)
      return String(decoding: host.indices.map { host[$0] }, as: UTF8.self)
    }
  }

  /// SHA-256 of the certificate's DER. Computed at each call.
  public var fingerprint: [UInt8] {
    let archive = archive
    let chain = archive.chain
    let count = DER.elementCount(chain, at: 0) ?? chain.count
    return Digest.sha256((0..<count).map { chain[$0] })
  }

  /// RFC 2253. The certificate is parsed at each call.
  public var subject: String {
    guard let parsed = ParsedCertificate(self) else { return "" }
    return String(decoding: parsed.leaf.text(.subject), as: UTF8.self)
  }

  /// The chain in PEM, the server's own certificate first. The key is never given.
  public var chainPEM: String {
    let archive = archive
    let chain = archive.chain
    var text = ""
    var start = 0
    while start < chain.count, let count = DER.elementCount(chain, at: start) {
      text += PEM.certificate(chain.extracting(start..<start + count))
      start += count
    }
    return text
  }

  /// Whether the certificate is for a host, by its ``hosts``; the host's case does not matter.
  func covers(_ host: Span<UInt8>) -> Bool {
    let archive = archive
    for index in archive.hostIndices where HostName.matches(archive.host(index), host) { return true }
    return false
  }
}

extension X509Certificate {
  /// The hosts of the certificate that can be asked for by SNI. Others are of no use, but harmless.
  fileprivate var patterns: [String] {
    var patterns: [String] = []
    for host in hostNames {
      if let pattern = HostName.pattern(host), !patterns.contains(pattern) { patterns.append(pattern) }
    }
    return patterns
  }
}
