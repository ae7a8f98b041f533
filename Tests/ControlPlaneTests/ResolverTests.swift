import Runtime
import Testing

@testable import ControlPlane

@Suite struct ResolverTests {
  private func resolver(for server: DNSServer) throws -> Resolver {
    var options = Resolver.Options()
    options.servers = server.address
    options.timeout = .milliseconds(300)
    options.tries = 2
    return try Resolver(options: options)
  }

  /// Asks until the server, which may still be starting, answers.
  private func resolve(_ name: String, _ resolver: Resolver) async throws -> Resolution {
    for _ in 0..<100 {
      do throws(ResolverError) {
        return try await resolver.resolve(name)
      } catch {
        guard error.reason == .serverFailure || error.reason == .timedOut else { throw error }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    throw TimeIsUp()
  }

  @Test func resolvesToEveryAddressWithItsTimeToLive() async throws {
    let server = try DNSServer(
      records: "127.0.0.9 web.test\n127.0.0.1 web.test\n127.0.0.10 web.test\n", timeToLive: 77)
    let resolver = try resolver(for: server)
    defer { resolver.stop() }
    let answer = try await resolve("web.test", resolver)
    #expect(answer.addresses.map(\.host) == ["127.0.0.1", "127.0.0.9", "127.0.0.10"])
    #expect(answer.timeToLive == .seconds(77))
    let alias = try await resolver.resolve("alias.test")
    #expect(alias.addresses == answer.addresses)
    #expect(alias.timeToLive == .seconds(77))
  }

  @Test func saysWhyThereIsNoAnswer() async throws {
    let server = try DNSServer(records: "127.0.0.1 web.test\n", timeToLive: 1)
    let resolver = try resolver(for: server)
    defer { resolver.stop() }
    _ = try await resolve("web.test", resolver)
    await #expect(throws: ResolverError.self) { try await resolver.resolve("") }
    await #expect(throws: ResolverError.self) {
      try await resolver.resolve(String(repeating: "a", count: 254))
    }
    do throws(ResolverError) {
      _ = try await resolver.resolve("missing.test.")
      Issue.record("the name must not resolve")
    } catch {
      #expect(error.reason == .notFound)
    }
    server.stop()
    do throws(ResolverError) {
      _ = try await resolver.resolve("web.test")
      Issue.record("nobody can have answered")
    } catch {
      #expect(error.reason == .serverFailure || error.reason == .timedOut)
    }
  }

  @Test func knowsTheHostsFile() async throws {
    let server = try DNSServer(records: "", timeToLive: 1)
    let resolver = try resolver(for: server)
    defer { resolver.stop() }
    let answer = try await resolver.resolve("localhost")
    #expect(answer.addresses.contains(SocketAddress(ipv4: 127, 0, 0, 1, port: 0)))
    #expect(answer.timeToLive == nil)
  }

  @Test func answersManyNamesAtOnce() async throws {
    let names = (1...400).map { "host\($0).test" }
    let server = try DNSServer(
      records: names.enumerated().map { "127.0.\($0.offset / 200).\($0.offset % 200 + 1) \($0.element)" }
        .joined(separator: "\n"), timeToLive: 5)
    let resolver = try resolver(for: server)
    defer { resolver.stop() }
    _ = try await resolve("host1.test", resolver)
    let counts = await withTaskGroup(of: Int.self) { group in
      for name in names { group.addTask { (try? await resolver.resolve(name))?.addresses.count ?? 0 } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(counts == [Int](repeating: 1, count: 400))
  }

  @Test func letsGoOfCancelledTasksAndStops() async throws {
    // A server that never answers: the port is taken, and nobody reads.
    let silent = try SilentServer()
    var options = Resolver.Options()
    options.servers = "127.0.0.1:\(silent.port)"
    options.timeout = .seconds(600)
    let resolver = try Resolver(options: options)
    let cancelled = Task { () async -> ResolverError? in
      do throws(ResolverError) {
        _ = try await resolver.resolve("web.test.")
        return nil
      } catch {
        return error
      }
    }
    let stopped = Task { () async -> ResolverError? in
      do throws(ResolverError) {
        _ = try await resolver.resolve("other.test.")
        return nil
      } catch {
        return error
      }
    }
    try await eventually("the queries have been sent") { silent.hasReceived }
    cancelled.cancel()
    #expect(await cancelled.value?.reason == .cancelled)
    resolver.stop()
    #expect(await stopped.value?.reason == .cancelled)
    await #expect(throws: ResolverError.self) { try await resolver.resolve("localhost") }
  }
}
