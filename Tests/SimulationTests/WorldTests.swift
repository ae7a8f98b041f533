import Testing

@testable import Simulation

/// Some of the worlds that `make simulate` runs. A failure names its seed: `make simulate SEED=…` shows it.
@Suite("Random worlds, simulated")
struct WorldTests {
  @Test("Every rule holds, whatever happens", arguments: 1...30)
  func rules(seed: UInt64) {
    let report = World.run(WorldPlan(seed: seed))
    #expect(report.violations.isEmpty, "\(report.plan): \(report.violations)")
    #expect(report.outcomes["none"] == nil)
  }

  @Test(
    "Every rule holds with one protocol, and with many changes", arguments: WorldPlan.Focus.allCases,
    200...205)
  func focused(focus: WorldPlan.Focus, seed: UInt64) {
    let report = World.run(WorldPlan(seed: seed, focus: focus))
    #expect(report.violations.isEmpty, "\(report.plan): \(report.violations)")
  }

  @Test("A seed replays a world exactly, and another seed makes another", arguments: [3, 77, 140])
  func replay(seed: UInt64) {
    let first = World.run(WorldPlan(seed: seed), keepsTrace: true)
    let second = World.run(WorldPlan(seed: seed), keepsTrace: true)
    #expect(first.lines.map(\.description) == second.lines.map(\.description))
    #expect(first.fingerprint == second.fingerprint)
    #expect(first.noteCount > 50)
    #expect(World.run(WorldPlan(seed: seed + 1)).fingerprint != first.fingerprint)
  }

  @Test("Worlds are not all alike: there are calm and wild ones, and requests of all outcomes")
  func variety() {
    let reports = (1...40).map { World.run(WorldPlan(seed: $0)) }
    let outcomes = Set(reports.flatMap { $0.outcomes.keys })
    #expect(outcomes.isSuperset(of: ["200", "404", "502", "503", "504", "101", "abandoned"]))
    #expect(Set(reports.map { $0.plan.isCalm }) == [true, false])
    #expect(reports.contains { $0.versionCount > 10 })
    #expect(reports.reduce(0) { $0 + $1.messageCount } > 300)
  }

  /// What a world consists of, without holding it.
  private struct Remains {
    private struct Part {
      let name: String
      weak var object: AnyObject?
    }

    private var parts: [Part] = []

    init(_ world: World) {
      note("the world", [world, world.simulation, world.simulation.network, world.ledger, world.topology])
      note("a gateway", world.gateways)
      note("a service", world.gateways.flatMap(\.services))
      note("an origin", world.origins + world.sideOrigins)
      note("a client", world.clients)
      note("a worker", world.simulation.workers)
      note("a seam", world.simulation.workers.map(\.seam))
    }

    private mutating func note(_ name: String, _ objects: [AnyObject]) {
      for object in objects { parts.append(Part(name: "\(name): \(type(of: object))", object: object)) }
    }

    var count: Int { parts.count }
    var left: [String] { parts.filter { $0.object != nil }.map(\.name) }
  }

  @Test("Nothing is left of a world that has ended", arguments: 1...40)
  func end(seed: UInt64) {
    var remains: Remains
    do {
      let world = World(WorldPlan(seed: seed))
      _ = world.run()
      remains = Remains(world)
    }
    #expect(remains.count > 10)
    #expect(remains.left == [])
  }
}
