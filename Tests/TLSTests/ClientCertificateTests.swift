import Foundation
import Testing

@testable import TLS

/// Certificates of clients, as servers ask for them.
struct ClientCertificateTests {
  static let versions: [TLSVersion] = [.tls12, .tls13]
  private let authority = Authority.shared

  private func options(_ mode: TLSServerOptions.ClientCertificates) -> TLSServerOptions {
    var options = TLSServerOptions()
    options.clientCertificates = mode
    return options
  }

  private func certificate(_ files: Authority.Files) throws -> TLSCertificate {
    try TLSCertificate.load(name: "client", chainPEM: files.chain, keyPEM: files.key)
  }

  /// A handshake, and a first exchange where it succeeds at the server: in TLS 1.3 the client learns of a
  /// refusal only afterwards.
  private func shake(
    _ bench: Bench, _ options: TLSServerOptions, _ version: TLSVersion, _ certificate: TLSCertificate?
  ) throws -> Pair {
    let client = try bench.clientContext {
      $0.versionMax = version
      $0.certificate = certificate
    }
    let pair = Pair(bench)
    pair.start(try bench.serverContext(options), client)
    pair.shake()
    return pair
  }

  @Test("A required certificate is verified, and says who the client is", arguments: versions)
  func required(_ version: TLSVersion) throws {
    let files = authority.issue(
      ["DNS:client.example", "URI:spiffe://example/client", "email:me@example.com", "IP:10.1.2.3"],
      subject: "/O=Example, Inc./CN=cliënt")
    let pair = try shake(Bench(), options(.required(authority.trust())), version, certificate(files))
    #expect(pair.serverFailure == nil)
    let identity = try #require(pair.server.peerIdentity)
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    #expect(text(identity.subject) == "CN=cliënt,O=Example\\, Inc.")
    #expect(text(identity.issuer) == "CN=Test Authority,O=Tests")
    #expect(text(identity.verification) == "SUCCESS")
    #expect(
      identity.names.map(text) == [
        "DNS:client.example", "URI:spiffe://example/client", "email:me@example.com", "IP:0a010203",
      ])
    let printed = Authority.openssl([
      "x509", "-in", files.chainPath, "-noout", "-serial", "-fingerprint", "-sha256",
    ])
    #expect(printed.contains("serial=\(text(identity.serial))\n"))
    #expect(printed.lowercased().replacing(":", with: "").contains(text(identity.fingerprint)))
    #expect(text(identity.escapedPEM).hasPrefix("-----BEGIN%20CERTIFICATE-----%0A"))
    #expect(text(identity.escapedPEM).removingPercentEncoding == text(files.chain))
    #expect(try pair.transfer(pattern(100), from: pair.client, to: pair.server) == pattern(100))
  }

  @Test("A required certificate that is missing", arguments: versions)
  func missing(_ version: TLSVersion) throws {
    let pair = try shake(Bench(), options(.required(authority.trust())), version, nil)
    #expect(pair.serverFailure?.kind == .clientCertificateRequired)
    #expect(pair.server.peerIdentity == nil)
  }

  @Test("An optional certificate may be missing, and is verified where it is not", arguments: versions)
  func optional(_ version: TLSVersion) throws {
    let mode = options(.optional(try authority.trust()))
    let without = try shake(Bench(), mode, version, nil)
    #expect(without.serverFailure == nil && without.server.peerIdentity == nil)
    let with = try shake(Bench(), mode, version, certificate(authority.issue(["DNS:c.example"])))
    #expect(with.serverFailure == nil && with.server.peerIdentity != nil)
    let untrusted = try shake(Bench(), mode, version, certificate(Authority.other.issue(["DNS:c.example"])))
    #expect(untrusted.serverFailure?.kind == .badCertificate)
  }

  @Test("A certificate that nobody asks for is not sent")
  func off() throws {
    let pair = try shake(Bench(), options(.off), .tls13, certificate(authority.issue(["DNS:c.example"])))
    #expect(pair.serverFailure == nil && pair.server.peerIdentity == nil)
  }

  @Test("A revoked certificate is refused", arguments: versions)
  func revoked(_ version: TLSVersion) throws {
    let authority = Authority("Revoking Authority")
    let good = authority.issue(["DNS:good.example"])
    let bad = authority.issue(["DNS:bad.example"])
    let trust = try TLSTrust.load(pem: authority.pem, revokedPEM: authority.revocationList(revoking: [bad]))
    let mode = options(.required(trust))
    #expect(try shake(Bench(), mode, version, certificate(good)).serverFailure == nil)
    let refused = try shake(Bench(), mode, version, certificate(bad))
    #expect(refused.serverFailure?.kind == .badCertificate)
    #expect(refused.serverFailure?.description.contains("revoked") == true)
  }

  @Test(
    "A session keeps its identity, and does not get a client past another listener's check",
    arguments: versions)
  func resumption(_ version: TLSVersion) throws {
    let bench = Bench()
    let keys = TicketKeys()
    let required = options(.required(try authority.trust()))
    let files = authority.issue(["DNS:client.example"], subject: "/CN=client")
    let client = try bench.clientContext {
      $0.versionMax = version
      $0.certificate = try? certificate(files)
    }
    func connect(_ options: TLSServerOptions) throws -> Pair {
      let pair = Pair(bench)
      pair.start(try bench.serverContext(options, keys: keys), client)
      pair.shake()
      #expect(pair.serverFailure == nil)
      _ = try pair.transfer(pattern(10), from: pair.server, to: pair.client)
      return pair
    }
    #expect(try !connect(required).server.isResumed)
    let resumed = try connect(required)
    #expect(resumed.server.isResumed)
    #expect(resumed.server.peerIdentity?.subject == Array("CN=client".utf8))
    // Tickets of a listener without the check, sealed with the same keys.
    client.removeSessions()
    #expect(try !connect(options(.off)).server.isResumed)
    #expect(try connect(options(.off)).server.isResumed)
    let checked = try connect(required)
    #expect(!checked.server.isResumed && checked.server.peerIdentity != nil)
    let other = options(.required(try TLSTrust.load(pem: authority.pem + Authority.other.pem)))
    #expect(try !connect(other).server.isResumed)
  }
}
