import DataPlane
import Resources
import Testing

@testable import ControlPlane

/// What becomes of the store's resources over the life of processes, and over time.
@Suite struct StoreRestartTests {
  private static let text = TransactionTests.text

  /// The same but for the numbers of revisions that only workers know.
  @Test func servesTheSameAfterARestart() async throws {
    let folder = try TestFolder()
    try folder.write(String(repeating: "3d", count: 32), to: "store.key")
    for name in ["shop", "own"] { try TestCertificate.write(name, hosts: ["\(name).test"], in: folder) }
    let text = Self.text.replacing("penstock.db}", with: "penstock.db, key: {file: store.key}}")
    let first = try RunningPlane(text, in: folder)
    try await first.start()
    try await first.apply(put("listeners/secure", #"{"address":"127.0.0.1:8443","tls":{}}"#))
    let json = try certificateJSON("shop.pem", key: "shop.key", in: folder, more: #","default":true"#)
    try await first.apply(
      put("certificates/shop", json),
      put("certificates/own", #"{"certificate":"own.pem","key":"own.key","listeners":["secure"]}"#))
    // In an order that is not that of the names, and one that is put anew later.
    for name in ["z", "m", "a"] {
      try await first.apply(
        put("services/\(name)", #"{"endpoints":["127.0.0.1:4000"]}"#),
        put("routes/\(name)", #"{"service":"\#(name)","hosts":["\#(name).test"]}"#))
    }
    try await first.apply(patch("routes/z", #"{"listeners":["secure"]}"#))
    try await first.apply(delete("routes/m"))
    try await first.apply(put("routes/m", #"{"service":"m","hosts":["m.test"]}"#))
    #expect(first.served.routeNames == ["home", "z", "a", "m"])
    let views = await views(first)
    await first.stop()

    let second = try RunningPlane(text, in: folder)
    try await second.start()
    #expect(second.sink.deltas.isEmpty && second.served.problems == [])
    #expect(second.served.routeNames == ["home", "z", "a", "m"])
    #expect(await self.views(second) == views)
    #expect(await second.control.status.unservedProblem == nil)
    #expect(contents(second.served) == contents(first.served))
    #expect(second.served.listener("secure")?.security?.defaultCertificates.map(\.name) == ["shop"])
    let status = await second.control.resourceStatus
    #expect(status.revision == 9 && status.servedRevision == 9)
    // It goes on where it was.
    #expect(try await second.apply(delete("routes/a")).revision == 10)
    #expect(try await second.revision("routes/z") == 7)
    await second.stop()
  }

  private func views(_ running: RunningPlane) async -> [ResourceView] {
    var views: [ResourceView] = []
    for kind in ResourceKind.allCases {
      let page = await running.control.page(kind, filter: ResourceFilter(), after: nil, limit: 100)
      // A file is read anew by each process.
      views += page.items.filter { $0.owner == .store }
    }
    return views
  }

  /// What is served, whatever its numbers are.
  private func contents(_ served: ServedState) -> [String] {
    var lines = served.listeners.values.map { Resource.listener($0.listener).json }
    lines += served.certificates.values.map { certificate in
      let names = certificate.listeners.map { served.listeners[$0]?.listener.name ?? "" }
      return "\(certificate.certificate.name) \(certificate.certificate.fingerprint) \(names)"
    }
    lines += served.services.values.map { "\(Resource.service($0.service).json) \($0.endpoints)" }
    lines += served.routes.values.map { Resource.route($0.route).json }
    return lines.sorted()
  }

  /// What a file says now goes before what the store holds from before.
  @Test func leavesOutWhatConflictsWithAFile() async throws {
    let folder = try TestFolder()
    let first = try RunningPlane(Self.text, in: folder)
    try await first.start()
    try await first.apply(
      put("services/shop", #"{"endpoints":["127.0.0.1:4000"]}"#),
      put("services/other", #"{"endpoints":["127.0.0.1:4001"]}"#))
    try await first.apply(
      put("routes/shop", #"{"service":"shop","hosts":["shop.test"]}"#),
      put("routes/taken", #"{"service":"other","hosts":["taken.test"]}"#))
    await first.stop()

    let text = Self.text.replacing(
      "services: [", with: #"services: [{name: shop, endpoints: ["127.0.0.1:5000"]}, "#
    )
    .replacing("routes: [", with: "routes: [{name: mine, service: site, hosts: [taken.test]}, ")
    let second = try RunningPlane(text, in: folder)
    try await second.start()
    let problem = try #require(await second.control.status.unservedProblem)
    #expect(problem.hasPrefix("2 resource(s) of the store are not served: services/shop: "), "\(problem)")
    #expect(second.hasLogged("error the store: services/shop: name: the name is taken by the file"))
    #expect(second.hasLogged("error the store: routes/taken: "))
    // The file's service is served as the file says; the store's route uses it.
    #expect(second.served.endpoints(of: "shop")?.map(\.address.port) == [5000])
    #expect(await second.directory?.endpoints(of: "shop").map(\.address.port) == [5000])
    #expect(second.served.routeNames == ["mine", "home", "shop"])
    #expect(second.served.service("other") != nil && second.served.problems == [])
    #expect(await second.control.registry.leftovers == [0, 0])
    try await second.apply(put("services/more", #"{"endpoints":["127.0.0.1:4000"]}"#))
    await second.stop()

    // It is still there when the file has changed its mind.
    let third = try RunningPlane(Self.text, in: folder)
    try await third.start()
    #expect(await third.control.status.unservedProblem == nil)
    #expect(third.served.endpoints(of: "shop")?.map(\.address.port) == [4000])
    #expect(Set(third.served.routeNames) == ["home", "shop", "taken"])
    await third.stop()
  }

  @Test func takesNamesThatFilesUseFromNobody() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    try await running.apply(
      put("services/shop", TransactionTests.shop),
      put("routes/shop", #"{"service":"site","hosts":["shop.test"]}"#))
    let before = await running.picture()
    // What the store uses cannot be taken out of the file, and what it has cannot come with the file.
    for (old, new) in [
      ("{name: site,", "{name: other,"),
      ("services: [", #"services: [{name: shop, endpoints: ["127.0.0.1:5000"]}, "#),
      ("hosts: [home.test]", "hosts: [home.test, shop.test]"),
    ] {
      let text = Self.text.replacing(old, with: new).replacing(
        "service: site,", with: old.contains("name: site") ? "service: other," : "service: site,")
      try running.folder.write(text, to: "penstock.yaml")
      #expect(await running.control.reload(reason: .request) == false, "\(new)")
      #expect(await running.picture() == before, "\(new)")
    }
    #expect(running.hasLogged("routes/shop"))
    try running.folder.write(Self.text, to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request))
    #expect(await running.picture() == before)
    await running.stop()
  }

  // MARK: The past

  @Test func goesBackToWhatWas() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    let control = running.control
    try await running.apply(
      put("services/a", TransactionTests.shop), put("routes/a", #"{"service":"a","hosts":["a.test"]}"#))
    try await running.apply(put("routes/b", #"{"service":"a","hosts":["b.test"]}"#))
    let then = contents(running.served)
    #expect(running.served.routeNames == ["home", "a", "b"])
    try await running.apply(patch("services/a", #"{"endpoints":["127.0.0.1:4009"]}"#))
    try await running.apply(delete("routes/a"), put("services/c", TransactionTests.shop))
    try await running.apply(delete("routes/b"), delete("services/a"))

    var request = RollbackRequest(revision: 3, actor: "anna", remote: "192.0.2.7")
    request.isDryRun = true
    let dry = try await control.rollback(request, waitingAtMost: nil)
    #expect(dry.results.map(\.outcome).count == 4 && running.served.routeNames == ["home"])
    request.isDryRun = false
    let receipt = try await control.rollback(request, waitingAtMost: .seconds(20))
    #expect(receipt.revision == 7 && receipt.isServed)
    #expect(
      Dictionary(uniqueKeysWithValues: receipt.results.map { ($0.id.description, $0.outcome) })
        == ["services/a": .created, "routes/a": .created, "routes/b": .created, "services/c": .deleted])
    // Routes that come back have the place that they had.
    #expect(running.served.routeNames == ["home", "a", "b"])
    #expect(running.served.endpoints(of: "a")?.map(\.address.port) == [4000])
    #expect(contents(running.served) == then)
    #expect(try await running.revision("routes/a") == 7)

    // It is a change as any other: it is told, and can be undone.
    let history = try await control.history(before: nil, limit: 2)
    #expect(history.map(\.revision) == [7, 6] && history[0].message == "rollback to 3")
    #expect(try await control.auditTrail(before: nil, limit: 1)[0].action == "rollback to 3")
    #expect(try await control.difference(from: 3, to: 7) == [])
    request.revision = 6
    _ = try await control.rollback(request, waitingAtMost: nil)
    #expect(running.served.routeNames == ["home"] && running.served.service("c") != nil)
    request.revision = 8
    #expect(try await control.rollback(request, waitingAtMost: nil).results == [])
    request.revision = 99
    await #expect(throws: TransactionRefusal.self) { try await control.rollback(request, waitingAtMost: nil) }
    await running.stop()
  }

  @Test func tellsWhatDiffers() async throws {
    let running = try RunningPlane(Self.text, in: TestFolder())
    try await running.start()
    let control = running.control
    try await running.apply(put("services/a", TransactionTests.shop))
    try await running.apply(
      put("services/a", #"{"endpoints":["127.0.0.1:4009"]}"#), put("services/b", TransactionTests.shop))
    try await running.apply(delete("services/b"))
    let record = try #require(try await control.change(3))
    #expect(record.summary.resourceCount == 2 && record.summary.actor == "anna")
    #expect(record.differences.map(\.id.name) == ["a", "b"])
    #expect(record.differences[0].before?.contains("4000") == true)
    #expect(record.differences[0].after?.contains("4009") == true)
    #expect(record.differences[1].before == nil)
    let whole = try #require(try await control.difference(from: 1, to: 4))
    #expect(whole.map(\.id.name) == ["a"] && whole[0].before == nil)
    let back = try #require(try await control.difference(from: 4, to: 2))
    #expect(back.map(\.id.name) == ["a"] && back[0].after?.contains("4000") == true)
    #expect(try await control.change(99) == nil)
    await running.stop()
  }
}
