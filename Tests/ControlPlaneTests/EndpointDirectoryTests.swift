import DataPlane
import Logging
import Resources
import Runtime
import Synchronization
import Testing

@testable import ControlPlane

@Suite struct EndpointDirectoryTests {
  private static func spec(_ host: String, _ port: UInt16 = 80, weight: Int = 1) -> EndpointSpec {
    EndpointSpec(address: HostPort(host: host, port: port), weight: weight)
  }

  private static func address(_ last: UInt8, port: UInt16 = 0) -> SocketAddress {
    SocketAddress(ipv4: 127, 0, 0, last, port: port)
  }

  private static let fast: EndpointDirectory.Timing = {
    var timing = EndpointDirectory.Timing()
    timing.refreshMin = .milliseconds(10)
    timing.retryMin = .milliseconds(10)
    timing.retryMax = .milliseconds(40)
    return timing
  }()

  private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A resolver whose answers a test can change.
  private final class Names: Sendable {
    private let answers: Mutex<[String: Result<Resolution, ResolverError>]>
    let asked = Collected<String>()

    init(_ answers: [String: [SocketAddress]]) {
      self.answers = Mutex(answers.mapValues { .success(Resolution(addresses: $0, timeToLive: .zero)) })
    }

    func set(_ name: String, _ addresses: [SocketAddress]?) {
      let answer = addresses.map {
        Result<_, ResolverError>.success(Resolution(addresses: $0, timeToLive: .zero))
      }
      answers.withLock { $0[name] = answer ?? .failure(ResolverError(.timedOut, "timeout")) }
    }

    func resolve(_ name: String) async throws(ResolverError) -> Resolution {
      asked.append(name)
      guard let answer = answers.withLock({ $0[name] }) else {
        throw ResolverError(.notFound, "no such name")
      }
      return try answer.get()
    }
  }

  private func directory(_ names: Names, _ changes: Collected<String> = Collected()) -> EndpointDirectory {
    EndpointDirectory(
      timing: Self.fast, logger: logger,
      resolve: { name async throws(ResolverError) in try await names.resolve(name) },
      onChange: { changes.append($0) })
  }

  @Test func takesLiteralsAsTheyAre() async throws {
    let names = Names([:])
    let directory = directory(names)
    let services = [
      Service(name: "a", endpoints: [Self.spec("127.0.0.2", 8080, weight: 3), Self.spec("::1", 81)])
    ]
    let endpoints = await directory.update(services, waitingAtMost: .seconds(20))
    await directory.stop()
    #expect(
      endpoints["a"] == [
        ResolvedEndpoint(name: "127.0.0.2:8080", address: Self.address(2, port: 8080), weight: 3),
        ResolvedEndpoint(
          name: "[::1]:81", address: try #require(SocketAddress(ip: "::1", port: 81)), weight: 1),
      ])
    #expect(names.asked.count == 0)
  }

  @Test func makesAnEndpointOfEveryAddressInAStableOrder() async {
    let names = Names(["web": [Self.address(9), Self.address(1), Self.address(5)]])
    let changes = Collected<String>()
    let directory = directory(names, changes)
    let services = [
      Service(name: "a", endpoints: [Self.spec("web", 80, weight: 2), Self.spec("127.0.0.1", 80)])
    ]
    let endpoints = await directory.update(services, waitingAtMost: .seconds(20))["a"]
    #expect(endpoints?.map(\.address) == [1, 5, 9].map { Self.address($0, port: 80) })
    // 127.0.0.1:80 occurs twice.
    #expect(endpoints?.map(\.weight) == [3, 2, 2])
    #expect(endpoints?.map(\.name) == ["web:80", "web:80", "web:80"])

    // The same addresses in another order are no change.
    let asked = names.asked.count
    names.set("web", [Self.address(5), Self.address(9), Self.address(1)])
    try? await eventually("the name is asked for again") { names.asked.count > asked + 2 }
    #expect(changes.count == 0)
    await directory.stop()
  }

