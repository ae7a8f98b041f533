import DataPlane
import Logging
import Resources
import Runtime
import Testing

@testable import ControlPlane

@Suite struct ControlPlaneTests {
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
    let running = try RunningPlane(Self.text(port: 1001), in: folder)
    let (control, sink) = (running.control, running.sink)
    try await running.start()
    func ports() -> [UInt16]? { sink.served.endpoints(of: "orders")?.map(\.address.port) }
    #expect(await control.status.revision == 1)
    #expect(sink.deltas.count == 0 && ports() == [1001])
    #expect(await control.status.lastReloadSucceeded)
    #expect(await control.resourceStatus.servedRevision == 1)

    try folder.write(Self.text(port: 1002), to: "penstock.yaml.new")
    try folder.rename("penstock.yaml.new", to: "penstock.yaml")
    try await eventually("the change is published") { sink.deltas.count == 1 }
    #expect(ports() == [1002])
    #expect(await control.status.revision == 2)

    // Wrong in two places: both are told with their lines, and nothing changes.
    try folder.write("listeners: 5\nservises: []\n", to: "penstock.yaml")
    try await eventually("the failure is noted") { await !control.status.lastReloadSucceeded }
    try await eventually("the errors are logged") { running.hasLogged("keeps running") }
    let prefix = "error \(folder.path("penstock.yaml")):"
    #expect(running.lines.values.contains { $0.hasPrefix(prefix + "1:") })
    #expect(running.lines.values.contains { $0.hasPrefix(prefix + "2:") })
    #expect(sink.deltas.count == 1)
    #expect(await control.status.revision == 2)
    #expect(await control.status.reloadsFailed == 1)

    try folder.write(Self.text(port: 1003), to: "penstock.yaml")
    try await eventually("the repaired file is published") { ports() == [1003] }
    try await eventually("the success is noted") { await control.status.lastReloadSucceeded }
    await running.stop()
    #expect(await control.reload(reason: .request) == false)
  }

  @Test func reloadsOnRequest() async throws {
    let folder = try TestFolder()
    let running = try RunningPlane(Self.text(port: 1001), in: folder)
    let (control, sink) = (running.control, running.sink)
    try await running.start()
    // Nothing has changed: a success without a new revision.
    #expect(await control.reload(reason: .request))
    #expect(sink.deltas.count == 0)
    // SIGHUP has the listeners tried once more.
    #expect(await control.reload(reason: .hangup))
    #expect(sink.deltas.map(\.counts) == [[1, 0, 0, 0, 0, 0]])
    #expect(await control.status.revision == 1)
    #expect(await control.status.reloadsSucceeded == 2)
    try folder.remove("penstock.yaml")
    #expect(await control.reload(reason: .hangup) == false)
    #expect(await control.status.revision == 1)
    #expect(running.served.route("orders") != nil)
    await running.stop()
  }

  @Test func doesNotStartWithoutAConfiguration() async throws {
    let folder = try TestFolder()
    let missing = RunningPlane(.file(folder.path("missing.yaml")), in: folder)
    #expect(
      try await startProblem(missing) == folder.path("missing.yaml") + ":1:1: No such file or directory")
    let broken = try RunningPlane("listeners: [", in: folder)
    #expect(try await startProblem(broken).hasPrefix(folder.path("penstock.yaml") + ":"))
    let silent = try RunningPlane("workers: 2\n", in: folder)
    #expect(try await startProblem(silent).contains("\"listeners\" is missing"))
    for running in [missing, broken, silent] {
      #expect(running.sink.deltas.count == 0)
      #expect(await !running.control.status.lastReloadSucceeded)
      await running.stop()
    }
  }

  @Test func tellsOfHealthAndKeepsItOverReloads() async throws {
    let origin = try Origin(answer: Origin.status("500 Internal Server Error"))
    defer { origin.stop() }
    let folder = try TestFolder()
    let health = "    health: {path: /, interval: 50ms, timeout: 40ms}"
    let running = try RunningPlane(Self.text(port: origin.port, health: health), in: folder)
    let (control, sink) = (running.control, running.sink)
    func healthy() -> [Bool]? { sink.served.endpoints(of: "orders")?.map(\.isHealthy) }
    let (_, delta) = try await control.load()
    sink.begin(delta)
    #expect(healthy() == [true])
    control.follow()
    try await eventually("it is unhealthy") { sink.verdicts == [false] }
    #expect(healthy() == [false])

    // Another definition of the service, and a route more: what is known of its endpoint stays.
    let more = Self.text(port: origin.port, health: health + "\n    balance: least-request")
    try folder.write(more + "  - {name: second, service: orders, hosts: [a.test]}\n", to: "penstock.yaml")
    #expect(await control.reload(reason: .request))
    #expect(await control.status.revision == 2)
    #expect(running.served.route("second") != nil && healthy() == [false])

    origin.set(answer: Origin.status("200 OK"))
    try await eventually("it is healthy again") { sink.verdicts == [false, true] }
    // Without checks everything counts as healthy.
    origin.set(answer: Origin.status("500 Internal Server Error"))
    try await eventually("it is unhealthy again") { sink.verdicts == [false, true, false] }
    try folder.write(Self.text(port: origin.port), to: "penstock.yaml")
    #expect(await control.reload(reason: .request))
    #expect(healthy() == [true])
    await running.stop()
  }

  @Test func followsNamesOfAFixedConfiguration() async throws {
    let server = try DNSServer(records: "127.0.0.1 web.test\n", timeToLive: 0)
    var configuration = Configuration()
    configuration.listeners = [Listener(name: "web", address: HostPort(host: "127.0.0.1", port: 8080))]
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
    let running = RunningPlane(.fixed(configuration), in: server.folder, options: options)
    try await running.start()
    try await eventually("the first name resolves") {
      running.served.endpoints(of: "web")?.map(\.name) == ["web.test:80"]
    }
    try await eventually("the missing one is logged") {
      running.hasLogged("warning the name does not resolve")
    }
    try server.replace(records: "127.0.0.1 web.test\n127.0.0.2 late.test\n")
    try await eventually("the second name resolves") {
      running.sink.endpointChanges.last?.map(\.name) == ["web.test:80", "late.test:81"]
    }
    #expect(running.served.endpoints(of: "web")?.count == 2)
    #expect(await running.control.configuration.services.map(\.name) == ["web"])
    await running.stop()
  }

  /// Workers are told of it once, and the process of all of it.
  @Test func tellsOfOtherSettings() async throws {
    let folder = try TestFolder()
    let running = try RunningPlane(Self.text(port: 1001), in: folder)
    let (control, sink) = (running.control, running.sink)
    try await running.start()
    #expect(sink.settings.count == 0)
    try folder.write(Self.text(port: 1001) + "http: {timeouts: {idle: 7s}}\n", to: "penstock.yaml")
    #expect(await control.reload(reason: .request))
    #expect(sink.settings.values.map(\.http.timeouts.idle) == [.seconds(7)])
    #expect(sink.deltas.map(\.counts) == [[0, 0, 0, 0, 0, 0]])
    #expect(running.served.http.timeouts.idle == .seconds(7))
    // Access logs are no concern of the routes.
    try folder.write(
      Self.text(port: 1001) + "http: {timeouts: {idle: 7s}}\naccessLog: {path: access.log}\n",
      to: "penstock.yaml")
    #expect(await control.reload(reason: .request))
    #expect(sink.settings.count == 2 && sink.deltas.count == 1)
    #expect(await control.settings.accessLog != nil)
    await running.stop()
  }
}
