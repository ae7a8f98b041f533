import DataPlane
import Resources
import Testing

@testable import ControlPlane

/// A configuration of several files.
@Suite struct ConfigurationDirectoryTests {
  private static let base = """
    listeners: [{name: web, address: "127.0.0.1:8080"}]
    http: {timeouts: {idle: 7s}}

    """
  private static let services = """
    services:
      - {name: a, endpoints: ["127.0.0.1:4000"]}
      - {name: b, endpoints: ["127.0.0.1:4001"]}

    """
  private static let routes = """
    routes:
      - {name: r1, service: a, hosts: [r1.test]}
      - {name: r2, service: b, hosts: [r2.test]}

    """

  private func start(_ files: (String, String)...) async throws -> RunningPlane {
    let folder = try TestFolder()
    try folder.makeFolder("conf.d")
    for (name, text) in files { try folder.write(text, to: "conf.d/" + name) }
    return RunningPlane(.file(folder.path("conf.d")), in: folder)
  }

  private func three() async throws -> RunningPlane {
    let running = try await start(("1.yaml", Self.base), ("2.yml", Self.services), ("3.yaml", Self.routes))
    try await running.start()
    return running
  }

  @Test func takesAllFilesTogether() async throws {
    let running = try await three()
    // Others are none of its business.
    #expect(running.served.routeNames == ["r1", "r2"] && running.served.problems == [])
    #expect(running.served.http.timeouts.idle == .seconds(7))
    #expect(try await running.view("services/a")?.owner == .file(running.folder.path("conf.d/2.yml")))
    let owners = await running.control.resourceStatus.owners
    #expect(owners.map(\.counts) == [[.listeners: 1], [.services: 2], [.routes: 2]])
    for name in [".hidden.yaml", "notes.txt", "4.yaml~"] {
      try running.folder.write("wrong: [", to: "conf.d/" + name)
    }
    #expect(await running.control.reload(reason: .request))
    #expect(running.sink.deltas.isEmpty)
    await running.stop()
  }

  /// One file of several: only what is in it is looked at, and told.
  @Test func changesWhatIsInTheFileThatChanged() async throws {
    let running = try await three()
    try running.folder.write(Self.routes.replacing("r2.test", with: "new.test"), to: "conf.d/3.yaml")
    try await eventually("the change is taken over") { running.sink.deltas.count == 1 }
    #expect(running.sink.deltas.map(\.counts) == [[0, 0, 0, 1, 0, 0]])
    #expect(running.served.route("r2")?.route.hosts == ["new.test"])
    try await eventually("the success is noted") { await running.control.status.reloadsSucceeded == 1 }
    #expect(try await running.revision("routes/r2") == 2)
    #expect(try await running.revision("routes/r1") == 1)
    #expect(try await running.revision("services/a") == 1)
    await running.stop()
  }

  /// A route that moves is there all the while.
  @Test func movesAResourceBetweenFiles() async throws {
    let running = try await three()
    // Until both are written, it would be there twice: that is refused.
    try running.folder.write("routes: [{name: r2, service: b, hosts: [r2.test]}]\n", to: "conf.d/4.yaml")
    #expect(await running.control.reload(reason: .request) == false)
    #expect(running.hasLogged("error \(running.folder.path("conf.d/4.yaml")):1:"))
    #expect(running.sink.deltas.isEmpty)
    let left = Self.routes.replacing("  - {name: r2, service: b, hosts: [r2.test]}\n", with: "")
    try running.folder.write(left, to: "conf.d/3.yaml")
    #expect(await running.control.reload(reason: .request))
    #expect(try await running.view("routes/r2")?.owner == .file(running.folder.path("conf.d/4.yaml")))
    #expect(running.served.routes.count == 2 && running.served.route("r2") != nil)
    for change in running.sink.deltas.flatMap(\.routes) {
      if case .remove = change { Issue.record("the route was away") }
    }
    await running.stop()
  }

  @Test func takesAwayWhatWasInAFileThatIsGone() async throws {
    let running = try await three()
    // What others use cannot go.
    let services = running.folder.path("conf.d/2.yml")
    try running.folder.remove("conf.d/2.yml")
    #expect(await running.control.reload(reason: .request) == false)
    #expect(running.served.services.count == 2 && running.sink.deltas.isEmpty)
    #expect(running.hasLogged("error \(services):2:5: services/a: it is used by routes/r1: "))
    #expect(running.hasLogged("error \(services):3:5: services/b: it is used by routes/r2: "))
    #expect(try await running.view("services/a")?.owner == .file(services))
    try running.folder.remove("conf.d/3.yaml")
    #expect(await running.control.reload(reason: .request))
    #expect(running.served.routes.isEmpty && running.served.services.isEmpty)
    #expect(running.sink.deltas.flatMap(\.routes).count == 2)
    #expect(await running.directory?.endpoints(of: "a") == [])
    #expect(await running.control.resourceStatus.owners.map(\.counts) == [[.listeners: 1]])
    await running.stop()
  }

  /// Everything that is wrong in any of them, with file, line and column.
  @Test func tellsWhereErrorsAre() async throws {
    let running = try await start(
      ("1.yaml", Self.base + "workers: 2\n"), ("2.yaml", "http: {}\nworkers: 3\n"),
      ("3.yaml", Self.services))
    let settings = try await startProblem(running)
    let folder = running.folder.path("conf.d/")
    #expect(
      settings.contains("\(folder)2.yaml:1:1: http: http is already at \(folder)1.yaml:2:1"), "\(settings)")
    #expect(settings.contains("\(folder)2.yaml:2:1: workers: workers is already at \(folder)1.yaml:3:1"))
    await running.stop()

    let shapes = try await start(
      ("1.yaml", Self.base), ("2.yaml", "services:\n  - {name: a, endpoints: 5}\n"), ("3.yaml", "rotes: []\n")
    )
    let shape = try await startProblem(shapes)
    let other = shapes.folder.path("conf.d/")
    #expect(shape.contains("\(other)2.yaml:2:26: ") && shape.contains("\(other)3.yaml:1:1: "), "\(shape)")
    await shapes.stop()

    let empty = try await start(("notes.txt", "nothing"))
    #expect(try await startProblem(empty).contains("has no file whose name ends in .yaml or .yml"))
    await empty.stop()
    let silent = try await start(("2.yaml", Self.services))
    #expect(try await startProblem(silent).contains("\"listeners\" is missing"))
    await silent.stop()
  }

  /// Where resources were is known, also after a change that moved nothing but lines.
  @Test func knowsPlacesOfWhatIsNoLongerThere() async throws {
    let running = try await three()
    let path = running.folder.path("conf.d/2.yml")
    try running.folder.write("# A line more.\n" + Self.services, to: "conf.d/2.yml")
    #expect(await running.control.reload(reason: .request))
    #expect(running.sink.deltas.isEmpty)
    #expect(await running.control.status.revision == 1)
    try running.folder.write("services: []\n", to: "conf.d/2.yml")
    #expect(await running.control.reload(reason: .request) == false)
    #expect(running.hasLogged("error \(path):3:5: services/a: it is used by"))
    #expect(running.hasLogged("error \(path):4:5: services/b: it is used by"), "\(running.lines.values)")
    await running.stop()
  }
}
