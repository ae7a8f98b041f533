import Runtime
import Testing

@testable import TLS

/// Servers' certificates, as clients verify them.
struct ClientContextTests {
  private let authority = Authority.shared

  private func failure(
    _ name: String?, certificateNames: [String], trust: TLSTrust?, from issuer: Authority = .shared,
    days: Int = 30,
    _ change: (inout TLSClientOptions) -> Void = { _ in }
  ) throws -> TLSFailure? {
    let bench = Bench()
    let files = issuer.issue(certificateNames, days: days)
    let certificate = try TLSCertificate.load(name: "a", chainPEM: files.chain, keyPEM: files.key)
    bench.table.set(certificate)
    let server = try bench.serverContext()
    server.setDefaultCertificates([certificate])
    var options = TLSClientOptions(trust: trust)
    change(&options)
    let pair = Pair(bench)
    pair.start(server, try TLSClientContext(options, on: bench.tls), name: name)
    pair.shake()
    if pair.clientFailure != nil { #expect(pair.serverFailure?.kind == .refusedByPeer) }
    return pair.clientFailure
  }

  @Test("The name must be the certificate's")
  func names() throws {
    let trust = try authority.trust()
    #expect(try failure("a.example", certificateNames: ["DNS:a.example"], trust: trust) == nil)
    #expect(try failure("b.example", certificateNames: ["DNS:a.example"], trust: trust)?.kind == .wrongName)
    #expect(try failure("x.w.example", certificateNames: ["DNS:*.w.example"], trust: trust) == nil)
    #expect(
      try failure("x.y.w.example", certificateNames: ["DNS:*.w.example"], trust: trust)?.kind == .wrongName)
    // The common name is no host.
    #expect(try failure("leaf", certificateNames: [], trust: trust) != nil)
    #expect(
      try failure("a.example", certificateNames: ["DNS:b.example"], trust: trust) {
        $0.verifiedName = "b.example"
      }
        == nil)
  }

  @Test("An address is verified as one, and not sent")
  func addresses() throws {
    let trust = try authority.trust()
    #expect(try failure("10.0.0.1", certificateNames: ["IP:10.0.0.1"], trust: trust) == nil)
    #expect(try failure("::1", certificateNames: ["IP:::1"], trust: trust) == nil)
    #expect(try failure("10.0.0.2", certificateNames: ["IP:10.0.0.1"], trust: trust)?.kind == .wrongName)
    #expect(
      try failure("10.0.0.1", certificateNames: ["DNS:10.0.0.1.example"], trust: trust)?.kind == .wrongName)
  }

  @Test("Who is not trusted is refused, unless nobody is verified")
  func trust() throws {
    let trust = try authority.trust()
    let refused = try failure("a.example", certificateNames: ["DNS:a.example"], trust: trust, from: .other)
    #expect(refused?.kind == .badCertificate)
    #expect(refused?.description.contains("issuer") == true)
    #expect(try failure("a.example", certificateNames: ["DNS:a.example"], trust: nil, from: .other) == nil)
    #expect(try failure("b.example", certificateNames: ["DNS:a.example"], trust: nil, from: .other) == nil)
    let both = try TLSTrust.load(pem: authority.pem + Authority.other.pem)
    #expect(try failure("a.example", certificateNames: ["DNS:a.example"], trust: both, from: .other) == nil)
  }

  @Test("The system's bundle does not know the tests' authority")
  func systemTrust() throws {
    let system = try TLSTrust.system()
    #expect(
      try failure("a.example", certificateNames: ["DNS:a.example"], trust: system)?.kind == .badCertificate)
  }

  @Test("No name is sent where there is none")
  func withoutName() throws {
    let bench = Bench()
    let server = try bench.serverContext()
    server.setDefaultCertificates([Bench.certificate])
    let pair = Pair(bench)
    pair.start(server, try bench.clientContext(), name: nil)
    pair.shake()
    #expect(pair.server.serverName == "" && pair.clientFailure == nil && pair.serverFailure == nil)
  }
}
