import DataPlane
import Logging
import Resources
import Runtime
import TLS
import Testing

@testable import ControlPlane

/// How files of TLS come to the workers while the gateway runs.
@Suite struct ControlPlaneSecurityTests {
  private final class Sink: ControlPlaneSink {
    let snapshots = Collected<Snapshot>()
    let securities = Collected<Security>()
    let verdicts = Collected<Bool>()
    func publish(_ snapshot: Snapshot) { snapshots.append(snapshot) }
    func securityChanged(_ security: Security) { securities.append(security) }
    func endpointsChanged(service: String, endpoints: [ResolvedEndpoint]) {}
    func healthChanged(service: String, address: SocketAddress, isHealthy: Bool) {
      verdicts.append(isHealthy)
    }
  }

  private struct LogLines: LogHandler {
    let lines: Collected<String>
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
  }

  /// A control plane of `penstock.yaml` in a folder, with what it says.
  private struct Running {
    let folder: TestFolder
    let sink = Sink()
    let lines = Collected<String>()
    let control: ControlPlane

    init(_ text: String, in folder: TestFolder) throws {
      self.folder = folder
      try folder.write(text, to: "penstock.yaml")
      let lines = lines
      control = ControlPlane(
        source: .file(folder.path("penstock.yaml")),
        logger: Logger(label: "test") { _ in LogLines(lines: lines) }, sink: sink)
    }

    func shown(_ index: Int = 0) -> TLSCertificate? {
      control.snapshot?.security.listeners["secure"]?.certificates[index]
    }

    func hasLogged(_ text: String) -> Bool { lines.values.contains { $0.contains(text) } }
  }

  private static let text = """
    listeners: [{name: secure, address: "127.0.0.1:8443", tls: true}]
    certificates: [{name: shop, certificate: shop.pem, key: shop.key}]
    services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
    routes: [{name: everything, service: site}]

    """

  @Test func takesOverRenewedFilesByItself() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let running = try Running(Self.text, in: folder)
    try await running.control.start()
    let first = try #require(running.shown())
    #expect(running.sink.snapshots.values.first?.security.listeners["secure"]?.certificates.first === first)

