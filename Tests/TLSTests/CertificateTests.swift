import Testing

@testable import TLS

struct CertificateTests {
  private let authority = Authority.shared

  private func error(_ chain: [UInt8], _ key: [UInt8], hosts: [String]? = nil) -> String {
    do throws(CertificateError) {
      _ = try TLSCertificate.load(name: "x", chainPEM: chain, keyPEM: key, hosts: hosts)
      return "no error"
    } catch {
      return error.description
    }
  }

  @Test(
    "What a certificate says of itself",
    arguments: zip(
      [Authority.Key.p256, .p384, .rsa, .ed25519],
      [TLSCertificate.KeyKind.ecdsaP256, .ecdsaP384, .rsa, .ed25519]))
  func facts(_ key: Authority.Key, _ kind: TLSCertificate.KeyKind) throws {
    let files = authority.issue(
      ["DNS:B.Example", "DNS:*.b.example", "IP:10.0.0.1", "DNS:b.example"], key: key, days: 9)
    let certificate = try TLSCertificate.load(
      name: "b", chainPEM: files.chain + authority.pem, keyPEM: files.key)
    #expect(certificate.hosts == ["b.example", "*.b.example"])
    #expect(certificate.keyKind == kind)
    #expect(certificate.notAfter - certificate.notBefore == 9 * 86_400)
    let printed = Authority.openssl([
      "x509", "-in", files.chainPath, "-noout", "-fingerprint", "-sha256", "-dates",
    ])
    let fingerprint = certificate.fingerprint.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
    #expect(printed.contains(fingerprint.joined(separator: ":").uppercased()))
    #expect(certificate.subject == "CN=leaf")
    #expect(ParsedCertificate(certificate) != nil)
  }

  @Test("Hosts may be given in place of the names")
  func givenHosts() throws {
    let files = authority.issue(["DNS:b.example"])
    let certificate = try TLSCertificate.load(
      name: "b", chainPEM: files.chain, keyPEM: files.key, hosts: ["X.example.", "*.y.example"])
    #expect(certificate.hosts == ["x.example", "*.y.example"])
    for host in ["", "*", "*.com", "a.*.com", "a b", "-a.com", "10.0.0.1", "a..b", "[::1]"] {
      #expect(error(files.chain, files.key, hosts: [host]).contains("'\(host)' is not a host"), "\(host)")
    }
  }

