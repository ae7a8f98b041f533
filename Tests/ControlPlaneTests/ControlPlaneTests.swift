import DataPlane
import Logging
import Resources
import Runtime
import Testing

@testable import ControlPlane

@Suite struct ControlPlaneTests {
  /// Writes down what it is told.
  private final class Sink: ControlPlaneSink {
    enum Event: Sendable {
      case snapshot(Snapshot)
      case endpoints(String, [ResolvedEndpoint])
      case health(String, SocketAddress, Bool)
    }
    let events = Collected<Event>()

    func publish(_ snapshot: Snapshot) { events.append(.snapshot(snapshot)) }
    func securityChanged(_ security: Security) {}
    func endpointsChanged(service: String, endpoints: [ResolvedEndpoint]) {
      events.append(.endpoints(service, endpoints))
    }
    func healthChanged(service: String, address: SocketAddress, isHealthy: Bool) {
      events.append(.health(service, address, isHealthy))
    }

    var snapshots: [Snapshot] {
      events.values.compactMap { if case .snapshot(let snapshot) = $0 { snapshot } else { nil } }
    }
    var verdicts: [Bool] {
      events.values.compactMap { if case .health(_, _, let isHealthy) = $0 { isHealthy } else { nil } }
    }
    var endpointChanges: [[ResolvedEndpoint]] {
      events.values.compactMap { if case .endpoints(_, let endpoints) = $0 { endpoints } else { nil } }
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
    func log(event: LogEvent) { lines.append("\(event.level) \(event.message)") }
  }

  private func logger(_ lines: Collected<String> = Collected()) -> Logger {
    Logger(label: "test") { _ in LogLines(lines: lines) }
  }

  private static func text(port: UInt16, health: String = "") -> String {
    """
    listeners: [{name: web, address: "127.0.0.1:8080"}]
    services:
      - name: orders
        endpoints: ["127.0.0.1:\(port)"]
    \(health)
    routes:
      - name: orders
        service: orders

    """
  }

  @Test func followsItsFile() async throws {
    let folder = try TestFolder()
    try folder.write(Self.text(port: 1001), to: "penstock.yaml")
    let lines = Collected<String>()
    let sink = Sink()
    let control = ControlPlane(source: .file(folder.path("penstock.yaml")), logger: logger(lines), sink: sink)
    try await control.start()
    #expect(sink.snapshots.map(\.revision) == [1])
    #expect(sink.snapshots.first?.endpoints["orders"]?.map(\.address.port) == [1001])
    #expect(control.status.lastReloadSucceeded)

    try folder.write(Self.text(port: 1002), to: "penstock.yaml.new")
    try folder.rename("penstock.yaml.new", to: "penstock.yaml")
    try await eventually("the change is published") { sink.snapshots.count == 2 }
    #expect(sink.snapshots.last?.endpoints["orders"]?.map(\.address.port) == [1002])
    #expect(control.status.revision == 2)

    // Wrong in two places: both are told with their lines, and nothing changes.
    try folder.write("listeners: 5\nservises: []\n", to: "penstock.yaml")
    try await eventually("the failure is noted") { !control.status.lastReloadSucceeded }
    try await eventually("the errors are logged") { lines.values.contains { $0.contains("keeps running") } }
    let prefix = "error \(folder.path("penstock.yaml")):"
    #expect(lines.values.contains { $0.hasPrefix(prefix + "1:") })
    #expect(lines.values.contains { $0.hasPrefix(prefix + "2:") })
    #expect(sink.snapshots.count == 2)
    #expect(control.snapshot?.revision == 2)
    #expect(control.status.reloadsFailed == 1)

    try folder.write(Self.text(port: 1003), to: "penstock.yaml")
    try await eventually("the repaired file is published") { sink.snapshots.count == 3 }
    try await eventually("the success is noted") { control.status.lastReloadSucceeded }
    await control.stop()
    #expect(await control.reload(reason: .request) == false)
  }

  @Test func reloadsOnRequest() async throws {
    let folder = try TestFolder()
    try folder.write(Self.text(port: 1001), to: "penstock.yaml")
    let sink = Sink()
    let control = ControlPlane(source: .file(folder.path("penstock.yaml")), logger: logger(), sink: sink)
    try await control.start()
    // Nothing has changed: a success without a new revision.
    #expect(await control.reload(reason: .request))
    #expect(sink.snapshots.count == 1)
    // SIGHUP has the same configuration applied once more.
    #expect(await control.reload(reason: .hangup))
    #expect(sink.snapshots.map(\.revision) == [1, 1])
    try folder.remove("penstock.yaml")
    #expect(await control.reload(reason: .hangup) == false)
    #expect(control.snapshot?.revision == 1)
    await control.stop()
  }

