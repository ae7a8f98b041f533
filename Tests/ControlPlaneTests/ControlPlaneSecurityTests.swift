import DataPlane
import Logging
import Resources
import Runtime
import TLS
import Testing

@testable import ControlPlane

/// How files of TLS come to the workers while the gateway runs.
@Suite struct ControlPlaneSecurityTests {
  private static let text = """
    listeners: [{name: secure, address: "127.0.0.1:8443", tls: true}]
    certificates: [{name: shop, certificate: shop.pem, key: shop.key}]
    services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
    routes: [{name: everything, service: site}]

    """

  @Test func takesOverRenewedFilesByItself() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    let first = try #require(running.shop)

    try TestCertificate.write("next", hosts: ["shop.test"], days: 400, in: folder)
    try folder.rename("next.key", to: "shop.key")
    try await eventually("the half pair is noticed") { await running.control.status.filesStale == 1 }
    #expect(running.shop === first && running.sink.deltas.count == 0)
    let files = "\(folder.path("shop.pem")), \(folder.path("shop.key"))"
    #expect(running.hasLogged("warning certificates/shop: certificate: " + files))
    try folder.rename("next.pem", to: "shop.pem")
    try await eventually("the whole pair is told of") { running.sink.deltas.count == 1 }
    // The certificate, and nothing else.
    #expect(running.sink.deltas.map(\.counts) == [[0, 1, 0, 0, 0, 0]])
    #expect(running.shop !== first)
    try await eventually("the success is noted") { await running.control.status.filesStale == 0 }
    let status = await running.control.status
    #expect(status.filesRenewed == 1 && status.filesRefused >= 1)
    #expect(running.hasLogged("info the certificate shop was loaded anew"))
    let notAfter = try #require(running.shop?.notAfter)
    #expect(await running.control.certificates.map(\.notAfter) == [notAfter])
    // It is no other configuration.
    #expect(status.revision == 1 && status.reloadsSucceeded == 0)
    await running.stop()
  }

  @Test func followsLinksThatAreReplaced() async throws {
    let folder = try TestFolder()
    for version in 1...2 {
      try folder.makeFolder("..version\(version)")
      try TestCertificate.write("..version\(version)/shop", hosts: ["shop.test"], in: folder)
    }
    try folder.link("..data", to: "..version1")
    for name in ["shop.pem", "shop.key"] { try folder.link(name, to: "..data/" + name) }
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    try folder.link("..new", to: "..version2")
    try folder.rename("..new", to: "..data")
    try await eventually("the second version is told of") { running.sink.renewals.count == 1 }
    #expect(await running.control.status.filesRefused == 0)
    await running.stop()
  }

  @Test func readsAllFilesOnRequest() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    let first = try #require(running.shop)
    #expect(await running.control.reload(reason: .hangup))
    #expect(running.shop === first && running.sink.renewals.isEmpty)

    try folder.write("broken", to: "shop.key")
    #expect(await running.control.reload(reason: .hangup) == false)
    #expect(running.shop === first)
    #expect(await !running.control.status.lastReloadSucceeded)
    #expect(running.hasLogged("error certificates/shop: certificate: \(folder.path("shop.pem"))"))

    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    #expect(await running.control.reload(reason: .hangup))
    #expect(running.shop !== first)
    #expect(await running.control.status.lastReloadSucceeded)
    await running.stop()
  }

  @Test func refusesAConfigurationWhoseFilesAreWrongAndWaitsForThem() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    let more = Self.text.replacing(
      "shop.key}]", with: "shop.key}, {name: more, certificate: more.pem, key: more.key}]")
    try folder.write(more, to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request) == false)
    let errors = running.lines.values.filter { $0.contains(": certificates[1].certificate: ") }
    let place = "error \(folder.path("penstock.yaml")):2:"
    for name in ["more.pem", "more.key"] {
      let text = "\(folder.path(name)): cannot be read: No such file"
      #expect(errors.contains { $0.hasPrefix(place) && $0.contains(text) }, "\(errors)")
    }
    #expect(await running.control.status.revision == 1)
    // What runs is followed all the same.
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try await eventually("the running certificate is renewed") { running.sink.renewals.count >= 1 }
    // And the files come later than the configuration.
    try TestCertificate.write("more", hosts: ["more.test"], in: folder)
    try await eventually("the configuration is taken over") { await running.control.status.revision == 2 }
    #expect(Set(running.served.certificates.keys) == ["shop", "more"])
    try await eventually("the success is noted") { await running.control.status.lastReloadSucceeded }
    await running.stop()
  }

  @Test func doesNotStartWithWrongFiles() async throws {
    let folder = try TestFolder()
    let running = try RunningPlane(Self.text, in: folder)
    let problem = try await startProblem(running)
    let place = "\(folder.path("penstock.yaml")):2:"
    #expect(
      problem.contains(place) && problem.contains("\(folder.path("shop.key")): cannot be read"), "\(problem)")
    let source = ConfigurationSource.file(folder.path("penstock.yaml"))
    #expect(throws: ConfigurationSourceError.self) { try source.check() }
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    #expect(throws: Never.self) { try source.check() }
    await running.stop()
  }

  @Test func warnsOfCertificatesThatExpire() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], days: 5, in: folder)
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    #expect(await running.control.reload(reason: .hangup))
    let warnings = running.lines.values.filter { $0.contains("expires soon") }
    #expect(warnings.count == 1 && warnings[0].contains("\"certificate\": shop"), "\(warnings)")
    #expect(warnings.first?.hasPrefix("warning ") == true)
    await running.stop()
  }

  @Test func turnsTicketKeys() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let text = Self.text.replacing("tls: true", with: "tls: {tickets: {rotate: 100ms}}")
    let running = try RunningPlane(text, in: folder)
    try await running.start()
    // Keys may have turned since the start: those of the first delta are not known any more.
    try await eventually("there are other keys") { running.sink.securities.count >= 3 }
    let keys = running.sink.securities.compactMap(\.ticketKeys)
    #expect(keys[0] !== keys[1] && keys[1] !== keys[2])
    #expect(keys[2].count == 3)
    // Contexts and certificates stay.
    #expect(Set(running.sink.securities.map(\.revision)).count == 1 && running.sink.renewals.isEmpty)
    await running.stop()
  }

  @Test func readsTicketKeysAgain() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try folder.write([UInt8](repeating: 1, count: 80), to: "tickets.key")
    let text = Self.text.replacing("tls: true", with: "tls: {tickets: {file: tickets.key}}")
    let running = try RunningPlane(text, in: folder)
    try await running.start()
    try folder.write([UInt8](repeating: 2, count: 80), to: "tickets.key")
    try await eventually("the new key is told of") { running.sink.securities.count == 1 }
    await running.stop()
  }

  @Test func checksHealthOverTLSWithRenewedAuthorities() async throws {
    let folder = try TestFolder()
    let port = try freeLocalPort()
    for name in ["shop", "web"] { try TestCertificate.write(name, hosts: ["localhost"], in: folder) }
    try folder.write(
      """
      daemon off; master_process off; pid nginx.pid; error_log stderr;
      events { worker_connections 64; }
      http {
        access_log off;
        ssl_certificate web.pem; ssl_certificate_key web.key;
        server { listen 127.0.0.1:\(port) ssl; return 200; }
      }
      """, to: "nginx.conf")
    let nginx = try ChildProcess("/usr/sbin/nginx", ["-p", folder.path, "-c", folder.path("nginx.conf")])
    defer { nginx.stop() }
    try folder.write(try String(contentsOfFile: folder.path("web.pem"), encoding: .utf8), to: "ca.pem")
    let text = Self.text.replacing(
      "[\"127.0.0.1:3000\"]",
      with: "[\"127.0.0.1:\(port)\"], tls: {ca: ca.pem, serverName: localhost}, "
        + "health: {tcp: true, interval: 50ms, fall: 1, rise: 1}")
    let running = try RunningPlane(text, in: folder)
    try await running.start()
    try folder.write(try String(contentsOfFile: folder.path("shop.pem"), encoding: .utf8), to: "ca.pem")
    try await eventually("the endpoint is not trusted") { running.sink.verdicts.last == false }
    try folder.write(try String(contentsOfFile: folder.path("web.pem"), encoding: .utf8), to: "ca.pem")
    try await eventually("it is again") { running.sink.verdicts.last == true }
    await running.stop()
  }
}

extension RunningPlane {
  /// The certificate that workers show now.
  fileprivate var shop: TLSCertificate? { served.certificate("shop") }
}
