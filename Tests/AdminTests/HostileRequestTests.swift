import NIOCore
import Resources
import Testing

@testable import Admin

@Suite("Admin API: hostile requests")
struct HostileRequestTests {
  @Test("Names are decoded once, and paths are never resolved")
  func paths() async throws {
    let resources = FakeResources()
    let name = "a/../b%2F \u{1F600}"
    resources.insert(ResourceID(.routes, name), revision: 1)
    resources.insert(ResourceID(.routes, ".."), revision: 2)
    try await AdminTestServer.run(resources: resources) { server in
      let encoded = PercentCoding.encode(name)
      #expect(encoded == "a%2F..%2Fb%252F%20%F0%9F%98%80")
      #expect(try await server.send("GET", "/v1/routes/\(encoded)").status == 200)
      #expect(try await server.send("GET", "/v1/routes/%2e%2E").headers["etag"] == "\"2\"")
      #expect(try await server.send("GET", "/v1/routes/..").headers["etag"] == "\"2\"")
      for path in [
        "/v1", "/v1/", "/v1/routes/", "/v1//routes", "/v1/routes/a/b", "/v1/Routes", "/v1/%72outes",
        "/v1/routes/../services/a", "/v1/./routes", "/v1/openapi.json",
      ] {
        let answer = try await server.send("GET", path)
        #expect(try answer.problem() == "no-such-path", "\(path)")
      }
      #expect(try await server.send("GET", "/V1/routes").status == 404)
      for path in ["/v1/routes/%", "/v1/routes/%4", "/v1/routes/%zz", "/v1/routes/%ff", "/v1/routes/%C0%AF"] {
        #expect(try await server.send("GET", path).problem() == "malformed-request", "\(path)")
      }
      #expect(try await server.send("GET", "/v1/routes/%00").status == 404)
    }
  }

  @Test("Only methods that a path has are taken, and they are named")
  func methods() async throws {
    try await AdminTestServer.run { server in
      let answer = try await server.send("POST", "/v1/routes", body: "{}")
      #expect(answer.status == 405)
      #expect(answer.headers["allow"] == "GET, HEAD")
      #expect(try answer.problem() == "method-not-allowed")
      let one = try await server.send("OPTIONS", "/v1/routes/a")
      #expect(one.headers["allow"] == "GET, HEAD, PUT, PATCH, DELETE")
      #expect(try await server.send("PROPFIND", "/v1/transactions").headers["allow"] == "POST")
    }
  }

  @Test("HEAD is GET without the content")
  func head() async throws {
    let resources = FakeResources()
    resources.insert(ResourceID(.routes, "a"), revision: 3)
    try await AdminTestServer.run(resources: resources) { server in
      let head = try await server.send("HEAD", "/v1/routes/a")
      #expect(head.status == 200)
      #expect(head.body.isEmpty)
      #expect(head.headers["etag"] == "\"3\"")
      let get = try await server.send("GET", "/v1/routes/a")
      #expect(head.headers["content-length"] == get.headers["content-length"])
    }
  }

  @Test("Content is of a known type, in UTF-8, and as it is")
  func types() async throws {
    try await AdminTestServer.run { server in
      for fields: KeyValuePairs in [
        ["Content-Type": "text/plain"], ["Content-Type": "application/merge-patch+json"],
        ["Content-Type": "application/json; charset=latin1"],
        ["Content-Type": "application/x-www-form-urlencoded"],
        ["Content-Type": "application/json", "Content-Encoding": "gzip"],
      ] {
        let answer = try await server.send("PUT", "/v1/routes/a", fields, body: "{}")
        #expect(try answer.problem() == "unsupported-media-type", "\(fields)")
      }
      let patch = try await server.send(
        "PATCH", "/v1/routes/a", ["Content-Type": "application/json"], body: "{}")
      #expect(patch.status == 415)
      #expect(patch.headers["accept-patch"] == "application/merge-patch+json")
      for accept in ["text/html", "application/json;q=0", "application/xml, text/*"] {
        #expect(try await server.send("GET", "/v1/routes", ["Accept": accept]).status == 406, "\(accept)")
      }
      for accept in ["*/*", "application/*", "text/html, application/json;q=0.1", "Application/JSON"] {
        #expect(try await server.send("GET", "/v1/routes", ["Accept": accept]).status == 200, "\(accept)")
      }
    }
  }

