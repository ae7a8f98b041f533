import DataPlane
import Foundation
import Logging
import Resources
import Runtime
import Testing

@testable import ControlPlane

@Suite struct HealthCheckerTests {
  private static func check(_ probe: HealthCheck.Probe) -> HealthCheck {
    var check = HealthCheck(probe: probe)
    check.interval = .milliseconds(20)
    check.timeout = .seconds(5)
    return check
  }

  private static let http = HealthCheck.Probe.http(path: "/healthz", host: nil, statuses: [])

  private static func endpoint(_ port: UInt16, name: String = "web.test:80") -> ResolvedEndpoint {
    ResolvedEndpoint(name: name, address: SocketAddress(ipv4: 127, 0, 0, 1, port: port), weight: 1)
  }

  @Test func firstResultDecidesAndThenRiseAndFallHold() {
    var state = HealthState()
    #expect(state.record(success: false, rise: 2, fall: 3) == false)
    #expect(state.record(success: true, rise: 2, fall: 3) == nil)
    #expect(state.record(success: false, rise: 2, fall: 3) == nil)
    #expect(state.record(success: true, rise: 2, fall: 3) == nil)
    #expect(state.record(success: true, rise: 2, fall: 3) == true)
    #expect(state.record(success: false, rise: 2, fall: 3) == nil)
    #expect(state.record(success: false, rise: 2, fall: 3) == nil)
    #expect(state.record(success: true, rise: 2, fall: 3) == nil)
    #expect(state.record(success: false, rise: 2, fall: 3) == nil)
    #expect(state.record(success: false, rise: 2, fall: 3) == nil)
    #expect(state.record(success: false, rise: 2, fall: 3) == false)
  }

  @Test func asksWithTheFieldsThatWerePromised() async throws {
    let origin = try Origin()
    defer { origin.stop() }
    let running = RunningChecker()
    running.checker.watch(service: "a", check: Self.check(Self.http), endpoints: [Self.endpoint(origin.port)])
    try await eventually("the first verdict comes") { running.verdicts == [true] }
    await running.stop()
    #expect(
      origin.requests.values.first
        == "GET /healthz HTTP/1.1\r\nHost: web.test:80\r\nUser-Agent: penstock-health/test\r\n"
        + "Accept: */*\r\nConnection: close\r\n\r\n"
    )
  }

  /// As when a test is cut off: the deadline of the next check passes with nobody to ask.
  @Test func mayBeLetGoWhileItWatches() async throws {
    let origin = try Origin()
    defer { origin.stop() }
    let worker = Worker(index: 0, seam: EpollSeam())
    WorkerThread.start(worker, name: "control", pinned: false) {}
    defer { worker.stop() }
    let verdicts = Collected<Bool>()
    var checker: HealthChecker? = HealthChecker(
      on: worker, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, userAgent: "test"
    ) { verdicts.append($0.isHealthy) }
    weak let watched = checker
    checker?.watch(service: "a", check: Self.check(Self.http), endpoints: [Self.endpoint(origin.port)])
    try await eventually("the first verdict comes") { verdicts.values == [true] }
    checker = nil
    try await eventually("it is gone") { watched == nil }
    // Of the next check: it would have been due.
    try await Task.sleep(for: .milliseconds(60))
    #expect(verdicts.values == [true])
  }

  @Test func followsAnOriginThatFailsAndRecovers() async throws {
    let origin = try Origin()
    defer { origin.stop() }
    let running = RunningChecker()
    running.checker.watch(service: "a", check: Self.check(Self.http), endpoints: [Self.endpoint(origin.port)])
    try await eventually("it is healthy") { running.verdicts == [true] }
    origin.set(answer: Origin.status("503 Service Unavailable"))
    try await eventually("it is unhealthy") { running.verdicts == [true, false] }
    #expect(running.changes.values.last?.reason == "HTTP 503")
    origin.set(answer: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + Origin.status("204 No Content"))
    try await eventually("it is healthy again") { running.verdicts == [true, false, true] }
    for (answer, reason) in [
      ("", "the connection was closed before an answer"), ("SSH-2.0-OpenSSH\r\n", "malformed"),
    ] {
      origin.set(answer: answer)
      let count = running.verdicts.count
      try await eventually("\(reason)") { running.verdicts.count == count + 1 }
      #expect(running.changes.values.last?.isHealthy == false)
      #expect(running.changes.values.last?.reason.contains(reason) == true)
      origin.set(answer: Origin.status("200 OK"))
      try await eventually("it has recovered") { running.verdicts.last == true }
    }
    await running.stop()
  }

  @Test func takesOnlyTheStatusesThatAreListed() async throws {
    let origin = try Origin(answer: Origin.status("404 Not Found"))
    defer { origin.stop() }
    let running = RunningChecker()
    let statuses = Self.check(.http(path: "/", host: "other.test", statuses: [200...200, 404...405]))
    running.checker.watch(service: "a", check: statuses, endpoints: [Self.endpoint(origin.port)])
    try await eventually("404 is what was asked for") { running.verdicts == [true] }
    #expect(origin.requests.values.first?.contains("\r\nHost: other.test\r\n") == true)
    origin.set(answer: Origin.status("204 No Content"))
    try await eventually("204 is not") { running.verdicts == [true, false] }
    await running.stop()
  }

  @Test func connectsOnlyWhereTCPIsAskedForAndToAnotherPort() async throws {
    let origin = try Origin()
    let running = RunningChecker()
    var tcp = Self.check(.tcp)
    tcp.port = origin.port
    running.checker.watch(service: "a", check: tcp, endpoints: [Self.endpoint(1)])
    try await eventually("the connection is accepted") { running.verdicts == [true] }
    #expect(running.changes.values.first?.address.port == 1)
    origin.stop()
    try await eventually("it is refused") { running.verdicts == [true, false] }
    #expect(running.changes.values.last?.reason == SystemError.connectionRefused.description)
    await running.stop()
    #expect(origin.requests.count == 0)
  }

  @Test func keepsItsStateWhereTheSettingsStay() async throws {
    let origin = try Origin()
    defer { origin.stop() }
    let running = RunningChecker()
    let check = Self.check(Self.http)
    running.checker.watch(service: "a", check: check, endpoints: [Self.endpoint(origin.port)])
    try await eventually("the first verdict comes") { running.verdicts.count == 1 }
    // The same again, with a neighbour: no new first verdict for the one that stays.
    running.checker.watch(
      service: "a", check: check, endpoints: [Self.endpoint(origin.port), Self.endpoint(1)])
    try await eventually("the neighbour's verdict comes") { running.verdicts == [true, false] }
    let seen = origin.requests.count
    try await eventually("checks go on") { origin.requests.count > seen + 3 }
    #expect(running.verdicts == [true, false])
    // Other settings: the next check decides anew.
    var other = check
    other.fall = 1
    running.checker.watch(service: "a", check: other, endpoints: [Self.endpoint(origin.port)])
    try await eventually("the verdict is told again") { running.verdicts == [true, false, true] }
    // Nothing more to check.
    running.checker.watch(service: "a", check: nil, endpoints: [Self.endpoint(origin.port)])
    await running.stop()
  }

  @Test func checksNginx() async throws {
    let path = "/usr/sbin/nginx"
    try #require(
      FileManager.default.isExecutableFile(atPath: path), "nginx is missing: install Debian's nginx")
    let folder = try TestFolder()
    let port = try freeLocalPort()
    try folder.write(
      """
      daemon off; master_process off; pid nginx.pid; error_log stderr;
      events { worker_connections 64; }
      http {
        access_log off;
        server {
          listen 127.0.0.1:\(port);
          location = /healthz { return 200 "fine"; }
          location / { return 500; }
        }
      }
      """, to: "nginx.conf")
    let nginx = try ChildProcess(path, ["-p", folder.path, "-c", "nginx.conf"])
    defer { nginx.stop() }
    let running = RunningChecker()
    running.checker.watch(service: "a", check: Self.check(Self.http), endpoints: [Self.endpoint(port)])
    let wrong = HealthCheck.Probe.http(path: "/wrong", host: nil, statuses: [])
    try await eventually("nginx is healthy") { running.verdicts.last == true }
    running.checker.watch(service: "b", check: Self.check(wrong), endpoints: [Self.endpoint(port)])
    try await eventually("the wrong path is not") { running.changes.values.last?.reason == "HTTP 500" }
    nginx.stop()
    try await eventually("a stopped nginx is unhealthy") {
      running.changes.values.last { $0.service == "a" }?.isHealthy == false
    }
    await running.stop()
  }
}

