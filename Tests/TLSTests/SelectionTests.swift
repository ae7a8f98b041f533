import Testing

@testable import TLS

/// Which certificate a client gets.
struct SelectionTests {
  private static let authority = Authority.shared
  private static let ecdsa = try! authority.certificate("ecdsa", ["both.example"])
  private static let rsa = try! authority.certificate("rsa", ["both.example"], key: .rsa)
  private static let fallback = try! authority.certificate("default", ["default.example"])

  private func presented(
    _ bench: Bench, _ name: String?, defaults: [TLSCertificate] = [], verifies: Bool = false
  ) throws -> Pair {
    let context = try bench.serverContext()
    context.setDefaultCertificates(defaults)
    var options = TLSClientOptions(trust: verifies ? try Self.authority.trust() : nil)
    options.reusesSessions = false
    let pair = Pair(bench)
    pair.start(context, try TLSClientContext(options, on: bench.tls), name: name)
    pair.shake()
    return pair
  }

  @Test("By SNI: exact, wildcard, default, refusal")
  func serverNames() throws {
    let bench = Bench()
    bench.table.set(Bench.certificate)
    bench.table.set(Self.ecdsa)
    func name(_ host: String?, _ defaults: [TLSCertificate]) throws -> String? {
      let pair = try presented(bench, host, defaults: defaults)
      if let failure = pair.serverFailure {
        #expect(failure.kind == .unknownHost && failure.alert == 112)
        #expect(pair.clientFailure?.alert == 112)
        return nil
      }
      return pair.server.certificate?.name
    }
    #expect(try name("a.example", []) == "a")
    #expect(try name("A.Example", []) == "a")
    #expect(try name("x.a.example", []) == "a")
    #expect(try name("both.example", []) == "ecdsa")
    #expect(try name("unknown.example", [Self.fallback]) == "default")
    #expect(try name(nil, [Self.fallback]) == "default")
    #expect(try name("10.0.0.1", [Self.fallback]) == "default")
    #expect(try name("unknown.example", []) == nil)
    #expect(try name(nil, []) == nil)
  }

  @Test("The certificate that is chosen is the one that is sent")
  func presentedCertificate() throws {
    let bench = Bench()
    bench.table.set(Bench.certificate)
    bench.table.set(Self.ecdsa)
    let pair = try presented(bench, "both.example", verifies: true)
    #expect(pair.clientFailure == nil)
    let fingerprint = Self.ecdsa.fingerprint.flatMap {
      String($0, radix: 16).utf8.count == 1 ? "0" + String($0, radix: 16) : String($0, radix: 16)
    }
    #expect(pair.client.peerIdentity?.fingerprint == Array(String(fingerprint).utf8))
  }

  @Test("A change of the table is for handshakes to come")
  func tableChanges() throws {
    let bench = Bench()
    bench.table.set(Bench.certificate)
    bench.table.set(Self.ecdsa)
    let pair = try presented(bench, "a.example")
    bench.table.set(try Self.authority.certificate("a", ["a.example"]))
    let later = try presented(bench, "a.example")
    #expect(pair.server.certificate === Bench.certificate)
    #expect(later.server.certificate !== Bench.certificate && later.serverFailure == nil)
    #expect(try pair.transfer(pattern(1_000), from: pair.client, to: pair.server) == pattern(1_000))
    bench.table.remove(name: "a")
    #expect(try presented(bench, "a.example").serverFailure?.kind == .unknownHost)
  }

  // MARK: ECDSA and RSA

