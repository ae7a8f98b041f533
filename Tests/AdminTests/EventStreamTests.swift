import Foundation
import NIOCore
import Resources
import Testing

@testable import Admin

@Suite("Admin API: events")
struct EventStreamTests {
  private func summary(_ revision: UInt64) -> ChangeSummary {
    ChangeSummary(revision: revision, milliseconds: 0, owner: .store, resourceCount: 0, resources: [])
  }

  private let request = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"

  /// Reads until `text` has come.
  private static func read(
    _ inbound: inout AdminTestServer.Inbound.AsyncIterator, _ received: inout String, until text: String
  ) async throws {
    while !received.contains(text) {
      guard let part = try await inbound.next(isolation: #isolation) else {
        Issue.record("the stream ended before \(text): \(received)")
        return
      }
      received += String(buffer: part)
    }
  }

  /// Waits until so many streams have begun.
  private static func readers(
    _ resources: FakeResources, _ count: Int
  ) async throws -> [AsyncStream<ChangeEvent>.Continuation] {
    for _ in 0..<2_000 {
      let readers = resources.content.withLock { $0.readers }
      if readers.count >= count { return readers }
      try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("no stream began")
    return []
  }

  @Test("Changes come as events with their revision, and end when the source ends")
  func events() async throws {
    try await AdminTestServer.run { [request] server in
      try await server.withConnection { inbound, outbound in
        var (parts, received) = (inbound.makeAsyncIterator(), "")
        try await outbound.write(ByteBuffer(string: request + "Last-Event-ID: 41\r\n\r\n"))
        let reader = try #require(try await Self.readers(server.resources, 1).first)
        #expect(server.resources.content.withLock { $0.positions } == [41])
        reader.yield(.change(summary(42)))
        try await Self.read(&parts, &received, until: "\"resources\":[]}\n\n")
        #expect(received.lowercased().contains("content-type: text/event-stream"))
        #expect(received.contains("retry: 2000\n"))
        #expect(received.contains("id: 42\nevent: change\ndata: {\"revision\":42,"))
        reader.yield(.resync(revision: 50))
        try await Self.read(&parts, &received, until: "id: 50\nevent: resync\ndata: {\"revision\":50}\n\n")
        reader.finish()
        try await Self.read(&parts, &received, until: "\r\n0\r\n\r\n")
      }
    }
  }

  /// A browser comes back with the last id that it saw: after a part of a revision, that of the one before.
  @Test("Parts of one revision have its id at their end only")
  func parts() async throws {
    try await AdminTestServer.run { [request] server in
      try await server.withConnection { inbound, outbound in
        var (parts, received) = (inbound.makeAsyncIterator(), "")
        try await outbound.write(ByteBuffer(string: request + "\r\n"))
        let reader = try #require(try await Self.readers(server.resources, 1).first)
        var part = summary(42)
        part.isContinued = true
        reader.yield(.change(part))
        reader.yield(.change(summary(42)))
        try await Self.read(&parts, &received, until: "id: 42\nevent: change\ndata: {\"revision\":42,")
        // The first begins a piece of its own, with no id before it.
        #expect(received.contains("\r\nevent: change\ndata: {\"revision\":42,"))
        #expect(received.components(separatedBy: "\"continued\":true}\n\n").count == 2)
        #expect(received.components(separatedBy: "id: 42").count == 2)
        reader.finish()
      }
    }
  }

  @Test("A quiet stream says now and then that it is there")
  func heartbeat() async throws {
    var limits = AdminServer.Limits()
    limits.heartbeat = .milliseconds(20)
    try await AdminTestServer.run(limits: limits) { [request] server in
      try await server.withConnection { inbound, outbound in
        var (parts, received) = (inbound.makeAsyncIterator(), "")
        try await outbound.write(ByteBuffer(string: request + "\r\n"))
        try await Self.read(&parts, &received, until: "\n:\n\n")
      }
    }
  }

  @Test("The number of streams is bounded, and a client that goes makes room")
  func bounded() async throws {
    var limits = AdminServer.Limits()
    limits.eventStreams = 1
    try await AdminTestServer.run(limits: limits) { [request] server in
      try await server.withConnection { inbound, outbound in
        try await outbound.write(ByteBuffer(string: request + "\r\n"))
        _ = try await Self.readers(server.resources, 1)
        let second = try await server.send("GET", "/v1/events")
        #expect(second.status == 503)
        #expect(second.headers["retry-after"] == "10")
        #expect(try second.problem() == "too-many-streams")
        // HEAD opens none.
        #expect(try await server.send("HEAD", "/v1/events").status == 200)
      }
      // The client is gone, and no heartbeat has been due: the server has seen it by itself.
      var count = 1
      for _ in 0..<2_000 where count == 1 {
        try await server.withConnection { inbound, outbound in
          var (parts, received) = (inbound.makeAsyncIterator(), "")
          try await outbound.write(ByteBuffer(string: request + "\r\n"))
          try await Self.read(&parts, &received, until: "\r\n\r\n")
        }
        count = server.resources.content.withLock { $0.readers.count }
        if count == 1 { try await Task.sleep(for: .milliseconds(5)) }
      }
      #expect(count == 2)
    }
  }

  @Test("A place to begin that is none is refused")
  func position() async throws {
    try await AdminTestServer.run { server in
      let field = try await server.send("GET", "/v1/events", ["Last-Event-ID": "x"])
      #expect(try field.problem() == "malformed-request")
      #expect(try await server.send("GET", "/v1/events?after=-1").status == 400)
      #expect(try await server.send("GET", "/v1/events", ["Accept": "application/json"]).status == 406)
    }
  }

  @Test("Streams end when the server stops")
  func stop() async throws {
    try await AdminTestServer.run { [request] server in
      let opened = Task {
        try await server.withConnection { inbound, outbound in
          try await outbound.write(ByteBuffer(string: request + "\r\n"))
          var count = 0
          for try await part in inbound { count += part.readableBytes }
          return count
        }
      }
      _ = try await Self.readers(server.resources, 1)
      // Stopping, at the end of this, does not wait for the stream: else the test would not end.
      Task { _ = try? await opened.value }
    }
  }
}
