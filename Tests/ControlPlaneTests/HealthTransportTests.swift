import DataPlane
import Foundation
import Resources
import Runtime
import TLS
import Testing

@testable import ControlPlane

/// Checks over TLS and HTTP/2, against servers that others have written where there is one.
@Suite struct HealthTransportTests {
  private static func check(_ probe: HealthCheck.Probe) -> HealthCheck {
    var check = HealthCheck(probe: probe)
    check.interval = .milliseconds(20)
    check.timeout = .seconds(5)
    check.rise = 1
    check.fall = 1
    return check
  }

  private static let http = check(.http(path: "/healthz", host: nil, statuses: []))
  private static let grpc = check(.grpc(service: "orders.v1.Orders", host: nil))

  private static func endpoint(_ port: UInt16, name: String = "web.test:443") -> ResolvedEndpoint {
    ResolvedEndpoint(name: name, address: SocketAddress(ipv4: 127, 0, 0, 1, port: port), weight: 1)
  }

  /// - Parameter authority: a certificate that is trusted; `nil`: none is verified.
  private static func transport(
    _ spoken: ServiceProtocol, _ offers: [ApplicationProtocol], authority: String?, in folder: TestFolder,
    revision: UInt64 = 1
  ) throws -> HealthTransport {
    var tls = ServiceTLS()
    tls.verify = authority != nil
    tls.authoritiesPath = authority.map { folder.path($0) }
    let trust = try authority.map { name in
      try TLSTrust.load(pem: Array(Data(contentsOf: URL(fileURLWithPath: folder.path(name)))))
    }
    var options = TLSClientOptions(trust: trust)
    options.applicationProtocols = offers
    options.reusesSessions = false
    return HealthTransport(
      protocol: spoken, tls: tls, security: ServiceSecurity(revision: revision, options: options))
  }

  /// nginx with a certificate for web.test: `/healthz` and everything else are different.
  private static func nginx(_ port: UInt16, _ folder: TestFolder, _ more: String) throws -> ChildProcess {
    try TestCertificate.write("web", hosts: ["web.test"], in: folder)
    try folder.write(
      """
      daemon off; master_process off; pid nginx.pid; error_log stderr;
      events { worker_connections 64; }
      http {
        access_log off;
        server {
          ssl_certificate web.pem; ssl_certificate_key web.key;
          \(more)
          location = /healthz { return 200 "fine"; }
          location / { return 500; }
        }
      }
      """, to: "nginx.conf")
    return try ChildProcess("/usr/sbin/nginx", ["-p", folder.path, "-c", folder.path("nginx.conf")])
  }

  // MARK: TLS

  @Test(
    arguments: [
      (ServiceProtocol.http1, [ApplicationProtocol.http11]), (.http2, [.http2]),
      (.automatic, [.http2, .http11]),
    ] as [(ServiceProtocol, [ApplicationProtocol])])
  func checksNginxOverTLS(spoken: ServiceProtocol, offers: [ApplicationProtocol]) async throws {
    let folder = try TestFolder()
    let port = try freeLocalPort()
    let nginx = try Self.nginx(port, folder, "listen 127.0.0.1:\(port) ssl http2;")
    defer { nginx.stop() }
    let running = RunningChecker()
    let transport = try Self.transport(spoken, offers, authority: "web.pem", in: folder)
    running.checker.watch(service: "a", check: Self.http, by: transport, endpoints: [Self.endpoint(port)])
    try await eventually("it is healthy") { running.verdicts.last == true }
    let wrong = Self.check(.http(path: "/wrong", host: nil, statuses: []))
    running.checker.watch(service: "a", check: wrong, by: transport, endpoints: [Self.endpoint(port)])
    try await eventually("the wrong path is not") { running.lastReason == "HTTP 500" }
    await running.stop()
  }

  @Test func verifiesTheEndpoint() async throws {
    let folder = try TestFolder()
    let port = try freeLocalPort()
    let nginx = try Self.nginx(port, folder, "listen 127.0.0.1:\(port) ssl;")
    defer { nginx.stop() }
    try TestCertificate.write("stranger", hosts: ["web.test"], in: folder)
    let running = RunningChecker()
    func watch(_ authority: String?, _ name: String, _ revision: UInt64, _ check: HealthCheck) throws {
      let transport = try Self.transport(
        .http1, [.http11], authority: authority, in: folder, revision: revision)
      running.checker.watch(
        service: "a", check: check, by: transport, endpoints: [Self.endpoint(port, name: name)])
    }
    try watch("web.pem", "web.test:443", 1, Self.http)
    try await eventually("it is healthy") { running.verdicts.last == true }
    // By the handshake alone, whatever is asked then.
    for check in [Self.http, Self.check(.tcp)] {
      try watch("web.pem", "other.test:443", 1, check)
      try await eventually("it is for another name") { running.lastReason.contains("for another name") }
      try watch("stranger.pem", "web.test:443", 2, check)
      try await eventually("nobody trusts it") { running.lastReason.contains("is not accepted") }
      try watch(nil, "other.test:443", 3, check)
      try await eventually("nobody asks") { running.verdicts.last == true }
    }
    await running.stop()
  }

