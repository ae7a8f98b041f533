import Testing

@testable import Resources

@Suite struct TransactionReaderTests {
  private func read(_ json: String) throws -> (operations: [ResourceOperation], message: String?) {
    try TransactionReader.read(ResourceBody(json: Array(json.utf8)))
  }

  /// `put routes/shop {…}`, with the condition after it.
  private func shown(_ operation: ResourceOperation) -> String {
    let action =
      switch operation.action {
      case .put(let body): "put \(operation.id) \(body.json)"
      case .patch(let body): "patch \(operation.id) \(body.json)"
      case .delete: "delete \(operation.id)"
      }
    switch operation.condition {
    case nil: return action
    case .exists: return action + " if it exists"
    case .isAbsent: return action + " if it is absent"
    case .revision(let revisions): return action + " if \(revisions)"
    }
  }

  private func refusal(_ body: ResourceBody) -> TransactionRefusal? {
    do throws(TransactionRefusal) {
      _ = try TransactionReader.read(body)
      return nil
    } catch {
      return error
    }
  }

  /// One line for each problem: `0 operations[0].op: …`.
  private func problems(_ json: String) throws -> [String] {
    let body = try ResourceBody(json: Array(json.utf8))
    let refusal = try #require(self.refusal(body))
    #expect(refusal.reason == .invalid)
    return refusal.problems.map { ($0.operation.map { "\($0) " } ?? "") + $0.description }
  }