  @Test func doesNotStartWithoutAConfiguration() async throws {
    let folder = try TestFolder()
    let sink = Sink()
    let missing = ControlPlane(source: .file(folder.path("missing.yaml")), logger: logger(), sink: sink)
    await #expect(throws: ControlPlaneError.self) { try await missing.start() }
    try folder.write("listeners: [", to: "broken.yaml")
    let broken = ControlPlane(source: .file(folder.path("broken.yaml")), logger: logger(), sink: sink)
    do throws(ControlPlaneError) {
      try await broken.start()
      Issue.record("it must not start")
    } catch {
      #expect(error.description.hasPrefix(folder.path("broken.yaml") + ":"))
    }
    #expect(sink.events.count == 0)
    await missing.stop()
    await broken.stop()
  }

  @Test func tellsOfHealthAndKeepsItOverReloads() async throws {
    let origin = try Origin(answer: Origin.status("500 Internal Server Error"))
    defer { origin.stop() }
    var service = Service(
      name: "orders", endpoints: [EndpointSpec(address: HostPort(host: "127.0.0.1", port: origin.port))])
    service.health = HealthCheck(probe: .http(path: "/", host: nil, statuses: []))
    service.health?.interval = .milliseconds(20)
    let folder = try TestFolder()
    let health = "    health: {path: /, interval: 50ms, timeout: 40ms}"
    try folder.write(Self.text(port: origin.port, health: health), to: "penstock.yaml")
    let sink = Sink()
    let control = ControlPlane(source: .file(folder.path("penstock.yaml")), logger: logger(), sink: sink)
    try await control.start()
    #expect(sink.snapshots.first?.endpoints["orders"]?.map(\.isHealthy) == [true])
    try await eventually("it is unhealthy") { sink.verdicts == [false] }
    #expect(control.snapshot?.endpoints["orders"]?.map(\.isHealthy) == [false])

    try folder.write(
      Self.text(port: origin.port, health: health) + "  - {name: second, service: orders, hosts: [a.test]}\n",
      to: "penstock.yaml")
    #expect(await control.reload(reason: .request))
    #expect(sink.snapshots.last?.revision == 2)
    #expect(sink.snapshots.last?.endpoints["orders"]?.map(\.isHealthy) == [false])

    origin.set(answer: Origin.status("200 OK"))
    try await eventually("it is healthy again") { sink.verdicts == [false, true] }
    // Without checks everything counts as healthy.
    origin.set(answer: Origin.status("500 Internal Server Error"))
    try await eventually("it is unhealthy again") { sink.verdicts == [false, true, false] }
    try folder.write(Self.text(port: origin.port), to: "penstock.yaml")
    #expect(await control.reload(reason: .request))
    #expect(sink.snapshots.last?.endpoints["orders"]?.map(\.isHealthy) == [true])
    await control.stop()
  }

  @Test func followsNamesOfAFixedConfiguration() async throws {
    let server = try DNSServer(records: "127.0.0.1 web.test\n", timeToLive: 0)
    var configuration = Configuration()
    configuration.services = [
      Service(
        name: "web",
        endpoints: [
          EndpointSpec(address: HostPort(host: "web.test", port: 80)),
          EndpointSpec(address: HostPort(host: "late.test", port: 81)),
        ])
    ]
    var options = ControlPlane.Options()
    options.resolver.servers = server.address
    options.resolver.timeout = .milliseconds(300)
    options.timing.refreshMin = .milliseconds(20)
    options.timing.retryMin = .milliseconds(20)
    options.timing.retryMax = .milliseconds(50)
    let lines = Collected<String>()
    let sink = Sink()
    let control = ControlPlane(
      source: .fixed(configuration), logger: logger(lines), sink: sink, options: options)
    try await control.start()
    try await eventually("the first name resolves") {
      control.snapshot?.endpoints["web"]?.map(\.name) == ["web.test:80"]
    }
    try await eventually("the missing one is logged") {
      lines.values.contains { $0.contains("warning the name does not resolve") }
    }
    try server.replace(records: "127.0.0.1 web.test\n127.0.0.2 late.test\n")
    try await eventually("the second name resolves") {
      sink.endpointChanges.last?.map(\.name) == ["web.test:80", "late.test:81"]
    }
    #expect(control.snapshot?.endpoints["web"]?.count == 2)
    await control.stop()
  }
}
