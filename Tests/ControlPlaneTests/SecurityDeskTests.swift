import DataPlane
import Foundation
import Resources
import TLS
import Testing

@testable import ControlPlane

/// What listeners, services and checks do TLS with, from files that are there to files that change.
@Suite struct SecurityDeskTests {
  private static let shop = """
    listeners: [{name: secure, address: "127.0.0.1:8443", tls: true}]
    certificates: [{name: shop, certificate: shop.pem, key: shop.key}]
    services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
    routes: [{name: everything, service: site}]

    """

  @Test func readsWhatResourcesName() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test", "*.shop.test"], in: folder)
    try TestCertificate.write("other", hosts: ["other.test"], in: folder)
    try folder.write([UInt8](repeating: 7, count: 80), to: "one.key")
    try folder.write([UInt8](repeating: 8, count: 48), to: "two.key")
    let bench = RegistryBench(folder)
    let problems = try await bench.load(
      """
      listeners:
        - name: secure
          address: "127.0.0.1:8443"
          tls:
            profile: modern
            protocols: [http/1.1]
            clientCertificates: {verify: optional, ca: other.pem, depth: 3}
            tickets: {files: [one.key, two.key]}
        - {name: second, address: "127.0.0.1:8444", tls: {tickets: off, unknownHost: refuse}}
        - {name: plain, address: "127.0.0.1:8080"}
      certificates:
        - {name: shop, certificate: shop.pem, key: shop.key, default: true}
        - {name: other, certificate: other.pem, key: other.key, hosts: [a.test], listeners: [second]}
      services:
        - {name: trusting, endpoints: ["a.test:1"], tls: {verify: false}}
        - name: strict
          endpoints: ["a.test:1"]
          protocol: auto
          tls: {ca: other.pem, certificate: shop.pem, key: shop.key}
          health: {path: /, tls: {verify: false}}
        - {name: calls, endpoints: ["a.test:1"], protocol: h2, tls: {ca: other.pem}, health: {grpc: true}}
        - {name: open, endpoints: ["a.test:1"]}
      routes: [{name: everything, service: strict}]

      """)
    #expect(problems == [])
    let served = bench.served
    #expect(served.problems == [])
    #expect(Set(served.certificates.keys) == ["shop", "other"])
    #expect(served.certificate("shop")?.hosts == ["shop.test", "*.shop.test"])
    #expect(served.certificates["shop"]?.listeners == [])
    #expect(served.certificate("other")?.hosts == ["a.test"])
    #expect(served.certificates["other"]?.listeners == [1])
    let secure = try #require(served.listener("secure")?.security)
    #expect(secure.defaultCertificates.map(\.name) == ["shop"])
    #expect(secure.defaultCertificates.first === served.certificate("shop"))
    #expect(secure.ticketKeys?.count == 2)
    #expect(secure.options.profile == .modern)
    #expect(secure.options.applicationProtocols == [.http11])
    #expect(secure.options.clientCertificateDepthMax == 3)
    if case .optional = secure.options.clientCertificates {} else { Issue.record("clients are not asked") }
    let second = try #require(served.listener("second")?.security)
    // Unknown hosts are refused there.
    #expect(second.defaultCertificates.isEmpty)
    #expect(second.ticketKeys == nil && !second.options.issuesTickets)
    #expect(served.listener("plain")?.security == nil)