  /// The settings are the same, and what their file holds is another: taken over, and not judged anew.
  @Test func takesOverRenewedAuthorities() async throws {
    let folder = try TestFolder()
    let port = try freeLocalPort()
    let nginx = try Self.nginx(port, folder, "listen 127.0.0.1:\(port) ssl;")
    defer { nginx.stop() }
    let running = RunningChecker()
    let good = try Self.transport(.http1, [.http11], authority: "web.pem", in: folder)
    running.checker.watch(service: "a", check: Self.http, by: good, endpoints: [Self.endpoint(port)])
    try await eventually("it is healthy") { running.verdicts.last == true }
    let count = running.verdicts.count
    try TestCertificate.write("web", hosts: ["web.test"], in: folder)
    let renewed = try Self.transport(.http1, [.http11], authority: "web.pem", in: folder, revision: 2)
    running.checker.watch(service: "a", check: Self.http, by: renewed, endpoints: [Self.endpoint(port)])
    try await eventually("the old certificate is not trusted") { running.verdicts.last == false }
    #expect(running.verdicts.count == count + 1)
    running.checker.watch(service: "a", check: Self.http, by: good, endpoints: [Self.endpoint(port)])
    try await eventually("it is healthy again") { running.verdicts.last == true }
    await running.stop()
  }

  @Test func isUnhealthyWithoutWhatItIsToSpeak() async throws {
    let folder = try TestFolder()
    let port = try freeLocalPort()
    let nginx = try Self.nginx(port, folder, "listen 127.0.0.1:\(port) ssl;")
    defer { nginx.stop() }
    let running = RunningChecker()
    // nginx without HTTP/2 does not answer the offer; an origin without TLS has no handshake.
    let transport = try Self.transport(.http2, [.http2], authority: nil, in: folder)
    let plain = try Self.transport(.http1, [.http11], authority: nil, in: folder, revision: 2)
    for check in [Self.http, Self.grpc] {
      running.checker.watch(service: "a", check: Self.http, by: plain, endpoints: [Self.endpoint(port)])
      try await eventually("nginx is there") { running.verdicts.last == true }
      running.checker.watch(service: "a", check: check, by: transport, endpoints: [Self.endpoint(port)])
      try await eventually("there is no HTTP/2") { running.verdicts.last == false }
      let reason = running.lastReason
      #expect(reason.contains("HTTP/2") || reason.contains("application protocol"), "\(reason)")
    }
    let origin = try Origin()
    defer { origin.stop() }
    running.checker.watch(
      service: "b", check: Self.http, by: transport, endpoints: [Self.endpoint(origin.port)])
    try await eventually("there is no TLS") {
      running.changes.values.last { $0.service == "b" }?.reason.hasPrefix("TLS: ") == true
    }
    await running.stop()
  }

  // MARK: HTTP/2 without TLS

  @Test func checksNghttpdByPriorKnowledge() async throws {
    let path = "/usr/sbin/nghttpd"
    try #require(FileManager.default.isExecutableFile(atPath: path), "nghttpd is missing: install nghttp2")
    let folder = try TestFolder()
    let port = try freeLocalPort()
    try folder.write("fine", to: "healthz")
    let nghttpd = try ChildProcess(path, ["--no-tls", "-d", folder.path, "-a", "127.0.0.1", "\(port)"])
    defer { nghttpd.stop() }
    let running = RunningChecker()
    let transport = HealthTransport(protocol: .http2)
    running.checker.watch(service: "a", check: Self.http, by: transport, endpoints: [Self.endpoint(port)])
    try await eventually("it is healthy") { running.verdicts.last == true }
    let wrong = Self.check(.http(path: "/wrong", host: nil, statuses: []))
    running.checker.watch(service: "a", check: wrong, by: transport, endpoints: [Self.endpoint(port)])
    try await eventually("the wrong path is not") { running.lastReason == "HTTP 404" }
    // Other settings, as another protocol is, decide anew.
    running.checker.watch(
      service: "a", check: wrong, by: HealthTransport(protocol: .http1), endpoints: [Self.endpoint(port)])
    try await eventually("it does not speak HTTP/1.1") { running.lastReason != "HTTP 404" }
    #expect(running.verdicts.last == false)
    await running.stop()
  }

