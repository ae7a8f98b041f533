import DataPlane
import Resources
import Testing

@testable import ControlPlane

/// A store that cannot be written: what runs goes on as it was, and the next change is made as if nothing
/// had been.
@Suite struct StoreFailureTests {
  private static let text = TransactionTests.text

  @Test func leavesEverythingAsItWas() async throws {
    let folder = try TestFolder()
    for name in ["shop", "next"] { try TestCertificate.write(name, hosts: ["\(name).test"], in: folder) }
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    try await running.apply(
      put("listeners/secure", #"{"address":"127.0.0.1:8443","tls":{}}"#),
      put("certificates/shop", #"{"certificate":"shop.pem","key":"shop.key"}"#),
      put("services/shop", TransactionTests.shop),
      put("routes/shop", #"{"service":"shop","hosts":["shop.test"]}"#))
    let before = await running.picture()
    let told = running.sink.deltas.count
    // The writer finds that its file is another's now.
    try folder.rename("penstock.db", to: "elsewhere.db")
    let refusal = try await running.refusal(
      put("certificates/shop", #"{"certificate":"next.pem","key":"next.key","default":true}"#),
      put("services/shop", #"{"endpoints":["127.0.0.1:4001"],"tls":{"ca":"next.pem"}}"#),
      put("services/more", TransactionTests.shop), delete("routes/shop"),
      put("routes/more", #"{"service":"more","hosts":["more.test"]}"#))
    #expect(refusal.reason == .storeUnavailable && refusal.problems[0].message.contains("penstock.db"))
    #expect(await running.picture() == before)
    #expect(running.sink.deltas.count == told)
    #expect(await running.control.status.storeProblem?.contains("penstock.db") == true)
    guard case .unavailable = await running.control.resourceStatus.store else {
      Issue.record("the store is said to be fine")
      return
    }
    #expect(running.lines.values.count { $0.hasPrefix("error the store cannot be used") } == 1)
    // Files do not need it.
    try folder.write(Self.text.replacing("3000", with: "3001"), to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request))
    #expect(running.served.endpoints(of: "site")?.map(\.address.port) == [3001])

    try folder.rename("elsewhere.db", to: "penstock.db")
    await running.control.registry.checkStore()
    #expect(await running.control.resourceStatus.store == .writable)
    #expect(running.hasLogged("info the store can be used again"))
    let receipt = try await running.apply(
      put("services/more", TransactionTests.shop), delete("routes/shop"),
      put("certificates/shop", #"{"certificate":"next.pem","key":"next.key"}"#))
    #expect(receipt.revision == 4 && receipt.results.map(\.outcome) == [.created, .deleted, .replaced])
    #expect(running.served.certificate("shop")?.hosts == ["next.test"])
    #expect(running.served.routeNames == ["home"])
    await running.stop()
    // The store has that, and nothing of what it did not take.
    let again = try RunningPlane(Self.text, in: folder)
    try await again.start()
    #expect(Set(again.served.services.values.map(\.service.name)) == ["site", "shop", "more"])
    #expect(again.served.endpoints(of: "shop")?.map(\.address.port) == [4000])
    #expect(again.served.routeNames == ["home"])
    await again.stop()
  }

  /// Names of endpoints that resolve no longer are not forgotten over a change that is not made.
  @Test func keepsWhatNamesResolvedTo() async throws {
    let server = try DNSServer(records: "127.0.0.1 one.test\n127.0.0.2 two.test\n", timeToLive: 600)
    var options = ControlPlane.Options()
    options.resolver.servers = server.address
    options.resolver.timeout = .milliseconds(300)
    options.timing.retryMin = .milliseconds(20)
    let folder = try TestFolder()
    let running = try RunningPlane(Self.text, in: folder, options: options)
    try await running.start()
    try await running.apply(put("services/shop", #"{"endpoints":["one.test:80","two.test:80"]}"#))
    try await eventually("both names resolve") { running.served.endpoints(of: "shop")?.count == 2 }
    let endpoints = running.served.endpoints(of: "shop")
    server.stop()
    let told = running.sink.deltas.count
    let other = try put("services/shop", #"{"endpoints":["127.0.0.9:80"]}"#)
    try await running.apply(other, isDryRun: true)
    #expect(await running.directory?.endpoints(of: "shop") == endpoints)
    _ = try await running.refusal(other, put("routes/r", #"{"service":"none","hosts":["r.test"]}"#))
    #expect(await running.directory?.endpoints(of: "shop") == endpoints)
    try folder.rename("penstock.db", to: "elsewhere.db")
    _ = try await running.refusal(other)
    #expect(await running.directory?.endpoints(of: "shop") == endpoints)
    #expect(running.served.endpoints(of: "shop") == endpoints && running.sink.deltas.count == told)
    await running.stop()
  }

  @Test func doesNotStartWithoutItsStore() async throws {
    let folder = try TestFolder()
    try folder.write("this is no database, and it is long enough to be looked at as one", to: "penstock.db")
    let damaged = try RunningPlane(Self.text, in: folder)
    #expect(try await startProblem(damaged).contains(folder.path("penstock.db")))
    await damaged.stop()
    try folder.remove("penstock.db")
    let first = try RunningPlane(Self.text, in: folder)
    try await first.start()
    let second = RunningPlane(.file(folder.path("penstock.yaml")), in: folder)
    #expect(try await startProblem(second).contains("is in use by another process"))
    await second.stop()
    // What has stopped holds nothing any more.
    await first.stop()
    let third = RunningPlane(.file(folder.path("penstock.yaml")), in: folder)
    try await third.start()
    await third.stop()
  }

  @Test func writesNothingWhileItIsHandedOver() async throws {
    let folder = try TestFolder()
    let old = try RunningPlane(Self.text, in: folder)
    try await old.start()
    try await old.apply(put("services/shop", TransactionTests.shop))
    var options = ControlPlane.Options()
    options.isHandedOver = true
    let new = RunningPlane(.file(folder.path("penstock.yaml")), in: folder, options: options)
    try await new.start()
    #expect(new.served.service("shop") != nil)
    let next = try put("services/next", TransactionTests.shop)
    #expect(try await new.refusal(next).reason == .storeUnavailable)
    #expect(await new.control.takeOverStore() != nil)
    await old.control.freeze()
    let frozen = try await old.refusal(next)
    #expect(frozen.reason == .storeUnavailable && frozen.problems[0].message.contains("upgrade"))
    #expect(old.served.service("next") == nil)
    // Files are the next one's too.
    try folder.write(Self.text.replacing("3000", with: "3001"), to: "penstock.yaml")
    #expect(await old.control.reload(reason: .request) == false)
    #expect(old.served.endpoints(of: "site")?.map(\.address.port) == [3000])
    // The upgrade fails at the last moment: the old one goes on.
    await old.control.releaseStore()
    #expect(await old.control.resume() == nil)
    try await eventually("what it had put off is done") {
      old.served.endpoints(of: "site")?.map(\.address.port) == [3001]
    }
    try await old.apply(put("services/late", TransactionTests.shop))
    await old.control.freeze()
    await old.control.releaseStore()
    // What was written since the new one read it would be lost.
    #expect(await new.control.takeOverStore()?.contains("start the gateway anew") == true)
    await new.stop()
    let third = RunningPlane(.file(folder.path("penstock.yaml")), in: folder, options: options)
    try await third.start()
    #expect(third.served.service("late") != nil)
    #expect(await third.control.takeOverStore() == nil)
    #expect(try await third.apply(next).results.map(\.outcome) == [.created])
    await old.stop()
    await third.stop()
  }
}