  private func list(_ numbers: [UInt16]) -> [UInt8] {
    let bytes = numbers.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    return [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
  }

  private func choice(
    versions: [UInt16] = [0x0304], signatures: [UInt16], groups: [UInt16]? = [29, 23],
    ciphers: [UInt16] = [0x1301],
    from candidates: [TLSCertificate] = [ecdsa, rsa]
  ) -> String? {
    let versionBytes = versions.isEmpty ? [] : Array(list(versions).dropFirst())
    let signatureBytes = list(signatures)
    let groupBytes = groups.map(list) ?? []
    let cipherBytes = Array(list(ciphers).dropFirst(2))
    return ClientOffer(
      versions: versionBytes.span, signatureAlgorithms: signatureBytes.span, groups: groupBytes.span,
      ciphers: cipherBytes.span
    ).choose(from: candidates)?.name
  }

  @Test("ECDSA where the client can verify it, RSA where it cannot")
  func kinds() {
    #expect(choice(signatures: [0x0804, 0x0403]) == "ecdsa")
    #expect(choice(signatures: [0x0804]) == "rsa")
    #expect(choice(signatures: [0x0503, 0x0804]) == "rsa")
    #expect(choice(signatures: [0x0403], from: [Self.rsa]) == "rsa")
    #expect(choice(signatures: []) == "ecdsa")
    #expect(choice(signatures: [0x0403], from: []) == nil)
  }

  @Test("In TLS 1.2 suites and curves count too")
  func kindsOfTLS12() {
    let both: [UInt16] = [0xC02B, 0xC02F]
    #expect(choice(versions: [], signatures: [0x0403, 0x0401], ciphers: both) == "ecdsa")
    #expect(choice(versions: [0x0303], signatures: [0x0403, 0x0401], ciphers: both) == "ecdsa")
    #expect(choice(versions: [], signatures: [0x0403, 0x0401], groups: nil, ciphers: both) == "ecdsa")
    #expect(choice(versions: [], signatures: [0x0403, 0x0401], groups: [24], ciphers: both) == "rsa")
    #expect(choice(versions: [], signatures: [0x0403, 0x0401], ciphers: [0xC02F]) == "rsa")
    #expect(choice(versions: [], signatures: [0x0401], ciphers: both) == "rsa")
  }

  @Test("Extensions that are cut short are read as far as they go", arguments: 0..<12)
  func truncatedExtensions(_ count: Int) {
    let bytes = Array(([0, 9, 0, 0, 6] + Array("a.exam".utf8)).prefix(count))
    #expect(ClientOffer.serverName(bytes.span) == (count == 11 ? Array("a.exam".utf8) : []))
    _ = ClientOffer(
      versions: bytes.span, signatureAlgorithms: bytes.span, groups: bytes.span, ciphers: bytes.span)
  }

  @Test("Names that cannot be looked up are taken for none", arguments: ["a b", "a\0b", "ä.example", ""])
  func strangeNames(_ name: String) {
    let text = Array(name.utf8)
    let content: [UInt8] = [0, UInt8(text.count + 3), 0, 0, UInt8(text.count)] + text
    #expect(ClientOffer.serverName(content.span) == [])
  }

  // MARK: 421

  @Test("A request for a host of another certificate is misdirected")
  func misdirected() throws {
    let bench = Bench()
    bench.table.set(Bench.certificate)
    bench.table.set(Self.ecdsa)
    func covers(_ socket: TLSSocket, _ host: String) -> Bool {
      let bytes = Array(host.utf8)
      return socket.covers(host: bytes.span)
    }
    let pair = try presented(bench, "a.example", defaults: [Self.fallback])
    #expect(covers(pair.server, "a.example") && covers(pair.server, "A.EXAMPLE"))
    // One certificate is for both: a client may use one connection (RFC 9113 §9.1.1).
    #expect(covers(pair.server, "b.a.example"))
    #expect(!covers(pair.server, "both.example"))
    // What has no certificate but the default belongs to that one's connections.
    #expect(!covers(pair.server, "unknown.example"))
    let other = try presented(bench, "unknown.example", defaults: [Self.fallback])
    #expect(covers(other.server, "unknown.example") && covers(other.server, "else.example"))
    #expect(covers(other.server, "10.0.0.1") && covers(other.server, "not a host"))
    #expect(!covers(other.server, "a.example"))
    bench.table.set(try Self.authority.certificate("a", ["a.example"]))
    #expect(covers(pair.server, "b.a.example"))
  }

  @Test("Only the certificates that were presented are parsed, and once")
  func manyHosts() throws {
    let bench = Bench()
    for index in 0..<20 { bench.table.set(try Self.authority.certificate("\(index)", ["h\(index).example"])) }
    for index in [0, 7, 19, 7, 0] {
      let pair = try presented(bench, "h\(index).example", verifies: true)
      #expect(pair.clientFailure == nil)
      #expect(pair.server.certificate?.name == "\(index)")
    }
    #expect(bench.tls.certificates.count == 3)
  }
}