  @Test(
    "Content that is no document is refused with its place",
    arguments: [
      "", "{", "nul", "{\"a\":1}{", "[\u{0}]", "{\"a\": \"\u{1}\"}", String(repeating: "[", count: 100_000),
    ])
  func documents(body: String) async throws {
    try await AdminTestServer.run { server in
      let answer = try await server.send("PUT", "/v1/routes/a", body: body)
      #expect(answer.status == 400)
      #expect(try answer.problem() == "unreadable-body")
      #expect(server.resources.content.withLock { $0.transactions.isEmpty })
    }
  }

  @Test("Content that is too large is refused before it has all come")
  func large() async throws {
    try await AdminTestServer.run { server in
      let announced = try await server.send("PUT", "/v1/routes/a", ["Content-Length": "1048577"], body: "")
      #expect(try announced.problem() == "body-too-large")
      #expect(announced.headers["connection"] == "close")
      let huge = try await server.send("POST", "/v1/transactions", ["Content-Length": "67108865"], body: "")
      #expect(huge.status == 413)
      // Without an announcement, the limit is met while reading. The end never comes.
      let chunk = "10000\r\n" + String(repeating: "x", count: 0x10000) + "\r\n"
      let text = try await server.exchange(
        "PUT /v1/routes/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
          + String(repeating: chunk, count: 17))
      #expect(try AdminTestServer.parse(text).status == 413)
      let most = "{\"a\":\"" + String(repeating: "x", count: (1 << 20) - 8) + "\"}"
      #expect(most.utf8.count == 1 << 20)
      #expect(try await server.send("PUT", "/v1/routes/a", body: most).status == 201)
    }
  }

  @Test("A client that waits for 100-continue gets it")
  func expectation() async throws {
    try await AdminTestServer.run { server in
      let answer = try await server.withConnection { inbound, outbound -> String in
        try await outbound.write(
          ByteBuffer(
            string: "PUT /v1/routes/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
              + "Content-Length: 2\r\nConnection: close\r\n\r\n"))
        var parts = inbound.makeAsyncIterator()
        var received = ""
        while !received.hasSuffix("\r\n\r\n"), let part = try await parts.next() {
          received += String(buffer: part)
        }
        #expect(received.hasPrefix("HTTP/1.1 100 "))
        try await outbound.write(ByteBuffer(string: "{}"))
        while let part = try await parts.next() { received += String(buffer: part) }
        return received
      }
      #expect(try AdminTestServer.parse(answer).status == 201)
    }
  }

  @Test("Content that does not move closes the connection, and nothing is changed")
  func slow() async throws {
    var limits = AdminServer.Limits()
    limits.stallTimeout = .milliseconds(100)
    try await AdminTestServer.run(limits: limits) { server in
      let text = try await server.exchange(
        "PUT /v1/routes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
      #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 400 "))
      #expect(server.resources.content.withLock { $0.transactions.isEmpty })
    }
  }

  @Test("Content that ends early changes nothing")
  func truncated() async throws {
    try await AdminTestServer.run { server in
      try await server.withConnection { inbound, outbound in
        try await outbound.write(
          ByteBuffer(string: "PUT /v1/routes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{}"))
        outbound.finish()
        for try await _ in inbound {}
      }
      #expect(server.resources.content.withLock { $0.transactions.isEmpty })
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  @Test("Queries and fields that are too large are refused")
  func heads() async throws {
    try await AdminTestServer.run { server in
      let query = (0..<2_000).map { "a\($0)=1" }.joined(separator: "&")
      #expect(try await server.send("GET", "/v1/routes?\(query)").status == 400)
      let text = try await server.exchange(
        "GET /v1/routes?after=\(String(repeating: "x", count: 100_000)) HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 4"))
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  @Test("A backend that does not answer makes 503; after a change, the outcome is said to be unknown")
  func stuck() async throws {
    let resources = FakeResources()
    resources.change { $0.isStuck = true }
    var limits = AdminServer.Limits()
    limits.backendTimeout = .milliseconds(50)
    limits.changeTimeout = .milliseconds(50)
    try await AdminTestServer.run(resources: resources, limits: limits) { server in
      let question = try await server.send("GET", "/v1/routes")
      #expect(try question.problem() == "no-answer")
      #expect(try await server.send("PUT", "/v1/routes/a", body: "{}").problem() == "outcome-unknown")
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }
}