  @Test("Errors say what would be right")
  func errors() {
    let a = authority.issue(["DNS:a.example"])
    let b = authority.issue(["DNS:b.example"])
    let small = authority.issue(["DNS:a.example"], key: .smallRSA)
    let locked = authority.issue(["DNS:a.example"], encryptedKey: true)
    #expect(error([], a.key).contains("must begin with the server's own"))
    #expect(error(a.key, a.key).contains("holds no certificate"))
    #expect(error(Array(a.chain.prefix(200)), a.key).contains("certificate 1 of the chain cannot be read"))
    #expect(
      error(a.chain + Array(b.chain.prefix(200)), a.key).contains("certificate 2 of the chain cannot be read")
    )
    #expect(error(a.chain, []).contains("no private key"))
    #expect(error(a.chain, a.chain).contains("no private key"))
    #expect(error(a.chain, Array(a.key.prefix(100))).contains("cannot be read"))
    #expect(error(locked.chain, locked.key).contains("encrypted with a password"))
    #expect(error(a.chain, b.key).contains("does not belong to the certificate"))
    #expect(error(b.chain + a.chain, a.key).contains("belongs to certificate 2"))
    #expect(
      error(a.chain + b.chain, a.key).contains(
        "certificate 1 of the chain was not issued by the one that follows"))
    #expect(error(small.chain, small.key).contains("2048 bits"))
    let weak = authority.issue(["DNS:a.example"], digest: "sha1")
    #expect(error(weak.chain, weak.key).contains("too weak"))
  }

  @Test("An OCSP response must be for the certificate; one that has expired is not stapled")
  func ocspResponses() throws {
    let authority = Authority("OCSP Authority")
    let a = authority.issue(["DNS:a.example"])
    let b = authority.issue(["DNS:b.example"])
    func error(_ response: [UInt8], _ files: Authority.Files) -> String {
      do throws(CertificateError) {
        _ = try TLSCertificate.load(name: "x", chainPEM: files.chain, keyPEM: files.key, ocspDER: response)
        return "no error"
      } catch {
        return error.description
      }
    }
    let good = authority.ocspResponse(for: a, validity: ["-ndays", "2"])
    #expect(error(good, a) == "no error")
    #expect(error(good, b).contains("another certificate"))
    #expect(error(authority.ocspResponse(for: a, validity: []), a) == "no error")
    // nextUpdate is the one time with a tag of its own; nobody verifies the signature here.
    var old = good
    let next = try #require(good.indices.first { good[$0...].starts(with: [0xA0, 0x11, 0x18, 0x0F]) })
    old.replaceSubrange(next + 4..<next + 8, with: Array("2020".utf8))
    let certificate = try TLSCertificate.load(
      name: "x", chainPEM: a.chain, keyPEM: a.key, ocspDER: old)
    #expect(certificate.ocspNotAfter < 1_700_000_000)
  }

  @Test("Bundles and lists that cannot be read")
  func trustErrors() {
    func error(_ pem: [UInt8], _ list: [UInt8]? = nil) -> String {
      do throws(CertificateError) {
        _ = try TLSTrust.load(pem: pem, revokedPEM: list)
        return "no error"
      } catch {
        return error.description
      }
    }
    #expect(error([]).contains("holds no certificate"))
    #expect(error(Array(authority.pem.prefix(100))).contains("cannot be read"))
    #expect(error(authority.pem, []).contains("no revocation list"))
    #expect(error(authority.pem, authority.pem).contains("no revocation list"))
    #expect(error(authority.pem) == "no error")
  }

  @Test("The least recently used of the parsed certificates are forgotten")
  func parsedLimit() throws {
    let parsed = ParsedCertificates(limit: 3)
    let files = authority.issue(["DNS:a.example"])
    let certificates = try (0..<5).map {
      try TLSCertificate.load(name: "\($0)", chainPEM: files.chain, keyPEM: files.key)
    }
    let first = try #require(parsed.parsed(certificates[0]))
    for certificate in certificates[1...] {
      #expect(parsed.parsed(certificate) != nil)
      #expect(parsed.parsed(certificates[0]) === first)
      #expect(parsed.count <= 3)
    }
    let second = parsed.parsed(certificates[4])
    #expect(parsed.parsed(certificates[4]) === second)
  }

  @Test("A certificate that is forgotten leaves the others where they are found")
  func forgetting() throws {
    let parsed = ParsedCertificates(limit: 3)
    let files = authority.issue(["DNS:a.example"])
    let certificates = try (0..<3).map {
      try TLSCertificate.load(name: "\($0)", chainPEM: files.chain, keyPEM: files.key)
    }
    let before = certificates.map { parsed.parsed($0) }
    parsed.forget(certificates[0])
    parsed.forget(certificates[0])
    #expect(parsed.count == 2)
    #expect(parsed.parsed(certificates[1]) === before[1] && parsed.parsed(certificates[2]) === before[2])
    #expect(parsed.parsed(certificates[0]) !== before[0] && parsed.count == 3)
    for certificate in certificates { parsed.forget(certificate) }
    #expect(parsed.count == 0)
  }

  // MARK: The table

  private func certificate(_ name: String, _ hosts: [String], _ kind: Authority.Key = .p256) throws
    -> TLSCertificate
  {
    let files = kind == .rsa ? Self.rsa : Self.ecdsa
    return try TLSCertificate.load(name: name, chainPEM: files.chain, keyPEM: files.key, hosts: hosts)
  }

  private static let rsa = Authority.shared.issue(["DNS:any.example"], key: .rsa)
  private static let ecdsa = Authority.shared.issue(["DNS:any.example"])

  private func names(_ table: CertificateTable, _ host: String) -> [String] {
    table.candidates(for: Array(host.utf8)).map(\.name)
  }

  @Test("Exact hosts come before wildcards, and these stand for one label")
  func lookup() throws {
    let table = CertificateTable()
    table.set(try certificate("exact", ["www.example.com"]))
    table.set(try certificate("wild", ["*.example.com"]))
    table.set(try certificate("deep", ["*.www.example.com"]))
    #expect(names(table, "www.example.com") == ["exact"])
    #expect(names(table, "ftp.example.com") == ["wild"])
    #expect(names(table, "a.www.example.com") == ["deep"])
    #expect(names(table, "a.ftp.example.com") == [])
    #expect(names(table, "example.com") == [])
    #expect(names(table, ".example.com") == [])
    #expect(names(table, "*.example.com") == ["wild"])
    #expect(names(table, "") == [])
    #expect(names(table, "com") == [])
  }

  @Test("Certificates come, change and go one by one")
  func changes() throws {
    let table = CertificateTable()
    table.set(try certificate("a", ["one.example", "two.example"], .rsa))
    table.set(try certificate("b", ["two.example"]))
    #expect(names(table, "two.example") == ["b", "a"])
    table.set(try certificate("a", ["three.example"], .rsa))
    #expect(table.count == 2)
    #expect(names(table, "one.example") == [])
    #expect(names(table, "two.example") == ["b"])
    #expect(names(table, "three.example") == ["a"])
    #expect(table.remove(name: "b"))
    #expect(!table.remove(name: "b"))
    #expect(names(table, "two.example") == [])
    #expect(table.certificate(named: "a") != nil)
  }

  @Test("Thousands of hosts are found, and go again")
  func manyHosts() throws {
    let table = CertificateTable()
    for number in 0..<5_000 {
      table.set(try certificate("\(number)", ["h\(number).example", "*.w\(number).example"]))
    }
    #expect(table.count == 5_000)
    for number in 0..<5_000 {
      #expect(names(table, "h\(number).example") == ["\(number)"])
      #expect(names(table, "x.w\(number).example") == ["\(number)"])
    }
    for number in 0..<5_000 { #expect(table.remove(name: "\(number)")) }
    #expect(table.count == 0)
    #expect(names(table, "h1.example") == [] && names(table, "x.w1.example") == [])
  }

  @Test("A certificate covers what its hosts say, in any case")
  func coverage() throws {
    let some = try certificate("a", ["one.example", "*.two.example"])
    for (host, isCovered) in [
      ("one.example", true), ("ONE.Example", true), ("a.two.example", true), ("A.TWO.EXAMPLE", true),
      ("two.example", false), ("a.b.two.example", false), ("xone.example", false), ("", false),
      (".two.example", false),
    ] {
      let bytes = Array(host.utf8)
      #expect(some.covers(bytes.span) == isCovered, "\(host)")
    }
  }
}
