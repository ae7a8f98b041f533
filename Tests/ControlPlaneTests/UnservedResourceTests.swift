import DataPlane
import Resources
import Testing

@testable import ControlPlane

/// Resources that the store has and files speak against: they can be seen, changed and deleted, and are served
/// as soon as nothing speaks against them.
@Suite struct UnservedResourceTests {
  private static let text = TransactionTests.text
  /// The store's service `shop`, and the host of its route `taken`, are in the file as well.
  private static let contested = text.replacing(
    "services: [", with: #"services: [{name: shop, endpoints: ["127.0.0.1:5000"]}, "#
  ).replacing("routes: [", with: "routes: [{name: mine, service: site, hosts: [taken.test]}, ")

  /// A store with two services and their routes, of which the file that runs now contests one each.
  private func contestedPlane() async throws -> RunningPlane {
    let folder = try TestFolder()
    let first = try RunningPlane(Self.text, in: folder)
    try await first.start()
    try await first.apply(put("services/shop", TransactionTests.shop))
    try await first.apply(put("services/other", #"{"endpoints":["127.0.0.1:4001"]}"#))
    try await first.apply(
      put("routes/shop", #"{"service":"shop","hosts":["shop.test"]}"#),
      put("routes/taken", #"{"service":"other","hosts":["taken.test"]}"#))
    await first.stop()
    let second = try RunningPlane(Self.contested, in: folder)
    try await second.start()
    return second
  }

  private func reload(_ running: RunningPlane, _ text: String) async throws {
    try running.folder.write(text, to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request))
  }

  private func names(
    _ running: RunningPlane, _ kind: ResourceKind, owner: ResourceOwner? = nil, limit: Int = 100
  ) async -> [String] {
    var filter = ResourceFilter()
    filter.owner = owner.map { .exactly($0) }
    var names: [String] = []
    while true {
      let page = await running.control.page(kind, filter: filter, after: names.last, limit: limit)
      names += page.items.map(\.id.name)
      if !page.hasMore { return names }
    }
  }

  @Test func areShownWithTheReason() async throws {
    let running = try await contestedPlane()
    let route = try #require(try await running.view("routes/taken"))
    #expect(route.owner == .store && route.revision == 4 && route.json.contains("taken.test"))
    #expect(route.unserved?.contains("has the same conditions as route") == true)
    #expect(try await running.view("routes/shop")?.unserved == nil)
    // The name is the file's as well, which is what is served.
    #expect(try await running.view("services/shop")?.owner != .store)
    #expect(await names(running, .services, owner: .store) == ["other", "shop"])
    #expect(await names(running, .routes) == ["home", "mine", "shop", "taken"])
    #expect(await names(running, .routes, limit: 1) == ["home", "mine", "shop", "taken"])
    #expect(await running.control.resourceStatus.unservedCount == 2)
    let problem = try #require(await running.control.status.unservedProblem)
    #expect(problem.contains("services/shop: ") && problem.contains("routes/taken: "), "\(problem)")
    await running.stop()
  }

  @Test func canBeDeleted() async throws {
    let running = try await contestedPlane()
    let before = running.served.lines
    let dry = try await running.apply(delete("routes/taken"), isDryRun: true)
    #expect(dry.results.map(\.outcome) == [.deleted] && dry.revision == 4)
    #expect(await running.control.resourceStatus.unservedCount == 2)
    let wrong = try await running.refusal(delete("routes/taken", if: .revision([3])))
    #expect(wrong.reason == .conditionFailed)
    let receipt = try await running.apply(
      delete("routes/taken", if: .revision([4])), waitingAtMost: .seconds(20))
    #expect(receipt.results.map(\.outcome) == [.deleted] && receipt.revision == 5 && receipt.isServed)
    let problem = try #require(await running.control.status.unservedProblem)
    #expect(problem.hasPrefix("1 resource(s) of the store are not served: services/shop: "), "\(problem)")
    // What the store has beside the file's; what the file says stays.
    try await running.apply(delete("services/shop"))
    #expect(await running.control.status.unservedProblem == nil)
    #expect(running.served.lines == before)
    #expect(try await running.refusal(delete("services/shop")).reason == .notOwned)
    #expect(try await running.refusal(delete("routes/taken")).reason == .notFound)
    await running.stop()
    // They are gone for good.
    let again = try RunningPlane(
      Self.text.replacing("services: [", with: #"services: [{name: shop, endpoints: ["127.0.0.1:1"]}, "#),
      in: running.folder)
    try await again.start()
    #expect(again.served.routeNames == ["home", "shop"])
    #expect(await again.control.status.unservedProblem == nil)
    await again.stop()
  }

  @Test func canBeReplaced() async throws {
    let running = try await contestedPlane()
    let refused = try await running.refusal(patch("routes/taken", #"{"service":"site"}"#))
    #expect(refused.reason == .invalid && refused.problems[0].message.contains("same conditions"))
    let patched = try await running.apply(patch("routes/taken", #"{"hosts":["free.test"]}"#))
    #expect(patched.results.map(\.outcome) == [.replaced])
    #expect(running.served.route("taken")?.route.hosts == ["free.test"])
    // It keeps the place that it had.
    #expect(running.served.routeNames == ["mine", "home", "shop", "taken"])
    #expect(try await running.view("routes/taken")?.unserved == nil)
    #expect(await running.control.resourceStatus.unservedCount == 1)
    #expect(
      try await running.refusal(put("services/shop", TransactionTests.shop)).reason == .notOwned)
    await running.stop()
  }

  @Test func areServedWhenTheFileHasChangedItsMind() async throws {
    let running = try await contestedPlane()
    var events = await running.control.changes(after: 4).makeAsyncIterator()
    try await reload(
      running, Self.contested.replacing("{name: mine, service: site, hosts: [taken.test]}, ", with: ""))
    #expect(running.served.routeNames == ["home", "shop", "taken"])
    #expect(try await running.view("routes/taken")?.revision == 4)
    #expect(try await running.view("routes/taken")?.unserved == nil)
    #expect(await running.control.status.unservedProblem?.contains("routes/taken") == false)
    guard case .change(let edit)? = await events.next(), case .change(let change)? = await events.next()
    else {
      Issue.record("a change of the file and one of the store's resources")
      return
    }
    #expect(edit.revision == 5 && edit.owner != .store)
    #expect(change.revision == 6 && change.resources.map(\.id.name) == ["taken"])
    // The route that uses the service cannot lose it; with another name, the store's takes its place.
    try await running.apply(put("routes/shop", #"{"service":"other","hosts":["shop.test"]}"#))
    try await reload(running, Self.text)
    #expect(await running.control.status.unservedProblem == nil)
    #expect(running.served.endpoints(of: "shop")?.map(\.address.port) == [4000])
    #expect(try await running.apply(delete("services/shop")).results.map(\.outcome) == [.deleted])
    await running.stop()
  }

  @Test func areServedWhenWhatTheyReferToIsThere() async throws {
    let folder = try TestFolder()
    let full = Self.text.replacing(
      "services: [", with: #"services: [{name: base, endpoints: ["127.0.0.1:5000"]}, "#)
    let first = try RunningPlane(full, in: folder)
    try await first.start()
    try await first.apply(put("routes/shop", #"{"service":"base","hosts":["shop.test"]}"#))
    await first.stop()
    let second = try RunningPlane(Self.text, in: folder)
    try await second.start()
    #expect(second.served.route("shop") == nil)
    #expect(try await second.view("routes/shop")?.unserved?.contains("no service is named") == true)
    // By the store itself.
    try await second.apply(put("services/base", TransactionTests.shop))
    #expect(second.served.route("shop") != nil)
    #expect(await second.control.status.unservedProblem == nil)
    await second.stop()
    let third = try RunningPlane(Self.text, in: folder)
    try await third.start()
    #expect(third.served.route("shop") != nil)
    await third.stop()
  }

  /// Of every kind that has plugins.
  @Test(arguments: [
    ("routes/shop", #"{"service":"site","hosts":["shop.test"],"plugins":{"traffic-split":SPLIT}}"#),
    ("services/shop", #"{"endpoints":["127.0.0.1:4000"],"plugins":{"traffic-split":SPLIT}}"#),
    ("consumers/alice", #"{"plugins":{"traffic-split":SPLIT}}"#),
    ("plugins/traffic-split", "SPLIT"),
  ])
  func areServedWhenTheServicesThatTheirPluginsNameAreThere(path: String, body: String) async throws {
    let body = body.replacing("SPLIT", with: #"{"canary":{"service":"base","weight":10}}"#)
    let folder = try TestFolder()
    let full = Self.text.replacing(
      "services: [", with: #"services: [{name: base, endpoints: ["127.0.0.1:5000"]}, "#)
    let first = try RunningPlane(full, in: folder)
    try await first.start()
    try await first.apply(put(path, body))
    #expect(await first.control.resourceStatus.unservedCount == 0)
    await first.stop()
    // The file does not have the service any more.
    let second = try RunningPlane(Self.text, in: folder)
    try await second.start()
    let refusal = try #require(try await second.view(path)?.unserved)
    #expect(refusal.contains(#"canary.service: no service is named "base""#), "\(refusal)")
    try await reload(second, full)
    #expect(try await second.view(path)?.unserved == nil)
    #expect(await second.control.status.unservedProblem == nil)
    // While it is named, neither a file nor the store may take it away.
    try second.folder.write(Self.text, to: "penstock.yaml")
    #expect(await second.control.reload(reason: .request) == false)
    try await second.apply(delete(path))
    #expect(await second.control.reload(reason: .request))
    await second.stop()
  }

  @Test func areServedWhenTheirFilesCanBeRead() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let first = try RunningPlane(Self.text, in: folder)
    try await first.start()
    try await first.apply(
      put("listeners/secure", #"{"address":"127.0.0.1:8443","tls":{}}"#),
      put("certificates/shop", #"{"certificate":"shop.pem","key":"shop.key"}"#))
    await first.stop()
    try folder.rename("shop.key", to: "elsewhere.key")
    let second = try RunningPlane(Self.text, in: folder)
    try await second.start()
    #expect(second.served.certificate("shop") == nil && second.served.listener("secure") != nil)
    try folder.rename("elsewhere.key", to: "shop.key")
    try await eventually("the key is noticed") { second.served.certificate("shop") != nil }
    #expect(await second.control.status.unservedProblem == nil)
    await second.stop()
  }

  @Test func doNotKeepARollbackFromBeingMade() async throws {
    let running = try await contestedPlane()
    // The state before the routes: one that is served goes, and one that is not.
    var request = RollbackRequest(revision: 3, actor: "anna", remote: "192.0.2.7")
    let receipt = try await running.control.rollback(request, waitingAtMost: .seconds(20))
    #expect(Set(receipt.results.map(\.id.name)) == ["shop", "taken"])
    #expect(receipt.results.map(\.outcome) == [.deleted, .deleted])
    #expect(running.served.routeNames == ["mine", "home"])
    // And the state before the service whose name is the file's.
    request.revision = 1
    _ = try await running.control.rollback(request, waitingAtMost: nil)
    #expect(await running.control.status.unservedProblem == nil)
    #expect(running.served.endpoints(of: "shop")?.map(\.address.port) == [5000])
    #expect(await running.directory?.endpoints(of: "shop").map(\.address.port) == [5000])
    #expect(await names(running, .services, owner: .store) == [])
    await running.stop()
  }

  /// A rollback brings back what the store had, whether it can be served or not.
  @Test func haveTheirOldContentsAfterARollback() async throws {
    let folder = try TestFolder()
    let first = try RunningPlane(Self.text, in: folder)
    try await first.start()
    try await first.apply(put("services/shop", TransactionTests.shop))
    try await first.apply(put("services/shop", #"{"endpoints":["127.0.0.1:4009"]}"#))
    await first.stop()
    let second = try RunningPlane(
      Self.text.replacing("services: [", with: #"services: [{name: shop, endpoints: ["127.0.0.1:5000"]}, "#),
      in: folder)
    try await second.start()
    let request = RollbackRequest(revision: 2, actor: "anna", remote: "192.0.2.7")
    let receipt = try await second.control.rollback(request, waitingAtMost: nil)
    #expect(receipt.results.map(\.outcome) == [.replaced])
    #expect(second.served.endpoints(of: "shop")?.map(\.address.port) == [5000])
    #expect(await second.directory?.endpoints(of: "shop").map(\.address.port) == [5000])
    #expect(await second.control.resourceStatus.unservedCount == 1)
    try await reload(second, Self.text)
    #expect(second.served.endpoints(of: "shop")?.map(\.address.port) == [4000])
    #expect(try await second.revision("services/shop") == receipt.revision)
    await second.stop()
  }

  /// More than a list of problems holds: all are found in as many rounds as one is.
  @Test func areAllFoundTogether() async throws {
    let folder = try TestFolder()
    let count = 3_500
    let full = Self.text.replacing(
      "services: [", with: #"services: [{name: base, endpoints: ["127.0.0.1:5000"]}, "#)
    let first = try RunningPlane(full, in: folder)
    try await first.start()
    let puts = try (0..<count).map {
      try put("routes/r\($0)", #"{"service":"base","hosts":["r\#($0).test"]}"#)
    }
    _ = try await first.control.apply(
      ResourceTransaction(
        puts + [put("services/mine", TransactionTests.shop)], actor: "anna", remote: "192.0.2.7"),
      waitingAtMost: nil)
    await first.stop()
    let second = try RunningPlane(Self.text, in: folder)
    try await second.start()
    #expect(await second.control.resourceStatus.unservedCount == count)
    #expect(second.served.service("mine") != nil && second.served.routeNames == ["home"])
    // One look finds them all: a look for every thousand would be one for each of them in the end.
    let due = await second.control.registry.problemsOfUnserved()
    #expect(due == count)
    #expect(await names(second, .routes, limit: 300).count == count + 1)
    try await reload(second, full)
    #expect(await second.control.status.unservedProblem == nil)
    #expect(second.served.routes.count == count + 1)
    await second.stop()
  }
}

extension Registry {
  /// How many problems one look at all that is left out finds.
  fileprivate func problemsOfUnserved() -> Int {
    unserved.noteEverything()
    var change = Change(batches: [ResourceBatch(owner: .store, revision: revision + 1)])
    change.batches[0].puts = takeDue().compactMap { $0.result.map { ResourceBatch.Put($0.resource) } }
    do throws(ResourceProblems) {
      takeBack(try stage(change, problemsMax: .max))
      return 0
    } catch {
      return error.problems.count
    }
  }
}

extension UnservedResources {
  /// As if everything had changed that any of them waits for.
  fileprivate mutating func noteEverything() {
    var applied: [ResourceID] = []
    for kind in ResourceKind.allCases {
      applied += names(kind, after: nil, limit: .max).map { ResourceID(kind, $0) }
    }
    for id in applied { note(id) }
  }
}

/// Whose addresses can be had is asked before a change is made.
@Suite struct ListenerAddressTests {
  @Test func refusesAListenerWhoseAddressIsTaken() async throws {
    let running = try RunningPlane(TransactionTests.text, in: TestFolder())
    try await running.start()
    running.sink.take(port: 9_999, "cannot listen on 127.0.0.1:9999: Address already in use")
    let before = await running.picture()
    let refusal = try await running.refusal(
      put("services/shop", TransactionTests.shop), put("listeners/more", #"{"address":"127.0.0.1:9999"}"#))
    #expect(refusal.reason == .invalid && refusal.problems.map(\.field) == ["address"])
    #expect(refusal.problems[0].operation == 1 && refusal.problems[0].message.contains("already in use"))
    #expect(await running.picture() == before)
    try await running.apply(put("listeners/more", #"{"address":"127.0.0.1:9998"}"#))
    await running.stop()
  }
}
