import DataPlane
import Plugins
import Resources
import Runtime
import Simulation
import Testing

/// One request after another's answer, on a network that delays everything by the same: when anything happens is
/// decided by what is waited for, and by nothing else. With several clients what comes at one time comes in an
/// order by chance, and one finds idle connections where another must make its own.
private final class MirrorDelayScene {
  /// What the service that gets copies does with them.
  enum Copies: CaseIterable {
    case answered, answeredLate, neverAnswered, neverRead, reset, refused, unreachable
  }

  private static let answer = pattern(150_000)

  private let scene = Scene()
  private let copies: SimulatedOrigin
  private let start: MonotonicTime
  private(set) var seen: [String] = []

  /// - Parameter plugin: of the route.
  init(copies behaviour: Copies, over version: Scene.Version, plugin: String) throws {
    copies = SimulatedOrigin(
      scene.simulation, address: Scene.originAddress(9), speaksHTTP2: version == .http2)
    copies.script = { _, _ in Self.steps(behaviour, version) }
    copies.http2ReleasesContent = behaviour != .neverRead
    if behaviour == .refused { copies.stop() }
    if behaviour == .unreachable { scene.simulation.network.ignoreConnects(to: copies.address) }
    let configuration = try ConfigurationFile.load(
      text: """
        listeners: [{name: web, address: "10.0.0.1:8080"}]
        services:
          - {name: origin, endpoints: ["\(scene.origin.address.host):\(scene.origin.address.port)"]}
          - name: copies
            endpoints: ["\(copies.address.host):\(copies.address.port)"]
            protocol: \(version == .http2 ? "h2" : "http/1.1")
        routes: [{name: all, service: origin, plugins: {\(plugin)}}]
        """, path: "test.yaml", plugins: .standard)
    let resolved = ResolvedEndpoint(name: copies.address.description, address: copies.address, weight: 1)
    scene.apply(
      scene.tracker.delta(to: configuration, endpoints: ["origin": scene.endpoints, "copies": [resolved]]))
    start = scene.simulation.now
    scene.origin.script = { [unowned self] request, _ in
      note("\(request.method) \(request.target) at the endpoint")
      return [.readContent, .respond(200, body: Self.answer)]
    }
  }

  private static func steps(_ behaviour: Copies, _ version: Scene.Version) -> [OriginStep] {
    switch behaviour {
    case .answered, .refused, .unreachable: [.readContent, .respond(200, body: pattern(300_000))]
    case .answeredLate: [.delay(.milliseconds(70)), .readContent, .respond(500)]
    case .neverAnswered: [.readContent, .hang]
    case .neverRead: [.hang]
    case .reset: version == .http2 ? [.resetStream(.internalError)] : [.reset]
    }
  }

  private func note(_ what: String) {
    seen.append("\(scene.simulation.now.nanoseconds(since: start)) ns: \(what)")
  }

  /// - Parameter bytes: of each request's content, in their order.
  func request(_ bytes: [Int?], over version: Scene.Version) throws {
    scene.startUnconnected { [unowned self] () throws(StreamFailure) in
      if version == .http1 {
        let stream = try await scene.client.connect()
        defer { stream.close() }
        for (number, bytes) in bytes.enumerated() {
          let (method, body) = (bytes == nil ? "GET" : "POST", bytes.map { pattern($0) })
          try await stream.send(SimulatedClient.request(method, "/\(number)", body: body))
          note(try await stream.readResponse())
        }
      } else {
        let connection = try await scene.client.connectHTTP2()
        defer { connection.close() }
        for (number, bytes) in bytes.enumerated() {
          let (method, body) = (bytes == nil ? "GET" : "POST", bytes.map { pattern($0) })
          note(try await connection.request(method, "/\(number)", body: body))
        }
      }
    }
    try scene.simulation.run()
  }

  private func note(_ response: SimulatedResponse) {
    note("answered with \(response.status), \(response.body == Self.answer ? "whole" : "not whole")")
  }

  /// Copies that have ended, however they did.
  var copyCount: UInt64 {
    let figures = scene.gateway.snapshotCounters().plugins["mirror"]?.sideRequests ?? SideFigures()
    return SideResult.allCases.reduce(0) { $1 == .dropped ? $0 : $0 + figures[$1] }
  }

  var copiesInFlight: Int { scene.gateway.snapshotCounters().worker.sideRequestsInFlight }

  func finish() throws {
    // Those that nobody answers have their time.
    try scene.simulation.run(limit: .seconds(60)) { copiesInFlight == 0 }
    try scene.finish()
    copies.stop()
    try scene.simulation.run(for: .seconds(10))
  }
}

@Suite("Copies beside their originals, simulated")
struct MirrorDelayTests {
  private static let bytes = [nil, 10, 100_000, nil, 70_000, 300_000, 0, nil]

  private func seen(
    _ plugin: String, _ copies: MirrorDelayScene.Copies, over version: Scene.Version,
    copiesOver copiesVersion: Scene.Version
  ) throws -> (lines: [String], copied: UInt64) {
    let scene = try MirrorDelayScene(copies: copies, over: copiesVersion, plugin: plugin)
    try scene.request(Self.bytes, over: version)
    let lines = scene.seen
    let inFlight = scene.copiesInFlight
    // None has ended yet: all but the first came while others were under way.
    if copies == .neverAnswered, plugin.hasPrefix("mirror") { #expect(inFlight == Self.bytes.count) }
    try scene.finish()
    return (lines, scene.copyCount)
  }

  @Test(
    "Each original comes and is answered at the nanosecond at which it would be without a copy",
    arguments: MirrorDelayScene.Copies.allCases, Scene.Version.allCases)
  fileprivate func delay(copies: MirrorDelayScene.Copies, version: Scene.Version) throws {
    for copiesVersion in Scene.Version.allCases {
      let without = try seen("", copies, over: version, copiesOver: copiesVersion)
      let with = try seen("mirror: {service: copies}", copies, over: version, copiesOver: copiesVersion)
      #expect(without.lines.count == 2 * Self.bytes.count)
      #expect(without.lines.allSatisfy { !$0.contains("not whole") })
      #expect(with.lines == without.lines)
      #expect(with.copied == UInt64(Self.bytes.count) && without.copied == 0)
    }
  }

  @Test("What is waited for can be seen in such times")
  func control() throws {
    let without = try seen("", .answeredLate, over: .http1, copiesOver: .http1)
    let asking = "forward-auth: {service: copies}"
    let with = try seen(asking, .answered, over: .http1, copiesOver: .http1)
    #expect(with.lines.count == without.lines.count)
    #expect(zip(with.lines, without.lines).allSatisfy { $0 != $1 })
  }
}
