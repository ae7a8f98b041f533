import Foundation
import Resources
import Testing

@testable import Admin

@Suite("Admin API: transactions, history and the gateway")
struct ChangeAPITests {
  private func summary(_ revision: UInt64) -> ChangeSummary {
    ChangeSummary(
      revision: revision, milliseconds: 1_772_323_199_500, owner: .store, actor: "token", message: "why",
      resourceCount: 1, resources: [.init(id: ResourceID(.routes, "shop"), outcome: .created)])
  }

  @Test("A transaction's operations are handed on together, in their order")
  func transaction() async throws {
    try await AdminTestServer.run { server in
      let body = """
        {"message": "a new shop", "operations": [
          {"op": "put", "kind": "services", "name": "shop", "resource": {"endpoints": ["10.0.0.1:80"]}},
          {"op": "patch", "kind": "routes", "name": "a", "ifMatch": "17", "resource": {"service": "shop"}},
          {"op": "delete", "kind": "services", "name": "old"}]}
        """
      let answer = try await server.send("POST", "/v1/transactions", ["Prefer": "wait=1"], body: body)
      #expect(answer.status == 200)
      #expect(answer.headers["preference-applied"] == "wait")
      #expect(answer.headers["etag"] == nil)
      let transaction = try #require(server.resources.content.withLock { $0.transactions.last })
      #expect(transaction.message == "a new shop")
      #expect(transaction.operations.map(\.id.description) == ["services/shop", "routes/a", "services/old"])
      #expect(transaction.operations[1].condition == .revision([17]))
      let results = try #require(try answer.object()["results"] as? [[String: Any]])
      #expect(results.map { $0["outcome"] as? String } == ["created", "created", "deleted"])

      let yaml = try await server.send(
        "POST", "/v1/transactions?message=mine", ["Content-Type": "application/yaml"],
        body: "services: [{name: s, endpoints: [\"10.0.0.1:80\"]}]\nroutes: [{name: r, service: s}]\n")
      #expect(yaml.status == 200)
      let second = try #require(server.resources.content.withLock { $0.transactions.last })
      #expect(second.operations.map(\.id.description) == ["services/s", "routes/r"])
      #expect(second.message == "mine")
    }
  }