  @Test func operations() throws {
    let read = try read(
      """
      {"message": "the shop moves", "operations": [
        {"op": "put", "kind": "routes", "name": "shop", "resource": {"service": "shop"}},
        {"op": "put", "kind": "services", "name": "shop", "resource": {"name": "shop"}, "ifNoneMatch": "*"},
        {"op": "patch", "kind": "services", "name": "old", "resource": {"limits": null}, "ifMatch": "17"},
        {"op": "delete", "kind": "certificates", "name": "a", "ifMatch": ["1", "\\"18446744073709551615\\""]},
        {"op": "delete", "kind": "listeners", "name": "a", "ifMatch": "*"}]}
      """)
    #expect(read.message == "the shop moves")
    #expect(
      read.operations.map(shown) == [
        #"put routes/shop {"name":"shop","service":"shop"}"#,
        #"put services/shop {"name":"shop"} if it is absent"#,
        #"patch services/old {"limits":null} if [17]"#,
        "delete certificates/a if [1, 18446744073709551615]",
        "delete listeners/a if it exists",
      ])
  }

  @Test func documentsPutWhatTheyHold() throws {
    let yaml = """
      services:
        - {name: shop, endpoints: ["10.0.0.1:80"]}
      routes:
        - {name: shop, service: shop}
        - {name: cart, service: shop}
      certificates: []
      """
    let (operations, message) = try TransactionReader.read(ResourceBody(yaml: yaml))
    #expect(message == nil)
    #expect(
      operations.map(shown) == [
        #"put services/shop {"name":"shop","endpoints":["10.0.0.1:80"]}"#,
        #"put routes/shop {"name":"shop","service":"shop"}"#,
        #"put routes/cart {"name":"cart","service":"shop"}"#,
      ])
    #expect(try read(#"{"routes":[{"name":"a"}]}"#).operations.map(shown) == [#"put routes/a {"name":"a"}"#])
  }

  @Test func everythingThatIsWrongIsReported() throws {
    let found = try problems(
      """
      {"mesage": "x", "operations": [
        {"op": "putt", "kind": "route", "name": "a b", "resource": {}},
        {"op": "put", "kind": "routes", "name": "a"},
        {"op": "delete", "kind": "routes", "name": "b", "resource": {}},
        {"op": "put", "kind": "routes", "name": "c", "resource": {"name": "d"}},
        {"op": "patch", "kind": "routes", "name": "e", "resource": []},
        {"op": "delete", "kind": "routes", "name": "f", "ifMatch": "W/\\"1\\"", "ifMatches": 1},
        {"op": "delete", "kind": "routes", "name": "f", "ifMatch": [], "ifNoneMatch": "1"},
        {"op": "delete", "kind": "routes", "name": "g", "ifNoneMatch": "1"},
        7]}
      """)
    #expect(
      found == [
        "0 operations[0].op: unknown value \"putt\": did you mean \"put\"? (one of put, patch, delete)",
        "0 operations[0].kind: unknown value \"route\": did you mean \"routes\"? "
          + "(one of listeners, services, certificates, routes, consumers, plugins)",
        "0 operations[0].name: \"a b\" is not a name: letters, digits, \"-\", \"_\" and \".\", "
          + "beginning with a letter or digit, at most 253",
        "1 operations[1]: \"resource\" is missing",
        "2 operations[2].resource: delete takes no resource: leave it out",
        "3 routes/c: name: the name \"d\" is not that of routes/c: leave it out, "
          + "or put a new resource under its own name",
        "4 routes/e: expected a mapping with the keys of a route",
        "5 operations[5].ifMatch: \"W/\\\"1\\\"\" is not a revision: the number in the resource's ETag",
        "5 operations[5].ifMatches: unknown key: did you mean \"ifMatch\"?",
        "6 operations[6]: routes/f is already in operations[5]: "
          + "name each resource once: all changes take effect together",
        "6 operations[6].ifNoneMatch: ifMatch and ifNoneMatch exclude each other: keep one of them",
        "7 operations[7].ifNoneMatch: expected \"*\", for a resource that must not exist yet, found \"1\"",
        "8 operations[8]: expected a mapping, found \"7\"",
        "mesage: unknown key: did you mean \"message\"?",
      ])
  }

  @Test func theSameResourceTwiceIsOneTooMany() throws {
    #expect(
      try problems(#"{"routes": [{"name": "a"}], "services": [{"name": "a"}, {"name": "b"}, {"name": "b"}]}"#)
        == [
          "services[2]: services/b is already in services[1]: "
            + "name each resource once: all changes take effect together"
        ])
  }

  @Test(arguments: [
    ("[]", "expected a mapping: {\"operations\": […]}"),
    ("{}", "there is nothing in it: {\"operations\": […]}"),
    (#"{"operations": []}"#, "operations: at least one operation is needed"),
    (#"{"operations": {}}"#, "operations: expected a list of operations, found a mapping"),
    (#"{"operations": null}"#, "operations: expected a list of operations, found nothing"),
    (#"{"operation": []}"#, "operation: unknown key: did you mean \"operations\"?"),
    (#"{"route": []}"#, "route: unknown key: did you mean \"routes\"?"),
    (#"{"routes": []}"#, "there is no resource in it"),
    (#"{"routes": {}}"#, "routes: expected a list of routes, found a mapping"),
    (#"{"routes": [1]}"#, "routes[0]: expected a mapping, found \"1\""),
    (#"{"routes": [{}]}"#, "routes[0]: \"name\" is missing: it says which route is meant"),
    (
      #"{"routes": [{"name": "/"}]}"#,
      "routes[0].name: \"/\" is not a name: letters, digits, \"-\", \"_\" and \".\", "
        + "beginning with a letter or digit, at most 253"
    ),
    (
      #"{"routes": [{"name": "a"}], "http": {}}"#,
      "http: settings of the process are in the configuration file: leave it out here"
    ),
    (#"{"admin": "off"}"#, "admin: settings of the process are in the configuration file: leave it out here"),
    (#"{"routes": [{"name": "a"}], "servces": []}"#, "servces: unknown key: did you mean \"services\"?"),
    (
      #"{"routes": [{"name": "a"}], "routes": [{"name": "b"}]}"#, "routes: repeated key: it is already at 1:2"
    ),
  ])
  func refuses(json: String, problem: String) throws {
    let found = try problems(json)
    #expect(found.contains(problem), "\(found)")
  }

  @Test func problemsHaveAnEnd() throws {
    let operation = #"{"op": "x"}"#
    let list = [String](repeating: operation, count: 2_000).joined(separator: ",")
    #expect(try problems("{\"operations\": [\(list)]}").count == ConfigurationErrors.countMax)
  }

  @Test func operationsAreCounted() throws {
    func document(_ count: Int) -> String {
      "{\"routes\":[" + (0..<count).map { "{\"name\":\"r\($0)\"}" }.joined(separator: ",") + "]}"
    }
    #expect(try read(document(TransactionReader.operationsMax)).operations.count == 100_000)
    #expect(try problems(document(100_001)) == ["100001 resources are too many: at most 100000"])
    let deletes = (0...100_000).map { "{\"op\":\"delete\",\"kind\":\"routes\",\"name\":\"r\($0)\"}" }
    #expect(
      try problems("{\"operations\":[" + deletes.joined(separator: ",") + "]}")
        == ["operations: 100001 operations are too many: at most 100000"])
  }

  @Test func messagesAreShort() throws {
    let message = String(repeating: "a", count: 1_025)
    #expect(
      try problems(
        #"{"message": "\#(message)", "operations": [{"op": "delete", "kind": "routes", "name": "a"}]}"#)
        == ["message: the message has 1025 bytes: at most 1024"])
  }
}