  @Test func asksByHTTP2WithTheFieldsThatWerePromised() async throws {
    let origin = try HTTP2Origin()
    defer { origin.stop() }
    let running = RunningChecker()
    running.checker.watch(
      service: "a", check: Self.http, by: HealthTransport(protocol: .http2),
      endpoints: [Self.endpoint(origin.port, name: "web.test:80")])
    try await eventually("it is healthy") { running.verdicts == [true] }
    await running.stop()
    #expect(
      origin.requests.values.first?.fields
        == ":method: GET\r\n:scheme: http\r\n:path: /healthz\r\n:authority: web.test:80\r\naccept: */*\r\n"
        + "user-agent: penstock-health/test\r\n")
  }

  @Test func isUnhealthyWhereHTTP1Answers() async throws {
    let origin = try Origin()
    defer { origin.stop() }
    let running = RunningChecker()
    running.checker.watch(
      service: "a", check: Self.http, by: HealthTransport(protocol: .http2),
      endpoints: [Self.endpoint(origin.port)])
    try await eventually("it is unhealthy") { running.verdicts == [false] }
    #expect(running.lastReason.hasPrefix("HTTP/2: "))
    await running.stop()
  }

  // MARK: gRPC

  @Test func callsTheHealthService() async throws {
    let origin = try HTTP2Origin(answer: .grpc([8, 1]))
    defer { origin.stop() }
    let running = RunningChecker()
    running.checker.watch(
      service: "a", check: Self.grpc, by: HealthTransport(protocol: .http2),
      endpoints: [Self.endpoint(origin.port, name: "orders.test:80")])
    try await eventually("it serves") { running.verdicts.last == true }
    let request = try #require(origin.requests.values.first)
    #expect(
      request.fields
        == ":method: POST\r\n:scheme: http\r\n:path: /grpc.health.v1.Health/Check\r\n"
        + ":authority: orders.test:80\r\ncontent-type: application/grpc\r\nte: trailers\r\n"
        + "grpc-timeout: 5000m\r\nuser-agent: penstock-health/test\r\n")
    #expect(request.content == GRPCHealth.request(for: "orders.v1.Orders"))

    let trailersOnly = HTTP2Origin.Answer(
      fields: [("content-type", "application/grpc"), ("grpc-status", "12")])
    let answers: [(HTTP2Origin.Answer, String)] = [
      (.grpc([8, 2]), "NOT_SERVING"), (.grpc([], status: 5), "gRPC status 5 NOT_FOUND"),
      (trailersOnly, "gRPC status 12 UNIMPLEMENTED"), (HTTP2Origin.Answer(status: 404), "HTTP 404"),
      (HTTP2Origin.Answer(content: [1]), "the endpoint does not speak gRPC"),
      (HTTP2Origin.Answer(fields: [("content-type", "application/grpc")], content: [0]), "no grpc-status"),
      (.grpc([UInt8](repeating: 0, count: 200)), "not a HealthCheckResponse"),
    ]
    for (answer, reason) in answers {
      origin.set(answer: answer)
      try await eventually("\(reason)") {
        running.verdicts.last == false && running.lastReason.contains(reason)
      }
      origin.set(answer: .grpc([8, 1]))
      try await eventually("it serves again") { running.verdicts.last == true }
    }
    await running.stop()
  }

  @Test func callsTheHealthServiceOverTLS() async throws {
    let origin = try HTTP2Origin(answer: .grpc([8, 1]))
    defer { origin.stop() }
    let folder = try TestFolder()
    let port = try freeLocalPort()
    let nginx = try Self.nginx(
      port, folder,
      """
      listen 127.0.0.1:\(port) ssl http2;
      location /grpc.health.v1.Health/ { grpc_pass grpc://127.0.0.1:\(origin.port); }
      """)
    defer { nginx.stop() }
    let running = RunningChecker()
    // Also where requests speak HTTP/1.1: the health protocol has HTTP/2 only.
    let transport = try Self.transport(.http1, [.http2], authority: "web.pem", in: folder)
    running.checker.watch(service: "a", check: Self.grpc, by: transport, endpoints: [Self.endpoint(port)])
    try await eventually("it serves") { running.verdicts.last == true }
    origin.set(answer: .grpc([8, 2]))
    try await eventually("it does not") { running.lastReason == "NOT_SERVING" }
    await running.stop()
  }
}