  @Test("A transaction that cannot be read names the operation; one for nothing is a conflict")
  func badTransaction() async throws {
    try await AdminTestServer.run { server in
      var answer = try await server.send(
        "POST", "/v1/transactions",
        body: #"{"operations": [{"op": "put", "kind": "routs", "name": "a", "resource": {}}]}"#)
      #expect(answer.status == 422)
      let errors = try #require(try answer.object()["errors"] as? [[String: Any]])
      #expect(errors[0]["operation"] as? Int == 0)
      #expect((errors[0]["hint"] as? String)?.contains("routes") == true)
      answer = try await server.send("POST", "/v1/transactions", body: "{\"operations\": [")
      #expect(answer.status == 400)
      #expect(try answer.problem() == "unreadable-body")
      server.resources.change { $0.refusal = TransactionRefusal(.notFound, [ResourceProblem(nil, "none")]) }
      answer = try await server.send(
        "POST", "/v1/transactions", body: #"{"operations":[{"op":"delete","kind":"routes","name":"a"}]}"#)
      #expect(answer.status == 409)
      #expect(try answer.problem() == "missing-resource")
    }
  }

  @Test("A large transaction is read whole, with and without a length")
  func largeTransaction() async throws {
    try await AdminTestServer.run { server in
      let operations = (0..<5_000).map {
        #"{"op":"put","kind":"services","name":"s\#($0)","resource":{"endpoints":["10.0.0.1:80"]}}"#
      }
      let body = #"{"operations":[\#(operations.joined(separator: ","))]}"#
      var answer = try await server.send("POST", "/v1/transactions", body: body)
      #expect(answer.status == 200)
      #expect(server.resources.content.withLock { $0.transactions.last?.operations.count } == 5_000)
      let chunks = "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
      let text = try await server.exchange(
        "POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
          + "Connection: close\r\n\r\n" + chunks)
      answer = try AdminTestServer.parse(text)
      #expect(answer.status == 200)
      #expect(server.resources.content.withLock { $0.transactions.count } == 2)
    }
  }

  @Test("The history is listed in pages, and each change has its documents")
  func history() async throws {
    let resources = FakeResources()
    resources.change {
      $0.history = (1...120).reversed().map { summary(UInt64($0)) }
      $0.differences = [ResourceDifference(id: ResourceID(.routes, "shop"), before: nil, after: #"{"a":1}"#)]
    }
    try await AdminTestServer.run(resources: resources) { server in
      var page = try await server.send("GET", "/v1/history").object()
      #expect((page["items"] as? [Any])?.count == 50)
      #expect(page["next"] as? Int == 71)
      page = try await server.send("GET", "/v1/history?before=71&limit=70").object()
      let items = try #require(page["items"] as? [[String: Any]])
      #expect(items.count == 70)
      #expect(page["next"] == nil)
      #expect(items[0]["revision"] as? Int == 70)
      #expect(items[0]["time"] as? String == "2026-02-28T23:59:59.500Z")
      #expect(items[0]["actor"] as? String == "token")
      let change = try await server.send("GET", "/v1/history/5").object()
      #expect(change["revision"] as? Int == 5)
      let changes = try #require(change["changes"] as? [[String: Any]])
      #expect(changes[0]["before"] is NSNull)
      #expect((changes[0]["after"] as? [String: Any])?["a"] as? Int == 1)
      #expect(try await server.send("GET", "/v1/history/500").problem() == "revision-not-found")
      #expect(try await server.send("GET", "/v1/history/x").problem() == "malformed-request")

      let difference = try await server.send("GET", "/v1/diff?from=3").object()
      #expect(difference["from"] as? Int == 3)
      #expect(difference["to"] as? Int == 16)
      #expect((difference["changes"] as? [Any])?.count == 1)
      #expect(try await server.send("GET", "/v1/diff?to=3").problem() == "malformed-request")
      #expect(try await server.send("GET", "/v1/diff?from=3&to=17").problem() == "revision-not-found")
      resources.change { $0.knowsRevisions = false }
      #expect(try await server.send("GET", "/v1/diff?from=3&to=4").problem() == "revision-not-found")
    }
  }

  @Test("A rollback is a change with a reason")
  func rollback() async throws {
    try await AdminTestServer.run { server in
      let answer = try await server.send(
        "POST", "/v1/rollback?dryRun=true", body: #"{"revision": 12, "message": "broken"}"#)
      #expect(answer.status == 200)
      let request = try #require(server.resources.content.withLock { $0.rollbacks.last })
      #expect(request.revision == 12)
      #expect(request.isDryRun)
      #expect(request.message == "broken")
      for (body, field) in [
        (#"{"revision": "x"}"#, "revision"), (#"{"revision": -1}"#, "revision"), (#"{}"#, "revision"),
        (#"{"revision": 1, "mesage": "x"}"#, "mesage"), (#"{"revision": 1, "message": 5}"#, "message"),
      ] {
        let refused = try await server.send("POST", "/v1/rollback", body: body)
        #expect(refused.status == 422, "\(body)")
        let errors = try #require(try refused.object()["errors"] as? [[String: Any]])
        #expect(errors.first?["field"] as? String == field, "\(body)")
      }
      let future = try await server.send("POST", "/v1/rollback", body: #"{"revision": 17}"#)
      #expect(try future.problem() == "revision-not-found")
      #expect(try await server.send("POST", "/v1/rollback", body: "[1]").status == 422)
      #expect(try await server.send("POST", "/v1/rollback", body: "{").problem() == "unreadable-body")
    }
  }

  @Test("The audit trail is listed in pages")
  func audit() async throws {
    let resources = FakeResources()
    resources.change {
      $0.audit = (1...3).reversed().map {
        AuditEntry(
          number: $0, milliseconds: 0, actor: "token", remote: "10.0.0.9:5", action: "transaction",
          outcome: "refused", detail: "routes/shop")
      }
    }
    try await AdminTestServer.run(resources: resources) { server in
      let page = try await server.send("GET", "/v1/audit?limit=2").object()
      let items = try #require(page["items"] as? [[String: Any]])
      #expect(items.map { $0["number"] as? Int } == [3, 2])
      #expect(items[0]["time"] as? String == "1970-01-01T00:00:00.000Z")
      #expect(items[0]["remote"] as? String == "10.0.0.9:5")
      #expect(page["next"] as? Int == 2)
    }
  }

  @Test("A question is asked by POST and by GET")
  func explain() async throws {
    try await AdminTestServer.run { server in
      var expected = ExplainRequest(url: "https://shop.example.com/a?b=c")
      expected.method = "POST"
      expected.headers = [.init(name: "A", value: "1"), .init(name: "B", value: "x: y")]
      expected.listener = "web"
      var answer = try await server.send(
        "POST", "/v1/explain",
        body: """
          {"url": "https://shop.example.com/a?b=c", "method": "POST", "listener": "web",
           "headers": {"B": "x: y", "A": "1"}}
          """)
      #expect(answer.body == FakeResources.explanation + "\n")
      answer = try await server.send(
        "GET",
        "/v1/explain?url=https%3A%2F%2Fshop.example.com%2Fa%3Fb%3Dc&method=POST&listener=web"
          + "&header=A:1&header=B%3A+x%3A+y")
      #expect(answer.status == 200)
      #expect(server.resources.content.withLock { $0.questions } == [expected, expected])
      #expect(try await server.send("GET", "/v1/explain").problem() == "malformed-request")
      #expect(try await server.send("GET", "/v1/explain?url=a&header=b").problem() == "malformed-request")
    }
  }

  @Test("Status tells revisions, owners and the store")
  func status() async throws {
    try await AdminTestServer.run { server in
      var status = try await server.send("GET", "/v1/status").object()
      #expect(status["version"] as? String == "1.2.3")
      #expect(status["revision"] as? Int == 16)
      #expect(status["servedRevision"] as? Int == 15)
      #expect((status["store"] as? [String: Any])?["state"] as? String == "writable")
      let owners = try #require(status["owners"] as? [[String: Any]])
      #expect(owners.map { $0["owner"] as? String } == ["store", "file:a.yaml"])
      #expect((owners[0]["resources"] as? [String: Any])?["routes"] as? Int == 3)
      #expect((owners[1]["resources"] as? [String: Any])?["services"] as? Int == 0)
      server.resources.change { $0.failure = BackendFailure("disk full") }
      status = try await server.send("GET", "/v1/status").object()
      #expect((status["store"] as? [String: Any])?["reason"] as? String == "disk full")
    }
  }

  @Test("An upgrade answers when it is done, or says why not")
  func upgrade() async throws {
    try await AdminTestServer.run { server in
      #expect(try await server.send("POST", "/v1/upgrade").status == 200)
      server.resources.change { $0.upgradeFailure = .inProgress }
      #expect(try await server.send("POST", "/v1/upgrade").status == 409)
      server.resources.change { $0.upgradeFailure = .failed("exec: No such file or directory") }
      let failed = try await server.send("POST", "/v1/upgrade")
      #expect(failed.status == 500)
      #expect(try failed.object()["detail"] as? String == "exec: No such file or directory")
      #expect(try await server.send("GET", "/v1/upgrade").status == 405)
      #expect(server.resources.content.withLock { $0.upgrades } == 3)
    }
  }
}
