import HTTPCodec
import Resources
import Runtime
import Testing

@testable import DataPlane
@testable import Plugins

@Suite("Splits of traffic")
struct TrafficSplitTests {
  private func request(
    _ fields: [(String, String)] = [], target: String = "/", method: String = "GET", client: String? = nil
  ) throws -> ExplainedRequest {
    var question = ExplainQuestion(scheme: .http, host: "shop.test", target: target)
    question.method = method
    question.headers = fields.map { ExplainQuestion.Field(name: $0.0, value: $0.1) }
    question.client = try client.map { try #require(SocketAddress(ip: $0, port: 5)) }
    return try ExplainedRequest(question, limits: HTTP1Limits())
  }

  // MARK: Settings

  private func problem(_ options: String) -> String {
    do throws(ConfigurationErrors) {
      _ = try ConfigurationFile.load(
        text: """
          listeners: [{name: web, address: "127.0.0.1:8080"}]
          services: [{name: shop, endpoints: ["127.0.0.1:9000"]}, {name: next, endpoints: ["127.0.0.1:9001"]}]
          routes:
            - {name: shop, service: shop, plugins: {traffic-split: \(options)}}
          """, path: "test.yaml", plugins: .standard)
      return ""
    } catch {
      return error.description
    }
  }

  @Test(
    "what is wrong is said",
    arguments: [
      ("{}", "nothing is split"),
      ("{rules: []}", "nothing is split"),
      ("{canary: {service: next}}", "no request would go to it"),
      ("{canary: {service: nex, weight: 1}}", "canary.service: no service is named \"nex\": did you mean"),
      ("{canary: {service: next, weight: 101}}", "101 is more than the whole, which is 100"),
      ("{canary: {service: next, weight: 1, headerValue: a}}", "there is no header"),
      ("{canary: {service: next, header: a, headerValue: a, headerPattern: b}}", "keep one of them"),
      ("{rules: [{services: []}]}", "the list is empty"),
      ("{rules: [{services: [{service: next, weight: 0}]}]}", "no service has a weight"),
      ("{rules: [{match: {}, services: [{service: next}]}]}", "it says nothing of the request"),
      ("{rules: [{services: [{service: nex}]}]}", "rules[0].services[0].service: no service is named"),
      (
        "{rules: [{services: [{service: next}]}, {services: [{service: next}]}]}",
        "no request comes here: rules[0] is for all"
      ),
      (
        "{rules: [{services: [{service: next}]}], canary: {service: next, weight: 1}}",
        "canary: no request comes here"
      ),
      ("{by: [], canary: {service: next, weight: 1}}", "the list is empty"),
      ("{by: [colour], canary: {service: next, weight: 1}}", "nothing that requests are told apart by"),
      ("{rules: [{match: {headerPatterns: {a: \"(\"}}, services: [{}]}]}", "is not a regular expression"),
    ])
  func problems(options: String, message: String) {
    let problem = problem(options)
    #expect(problem.contains(message), "\(problem)")
  }

  @Test(
    "what is right is read",
    arguments: [
      "{rules: {services: {service: next}}}",
      "{rules: [{match: {percentage: 1%}, services: [{service: next}]}], canary: {service: next, weight: 1}}",
      "{by: [consumer, header:X-A], salt: a, rules: [{match: {groups: [beta]}, services: [{weight: 9}, {service: next}]}]}",
      "{canary: {service: next, header: X-Canary, headerPattern: \"^b\", cookie: canary, weight: 1, weightTotal: 1000}}",
    ])
  func reading(options: String) { #expect(problem(options) == "") }

  // MARK: Shares

  private func weights(_ weights: [Int]) throws -> WeightedServices {
    try WeightedServices(
      weights.map { weight in
        var values = OptionValues(
          [PluginOption("service", .service, ""), PluginOption("weight", .integer(0...1_000_000), "")])
        values.set("weight", .integer(weight))
        return values
      }, at: "")
  }

  @Test("weights are shares of the draws")
  func shares() throws {
    let weights = try weights([1, 0, 3, 6])
    var counts = [0, 0, 0, 0]
    for step in 0..<10_000 { counts[weights.index(of: UInt64(step) * (.max / 10_000))] += 1 }
    #expect(zip(counts, [1_000, 0, 3_000, 6_000]).allSatisfy { abs($0 - $1) <= 1 }, "\(counts)")
    #expect(weights.index(of: 0) == 0 && weights.index(of: .max) == 3)
    #expect(try self.weights([1_000_000, 1_000_000]).index(of: .max) == 1)
  }

  @Test("a first service that gets more of the same whole keeps those that it had")
  func growth() throws {
    let users = (0..<2_000).map { Draw.of(StableHash.of(Array("user\($0)".utf8).span), decision: 1) }
    var had: Set<UInt64> = []
    for weight in [0, 1, 5, 20, 50, 99, 100] {
      let weights = try weights([weight, 100 - weight])
      let has = Set(users.filter { weights.index(of: $0) == 0 })
      #expect(has.isSuperset(of: had))
      // Six standard deviations; the users are always the same.
      let wanted = 20.0 * Double(weight)
      let deviation = (2_000 * Double(weight) / 100 * Double(100 - weight) / 100).squareRoot()
      #expect(abs(Double(has.count) - wanted) <= 6 * deviation, "\(has.count) of \(wanted)")
      had = has
    }
    #expect(had.count == Set(users).count)
  }

  @Test("decisions have nothing to do with each other")
  func independence() {
    let both = (0..<8_000).count { number in
      let user = StableHash.of(Array("user\(number)".utf8).span)
      return Draw.isHit(Draw.of(user, decision: 0), 500_000)
        && Draw.isHit(Draw.of(user, decision: 2), 500_000)
    }
    // A quarter: 2,000, and six standard deviations.
    #expect(abs(both - 2_000) < 233, "\(both)")
  }

  /// Users must not change sides with a new version of the gateway.
  @Test("who is on which side is the same everywhere and for good")
  func stable() throws {
    let key = try RequestKey(["header:x-user"], at: "by")
    let draws = try ["alice", "bob", "carol"].map { name in
      Draw.number(
        Draw.of(try #require(key.stableHash(of: request([("X-User", name)]), after: 0)), decision: 1),
        below: 1_000)
    }
    #expect(draws == [690, 504, 120])
    let address = try RequestKey(["address"], at: "by")
    let one = try #require(address.stableHash(of: request(client: "192.0.2.7"), after: 1))
    #expect(Draw.number(Draw.of(one, decision: 1), below: 1_000) == 355)
    #expect(
      try address.stableHash(of: request(client: "2001:db8::1"), after: 1)
        == address.stableHash(of: request(client: "2001:db8::ffff"), after: 1))
    #expect(try address.stableHash(of: request(client: "192.0.2.7"), after: 2) != one)
  }

  @Test("who has nothing to be told apart by is drawn")
  func missing() throws {
    for word in ["header:x-user", "cookie:user", "query:user", "address", "consumer"] {
      let key = try RequestKey([word], at: "by")
      #expect(try key.stableHash(of: request(), after: 0) == nil, "\(word)")
    }
    let both = try RequestKey(["header:a", "cookie:b"], at: "by")
    #expect(try both.stableHash(of: request([("A", "1")]), after: 0) == nil)
    #expect(try both.stableHash(of: request([("A", "1"), ("Cookie", "x=1; b=2")]), after: 0) != nil)
  }

  // MARK: Conditions

  private func holds(_ options: [(String, OptionValue)], _ request: ExplainedRequest) -> Bool {
    var values = OptionValues(RequestConditions.options)
    for (name, value) in options { values.set(name, value) }
    return ReadyConditions(RequestConditions(values)).hold(for: request)
  }

  private func map(_ name: String, _ value: String) -> OptionValue {
    .map([OptionEntry(key: name, value: .text(value))])
  }

  @Test("conditions")
  func conditions() throws {
    let request = try request(
      [("X-A", "one"), ("Cookie", "c=blue; d=\"x\""), ("x-a", "two")], target: "/?q=a%20b&e", method: "PUT")
    #expect(holds([], request))
    #expect(holds([("method", .list([.text("GET"), .text("PUT")]))], request))
    #expect(!holds([("method", .list([.text("GET")]))], request))
    // The first field of a name counts.
    #expect(
      holds([("headers", map("X-a", "one"))], request) && !holds([("headers", map("x-a", "two"))], request))
    #expect(holds([("headers", map("x-a", ""))], request) && !holds([("headers", map("x-b", ""))], request))
    #expect(holds([("headerPatterns", map("x-a", "n"))], request))
    #expect(!holds([("headerPatterns", map("x-a", "^n"))], request))
    #expect(holds([("cookies", map("c", "blue"))], request) && holds([("cookies", map("d", "x"))], request))
    #expect(!holds([("cookies", map("C", "blue"))], request))
    #expect(holds([("cookiePatterns", map("c", "^bl"))], request))
    #expect(holds([("query", map("q", "a b"))], request) && holds([("query", map("e", ""))], request))
    #expect(!holds([("query", map("q", "a%20b"))], request) && !holds([("query", map("f", ""))], request))
    #expect(holds([("queryPatterns", map("q", " b$"))], request))
    // All have to hold; nobody is known.
    #expect(!holds([("headers", map("x-a", "one")), ("cookies", map("c", "red"))], request))
    #expect(!holds([("consumers", .list([.text("alice")]))], request))
    #expect(!holds([("groups", .list([.text("beta")]))], request))
  }

  @Test("consumers and groups")
  func callers() throws {
    var definition = Consumer(name: "alice")
    definition.groups = ["beta", "eu"]
    struct Known: RequestFacts {
      let request: ExplainedRequest
      let consumer: WorkerConsumer?
      func withHead<R>(_ body: (borrowing RequestHead, Span<UInt8>) -> R) -> R { request.withHead(body) }
      func withPath<R>(_ body: (Span<UInt8>) -> R) -> R { request.withPath(body) }
      var sender: SocketAddress? { nil }
      var routeName: [UInt8] { [] }
      var serviceName: [UInt8] { [] }
    }
    let known = try Known(request: request(), consumer: WorkerConsumer(0, definition, before: nil))
    func holds(_ options: [(String, [String])]) -> Bool {
      var values = OptionValues(RequestConditions.options)
      for (name, texts) in options { values.set(name, .list(texts.map(OptionValue.text))) }
      return ReadyConditions(RequestConditions(values)).hold(for: known)
    }
    #expect(holds([("consumers", ["bob", "alice"])]) && !holds([("consumers", ["bob"])]))
    #expect(holds([("groups", ["gold", "eu"])]) && !holds([("groups", ["gold"])]))
    #expect(holds([("groups", ["eu"]), ("consumers", ["alice"])]))
    #expect(!holds([("groups", ["eu"]), ("consumers", ["bob"])]))
  }

  // MARK: Canary

  /// What ingress-nginx's balancer decides: a field, then a cookie, then the weight.
  @Test(
    "a field decides before a cookie, and a cookie before the weight",
    arguments: [
      // Without value and pattern.
      ("{header: h, cookie: c}", "", "", "drawn"),
      ("{header: h, cookie: c}", "always", "never", "header"),
      ("{header: h, cookie: c}", "never", "always", "own"),
      ("{header: h, cookie: c}", "Always", "always", "cookie"),
      ("{header: h, cookie: c}", "other", "never", "own"),
      ("{header: h, cookie: c}", "", "always", "cookie"),
      ("{header: h, cookie: c}", "", "other", "drawn"),
      // With a value, which stands in place of always and never.
      ("{header: h, headerValue: v, cookie: c}", "v", "never", "header"),
      ("{header: h, headerValue: v, cookie: c}", "always", "", "drawn"),
      ("{header: h, headerValue: v, cookie: c}", "never", "always", "cookie"),
      ("{header: h, headerValue: v, cookie: c}", "vv", "never", "own"),
      // With an expression.
      ("{header: h, headerPattern: \"b+\", cookie: c}", "abba", "never", "header"),
      ("{header: h, headerPattern: \"^b+\", cookie: c}", "abba", "always", "cookie"),
      ("{header: h, headerPattern: \"^b+\", cookie: c}", "never", "", "drawn"),
      // Of which only one is asked for.
      ("{header: h}", "", "always", "drawn"),
      ("{cookie: c}", "always", "", "drawn"),
    ])
  func canary(options: String, field: String, cookie: String, wanted: String) throws {
    let body = try ResourceBody(
      yaml: "service: shop\nplugins: {traffic-split: {canary: \(options.dropLast()), service: next}}}")
    let resource = try ResourceReader.read(ResourceID(.routes, "shop"), body, folder: "", plugins: .standard)
    guard case .route(let route) = resource, let split = route.plugins[0].settings as? TrafficSplit else {
      Issue.record("not a split")
      return
    }
    var fields: [(String, String)] = []
    if !field.isEmpty { fields.append(("H", field)) }
    if !cookie.isEmpty { fields.append(("Cookie", "a=b; c=\(cookie)")) }
    let choice = ReadyCanary(try #require(split.canary)).choice(try request(fields))
    let expected: ReadyCanary.Choice =
      switch wanted {
      case "own": .own
      case "drawn": .drawn
      default: .canary(by: wanted)
      }
    #expect(choice == expected)
  }
}