    let trusting = try #require(served.service("trusting")?.security)
    #expect(trusting.options.trust == nil && trusting.options.applicationProtocols == [.http11])
    let strict = try #require(served.service("strict")?.security)
    #expect(strict.options.trust != nil && strict.options.certificate != nil)
    #expect(strict.options.applicationProtocols == [.http2, .http11])
    // One bundle is read once, whoever names it.
    let calls = try #require(served.service("calls")?.security)
    #expect(strict.options.trust === calls.options.trust)
    #expect(served.service("open")?.security == nil)
    #expect(await bench.checks("strict")?.options.trust == nil)
    #expect(await bench.checks("calls")?.options.applicationProtocols == [.http2])
    #expect(await bench.checks("calls")?.options.reusesSessions == false)
    #expect(await bench.checks("trusting") == nil)
    #expect(await bench.checks("open") == nil)
    #expect(
      await bench.registry.certificates.map(\.use) == [
        .listeners("other"), .listeners("shop"), .service("strict"),
      ])
    let revisions = [secure, second].map(\.revision) + [trusting, strict, calls].map(\.revision)
    #expect(Set(revisions).count == 5)
  }

  @Test func keepsWhatHasNotChanged() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try TestCertificate.write("other", hosts: ["other.test"], in: folder)
    let bench = RegistryBench(folder)
    let text = Self.shop.replacing(
      "shop.key}", with: "shop.key, default: true}, {name: b, certificate: other.pem, key: other.key}")
    #expect(try await bench.load(text) == [])
    // Read again, whether asked to or because `stat` says so: the same bytes are the same objects.
    try folder.write(try String(contentsOfFile: folder.path("shop.pem"), encoding: .utf8), to: "shop.pem")
    #expect(await bench.refresh(readsAll: true) == [0, 0])
    #expect(await bench.refresh() == [0, 0])
    #expect(bench.sink.deltas.isEmpty)
    let before = bench.served
    try TestCertificate.write("other", hosts: ["other.test"], in: folder)
    #expect(await bench.refresh() == [1, 0])
    #expect(bench.lines.values.contains { $0.hasPrefix("info the certificate b was loaded anew") })
    // Other certificates need no other context.
    #expect(bench.sink.deltas.map(\.counts) == [[0, 1, 0, 0, 0, 0]])
    #expect(bench.served.certificate("b") !== before.certificate("b"))
    #expect(bench.served.certificate("shop") === before.certificate("shop"))
    // Those by default are told to their listeners, whose context stays.
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    #expect(await bench.refresh() == [1, 0])
    #expect(bench.sink.deltas.last?.counts == [1, 1, 0, 0, 0, 0])
    let (old, new) = (
      try #require(before.listener("secure")?.security),
      try #require(bench.served.listener("secure")?.security)
    )
    #expect(new.revision == old.revision && new.ticketKeys === old.ticketKeys)
    #expect(new.defaultCertificates.first === bench.served.certificate("shop"))
    #expect(old.defaultCertificates.first !== new.defaultCertificates.first)
    #expect(bench.served.problems == [])
  }

  @Test func makesARevisionOfOtherOptionsAndAuthorities() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try TestCertificate.write("clients", hosts: [], in: folder)
    let text = Self.shop.replacing("tls: true", with: "tls: {clientCertificates: {ca: clients.pem}}")
      .replacing("3000\"]}", with: "3000\"], tls: {ca: clients.pem}}")
    let bench = RegistryBench(folder)
    #expect(try await bench.load(text) == [])
    func revisions() -> [UInt64?] {
      [bench.served.listener("secure")?.security?.revision, bench.served.service("site")?.security?.revision]
    }
    let first = revisions()
    await bench.refresh(readsAll: true)
    #expect(revisions() == first && !first.contains(nil))
    try TestCertificate.write("clients", hosts: [], in: folder)
    #expect(await bench.refresh() == [1, 0])
    let renewed = revisions()
    #expect(Set(renewed).isDisjoint(with: first))
    // Listener and service themselves are as before.
    #expect(bench.sink.deltas.map(\.counts) == [[1, 0, 1, 0, 0, 0]])
    #expect(
      try await bench.load(text.replacing("{ca: clients.pem}}}", with: "{depth: 2, ca: clients.pem}}}")) == []
    )
    #expect(revisions()[0] != renewed[0] && revisions()[1] == renewed[1])
    #expect(bench.served.problems == [])
  }

  /// Everything that is wrong, each with its place, its file, and what would be right.
  @Test func tellsEverythingThatIsWrong() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("a", hosts: ["a.test"], in: folder)
    try TestCertificate.write("b", hosts: ["b.test"], in: folder)
    try folder.write("no certificate", to: "text.pem")
    try folder.write([1, 2, 3], to: "short.key")
    try folder.write("-----BEGIN OCSP RESPONSE-----", to: "b.ocsp")
    try folder.makeFolder("folder")
    let bench = RegistryBench(folder)
    let lines = try await bench.load(
      """
      listeners:
        - name: secure
          address: "127.0.0.1:8443"
          tls: {clientCertificates: {ca: text.pem, crl: missing.crl}, tickets: {file: short.key}}
      certificates:
        - {name: gone, certificate: gone.pem, key: gone.key}
        - {name: mixed, certificate: a.pem, key: b.key}
        - {name: stapled, certificate: b.pem, key: b.key, ocsp: b.ocsp}
        - {name: empty, certificate: text.pem, key: a.key}
      services:
        - {name: site, endpoints: ["a.test:1"], tls: {ca: folder, certificate: b.pem, key: a.key}}
        - {name: checked, endpoints: ["a.test:1"], health: {tcp: true, tls: {ca: text.pem}}}
      routes: [{name: everything, service: site}]

      """)
    let expected = [
      ("listeners/secure: tls.clientCertificates: ", "missing.crl", "No such file"),
      ("listeners/secure: tls.tickets: ", "short.key", "openssl rand 80"),
      ("certificates/gone: certificate: ", "gone.pem", "write it, or correct the path"),
      ("certificates/gone: certificate: ", "gone.key", "No such file"),
      (
        "certificates/mixed: certificate: ", "a.pem, " + folder.path("b.key"),
        "does not belong to the certificate"
      ),
      ("certificates/stapled: certificate: ", "b.ocsp", "DER"),
      ("certificates/empty: certificate: ", "text.pem", "BEGIN CERTIFICATE"),
      ("services/site: tls: ", "folder", "Is a directory"),
      ("services/site: tls: ", "b.pem, " + folder.path("a.key"), "does not belong"),
      ("services/checked: health.tls: ", "text.pem", "BEGIN CERTIFICATE"),
    ]
    #expect(lines.count == expected.count, "\(lines)")
    for (place, file, words) in expected {
      #expect(
        lines.contains { $0.hasPrefix(place + folder.path(file)) && $0.contains(words) },
        "\(place) \(file): \(lines)")
    }
    // Nothing of it is left.
    #expect(await bench.registry.leftovers == [0, 0])
    #expect(await bench.registry.listenerCount == 0)
  }

  @Test func leavesTheOldPairInUseUntilTheNewOneFits() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try TestCertificate.write("next", hosts: ["shop.test"], in: folder)
    let bench = RegistryBench(folder)
    #expect(try await bench.load(Self.shop) == [])
    let old = try #require(bench.served.certificate("shop"))
    try folder.rename("next.key", to: "shop.key")
    #expect(await bench.refresh() == [0, 1])
    #expect(await bench.registry.status.filesStale == 1)
    #expect(bench.served.certificate("shop") === old && bench.sink.deltas.isEmpty)
    // Nothing has changed since: not read again, not told again.
    #expect(await bench.refresh() == [0, 0])
    #expect(await bench.registry.status.filesStale == 1)
    // Resources that need them are refused meanwhile; those that have them stay as they are.
    let more = Self.shop.replacing(
      "shop.key}", with: "shop.key}, {name: b, certificate: shop.pem, key: shop.key}")
    #expect(
      try await bench.load(more.replacing("[{name: shop", with: "[{name: shop, hosts: [other.test]")).count
        == 2)
    #expect(bench.served.certificate("shop") === old && bench.sink.deltas.isEmpty)
    try folder.rename("next.pem", to: "shop.pem")
    #expect(await bench.refresh() == [1, 0])
    let whole = try #require(bench.served.certificate("shop"))
    #expect(whole !== old)
    #expect(await bench.registry.status.filesStale == 0)
    // The same for a file that goes away, and comes back as it was.
    let bytes = try String(contentsOfFile: folder.path("shop.key"), encoding: .utf8)
    try folder.remove("shop.key")
    #expect(await bench.refresh() == [0, 1])
    try folder.write(bytes, to: "shop.key")
    #expect(await bench.refresh() == [0, 0])
    #expect(await bench.registry.status.filesStale == 0)
    #expect(bench.served.certificate("shop") === whole)
  }

  /// A change that cannot be made leaves no trace: neither in what is shown nor in the files that are read.
  @Test func takesAWholeChangeBack() async throws {
    let folder = try TestFolder()
    for name in ["shop", "other", "ca"] {
      try TestCertificate.write(name, hosts: ["\(name).test"], in: folder)
    }
    let bench = RegistryBench(folder)
    #expect(try await bench.load(Self.shop) == [])
    let security = try #require(await bench.listener("secure"))
    let wrong = """
      listeners:
        - {name: secure, address: "127.0.0.1:8443", tls: {clientCertificates: {ca: ca.pem}, tickets: off}}
        - {name: second, address: "127.0.0.1:8444", tls: true}
      certificates:
        - {name: shop, certificate: other.pem, key: other.key, default: true}
        - {name: more, certificate: ca.pem, key: ca.key}
      services:
        - {name: site, endpoints: ["127.0.0.1:3000"], tls: {ca: ca.pem, certificate: shop.pem, key: shop.key}}
        - {name: wrong, endpoints: ["127.0.0.1:3000"], tls: {ca: missing.pem}}
      routes: [{name: everything, service: site}]

      """
    #expect(try await bench.load(wrong).map { $0.hasPrefix("services/wrong: tls: ") } == [true])
    #expect(bench.sink.deltas.isEmpty)
    let registry = bench.registry
    #expect(await registry.leftovers == [1, 0])
    #expect(await registry.listeners.map(\.name) == ["secure"])
    #expect(await bench.listener("secure")?.isSame(as: security) == true)
    #expect(await bench.listener("second") == nil)
    #expect(await bench.service("site") == nil)
    #expect(await registry.certificates.map(\.use) == [.listeners("shop")])
    #expect(Set(await registry.securityFiles.keys) == [folder.path("shop.pem"), folder.path("shop.key")])
    // And the right one is made whole.
    #expect(try await bench.load(wrong.replacing("missing.pem", with: "ca.pem")) == [])
    #expect(await bench.listener("secure")?.defaultCertificates.map(\.name) == ["shop"])
    // shop.pem is the gateway's own now: shop, more, that, and the authorities.
    #expect(await registry.leftovers == [4, 0])
    #expect(bench.served.problems == [])
  }

  // MARK: Ticket keys

  @Test func makesTicketKeysInTurn() throws {
    let start = ContinuousClock.now
    var rotation = TicketRotation(every: .seconds(60), at: start)
    let first = rotation.keys
    func rotates(at seconds: Int) -> Bool { rotation.rotate(at: start + .seconds(seconds)) }
    #expect(!rotates(at: 59))
    #expect(rotates(at: 61))
    #expect(rotation.keys !== first && rotation.keys.count == 2)
    // Not later and later by what each turn was late.
    #expect(rotation.due == start + .seconds(120))
    #expect(rotates(at: 120) && rotation.keys.count == 3)
    #expect(rotates(at: 180) && rotation.keys.count == 3)
    #expect(rotates(at: 100_000))
    #expect(rotation.due == start + .seconds(100_060))
  }

  @Test func keepsTicketKeysOverReloads() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let bench = RegistryBench(folder)
    func keys(_ tls: String) async throws -> TicketKeys? {
      #expect(try await bench.load(Self.shop.replacing("tls: true", with: "tls: \(tls)")) == [])
      return await bench.listener("secure")?.ticketKeys
    }
    let first = try #require(try await keys("true"))
    #expect(try await keys("{profile: modern}") === first)
    #expect(try await keys("{tickets: {rotate: 1h}}") === first)
    #expect(try await keys("{tickets: {rotate: 12h}}") === first)
    #expect(await bench.registry.rotate(at: .now) == [])
    #expect(await bench.registry.rotate(at: .now + .seconds(12 * 3_600)) == ["secure"])
    let turned = await bench.listener("secure")?.ticketKeys
    #expect(turned !== first && turned?.count == 2)
    #expect(try await keys("{tickets: off}") == nil)
    try folder.write([UInt8](repeating: 7, count: 80), to: "tickets.key")
    #expect(try await keys("{tickets: {file: tickets.key}}") !== turned)
    #expect(await bench.registry.securityDue.map { $0 > .now } == true)
  }
}
