import Resources
import Runtime
import TLS
import Testing

@testable import ControlPlane

/// Certificates beside each other: which of two a client sees is no chance.
@Suite struct CertificateShelfTests {
  private static let shop = """
    listeners: [{name: secure, address: "127.0.0.1:8443", tls: true}]
    certificates: [{name: shop, certificate: shop.pem, key: shop.key}]
    services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
    routes: [{name: everything, service: site}]

    """

  /// A second certificate, `b`; both with the same options.
  private func pair(_ second: String, _ options: String = "") -> String {
    let entry = "{name: b, certificate: \(second).pem, key: \(second).key\(options)}"
    return Self.shop.replacing("shop.key}", with: "shop.key\(options)}, " + entry)
  }

  @Test func refusesTwoOfAKindForAHost() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["one.test", "both.test"], in: folder)
    try TestCertificate.write("same", hosts: ["both.test", "two.test"], in: folder)
    try TestCertificate.write("rsa", hosts: ["both.test"], key: .rsa, in: folder)
    try TestCertificate.write("third", hosts: ["third.test"], in: folder)
    let bench = RegistryBench(folder)
    #expect(try await bench.load(Self.shop) == [])
    let text =
      "certificates/b: hosts: the host \"both.test\" already has a certificate with an ECDSA key, \"shop\""
    let problems = try await bench.load(pair("same"))
    #expect(problems.count == 1 && problems[0].hasPrefix(text), "\(problems)")
    // One of each kind is what clients choose from.
    #expect(try await bench.load(pair("rsa")) == [])
    #expect(try await bench.load(pair("same", ", hosts: [one.test]")).isEmpty == false)
    #expect(try await bench.load(pair("rsa", ", default: true")) == [])
    #expect(bench.served.listener("secure")?.security?.defaultCertificates.count == 2)
    let twice = try await bench.load(pair("third", ", default: true"))
    #expect(twice.contains { $0.contains(": default: there is already a default certificate") }, "\(twice)")
    // Hosts change hands within one change.
    #expect(
      try await bench.load(
        pair("same", ", hosts: [one.test]").replacing(
          "key, hosts: [one.test]}, {", with: "key, hosts: [two.test]}, {")) == [])
    #expect(bench.served.certificate("b")?.hosts == ["one.test"])
    #expect(bench.served.problems == [])
  }

  @Test func allowsTwoOfAKindOnDifferentListeners() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["both.test"], in: folder)
    try TestCertificate.write("same", hosts: ["both.test"], in: folder)
    let text = """
      listeners:
        - {name: secure, address: "127.0.0.1:8443", tls: true}
        - {name: second, address: "127.0.0.1:8444", tls: true}
      certificates:
        - {name: a, certificate: shop.pem, key: shop.key, listeners: [secure]}
        - {name: b, certificate: same.pem, key: same.key, listeners: [second]}
      services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
      routes: [{name: everything, service: site}]

      """
    let bench = RegistryBench(folder)
    #expect(try await bench.load(text) == [])
    #expect(bench.served.certificates.mapValues(\.listeners) == ["a": [0], "b": [1]])
    #expect(try await bench.load(text.replacing(", listeners: [second]}", with: "}")).count == 1)
  }

  @Test func leavesOutARenewedCertificateThatIsInTheWay() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["one.test"], in: folder)
    try TestCertificate.write("other", hosts: ["two.test"], in: folder)
    let bench = RegistryBench(folder)
    #expect(try await bench.load(pair("other")) == [])
    try TestCertificate.write("other", hosts: ["two.test", "one.test"], in: folder)
    #expect(await bench.refresh() == [0, 1])
    #expect(await bench.registry.status.filesStale == 1)
    #expect(bench.served.certificate("b")?.hosts == ["two.test"] && bench.sink.deltas.isEmpty)
    try TestCertificate.write("other", hosts: ["three.test"], in: folder)
    #expect(await bench.refresh() == [1, 0])
    #expect(await bench.registry.status.filesStale == 0)
    #expect(bench.served.certificate("b")?.hosts == ["three.test"])
  }

  @Test func refusesACertificateThatNobodyWouldSee() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: [], in: folder)
    let bench = RegistryBench(folder)
    #expect(try await bench.load(Self.shop).map { $0.contains("write hosts, or default: true") } == [true])
    for more in [", hosts: [shop.test]}", ", default: true}"] {
      #expect(try await bench.load(Self.shop.replacing("shop.key}", with: "shop.key" + more)) == [])
    }
  }

  // MARK: The shelf alone

  private func item(
    _ name: String, _ hosts: [String], listeners: [String] = [], isDefault: Bool = false,
    in folder: TestFolder
  ) throws -> CertificateShelf.Item {
    let chain = try FileContent.read(folder.path("shop.pem"))
    let key = try FileContent.read(folder.path("shop.key"))
    let certificate = try TLSCertificate.load(name: name, chainPEM: chain, keyPEM: key, hosts: hosts)
    return CertificateShelf.Item(certificate: certificate, listeners: listeners, isDefault: isDefault)
  }

  @Test func knowsWhoHasAHostAsCertificatesComeAndGo() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["any.test"], in: folder)
    var shelf = CertificateShelf()
    shelf.set(try item("a", ["one.test", "two.test"], listeners: ["x"], in: folder))
    // The same host on other listeners, and one that wants it on all.
    shelf.set(try item("b", ["two.test"], listeners: ["y"], in: folder))
    let third = try item("c", ["two.test", "three.test"], in: folder)
    #expect(shelf.problems(with: third).count == 2)
    #expect(shelf.problems(with: try item("a", ["two.test"], listeners: ["x"], in: folder)).isEmpty)
    // Each of the two goes, and the other still has it.
    let old = shelf.remove("b")
    let removed = try #require(old)
    #expect(shelf.problems(with: third).map { $0.message.contains("\"a\"") } == [true])
    shelf.set(removed)
    let replaced = shelf.set(try item("a", ["one.test"], listeners: ["x"], in: folder))
    #expect(replaced?.certificate.hosts == ["one.test", "two.test"])
    #expect(shelf.problems(with: third).map { $0.message.contains("\"b\"") } == [true])
    shelf.remove("b")
    #expect(shelf.problems(with: third).isEmpty)
    #expect(shelf.count == 1 && shelf["a"] != nil && shelf["b"] == nil)
    // By default once for each listener.
    shelf.set(try item("d", [], listeners: ["x"], isDefault: true, in: folder))
    #expect(shelf.problems(with: try item("e", [], listeners: ["y"], isDefault: true, in: folder)).isEmpty)
    #expect(
      shelf.problems(with: try item("e", [], listeners: ["x", "y"], isDefault: true, in: folder)).count == 1)
  }
}