  @Test func keepsTheLastAnswerWhileTheResolverFails() async throws {
    let names = Names(["web": [Self.address(1)]])
    let changes = Collected<String>()
    let directory = directory(names, changes)
    _ = await directory.update(
      [Service(name: "a", endpoints: [Self.spec("web")])], waitingAtMost: .seconds(20))
    names.set("web", nil)
    let asked = names.asked.count
    try await eventually("it goes on asking") { names.asked.count > asked + 5 }
    #expect(await directory.endpoints(of: "a").map(\.address) == [Self.address(1, port: 80)])
    #expect(changes.count == 0)

    names.set("web", [Self.address(2)])
    try await eventually("the change is told") { changes.values == ["a"] }
    #expect(await directory.endpoints(of: "a").map(\.address) == [Self.address(2, port: 80)])
    await directory.stop()
  }

  @Test func startsWithoutEndpointsWhereNamesDoNotResolve() async throws {
    let names = Names([:])
    let changes = Collected<String>()
    let directory = directory(names, changes)
    let services = [Service(name: "a", endpoints: [Self.spec("web"), Self.spec("127.0.0.7")])]
    let endpoints = await directory.update(services, waitingAtMost: .seconds(20))
    #expect(endpoints["a"]?.map(\.address) == [Self.address(7, port: 80)])
    names.set("web", [Self.address(1)])
    try await eventually("the change is told") { changes.count == 1 }
    #expect(await directory.endpoints(of: "a").count == 2)
    await directory.stop()
  }

  @Test func doesNotWaitForeverForFirstAnswers() async {
    let changes = Collected<String>()
    let directory = EndpointDirectory(
      timing: Self.fast, logger: logger,
      resolve: { _ async throws(ResolverError) in
        // Ends when the task is cancelled.
        try? await Task.sleep(for: .seconds(3_600))
        throw .cancelled
      }, onChange: { changes.append($0) })
    let services = [Service(name: "a", endpoints: [Self.spec("web")])]
    let endpoints = await directory.update(services, waitingAtMost: .milliseconds(30))
    #expect(endpoints == ["a": []])
    await directory.stop()
  }

  @Test func sharesNamesAndForgetsThoseNoLongerUsed() async throws {
    let names = Names(["web": [Self.address(1)], "db": [Self.address(3)]])
    let changes = Collected<String>()
    let directory = directory(names, changes)
    let a = Service(name: "a", endpoints: [Self.spec("web", 80)])
    let b = Service(name: "b", endpoints: [Self.spec("web", 81), Self.spec("db", 5)])
    _ = await directory.update([a, b], waitingAtMost: .seconds(20))
    names.set("web", [Self.address(2)])
    try await eventually("both services are told of") { Set(changes.values) == ["a", "b"] }
    #expect(changes.count == 2)

    let left = await directory.update([], removed: ["b"], waitingAtMost: .seconds(20))
    #expect(left == [:])
    #expect(await directory.endpoints(of: "b") == [])
    #expect(await directory.endpoints(of: "a").count == 1)
    let asked = names.asked.values.count { $0 == "db" }
    let webAsked = names.asked.count
    try await eventually("the other name is still asked for") { names.asked.count > webAsked + 5 }
    // One query may have been under way.
    #expect(names.asked.values.count { $0 == "db" } <= asked + 1)
    await directory.stop()
  }

