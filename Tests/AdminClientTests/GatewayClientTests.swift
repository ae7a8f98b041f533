import Resources
import Synchronization
import Testing

@testable import AdminClient

@Suite("The API, question by question")
struct GatewayClientTests {
  private func client(_ server: TestServer) -> GatewayClient {
    GatewayClient(address: AdminAddress(host: "127.0.0.1", port: server.port))
  }

  /// The request's line.
  private func line(_ request: String) -> String { String(request.prefix { $0 != "\r\n" }) }

  private static func item(_ name: String) -> String {
    #"{"name":"\#(name)","revision":7,"owner":"store","resource":{"name":"\#(name)","service":"s"}}"#
  }

  @Test func pagesAreFollowed() async throws {
    try await withServer { request in
      request.contains("after=b")
        ? .bytes(answer(#"{"items":[\#(Self.item("c"))]}"#))
        : .bytes(answer(#"{"items":[\#(Self.item("a")),\#(Self.item("b"))],"next":"b"}"#))
    } _: { server in
      var filter = ResourceFilter()
      filter.host = "x.example"
      let resources = try await client(server).resources(.routes, filter: filter)
      #expect(resources.map(\.id.name) == ["a", "b", "c"])
      #expect(resources[0].revision == 7)
      #expect(resources[0].owner == "store")
      #expect(
        server.requests.map(line) == [
          "GET /v1/routes?limit=1000&host=x.example HTTP/1.1",
          "GET /v1/routes?limit=1000&host=x.example&after=b HTTP/1.1",
        ])
    }
  }

  @Test func pagesThatNeverEndAreAnError() async throws {
    try await withServer { _ in
      .bytes(answer(#"{"items":[\#(Self.item("a"))],"next":"a"}"#))
    } _: { server in
      let failure = await #expect(throws: ClientFailure.self) { try await client(server).resources(.routes) }
      #expect(failure == .malformedAnswer("the next page begins before the last"))
      #expect(server.requests.count == 2)
    }
  }

  @Test func resourceWithALongerNameIsAnother() async throws {
    try await withServer { _ in
      .bytes(answer(#"{"items":[\#(Self.item("shop-2"))]}"#))
    } _: { server in
      let resource = try await client(server).resource(ResourceID(.routes, "shop"))
      #expect(resource == nil)
    }
  }

  @Test func changesGoOutAsOperations() async throws {
    let receipt = """
      {"revision":18,"dryRun":false,"served":true,"results":[\
      {"id":"services/s","outcome":"created","revision":18},{"id":"routes/old","outcome":"deleted","revision":18}]}
      """
    try await withServer { _ in
      .bytes(answer(receipt))
    } _: { server in
      var options = ChangeOptions()
      options.message = "why \"not\""
      let body = try ResourceBody(yaml: "{name: s, endpoints: [\"127.0.0.1:80\"], weight: 1, tls: off}")
      let result = try await client(server).apply(
        [
          ResourceChange(ResourceID(.services, "s"), .put(body), condition: .isAbsent),
          ResourceChange(ResourceID(.routes, "old"), .delete, condition: .revision([3])),
        ], options)
      #expect(result.revision == 18)
      #expect(result.isServed)
      #expect(result.results.map(\.outcome) == ["created", "deleted"])
      let sent = try #require(server.requests.first)
      #expect(sent.hasPrefix("POST /v1/transactions HTTP/1.1\r\n"))
      #expect(sent.contains("Prefer: wait\r\n"))
      let content = try #require(sent.split(separator: "\r\n\r\n").last)
      #expect(
        content == """
          {"message":"why \\"not\\"","operations":[{"op":"put","kind":"services","name":"s","resource":\
          {"name":"s","endpoints":["127.0.0.1:80"],"weight":1,"tls":"off"},"ifNoneMatch":"*"},\
          {"op":"delete","kind":"routes","name":"old","ifMatch":["\\"3\\""]}]}
          """)
      // What the gateway reads is what was meant.
      let (operations, message) = try TransactionReader.read(ResourceBody(json: Array(content.utf8)))
      #expect(message == "why \"not\"")
      #expect(operations.map(\.id.description) == ["services/s", "routes/old"])
      #expect(operations.map(\.condition) == [.isAbsent, .revision([3])])
    }
  }

  @Test func dryRunDoesNotChange() async throws {
    try await withServer { _ in
      .bytes(answer(#"{"revision":1,"served":false,"results":[]}"#))
    } _: { server in
      var options = ChangeOptions()
      options.isDryRun = true
      options.waits = false
      _ = try await client(server).rollback(to: 5, options)
      let sent = try #require(server.requests.first)
      #expect(sent.hasPrefix("POST /v1/rollback?dryRun=true HTTP/1.1\r\n"))
      #expect(!sent.contains("Prefer"))
      #expect(sent.hasSuffix("{\"revision\":5}"))
    }
  }

  @Test func fieldsOfAQuestionMayStandTwice() async throws {
    try await withServer { _ in
      .bytes(answer("{}"))
    } _: { server in
      var question = ExplainQuestion(url: "https://a.example/x?y=1")
      question.method = "POST"
      question.headers = [("X-A", "1"), ("X-A", "2")]
      _ = try await client(server).explain(question)
      #expect(
        server.requests.first.map(line)
          == "GET /v1/explain?url=https%3A%2F%2Fa.example%2Fx%3Fy%3D1&method=POST&header=X-A%3A%201"
          + "&header=X-A%3A%202 HTTP/1.1")
    }
  }

  // MARK: Events

  private static let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

  private static func change(_ revision: Int) -> String {
    """
    id: \(revision)\nevent: change\ndata: {"revision":\(revision),"time":"t","owner":"store",\
    "resourceCount":1,"resources":[{"id":"routes/a","outcome":"created"}]}\n\n
    """
  }

  @Test func eventsAreReadUntilEnough() async throws {
    let events = Self.stream + ": hello\n\n" + Self.change(4) + "event: other\ndata: x\n\n" + Self.change(5)
    try await withServer { _ in
      .bytesThenSilence(events)
    } _: { server in
      let seen = Mutex<[UInt64]>([])
      try await client(server).changes(after: 3) { event in
        seen.withLock { revisions in
          revisions.append(event.revision)
          return revisions.count < 2
        }
      }
      #expect(seen.withLock { $0 } == [4, 5])
      #expect(server.requests.first.map(line) == "GET /v1/events?after=3 HTTP/1.1")
    }
  }

  @Test func watchGoesOnFromTheLastChange() async throws {
    try await withServer { request in
      .bytes(Self.stream + Self.change(request.contains("after=4") ? 5 : 4))
    } _: { server in
      let seen = Mutex<[UInt64]>([])
      try await ChangeWatch(client: client(server), after: nil).run(count: 2) { event in
        seen.withLock { $0.append(event.revision) }
      }
      #expect(seen.withLock { $0 } == [4, 5])
    }
  }

  @Test func refusalOfTheFirstConnectionEndsTheWatch() async throws {
    let problem = answer(
      #"{"title":"Too many event streams"}"#, status: "503 Service Unavailable",
      type: "application/problem+json")
    try await withServer { _ in
      .bytes(problem)
    } _: { server in
      let failure = await #expect(throws: ClientFailure.self) {
        try await ChangeWatch(client: client(server), after: nil).run { _ in }
      }
      guard case .refused(let report)? = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      #expect(report.title == "Too many event streams")
      #expect(server.requests.count == 1)
    }
  }

  @Test func brokenEventIsAnError() async throws {
    try await withServer { _ in
      .bytes(Self.stream + "event: change\ndata: {nope\n\n")
    } _: { server in
      let failure = await #expect(throws: ClientFailure.self) {
        try await client(server).changes(after: nil) { _ in true }
      }
      guard case .malformedAnswer? = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
    }
  }
}
