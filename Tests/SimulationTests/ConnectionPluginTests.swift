import DataPlane
import Plugins
import Resources
import Runtime
import Simulation
import Testing

/// Cannot say whom it lets in.
private struct Failing: RunnablePlugin {
  static let name = "failing"
  static let summary = "Fails."
  static let priority = 1
  static let options: [PluginOption] = []
  var seesConnections: Bool { true }

  init(_ values: OptionValues) throws(OptionProblem) {}
  func plugin(at site: PluginSite) -> Plugin { FailingPlugin(.connection) }
}

private final class FailingPlugin: Plugin {
  override func connection(_ connection: AcceptedConnection) throws(PluginFailure) -> ConnectionVerdict {
    throw PluginFailure("nobody knows")
  }
}

@Suite("Plugins that are asked about connections, simulated")
struct ConnectionPluginTests {
  /// Where the clients of a scene are: 10.0.2.1.
  private static let denied = "ip-restriction, deny: [10.0.2.0/24], at: connection"

  private static func configuration(_ scene: Scene, _ plugins: String) throws -> Configuration {
    var configuration = scene.tracker.configuration
    configuration.plugins = try ConfigurationFile.load(
      text: """
        listeners: [{name: web, address: "127.0.0.1:8080"}]
        services: [{name: app, endpoints: ["127.0.0.1:9000"]}]
        plugins: [\(plugins.isEmpty ? "" : "{name: \(plugins)}")]
        """, path: "test.yaml", plugins: PluginCatalog([IPRestriction.self, Failing.self])
    ).plugins
    return configuration
  }

  @Test("A change counts for the next connection, and those that are there go on")
  func changes() throws {
    let scene = Scene()
    var statuses: [Int] = []
    var refused = 0
    scene.start("before") { stream throws(StreamFailure) in
      for _ in 0..<2 {
        statuses.append(try await stream.request().status)
        await stream.sleep(.seconds(2))
      }
    }
    try scene.simulation.run(for: .seconds(1))
    scene.apply(try Self.configuration(scene, Self.denied))
    func attempt() {
      scene.start("afterwards", mayFail: true) { stream throws(StreamFailure) in
        do throws(StreamFailure) {
          statuses.append(try await stream.request().status)
        } catch {
          refused += 1
        }
      }
    }
    attempt()
    try scene.simulation.run()
    #expect(statuses == [200, 200] && refused == 1)
    #expect(scene.refusals(.plugin) == 1)
    #expect(scene.gateway.counters.figures.connectionsRefused == 1)
    // What never was a request is counted as none.
    #expect(scene.gateway.counters.figures.requests == 2)
    scene.apply(try Self.configuration(scene, ""))
    attempt()
    try scene.simulation.run()
    #expect(statuses == [200, 200, 200] && refused == 1)
    try scene.finish()
  }

  @Test("Nobody makes room for a connection that is closed")
  func noEviction() throws {
    var http = HTTPSettings()
    http.limits.connections = 1
    let scene = Scene(http: http)
    var statuses: [Int] = []
    scene.start("idle") { stream throws(StreamFailure) in
      for _ in 0..<2 {
        statuses.append(try await stream.request().status)
        await stream.sleep(.seconds(1))
      }
    }
    try scene.simulation.run(for: .milliseconds(500))
    scene.apply(try Self.configuration(scene, Self.denied))
    scene.start("denied", mayFail: true) { stream throws(StreamFailure) in
      _ = try await stream.readResponse()
    }
    try scene.simulation.run()
    #expect(statuses == [200, 200])
    #expect(scene.refusals(.plugin) == 1 && scene.refusals(.connections) == 0)
    try scene.finish()
  }

  @Test("A plugin that cannot say has connections closed, and the log tells why")
  func failure() throws {
    let scene = Scene()
    scene.apply(try Self.configuration(scene, "failing"))
    scene.start("client", mayFail: true) { stream throws(StreamFailure) in
      _ = try await stream.request()
      Issue.record("it was answered")
    }
    try scene.simulation.run()
    #expect(scene.refusals(.plugin) == 1)
    #expect(scene.gateway.snapshotCounters().plugins["failing"]?.failures == 1)
    try scene.finish()
  }
}
