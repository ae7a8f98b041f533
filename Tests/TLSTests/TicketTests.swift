import Foundation
import Testing

@testable import TLS

/// Session tickets (RFC 5077, RFC 8446 §4.6.1).
struct TicketTests {
  static let versions: [TLSVersion] = [.tls12, .tls13]

  /// Connects, takes the ticket, and says whether the session was resumed.
  private func connect(_ bench: Bench, _ server: TLSServerContext, _ client: TLSClientContext) throws -> Bool
  {
    let pair = try Pair.established(bench, server: server, client: client)
    #expect(pair.client.isResumed == pair.server.isResumed)
    #expect(pair.server.serverName == "a.example")
    #expect(pair.server.certificate?.name == "a")
    #expect(try pair.transfer(pattern(100), from: pair.server, to: pair.client) == pattern(100))
    #expect(try pair.transfer(pattern(100), from: pair.client, to: pair.server) == pattern(100))
    return pair.server.isResumed
  }

  @Test("A session is resumed by whoever has the keys", arguments: versions)
  func sharedKeys(_ version: TLSVersion) throws {
    let bench = Bench()
    let keys = TicketKeys()
    let one = try bench.serverContext(keys: keys)
    let two = try bench.serverContext(keys: keys)
    let stranger = try bench.serverContext()
    let client = try bench.clientContext { $0.versionMax = version }
    #expect(try !connect(bench, one, client))
    #expect(client.sessionCount == 1)
    #expect(try connect(bench, two, client))
    #expect(try connect(bench, one, client))
    #expect(try !connect(bench, stranger, client))
    client.removeSessions()
    #expect(try !connect(bench, one, client))
  }

  @Test("Keys that were replaced open tickets until they are dropped", arguments: versions)
  func rotation(_ version: TLSVersion) throws {
    let bench = Bench()
    var keys = TicketKeys()
    let server = try bench.serverContext(keys: keys)
    let clients = try (0..<4).map { _ in try bench.clientContext { $0.versionMax = version } }
    for client in clients { #expect(try !connect(bench, server, client)) }
    keys = keys.rotated(keeping: 2)
    server.setTicketKeys(keys)
    #expect(keys.count == 2)
    // The ticket that it gets instead is sealed with the present key.
    #expect(try connect(bench, server, clients[0]))
    keys = keys.rotated(keeping: 2)
    server.setTicketKeys(keys)
    #expect(keys.count == 3)
    #expect(try connect(bench, server, clients[1]))
    keys = keys.rotated(keeping: 2)
    server.setTicketKeys(keys)
    #expect(keys.count == 3)
    #expect(try !connect(bench, server, clients[2]))
    #expect(try connect(bench, server, clients[0]))
  }

  @Test("A session ends by the time of its full handshake, however often it was resumed", arguments: versions)
  func lifetime(_ version: TLSVersion) throws {
    let bench = Bench()
    let keys = TicketKeys()
    let server = try bench.serverContext(keys: keys)
    var options = TLSServerOptions()
    options.sessionLifetime = .zero
    let strict = try bench.serverContext(options, keys: keys)
    let client = try bench.clientContext { $0.versionMax = version }
    #expect(try !connect(bench, server, client))
    // Sessions count seconds.
    Thread.sleep(forTimeInterval: 1.1)
    #expect(try connect(bench, server, client))
    #expect(try !connect(bench, strict, client))
  }

  @Test("Without tickets nothing is resumed", arguments: versions)
  func off(_ version: TLSVersion) throws {
    let bench = Bench()
    var options = TLSServerOptions()
    options.issuesTickets = false
    let server = try bench.serverContext(options)
    let client = try bench.clientContext { $0.versionMax = version }
    #expect(try !connect(bench, server, client))
    #expect(try !connect(bench, server, client))
  }

  @Test("A client that wants none keeps no session")
  func clientWithoutSessions() throws {
    let bench = Bench()
    let server = try bench.serverContext()
    let client = try bench.clientContext { $0.reusesSessions = false }
    #expect(try !connect(bench, server, client))
    #expect(try !connect(bench, server, client))
    #expect(client.sessionCount == 0)
  }

  @Test("Keys from files work on every machine", arguments: [48, 80])
  func files(_ size: Int) throws {
    let bench = Bench()
    let file = pattern(size, seed: 9)
    let one = try bench.serverContext(keys: try TicketKeys(files: [file]))
    let two = try bench.serverContext(keys: try TicketKeys(files: [pattern(80, seed: 1), file]))
    let client = try bench.clientContext()
    #expect(try !connect(bench, one, client))
    #expect(try connect(bench, two, client))
    // Now sealed with a key that the first does not have.
    #expect(try !connect(bench, one, client))
  }

  @Test("Files of another size are refused", arguments: [0, 47, 64, 81])
  func wrongFiles(_ size: Int) {
    #expect(throws: CertificateError.self) { try TicketKeys(files: [pattern(size)]) }
  }

  @Test("No files, or too many, are refused")
  func wrongCount() {
    #expect(throws: CertificateError.self) { try TicketKeys(files: []) }
    #expect(throws: CertificateError.self) {
      try TicketKeys(files: Array(repeating: pattern(80), count: TicketKeys.countMax + 1))
    }
  }

  @Test("Sessions are kept for each name and endpoint")
  func endpoints() throws {
    let bench = Bench()
    let server = try bench.serverContext()
    let client = try bench.clientContext()
    #expect(try !connect(bench, server, client))
    let other = Pair(bench)
    other.start(server, client, name: "b.a.example")
    other.shake()
    #expect(!other.server.isResumed && other.serverFailure == nil)
  }
}
