import Foundation
import Resources
import Testing

@testable import Admin

@Suite("Admin API: resources")
struct ResourceAPITests {
  private let shop = ResourceID(.routes, "shop")

  @Test("What the store has and is not served says so, and why")
  func unserved() async throws {
    let resources = FakeResources()
    resources.change {
      let (shop, other) = (ResourceID(.routes, "shop"), ResourceID(.routes, "other"))
      $0.views[shop] = ResourceView(
        id: shop, json: #"{"name":"shop"}"#, revision: 3, owner: .store, unserved: "the name is taken")
      $0.views[other] = ResourceView(id: other, json: #"{"name":"other"}"#, revision: 3, owner: .store)
    }
    try await AdminTestServer.run(resources: resources) { server in
      let shop = try await server.send("GET", "/v1/routes/shop")
      #expect(shop.status == 200 && shop.headers["penstock-unserved"] == "the name is taken")
      #expect(try await server.send("GET", "/v1/routes/other").headers["penstock-unserved"] == nil)
      let page = try await server.send("GET", "/v1/routes").object()
      let items = try #require(page["items"] as? [[String: Any]])
      #expect(items.map { $0["served"] as? Bool } == [true, false])
      #expect(items.map { $0["reason"] as? String } == [nil, "the name is taken"])
    }
  }

  @Test("A resource is made, read, replaced, patched and deleted")
  func life() async throws {
    try await AdminTestServer.run { server in
      var answer = try await server.send("PUT", "/v1/routes/shop", body: #"{"service":"orders"}"#)
      #expect(answer.status == 201)
      #expect(answer.headers["location"] == "/v1/routes/shop")
      #expect(answer.headers["etag"] == "\"17\"")
      #expect(answer.headers["penstock-revision"] == "17")
      var receipt = try answer.object()
      #expect(receipt["revision"] as? Int == 17)
      #expect(receipt["served"] as? Bool == false)
      let results = try #require(receipt["results"] as? [[String: Any]])
      #expect(results.count == 1)
      #expect(results[0]["id"] as? String == "routes/shop")
      #expect(results[0]["outcome"] as? String == "created")

      answer = try await server.send("GET", "/v1/routes/shop")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "application/json")
      #expect(answer.headers["etag"] == "\"17\"")
      #expect(answer.headers["penstock-owner"] == "store")
      #expect(answer.body == #"{"name":"shop","service":"orders"}"# + "\n")

      answer = try await server.send("PUT", "/v1/routes/shop", body: #"{"name":"shop","service":"b"}"#)
      #expect(answer.status == 200)
      #expect(answer.headers["location"] == nil)

      answer = try await server.send(
        "PATCH", "/v1/routes/shop", ["Content-Type": "application/merge-patch+json"],
        body: #"{"service":null,"backends":[{"service":"c"}]}"#)
      #expect(answer.status == 200)
      answer = try await server.send("GET", "/v1/routes/shop")
      #expect(answer.body == #"{"name":"shop","backends":[{"service":"c"}]}"# + "\n")

      answer = try await server.send("DELETE", "/v1/routes/shop")
      #expect(answer.status == 200)
      #expect(answer.headers["etag"] == nil)
      receipt = try answer.object()
      #expect((receipt["results"] as? [[String: Any]])?.first?["outcome"] as? String == "deleted")
      answer = try await server.send("GET", "/v1/routes/shop")
      #expect(answer.status == 404)
      #expect(try answer.problem() == "resource-not-found")
      #expect(try answer.object()["instance"] as? String == "/v1/routes/shop")
    }
  }

  @Test("YAML is read as well, and the URL's name counts")
  func yaml() async throws {
    try await AdminTestServer.run { server in
      var answer = try await server.send(
        "PUT", "/v1/services/a", ["Content-Type": "application/yaml; charset=utf-8"],
        body: "endpoints: [\"10.0.0.1:80\"]\n")
      #expect(answer.status == 201)
      answer = try await server.send("GET", "/v1/services/a")
      #expect(answer.body == #"{"name":"a","endpoints":["10.0.0.1:80"]}"# + "\n")
      answer = try await server.send("PUT", "/v1/services/a", body: #"{"name":"b"}"#)
      #expect(answer.status == 422)
      #expect(try answer.problem() == "invalid-resource")
      let error = try #require(try answer.object()["errors"] as? [[String: Any]]).first
      #expect(error?["pointer"] as? String == "/name")
      #expect(error?["id"] as? String == "services/a")
      #expect(error?["hint"] != nil)
    }
  }

  @Test("Conditions are handed on, and those of reading are kept")
  func conditions() async throws {
    let resources = FakeResources()
    resources.insert(shop, revision: 7)
    try await AdminTestServer.run(resources: resources) { server in
      let path = "/v1/routes/shop"
      let cases: [(String, String, ResourceOperation.Condition)] = [
        ("If-Match", "*", .exists), ("If-Match", "\"7\"", .revision([7])),
        ("If-Match", "\"7\", W/\"8\", \"old\", \"9\"", .revision([7, 9])), ("If-None-Match", "*", .isAbsent),
      ]
      for (name, value, condition) in cases {
        let answer = try await server.send(
          "PUT", path, KeyValuePairs(dictionaryLiteral: (name, value)), body: "{}")
        #expect(answer.status == 200)
        #expect(resources.content.withLock { $0.transactions.last?.operations.first?.condition } == condition)
      }
      for fields: KeyValuePairs in [
        ["If-None-Match": "\"7\""], ["If-Match": "7"], ["If-Match": "*", "If-None-Match": "*"],
      ] {
        let answer = try await server.send("DELETE", path, fields)
        #expect(try answer.problem() == "malformed-request", "\(fields)")
      }
      resources.insert(shop, revision: 7)
      for known in ["\"7\"", "W/\"7\"", "\"1\", \"7\"", "*"] {
        let answer = try await server.send("GET", path, ["If-None-Match": known])
        #expect(answer.status == 304)
        #expect(answer.headers["etag"] == "\"7\"")
        #expect(answer.body.isEmpty)
      }
      #expect(try await server.send("GET", path, ["If-None-Match": "\"8\""]).status == 200)
      #expect(try await server.send("GET", path, ["If-Match": "\"7\""]).status == 200)
      #expect(try await server.send("GET", path, ["If-Match": "\"8\""]).problem() == "condition-failed")
    }
  }

  @Test("A dry run changes nothing, and says what would be")
  func dryRun() async throws {
    try await AdminTestServer.run { server in
      let answer = try await server.send(
        "PUT", "/v1/routes/shop?dryRun=true&message=caf%C3%A9+shop", ["Prefer": "wait"], body: "{}")
      #expect(answer.status == 200)
      #expect(answer.headers["location"] == nil)
      #expect(answer.headers["preference-applied"] == nil)
      let receipt = try answer.object()
      #expect(receipt["dryRun"] as? Bool == true)
      let results = try #require(receipt["results"] as? [[String: Any]])
      #expect(results[0]["outcome"] as? String == "created")
      let transaction = try #require(server.resources.content.withLock { $0.transactions.last })
      #expect(transaction.isDryRun)
      #expect(transaction.message == "café shop")
      #expect(transaction.actor == "anonymous")
      #expect(transaction.remote.hasPrefix("127.0.0.1:"))
      #expect(try await server.send("GET", "/v1/routes/shop").status == 404)
      #expect(try await server.send("PUT", "/v1/routes/shop?dryRun=yes", body: "{}").status == 400)
    }
  }

  @Test("Prefer: wait answers when the workers serve the change, or with 202")
  func wait() async throws {
    try await AdminTestServer.run { server in
      let cases: [(String, Duration?)] = [
        ("wait", .seconds(20)), ("wait=5", .seconds(5)), ("respond-async, wait=3; foo=bar", .seconds(3)),
        ("wait=100000", .seconds(20)), ("wait=x", nil), ("return=minimal", nil), ("WAIT=\"1\"", .seconds(1)),
      ]
      for (preference, duration) in cases {
        let answer = try await server.send("PUT", "/v1/routes/a", ["Prefer": preference], body: "{}")
        #expect(server.resources.content.withLock { $0.waits.last } == .some(duration), "\(preference)")
        #expect(answer.headers["preference-applied"] == (duration == nil ? nil : "wait"))
        #expect(try answer.object()["served"] as? Bool == (duration != nil))
      }
      server.resources.change { $0.isServed = false }
      let late = try await server.send("PUT", "/v1/routes/late", ["Prefer": "wait=0"], body: "{}")
      #expect(late.status == 202)
      #expect(late.headers["location"] == "/v1/routes/late")
      #expect(late.headers["preference-applied"] == nil)
      #expect(try late.object()["served"] as? Bool == false)
    }
  }

  @Test("Lists come in pages that name the next, and filters are handed on")
  func pages() async throws {
    let resources = FakeResources()
    for index in 0..<250 {
      resources.insert(ResourceID(.routes, String(format: "r%03d", index)), revision: 3)
    }
    resources.insert(ResourceID(.routes, "other"), revision: 4, owner: .file("/etc/a b.yaml"))
    resources.insert(ResourceID(.services, "s"), revision: 5)
    try await AdminTestServer.run(resources: resources) { server in
      var names: [String] = []
      var next: String? = "/v1/routes?owner=store&limit=100"
      var pages = 0
      while let target = next {
        let answer = try await server.send("GET", target)
        #expect(answer.status == 200)
        let page = try answer.object()
        let items = try #require(page["items"] as? [[String: Any]])
        names += items.compactMap { $0["name"] as? String }
        #expect(items.allSatisfy { $0["owner"] as? String == "store" && $0["revision"] as? Int == 3 })
        #expect(items.allSatisfy { ($0["resource"] as? [String: Any])?["name"] != nil })
        pages += 1
        next = answer.headers["link"].map { link in
          #expect(link.hasSuffix(">; rel=\"next\""))
          return String(link.dropFirst().prefix { $0 != ">" })
        }
        #expect((next == nil) == (page["next"] == nil))
      }
      #expect(pages == 3)
      #expect(names.count == 250 && names == names.sorted())

      _ = try await server.send(
        "GET", "/v1/routes?name=r0&host=Shop.Example.com&service=orders&owner=file%3A%2Fetc%2Fa+b.yaml")
      let filter = resources.content.withLock { $0.filters.last }
      #expect(
        filter
          == ResourceFilter(
            namePrefix: "r0", host: "shop.example.com", service: "orders",
            owner: .exactly(.file("/etc/a b.yaml"))))
      let files = try await server.send("GET", "/v1/routes?owner=file")
      let items = try #require(try files.object()["items"] as? [[String: Any]])
      #expect(items.map { $0["owner"] as? String } == ["file:/etc/a b.yaml"])
      for query in [
        "limit=0", "limit=1001", "limit=x", "limit=+5", "owner=nobody", "owner=file:", "unknown=1",
        "limit=1&limit=2", "after=%zz", "after=%ff", "limit",
      ] {
        let answer = try await server.send("GET", "/v1/routes?\(query)")
        #expect(try answer.problem() == "malformed-request", "\(query)")
      }
      // Listeners have no hosts.
      #expect(try await server.send("GET", "/v1/listeners?host=a").status == 400)
    }
  }

  @Test("Refusals of the backend have their own statuses, and name every mistake")
  func refusals() async throws {
    try await AdminTestServer.run { server in
      let cases: [(TransactionRefusal.Reason, Int, String)] = [
        (.invalid, 422, "invalid-resource"), (.notFound, 404, "resource-not-found"),
        (.conditionFailed, 412, "condition-failed"), (.notOwned, 409, "not-owned"),
        (.storeUnavailable, 503, "store-unavailable"),
      ]
      for (reason, status, problem) in cases {
        server.resources.change {
          $0.refusal = TransactionRefusal(
            reason,
            [
              ResourceProblem(
                ResourceID(.routes, "shop"), field: "backends[0].service", "no service is named \"order\"",
                hint: "did you mean \"orders\"?"),
              ResourceProblem(nil, operation: 3, "another"),
            ])
        }
        let answer = try await server.send("PUT", "/v1/routes/shop", body: "{}")
        #expect(answer.status == status)
        #expect(try answer.problem() == problem)
        #expect((answer.headers["retry-after"] != nil) == (status == 503))
        let document = try answer.object()
        #expect(document["status"] as? Int == status)
        #expect((document["title"] as? String)?.isEmpty == false)
        #expect((document["detail"] as? String)?.hasSuffix("(and 1 more)") == true)
        let errors = try #require(document["errors"] as? [[String: Any]])
        #expect(errors[0]["id"] as? String == "routes/shop")
        #expect(errors[0]["pointer"] as? String == "/backends/0/service")
        #expect(errors[0]["field"] as? String == "backends[0].service")
        #expect(errors[0]["detail"] as? String == "no service is named \"order\"")
        #expect(errors[0]["hint"] as? String == "did you mean \"orders\"?")
        // Of a single resource there is one operation only.
        #expect(errors[1]["operation"] == nil)
        #expect(errors[1]["pointer"] == nil)
      }
    }
  }

  @Test("Of very many mistakes a thousand are shown")
  func manyErrors() async throws {
    let resources = FakeResources()
    resources.change {
      $0.refusal = TransactionRefusal(
        .invalid, (0..<1_500).map { ResourceProblem(nil, operation: $0, "wrong") })
    }
    try await AdminTestServer.run(resources: resources) { server in
      let document = try await server.send(
        "POST", "/v1/transactions", body: #"{"operations":[{"op":"delete","kind":"routes","name":"a"}]}"#
      ).object()
      #expect((document["errors"] as? [[String: Any]])?.last?["operation"] as? Int == 999)
      #expect((document["errors"] as? [Any])?.count == 1_000)
      #expect(document["errorsOmitted"] as? Int == 500)
    }
  }

  @Test("A page explains every type of problem")
  func problems() async throws {
    try await AdminTestServer.run { server in
      for kind in ProblemKind.allCases {
        let answer = try await server.send("GET", kind.type)
        #expect(answer.status == 200)
        #expect(answer.body.hasPrefix("\(kind.title) (\(kind.status))\n"))
      }
      #expect(try await server.send("GET", "/problems/unknown").status == 404)
    }
  }
}
