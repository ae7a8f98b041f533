import Foundation
import Resources
import Testing

@testable import Admin

@Suite("Admin API: who may ask")
struct AdminAccessTests {
  private static let secret = "0123456789abcdef-secret"

  private func token(_ text: String = secret) throws -> AdminAccess {
    .token(try #require(AdminToken(text.utf8)))
  }

  @Test("With a token, the API and the pages that show the configuration need it")
  func bearer() async throws {
    let resources = FakeResources()
    let access = try token()
    resources.change { $0.access = access }
    try await AdminTestServer.run(resources: resources) { server in
      for path in ["/v1/routes", "/v1/nowhere", "/config", "/endpoints", "/v1/status"] {
        for value in [nil, "Bearer wrong", "Bearer \(Self.secret)x", "Basic \(Self.secret)", "Bearer", ""] {
          let answer = try await server.send(
            "GET", path, value.map { ["Authorization": $0] } ?? [:])
          #expect(answer.status == 401, "\(path) \(value ?? "")")
          #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer realm=") == true)
          #expect(try answer.problem() == "unauthorized")
        }
      }
      for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/"] {
        #expect(try await server.send("GET", path).status == 200, "\(path)")
      }
      // Whatever the host: web pages do not have the token.
      let fields: KeyValuePairs = ["Authorization": "bearer  \(Self.secret)", "Host": "admin.example.com"]
      #expect(try await server.send("GET", "/v1/routes", fields).status == 200)
      #expect(try await server.send("GET", "/config", fields).status == 200)
      _ = try await server.send("PUT", "/v1/routes/a", fields, body: "{}")
      #expect(resources.content.withLock { $0.transactions.last?.actor } == "token")
    }
  }

  @Test("Without a token, only hosts that no page can have are answered")
  func hosts() async throws {
    try await AdminTestServer.run { server in
      for host in [
        "localhost", "LOCALHOST:99", "a.localhost", "127.0.0.1", "127.0.0.1:9900", "[::1]:9900",
        "10.0.0.5:80",
      ] {
        #expect(try await server.send("GET", "/v1/routes", ["Host": host]).status == 200, "\(host)")
      }
      for host in [
        "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1.", "127.1", "+1.2.3.4",
        "1.2.3.4.5", "notlocalhost",
      ] {
        for method in ["GET", "DELETE"] {
          let answer = try await server.send(method, "/v1/routes/a", ["Host": host])
          #expect(try answer.problem() == "forbidden-host", "\(host)")
          #expect(answer.status == 403)
        }
      }
      #expect(server.resources.content.withLock { $0.transactions.isEmpty })
      // The other pages are for everyone, as they were.
      #expect(try await server.send("GET", "/config", ["Host": "evil.example"]).status == 200)
    }
  }

  @Test("Pages of other sites may not ask, with or without a token")
  func origins() async throws {
    let resources = FakeResources()
    try await AdminTestServer.run(resources: resources) { server in
      let own = "127.0.0.1:\(server.port)"
      for access in [AdminAccess.open, try token()] {
        resources.change { $0.access = access }
        func send(_ name: String, _ value: String) async throws -> RawAnswer {
          try await server.send(
            "DELETE", "/v1/routes/a", ["Host": own, name: value, "Authorization": "Bearer \(Self.secret)"])
        }
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "http://\(own).evil.example"] {
          #expect(try await send("Origin", origin).problem() == "forbidden-origin", "\(origin)")
        }
        #expect(try await send("Sec-Fetch-Site", "cross-site").status == 403)
        #expect(try await send("Sec-Fetch-Site", "same-site").status == 403)
        #expect(try await send("Origin", "http://\(own)").status == 200)
        #expect(try await send("Sec-Fetch-Site", "same-origin").status == 200)
      }
    }
  }

  @Test("A token file counts as it is now, and nobody is let in while it is lost")
  func file() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "admin-token-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "token")
    let resources = FakeResources()
    try await AdminTestServer.run(resources: resources) { server in
      func ask(_ token: String, _ path: String = "/v1/routes") async throws -> RawAnswer {
        let access = AdminAccess.file(file.path)
        resources.change { $0.access = access }
        return try await server.send("GET", path, ["Authorization": "Bearer \(token)"])
      }
      var answer = try await ask(Self.secret)
      #expect(answer.status == 503)
      #expect(try answer.problem() == "token-lost")
      let detail = try answer.object()["detail"] as? String
      #expect(detail == "\(file.path) cannot be read: No such file or directory")
      #expect(try await ask(Self.secret, "/config").status == 503)
      #expect(try await ask(Self.secret, "/metrics").status == 200)
      try Data("\(Self.secret)\n".utf8).write(to: file)
      #expect(try await ask(Self.secret).status == 200)
      try Data("another-secret-of-23-bytes".utf8).write(to: file)
      #expect(try await ask(Self.secret).status == 401)
      #expect(try await ask("another-secret-of-23-bytes").status == 200)
      for content in ["", "short", "two lines of text\nin the file", "with space in the middle"] {
        try Data(content.utf8).write(to: file)
        answer = try await ask(Self.secret)
        #expect(try answer.problem() == "token-lost", "\(content)")
      }
    }
  }

  @Test("Tokens are compared whole")
  func comparison() throws {
    let token = try #require(AdminToken("  \(Self.secret)\r\n".utf8))
    #expect(token.matches(Array(Self.secret.utf8)))
    #expect(!token.matches(Array(Self.secret.dropLast().utf8)))
    #expect(!token.matches(Array((Self.secret + "x").utf8)))
    #expect(!token.matches([UInt8]()))
    for index in Self.secret.utf8.indices {
      var bytes = Array(Self.secret.utf8)
      bytes[Self.secret.utf8.distance(from: Self.secret.utf8.startIndex, to: index)] ^= 1
      #expect(!token.matches(bytes))
    }
    #expect(AdminToken(String(repeating: "a", count: 15).utf8) == nil)
    #expect(AdminToken(String(repeating: "a", count: 4_097).utf8) == nil)
    #expect(AdminToken("0123456789abcdé0123456789".utf8) == nil)
  }
}