/// With a clock of their own: what takes minutes is over at once.
@Suite struct HealthCheckTimingTests {
  private func run(_ worker: Worker, _ seam: VirtualSeam, untilSeconds seconds: Int64) {
    let end = MonotonicTime(nanoseconds: 1_000_000_000 + seconds * 1_000_000_000)
    while seam.now() < end { worker.turn(until: end) }
  }

  private func endpoints(_ count: Int) -> [ResolvedEndpoint] {
    (0..<count).map {
      ResolvedEndpoint(
        name: "e\($0)", address: SocketAddress(ipv4: 10, 0, UInt8($0 / 250), UInt8($0 % 250), port: 80),
        weight: 1)
    }
  }

  @Test func repeatsAtItsIntervalWithJitter() {
    let seam = VirtualSeam(peers: .refuse)
    let worker = Worker(index: 0, seam: seam)
    let changes = Collected<HealthChange>()
    let checker = HealthChecker(
      on: worker, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, userAgent: "test"
    ) { changes.append($0) }
    let check = HealthCheck(probe: .tcp)
    checker.watch(service: "a", check: check, endpoints: endpoints(1))
    run(worker, seam, untilSeconds: 500)
    #expect((90...112).contains(seam.attempts.count))
    let gaps = zip(seam.attempts, seam.attempts.dropFirst()).map { $1.nanoseconds(since: $0) }
    #expect(gaps.allSatisfy { (4_490_000_000...5_520_000_000).contains($0) })
    #expect(Set(gaps.map { $0 / 10_000_000 }).count > 10)
    #expect(changes.values.map(\.isHealthy) == [false])
    checker.watch(service: "a", check: nil, endpoints: [])
    run(worker, seam, untilSeconds: 1_000)
    #expect((90...112).contains(seam.attempts.count))
  }

  @Test func boundsHowManyAreUnderWay() {
    let seam = VirtualSeam(peers: .neverAnswer)
    let worker = Worker(index: 0, seam: seam)
    let changes = Collected<HealthChange>()
    let checker = HealthChecker(
      on: worker, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, userAgent: "test"
    ) { changes.append($0) }
    checker.watch(service: "a", check: HealthCheck(probe: .tcp), endpoints: endpoints(1_000))
    run(worker, seam, untilSeconds: 60)
    #expect(seam.openMax == HealthChecker.inFlightMax)
    // Every endpoint has had its turn, and a first failure decides.
    #expect(changes.count == 1_000)
    #expect(changes.values.allSatisfy { !$0.isHealthy && $0.reason.hasPrefix("no answer within") })
    let ended = Collected<Void>()
    checker.stop { ended.append(()) }
    run(worker, seam, untilSeconds: 61)
    #expect(ended.count == 1)
    #expect(seam.openHandles.isEmpty)
  }
}
