import Testing

@testable import TLS

/// Certificates in the form that a store keeps.
struct ArchiveTests {
  private func restored(_ certificate: TLSCertificate) throws -> TLSCertificate {
    let archived = certificate.archived
    return try TLSCertificate(name: certificate.name, archived: archived.material, secret: archived.secret)
  }

  private func covers(_ certificate: TLSCertificate, _ host: String) -> Bool {
    certificate.covers(host.utf8.span)
  }

  private func ocsp(of certificate: TLSCertificate) -> [UInt8] {
    let archive = certificate.archive
    let response = archive.ocsp
    return response.indices.map { response[$0] }
  }

  @Test("what is restored is what was archived", arguments: [Authority.Key.p256, .p384, .ed25519, .rsa])
  func equal(key: Authority.Key) throws {
    let certificate = try Authority.shared.certificate("a", ["a.example", "*.b.example"], key: key)
    let again = try restored(certificate)
    #expect(again.name == "a")
    #expect(again.hosts == ["a.example", "*.b.example"])
    #expect(again.keyKind == certificate.keyKind)
    #expect(again.notBefore == certificate.notBefore)
    #expect(again.notAfter == certificate.notAfter)
    #expect(again.fingerprint == certificate.fingerprint)
    #expect(again.subject == certificate.subject)
    #expect(again.chainPEM == certificate.chainPEM)
    #expect(again.contentHash == certificate.contentHash)
    #expect(covers(again, "A.Example"))
    #expect(covers(again, "x.b.example"))
    #expect(!covers(again, "b.example"))
    // OpenSSL takes it, and key and certificate belong together.
    let parsed = try #require(ParsedCertificate(again))
    #expect(parsed.keyKind == Int(certificate.keyKind.rawValue))
    #expect(parsed.chainDER == ParsedCertificate(certificate)?.chainDER)
  }

  @Test("a chain with its issuer, and an OCSP response, are kept")
  func parts() throws {
    let files = Authority.shared.issue(["DNS:a.example"])
    let response = Authority.shared.ocspResponse(for: files, validity: ["-ndays", "3"])
    let certificate = try TLSCertificate.load(
      name: "a", chainPEM: files.chain + Authority.shared.pem, keyPEM: files.key, ocspDER: response)
    let again = try restored(certificate)
    let pem = String(decoding: files.chain + Authority.shared.pem, as: UTF8.self)
    #expect(again.chainPEM == pem)
    #expect(ocsp(of: again) == response)
    #expect(again.ocspNotAfter == certificate.ocspNotAfter)
    #expect(again.ocspNotAfter < .max)
    // Read from what it says itself, it is the same.
    let reread = try TLSCertificate.load(
      name: "a", chainPEM: Array(again.chainPEM.utf8), keyPEM: files.key, ocspDER: response)
    #expect(reread.contentHash == certificate.contentHash)
  }

  @Test("the same certificate serves other hosts, or its own again")
  func hosts() throws {
    let certificate = try Authority.shared.certificate("a", ["a.example", "b.example"])
    let other = try certificate.serving(hosts: ["*.Other.example"])
    #expect(other.hosts == ["*.other.example"])
    #expect(other.fingerprint == certificate.fingerprint)
    #expect(other.contentHash != certificate.contentHash)
    #expect(try other.serving(hosts: nil).contentHash == certificate.contentHash)
    #expect(throws: CertificateError.self) { try certificate.serving(hosts: ["not a host"]) }
    #expect(try restored(certificate.serving(hosts: [])).hosts.isEmpty)
  }

  @Test("another key makes another content")
  func contentHash() throws {
    let files = Authority.shared.issue(["DNS:a.example"])
    let first = try TLSCertificate.load(name: "a", chainPEM: files.chain, keyPEM: files.key)
    let second = try TLSCertificate.load(name: "b", chainPEM: files.chain, keyPEM: files.key)
    #expect(first.contentHash == second.contentHash)
    #expect(try Authority.shared.certificate("a", ["a.example"]).contentHash != first.contentHash)
  }

  @Test("a byte that was changed anywhere, or is missing, is noticed")
  func damage() throws {
    let certificate = try Authority.shared.certificate("a", ["a.example", "b.example"])
    let archived = certificate.archived
    for index in archived.material.indices {
      var damaged = archived.material
      damaged[index] ^= 0x40
      #expect(throws: CertificateError.self, "byte \(index)") {
        try TLSCertificate(name: "a", archived: damaged, secret: archived.secret)
      }
    }
    for count in 0..<archived.material.count {
      #expect(throws: CertificateError.self, "\(count) bytes") {
        try TLSCertificate(
          name: "a", archived: Array(archived.material.prefix(count)), secret: archived.secret)
      }
    }
    #expect(throws: CertificateError.self) {
      try TLSCertificate(name: "a", archived: archived.material + [0], secret: archived.secret)
    }
  }

  @Test("places that lie outside are refused though the checksum is right")
  func forged() throws {
    let archived = try Authority.shared.certificate("a", ["a.example", "b.example"]).archived
    // Every number of the head and every end of a host, with extreme values.
    let places = [(2, 2), (4, 4), (8, 4), (12, 4), (48, 4), (52, 4)]
    for (start, count) in places {
      for value in [UInt8(0x00), 0x7f, 0xff] {
        var forged = archived.material
        for index in start..<start + count { forged[index] = value }
        if forged == archived.material { continue }
        forged = withChecksum(forged)
        #expect(throws: CertificateError.self, "\(start), \(value)") {
          try TLSCertificate(name: "a", archived: forged, secret: archived.secret)
        }
      }
    }
    var later = archived.material
    later[0] = 2
    let error = #expect(throws: CertificateError.self) {
      try TLSCertificate(name: "a", archived: withChecksum(later), secret: archived.secret)
    }
    #expect(error?.description.contains("version 2") == true)
  }

  private func withChecksum(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for (index, byte) in bytes.enumerated() where index < 40 || index >= 48 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    for index in 0..<8 { bytes[40 + index] = UInt8(truncatingIfNeeded: hash >> (8 * index)) }
    return bytes
  }

  @Test(
    "a key is read in each form that OpenSSL writes",
    arguments: [
      ["pkcs8", "-topk8", "-nocrypt"], ["pkey", "-traditional"], ["ec"], ["ec", "-param_enc", "explicit"],
    ])
  func keyForms(arguments: [String]) throws {
    let files = Authority.shared.issue(["DNS:a.example"])
    let path = files.directory.appending(path: "other.pem").path()
    Authority.openssl(arguments + ["-in", files.keyPath, "-out", path])
    let certificate = try TLSCertificate.load(
      name: "a", chainPEM: files.chain, keyPEM: Authority.read(path))
    #expect(try ParsedCertificate(restored(certificate))?.keyKind == 0)
  }
}