  /// One that names another host leaves the one before; those that are not in the change stay.
  @Test func changesOneServiceOfSeveral() async throws {
    let names = Names(["web": [Self.address(1)], "db": [Self.address(3)]])
    let changes = Collected<String>()
    let directory = directory(names, changes)
    let a = Service(name: "a", endpoints: [Self.spec("web", 80)])
    let b = Service(name: "b", endpoints: [Self.spec("web", 81)])
    _ = await directory.update([a, b], waitingAtMost: .seconds(20))
    let changed = Service(name: "b", endpoints: [Self.spec("db", 5)])
    let endpoints = await directory.update([changed], waitingAtMost: .seconds(20))
    #expect(
      endpoints == ["b": [ResolvedEndpoint(name: "db:5", address: Self.address(3, port: 5), weight: 1)]])
    names.set("web", [Self.address(2)])
    try await eventually("the other service is told of") { changes.values == ["a"] }
    #expect(await directory.endpoints(of: "a").map(\.address) == [Self.address(2, port: 80)])
    #expect(await directory.endpoints(of: "b").map(\.address) == [Self.address(3, port: 5)])
    await directory.stop()
  }

  /// A change that is not kept: what was known before is known at once, whether names resolve or not.
  @Test func takesAChangeBack() async throws {
    let names = Names(["web": [Self.address(1)], "db": [Self.address(3)]])
    let changes = Collected<String>()
    let directory = directory(names, changes)
    let before = Service(name: "a", endpoints: [Self.spec("web", 80), Self.spec("db", 5)])
    let known = await directory.update([before], waitingAtMost: .seconds(20))["a"]
    #expect(known?.count == 2)
    names.set("web", nil)
    names.set("db", nil)
    await directory.keepNames(of: ["a"])
    let after = Service(name: "a", endpoints: [Self.spec("127.0.0.9")])
    #expect(await directory.update([after], waitingAtMost: .zero)["a"]?.count == 1)
    #expect(await directory.update([before], waitingAtMost: .zero)["a"] == known)
    await directory.letGoOfNames()
    #expect(await directory.endpoints(of: "a") == known)
    // The other way: what was kept for nothing is asked for no longer.
    await directory.keepNames(of: ["a"])
    _ = await directory.update([after], waitingAtMost: .zero)
    await directory.letGoOfNames()
    let asked = names.asked.count
    let next = Service(name: "b", endpoints: [Self.spec("other")])
    _ = await directory.update([next], waitingAtMost: .seconds(20))
    try await eventually("the new name is asked for") {
      names.asked.values.count { $0 == "other" } > 5
    }
    // One query for each may have been under way.
    #expect(names.asked.values.dropFirst(asked).count { $0 != "other" } <= 2)
    #expect(changes.count == 0)
    await directory.stop()
  }

  @Test func followsADNSServer() async throws {
    let server = try DNSServer(records: "127.0.0.1 web.test\n127.0.0.2 web.test\n", timeToLive: 0)
    var options = Resolver.Options()
    options.servers = server.address
    options.timeout = .milliseconds(300)
    options.tries = 1
    let resolver = try Resolver(options: options)
    let changes = Collected<String>()
    let directory = EndpointDirectory(
      timing: Self.fast, logger: logger,
      resolve: { name async throws(ResolverError) in try await resolver.resolve(name) },
      onChange: { changes.append($0) })
    let service = Service(name: "a", endpoints: [Self.spec("web.test")])
    _ = await directory.update([service], waitingAtMost: .seconds(20))
    try await eventually("the first answer is there") { await directory.endpoints(of: "a").count == 2 }

    try server.replace(records: "127.0.0.3 web.test\n")
    try await eventually("the TTL is followed") {
      await directory.endpoints(of: "a").map(\.address) == [Self.address(3, port: 80)]
    }
    server.stop()
    let told = changes.count
    try await Task.sleep(for: .milliseconds(400))
    #expect(await directory.endpoints(of: "a").map(\.address) == [Self.address(3, port: 80)])
    #expect(changes.count == told)

    try server.folder.write("127.0.0.4 web.test\n", to: "hosts")
    try server.start()
    try await eventually("it is found again") {
      await directory.endpoints(of: "a").map(\.address) == [Self.address(4, port: 80)]
    }
    await directory.stop()
    resolver.stop()
  }
}
