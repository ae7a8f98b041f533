import DataPlane
import Foundation
import Resources
import TLS
import Testing

@testable import ControlPlane

@Suite struct SecurityLoaderTests {
  static func configuration(_ text: String, in folder: TestFolder) throws -> Configuration {
    try ConfigurationFile.load(text: text, path: folder.path("penstock.yaml"))
  }

  private static let shop = """
    listeners: [{name: secure, address: "127.0.0.1:8443", tls: true}]
    certificates: [{name: shop, certificate: shop.pem, key: shop.key}]
    services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
    routes: [{name: everything, service: site}]

    """

  private func load(
    _ configuration: Configuration, after previous: SecurityMaterial = SecurityMaterial(),
    _ reading: SecurityLoader.Reading = .all, _ failing: SecurityLoader.Failing = .refuses
  ) -> SecurityLoader.Outcome {
    SecurityLoader.load(configuration, previous: previous, reading: reading, failing: failing)
  }

  private func only(_ outcome: SecurityLoader.Outcome) throws -> TLSCertificate {
    try #require(outcome.material.security.listeners["secure"]?.certificates.first)
  }

  @Test func readsWhatAConfigurationNames() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test", "*.shop.test"], in: folder)
    try TestCertificate.write("other", hosts: ["other.test"], in: folder)
    try folder.write([UInt8](repeating: 7, count: 80), to: "one.key")
    try folder.write([UInt8](repeating: 8, count: 48), to: "two.key")
    try folder.write([0x30, 0x03, 0x0A, 0x01, 0x00], to: "shop.ocsp")
    let configuration = try Self.configuration(
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
        - {name: shop, certificate: shop.pem, key: shop.key, ocsp: shop.ocsp, default: true}
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

      """, in: folder)
    let outcome = load(configuration)
    #expect(outcome.problems == [])
    let security = outcome.material.security
    #expect(Set(security.listeners.keys) == ["secure", "second"])
    let secure = try #require(security.listeners["secure"])
    #expect(secure.certificates.map(\.name) == ["shop"])
    #expect(secure.certificates.first?.hosts == ["shop.test", "*.shop.test"])
    #expect(secure.defaultCertificates.map(\.name) == ["shop"])
    #expect(secure.ticketKeys?.count == 2)
    #expect(secure.options.profile == .modern)
    #expect(secure.options.applicationProtocols == [.http11])
    #expect(secure.options.clientCertificateDepthMax == 3)
    if case .optional = secure.options.clientCertificates {} else { Issue.record("clients are not asked") }
    let second = try #require(security.listeners["second"])
    #expect(second.certificates.map(\.name) == ["shop", "other"])
    #expect(second.certificates.last?.hosts == ["a.test"])
    #expect(second.defaultCertificates.isEmpty)
    #expect(second.ticketKeys == nil && !second.options.issuesTickets)
    #expect(second.certificates.first === secure.certificates.first)

    #expect(Set(security.services.keys) == ["trusting", "strict", "calls"])
    #expect(security.services["trusting"]?.options.trust == nil)
    #expect(security.services["trusting"]?.options.applicationProtocols == [.http11])
    let strict = try #require(security.services["strict"])
    #expect(strict.options.trust != nil && strict.options.certificate != nil)
    #expect(strict.options.applicationProtocols == [.http2, .http11])
    // One bundle is read once, whoever names it.
    #expect(strict.options.trust === security.services["calls"]?.options.trust)
    let health = outcome.material.health
    #expect(Set(health.keys) == ["strict", "calls"])
    #expect(health["strict"]?.security.options.trust == nil)
    #expect(health["calls"]?.security.options.applicationProtocols == [.http2])
    #expect(health["calls"]?.security.options.reusesSessions == false)
    #expect(
      outcome.material.certificates.map(\.use) == [
        .listeners("shop"), .listeners("other"), .service("strict"),
      ])
    let revisions = security.listeners.values.map(\.revision) + security.services.values.map(\.revision)
    #expect(Set(revisions).count == 5)
  }

  @Test func keepsWhatHasNotChanged() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try TestCertificate.write("other", hosts: ["other.test"], in: folder)
    let configuration = try Self.configuration(
      Self.shop.replacing("shop.key}", with: "shop.key}, {name: b, certificate: other.pem, key: other.key}"),
      in: folder)
    let first = load(configuration)
    #expect(first.problems == [])
    // Read again, whether asked to or because `stat` says so: the same bytes are the same objects.
    try folder.write(try String(contentsOfFile: folder.path("shop.pem"), encoding: .utf8), to: "shop.pem")
    for reading in [SecurityLoader.Reading.all, .changed] {
      let again = load(configuration, after: first.material, reading)
      #expect(again.renewed.isEmpty)
      #expect(again.material.security.isSame(as: first.material.security))
    }
    try TestCertificate.write("other", hosts: ["other.test"], in: folder)
    let renewed = load(configuration, after: first.material, .changed)
    #expect(renewed.problems == [] && renewed.renewed.map(\.description) == ["certificate b"])
    #expect(!renewed.material.security.isSame(as: first.material.security))
    let (old, new) = (
      try #require(first.material.security.listeners["secure"]),
      try #require(renewed.material.security.listeners["secure"])
    )
    // Other certificates need no other context.
    #expect(new.revision == old.revision)
    #expect(new.certificates.first === old.certificates.first)
    #expect(new.certificates.last !== old.certificates.last)
    #expect(new.ticketKeys === old.ticketKeys)
  }

  @Test func makesARevisionOfOtherOptionsAndAuthorities() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try TestCertificate.write("clients", hosts: [], in: folder)
    let text = Self.shop.replacing("tls: true", with: "tls: {clientCertificates: {ca: clients.pem}}")
      .replacing("3000\"]}", with: "3000\"], tls: {ca: clients.pem}}")
    let configuration = try Self.configuration(text, in: folder)
    let first = load(configuration)
    #expect(first.problems == [])
    func revisions(_ outcome: SecurityLoader.Outcome) -> [UInt64?] {
      let security = outcome.material.security
      return [security.listeners["secure"]?.revision, security.services["site"]?.revision]
    }
    #expect(revisions(load(configuration, after: first.material)) == revisions(first))
    try TestCertificate.write("clients", hosts: [], in: folder)
    let renewed = load(configuration, after: first.material)
    #expect(Set(revisions(renewed)).isDisjoint(with: revisions(first)))
    let deeper = text.replacing("{ca: clients.pem}}}", with: "{depth: 2, ca: clients.pem}}}")
    let other = try Self.configuration(deeper, in: folder)
    let changed = load(other, after: renewed.material)
    #expect(revisions(changed)[0] != revisions(renewed)[0])
    #expect(revisions(changed)[1] == revisions(renewed)[1])
  }

  /// Everything that is wrong, each with its place, its file, and what would be right.
  @Test func tellsEverythingThatIsWrong() throws {
    let folder = try TestFolder()
    try TestCertificate.write("a", hosts: ["a.test"], in: folder)
    try TestCertificate.write("b", hosts: ["b.test"], in: folder)
    try folder.write("no certificate", to: "text.pem")
    try folder.write([1, 2, 3], to: "short.key")
    try folder.write("-----BEGIN OCSP RESPONSE-----", to: "b.ocsp")
    try folder.makeFolder("folder")
    let configuration = try Self.configuration(
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

      """, in: folder)
    let lines = load(configuration).problems.map(\.description)
    let expected = [
      ("listeners[0] (secure): tls.clientCertificates: ", "missing.crl", "No such file"),
      ("listeners[0] (secure): tls.tickets: ", "short.key", "openssl rand 80"),
      ("certificates[0] (gone): ", "gone.pem", "write it, or correct the path"),
      ("certificates[0] (gone): ", "gone.key", "No such file"),
      ("certificates[1] (mixed): ", "a.pem, " + folder.path("b.key"), "does not belong to the certificate"),
      ("certificates[2] (stapled): ", "b.ocsp", "DER"),
      ("certificates[3] (empty): ", "text.pem", "BEGIN CERTIFICATE"),
      ("services[0] (site): tls: ", "folder", "Is a directory"),
      ("services[0] (site): tls: ", "b.pem, " + folder.path("a.key"), "does not belong"),
      ("services[1] (checked): health.tls: ", "text.pem", "BEGIN CERTIFICATE"),
    ]
    #expect(lines.count == expected.count, "\(lines)")
    for (place, file, words) in expected {
      #expect(
        lines.contains { $0.hasPrefix(place + folder.path(file)) && $0.contains(words) },
        "\(place) \(file): \(lines)")
    }
  }

  @Test func leavesTheOldPairInUseUntilTheNewOneFits() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try TestCertificate.write("next", hosts: ["shop.test"], in: folder)
    let configuration = try Self.configuration(Self.shop, in: folder)
    let first = load(configuration)
    let old = try only(first)
    try folder.rename("next.key", to: "shop.key")
    let half = load(configuration, after: first.material, .changed, .keepsOld)
    #expect(half.problems.count == 1 && half.material.problems == half.problems)
    #expect(try only(half) === old)
    #expect(half.material.security.isSame(as: first.material.security))
    // Nothing has changed since: not read again, not told again.
    let still = load(configuration, after: half.material, .changed, .keepsOld)
    #expect(still.problems.isEmpty && still.material.problems.count == 1)
    // A configuration that needs them is refused meanwhile, whatever is known of them.
    #expect(load(configuration, after: half.material, .changed).problems.count == 1)
    try folder.rename("next.pem", to: "shop.pem")
    let whole = load(configuration, after: half.material, .changed, .keepsOld)
    #expect(whole.problems.isEmpty && whole.material.problems.isEmpty)
    #expect(try only(whole) !== old)
    #expect(whole.renewed.map(\.description) == ["certificate shop"])
    // The same for a file that goes away, and comes back as it was.
    let bytes = try String(contentsOfFile: folder.path("shop.key"), encoding: .utf8)
    try folder.remove("shop.key")
    let gone = load(configuration, after: whole.material, .changed, .keepsOld)
    #expect(gone.problems.count == 1)
    try folder.write(bytes, to: "shop.key")
    let back = load(configuration, after: gone.material, .changed, .keepsOld)
    #expect(back.material.problems.isEmpty && back.renewed.isEmpty)
    #expect(try only(back) === only(whole))
  }

  // MARK: Certificates among each other

  private func pair(_ second: String, _ folder: TestFolder, _ options: String = "") throws -> Configuration {
    let entry = "{name: b, certificate: \(second).pem, key: \(second).key\(options)}"
    let text = Self.shop.replacing("shop.key}", with: "shop.key\(options)}, " + entry)
    return try Self.configuration(text, in: folder)
  }

  @Test func refusesTwoOfAKindForAHost() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["one.test", "both.test"], in: folder)
    try TestCertificate.write("same", hosts: ["both.test", "two.test"], in: folder)
    try TestCertificate.write("rsa", hosts: ["both.test"], key: .rsa, in: folder)
    let problems = load(try pair("same", folder)).problems
    #expect(problems.count == 1)
    let text = problems.first?.description ?? ""
    #expect(text.hasPrefix("certificates[1] (b): \(folder.path("same.pem")): the host \"both.test\" already"))
    #expect(text.contains("an ECDSA key, \"shop\" (certificates[0], \(folder.path("shop.pem")))"))
    // One of each kind is what clients choose from.
    #expect(load(try pair("rsa", folder)).problems == [])
    #expect(load(try pair("same", folder, ", hosts: [one.test]")).problems.count == 1)
    let defaults = load(try pair("rsa", folder, ", default: true"))
    #expect(defaults.problems == [])
    #expect(defaults.material.security.listeners["secure"]?.defaultCertificates.count == 2)
    try TestCertificate.write("third", hosts: ["third.test"], in: folder)
    let twice = load(try pair("third", folder, ", default: true")).problems
    #expect(twice.map(\.message).first?.hasPrefix("there is already a default certificate") == true)
  }

  @Test func allowsTwoOfAKindOnDifferentListeners() throws {
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
    #expect(load(try Self.configuration(text, in: folder)).problems == [])
    let shared = text.replacing(", listeners: [second]}", with: "}")
    #expect(load(try Self.configuration(shared, in: folder)).problems.count == 1)
  }

  @Test func leavesOutARenewedCertificateThatIsInTheWay() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["one.test"], in: folder)
    try TestCertificate.write("other", hosts: ["two.test"], in: folder)
    let configuration = try pair("other", folder)
    let first = load(configuration)
    #expect(first.problems == [])
    try TestCertificate.write("other", hosts: ["two.test", "one.test"], in: folder)
    let second = load(configuration, after: first.material, .changed, .keepsOld)
    #expect(second.problems.count == 1 && second.material.problems.count == 1)
    #expect(second.material.security.isSame(as: first.material.security))
    try TestCertificate.write("other", hosts: ["three.test"], in: folder)
    let third = load(configuration, after: second.material, .changed, .keepsOld)
    #expect(third.material.problems.isEmpty)
    #expect(third.material.security.listeners["secure"]?.certificates.last?.hosts == ["three.test"])
  }

  @Test func refusesACertificateThatNobodyWouldSee() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: [], in: folder)
    let problems = load(try Self.configuration(Self.shop, in: folder)).problems
    #expect(problems.map(\.message).first?.contains("write hosts, or default: true") == true)
    for more in [", hosts: [shop.test]}", ", default: true}"] {
      let text = Self.shop.replacing("shop.key}", with: "shop.key" + more)
      #expect(load(try Self.configuration(text, in: folder)).problems == [])
    }
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

  @Test func keepsTicketKeysOverReloads() throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let first = load(try Self.configuration(Self.shop, in: folder))
    let keys = try #require(first.material.security.listeners["secure"]?.ticketKeys)
    func reload(_ tls: String) throws -> ListenerSecurity {
      let text = Self.shop.replacing("tls: true", with: "tls: \(tls)")
      let outcome = load(try Self.configuration(text, in: folder), after: first.material)
      #expect(outcome.problems == [])
      return try #require(outcome.material.security.listeners["secure"])
    }
    #expect(try reload("{profile: modern}").ticketKeys === keys)
    #expect(try reload("{tickets: {rotate: 1h}}").ticketKeys === keys)
    #expect(try reload("{tickets: off}").ticketKeys == nil)
    try folder.write([UInt8](repeating: 7, count: 80), to: "tickets.key")
    #expect(try reload("{tickets: {file: tickets.key}}").ticketKeys !== keys)
    var material = first.material
    func rotates(in time: Duration) -> Bool { material.rotateTicketKeys(at: .now + time) }
    #expect(!rotates(in: .zero))
    #expect(rotates(in: .seconds(12 * 3_600)))
    #expect(material.security.listeners["secure"]?.ticketKeys !== keys)
  }
}