    try TestCertificate.write("next", hosts: ["shop.test"], days: 400, in: folder)
    try folder.rename("next.key", to: "shop.key")
    try await eventually("the half pair is noticed") { running.control.status.filesStale == 1 }
    #expect(running.shown() === first && running.sink.securities.count == 0)
    let files = "\(folder.path("shop.pem")), \(folder.path("shop.key"))"
    #expect(running.hasLogged("warning certificates[0] (shop): " + files))
    try folder.rename("next.pem", to: "shop.pem")
    try await eventually("the whole pair is told of") { running.sink.securities.count == 1 }
    #expect(running.sink.securities.values[0].listeners["secure"]?.certificates.first !== first)
    #expect(running.sink.securities.values[0].listeners["secure"]?.certificates.first === running.shown())
    try await eventually("the success is noted") { running.control.status.filesStale == 0 }
    #expect(running.control.status.filesRenewed == 1 && running.control.status.filesRefused >= 1)
    #expect(running.hasLogged("info the certificate shop was loaded anew"))
    let notAfter = try #require(running.shown()?.notAfter)
    #expect(running.control.certificates.map(\.notAfter) == [notAfter])
    // It is no other configuration.
    #expect(running.control.status.revision == 1 && running.sink.snapshots.count == 1)
    #expect(running.control.status.reloadsSucceeded == 0)
    await running.control.stop()
  }

  @Test func followsLinksThatAreReplaced() async throws {
    let folder = try TestFolder()
    for version in 1...2 {
      try folder.makeFolder("..version\(version)")
      try TestCertificate.write("..version\(version)/shop", hosts: ["shop.test"], in: folder)
    }
    try folder.link("..data", to: "..version1")
    for name in ["shop.pem", "shop.key"] { try folder.link(name, to: "..data/" + name) }
    let running = try Running(Self.text, in: folder)
    try await running.control.start()
    try folder.link("..new", to: "..version2")
    try folder.rename("..new", to: "..data")
    try await eventually("the second version is told of") { running.sink.securities.count == 1 }
    #expect(running.control.status.filesRefused == 0)
    await running.control.stop()
  }

  @Test func readsAllFilesOnRequest() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let running = try Running(Self.text, in: folder)
    try await running.control.start()
    let first = try #require(running.shown())
    #expect(await running.control.reload(reason: .hangup))
    #expect(running.shown() === first && running.sink.securities.count == 0)

    try folder.write("broken", to: "shop.key")
    #expect(await running.control.reload(reason: .hangup) == false)
    #expect(running.shown() === first && !running.control.status.lastReloadSucceeded)
    #expect(running.hasLogged("error \(folder.path("penstock.yaml")): certificates[0] (shop): "))

    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    #expect(await running.control.reload(reason: .hangup))
    #expect(running.shown() !== first && running.control.status.lastReloadSucceeded)
    await running.control.stop()
  }

  @Test func refusesAConfigurationWhoseFilesAreWrongAndWaitsForThem() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let running = try Running(Self.text, in: folder)
    try await running.control.start()
    let more = Self.text.replacing(
      "shop.key}]", with: "shop.key}, {name: more, certificate: more.pem, key: more.key}]")
    try folder.write(more, to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request) == false)
    for name in ["more.pem", "more.key"] {
      #expect(running.hasLogged("certificates[1] (more): \(folder.path(name)): cannot be read: No such file"))
    }
    #expect(running.control.status.revision == 1)
    // What runs is followed all the same.
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try await eventually("the running certificate is renewed") { running.sink.securities.count >= 1 }
    // And the files come later than the configuration.
    try TestCertificate.write("more", hosts: ["more.test"], in: folder)
    try await eventually("the configuration is taken over") { running.control.status.revision == 2 }
    #expect(running.sink.snapshots.values.last?.security.listeners["secure"]?.certificates.count == 2)
    try await eventually("the success is noted") { running.control.status.lastReloadSucceeded }
    await running.control.stop()
  }

  @Test func doesNotStartWithWrongFiles() async throws {
    let folder = try TestFolder()
    let running = try Running(Self.text, in: folder)
    do throws(ControlPlaneError) {
      try await running.control.start()
      Issue.record("it must not start")
    } catch {
      #expect(error.description.contains("certificates[0] (shop): \(folder.path("shop.key"))"))
    }
    let source = ConfigurationSource.file(folder.path("penstock.yaml"))
    #expect(throws: Never.self) { try source.load() }
    #expect(throws: ConfigurationSourceError.self) { try source.check() }
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    #expect(throws: Never.self) { try source.check() }
    await running.control.stop()
  }

  @Test func warnsOfCertificatesThatExpire() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], days: 5, in: folder)
    let running = try Running(Self.text, in: folder)
    try await running.control.start()
    #expect(await running.control.reload(reason: .hangup))
    let warnings = running.lines.values.filter { $0.contains("expires soon") }
    #expect(warnings.count == 1 && warnings[0].contains("\"certificate\": shop"), "\(warnings)")
    #expect(warnings.first?.hasPrefix("warning ") == true)
    await running.control.stop()
  }

  @Test func turnsTicketKeys() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let text = Self.text.replacing("tls: true", with: "tls: {tickets: {rotate: 100ms}}")
    let running = try Running(text, in: folder)
    try await running.control.start()
    let first = running.sink.snapshots.values.first?.security.listeners["secure"]?.ticketKeys
    try await eventually("there are other keys") { running.sink.securities.count >= 3 }
    let keys = running.sink.securities.values.compactMap { $0.listeners["secure"]?.ticketKeys }
    #expect(keys[0] !== first && keys[0] !== keys[1])
    #expect(keys[2].count == 3)
    // Contexts and certificates stay.
    #expect(Set(running.sink.securities.values.map { $0.listeners["secure"]?.revision }).count == 1)
    await running.control.stop()
  }

  @Test func readsTicketKeysAgain() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    try folder.write([UInt8](repeating: 1, count: 80), to: "tickets.key")
    let text = Self.text.replacing("tls: true", with: "tls: {tickets: {file: tickets.key}}")
    let running = try Running(text, in: folder)
    try await running.control.start()
    try folder.write([UInt8](repeating: 2, count: 80), to: "tickets.key")
    try await eventually("the new key is told of") { running.sink.securities.count == 1 }
    await running.control.stop()
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
    let running = try Running(text, in: folder)
    try await running.control.start()
    try folder.write(try String(contentsOfFile: folder.path("shop.pem"), encoding: .utf8), to: "ca.pem")
    try await eventually("the endpoint is not trusted") { running.sink.verdicts.values.last == false }
    try folder.write(try String(contentsOfFile: folder.path("web.pem"), encoding: .utf8), to: "ca.pem")
    try await eventually("it is again") { running.sink.verdicts.values.last == true }
    await running.control.stop()
  }
}
