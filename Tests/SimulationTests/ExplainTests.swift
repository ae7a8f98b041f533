import DataPlane
import Resources
import Runtime
import Simulation
import Testing

@Suite("Explaining what becomes of a request")
struct ExplainTests {
  private static let listeners = [
    Listener(name: "web", address: HostPort(host: "10.0.0.1", port: 8080)),
    Listener(name: "inner", address: HostPort(host: "10.0.0.1", port: 9090)),
  ]

  /// The scene's service under routes, and another with nothing in it.
  private func makeScene(
    _ routes: [Route], origins: Int = 1, listeners: [Listener] = listeners,
    _ change: (inout Service) -> Void = { _ in }
  ) -> Scene {
    let scene = Scene(origins: origins, change)
    var configuration = Configuration()
    configuration.listeners = listeners
    configuration.services = [scene.service.definition, Service(name: "empty", endpoints: [])]
    configuration.routes = routes
    scene.apply(configuration)
    return scene
  }

  private func route(
    _ name: String, hosts: [String] = [], service: String = "origin",
    _ change: (inout Match) -> Void = { _ in }
  ) -> Route {
    var route = Route(name: name, backends: [Backend(service: service)])
    route.hosts = hosts
    change(&route.matches[0])
    return route
  }

  private func question(
    _ target: String, host: String = "shop.test", _ change: (inout ExplainQuestion) -> Void = { _ in }
  ) -> ExplainQuestion {
    var question = ExplainQuestion(scheme: .http, host: host, target: target)
    question.port = 8080
    change(&question)
    return question
  }

  // MARK: Routes

  @Test("Says which route takes a request, and why each of the others does not")
  func reasons() throws {
    var attached = route("attached", hosts: ["shop.test"])
    attached.listeners = ["inner"]
    let scene = makeScene([
      route("winner", hosts: ["shop.test"]) { $0.path = .prefix("/cart") },
      route("shorter", hosts: ["shop.test"]) { $0.path = .prefix("/") },
      route("other path", hosts: ["shop.test"]) { $0.path = .exact("/orders") },
      route("post", hosts: ["shop.test"]) { $0.methods = ["POST"] },
      route("header", hosts: ["shop.test"]) { $0.headers = [FieldMatch(name: "x-v", value: .exact("2"))] },
      route("query", hosts: ["shop.test"]) { $0.query = [FieldMatch(name: "beta", value: .regex("[0-9]"))] },
      route("wildcard", hosts: ["*.test"]),
      route("any"),
      route("www", hosts: ["www.shop.test"]),
      route("far", hosts: ["else.where"]),
      attached,
    ])
    let explained = scene.gateway.explain(
      question("/cart//items/%2e?beta=x") { $0.headers = [.init(name: "X-V", value: "1")] })
    #expect(explained.outcome == .proxied)
    #expect(explained.path == "/cart/items/")
    #expect(explained.route?.name == "winner")
    #expect(explained.route?.host == "shop.test")
    #expect(explained.listener?.name == "web")
    let expected: [(String, Explanation.NearMiss.Reason, String)] = [
      ("shorter", .precedence, "longer prefix"), ("other path", .path, "/cart/items/"),
      ("post", .method, "POST"), ("header", .header, "\"1\"; it must be \"2\""),
      ("query", .query, "\"x\"; it must be what /[0-9]/"), ("wildcard", .precedence, "more specific host"),
      ("any", .precedence, "more specific host"), ("attached", .listener, "inner"), ("www", .host, "www."),
    ]
    for (name, reason, detail) in expected {
      let miss = try #require(explained.nearMisses.first { $0.route == name }, "\(name)")
      #expect(miss.reason == reason, "\(name): \(miss.detail)")
      #expect(miss.detail.contains(detail), "\(name): \(miss.detail)")
    }
    #expect(explained.nearMisses.count == expected.count)
    #expect(explained.nearMisses[0].reason == .precedence)
    #expect(explained.nearMisses.last?.reason == .host)
  }

  @Test(
    "Names the rule of precedence",
    arguments: [
      ("exact", "an exact path"), ("long", "a longer expression"), ("method", "a method"),
      ("headers", "header"),
      ("query", "query"), ("first", "earlier"),
    ])
  func precedence(winner: String, text: String) throws {
    var routes: [Route]
    let header = FieldMatch(name: "x", value: .exact("1"))
    let parameter = FieldMatch(name: "q", value: .exact("1"))
    switch winner {
    case "exact":
      routes = [route(winner) { $0.path = .exact("/a") }, route("loser") { $0.path = .regex("/a") }]
    case "long":
      routes = [route(winner) { $0.path = .regex("/aa*") }, route("loser") { $0.path = .regex("/a") }]
    case "method":
      routes = [route(winner) { $0.methods = ["GET"] }, route("loser") { $0.headers = [header] }]
    case "headers":
      routes = [route(winner) { $0.headers = [header] }, route("loser") { $0.query = [parameter] }]
    case "query": routes = [route(winner) { $0.query = [parameter] }, route("loser")]
    default: routes = [route(winner), route("loser")]
    }
    if winner != "first" { routes.reverse() }
    let scene = makeScene(routes)
    let explained = scene.gateway.explain(
      question("/a?q=1") { $0.headers = [.init(name: "x", value: "1")] })
    #expect(explained.route?.name == winner)
    let miss = try #require(explained.nearMisses.first { $0.route == "loser" })
    #expect(miss.reason == .precedence)
    #expect(miss.detail.contains(text), "\(miss.detail)")
  }

  @Test("Agrees with what a request really gets")
  func agrees() throws {
    let scene = makeScene([
      route("a", hosts: ["gateway.test"]) { $0.path = .prefix("/a") },
      route("b", hosts: ["*.test"], service: "empty") { $0.path = .exact("/b") },
    ])
    for (target, outcome) in [("/a/x", 200), ("/b", 503), ("/c", 404), ("/a/../../x", 400)] {
      let explained = scene.gateway.explain(question(target, host: "gateway.test"))
      #expect(explained.status ?? 200 == outcome)
      let answered = try scene.request("GET", target).status
      #expect(answered == outcome)
    }
    try scene.finish()
  }

  @Test("The nearest of very many routes are told, in bounded work")
  func bounded() {
    let routes = (0..<1_000).map { number in
      route("r\(number)", hosts: ["shop.test"]) { $0.path = .exact("/\(number)") }
    }
    let explained = makeScene(routes + [route("any") { $0.methods = ["POST"] }]).gateway.explain(
      question("/x"))
    #expect(explained.outcome == .noRoute && explained.status == 404)
    #expect(explained.nearMisses.count == Explanation.nearMissesMax)
    #expect(explained.isNearMissesCutShort)
  }

  // MARK: Listeners

  @Test("Finds the listener by port and scheme, by name, or because there is no other")
  func listeners() {
    let both = makeScene([route("any")])
    let byName = both.gateway.explain(question("/") { $0.listener = "inner" })
    #expect(byName.listener?.name == "inner" && byName.listener?.reason == "the question names it")
    let unknown = both.gateway.explain(question("/") { $0.listener = "none" })
    #expect(unknown.outcome == .noListener)
    let otherPort = both.gateway.explain(question("/") { $0.port = 1 })
    #expect(otherPort.outcome == .noListener)
    #expect(otherPort.listenersConsidered.map(\.name) == ["web", "inner"])
    #expect(otherPort.listenersConsidered.allSatisfy { $0.reason.contains("it listens on port") })
    let noPort = both.gateway.explain(question("/") { $0.port = nil })
    #expect(noPort.outcome == .noListener)
    let one = makeScene([route("any")], listeners: [Self.listeners[1]])
    let only = one.gateway.explain(question("/") { $0.port = nil })
    #expect(only.listener?.name == "inner" && only.outcome == .proxied)
    let plain = both.gateway.explain(
      question("/") {
        $0.scheme = .https
        $0.listener = "web"
      })
    #expect(plain.outcome == .handshakeRefused)
  }

  @Test("Redirects are told with where they lead")
  func redirects() {
    var listener = Self.listeners[0]
    listener.redirect = HTTPSRedirect()
    var own = route("own", hosts: ["own.test"])
    own.redirect = .off
    let scene = makeScene([own, route("any")], listeners: [listener])
    let sent = scene.gateway.explain(question("/a?b=c"))
    #expect(sent.outcome == .redirected && sent.status == 308)
    #expect(sent.location == "https://shop.test/a?b=c")
    #expect(scene.gateway.explain(question("/", host: "own.test")).outcome == .proxied)
  }

  @Test("What cannot be sent is refused, and no field passes for two")
  func refusals() {
    let scene = makeScene([route("any")])
    let split = scene.gateway.explain(question("/") { $0.headers = [.init(name: "a", value: "b\r\nc: d")] })
    #expect(split.outcome == .refused && split.status == 400)
    #expect(scene.gateway.explain(question("no-slash")).outcome == .refused)
    #expect(scene.gateway.explain(question("/") { $0.method = "TRACE" }).status == 405)
  }

  // MARK: Backends

  @Test("Endpoints are told with what speaks against them")
  func endpoints() throws {
    let scene = makeScene([route("any")], origins: 3)
    var resolved = scene.endpoints
    resolved[0].isHealthy = false
    resolved[1].weight = 0
    scene.setEndpoints(resolved)
    let backend = try #require(scene.gateway.explain(question("/")).backends.first)
    #expect(backend.service == "origin" && backend.share == 1 && backend.balance == "roundRobin")
    #expect(backend.endpoints.map(\.mayBePicked) == [false, false, true])
    #expect(backend.endpoints.map(\.isHealthy) == [false, true, true])
    #expect(backend.endpoints.allSatisfy { !$0.isPicked })
  }

  @Test("The very endpoint is told where the policy leaves nothing to chance")
  func hashed() throws {
    let scene = makeScene([route("any")], origins: 3) { $0.balance = .hash(.header("x-user")) }
    for origin in scene.origins {
      origin.script = { _, _ in OriginStep.answer(origin.address.description) }
    }
    for user in ["anna", "ben", "cleo", "dora"] {
      let explained = scene.gateway.explain(
        question("/") { $0.headers = [.init(name: "X-User", value: user)] })
      let backend = try #require(explained.backends.first)
      #expect(backend.key == "header x-user")
      let picked = backend.endpoints.filter(\.isPicked)
      #expect(picked.count == 1)
      var response: SimulatedResponse?
      scene.start { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request("GET", "/", fields: ["X-User: \(user)"]))
        response = try await stream.readResponse()
      }
      try scene.simulation.run()
      #expect(response?.text == picked.first?.address)
    }
    let without = scene.gateway.explain(question("/"))
    #expect(without.backends.first?.endpoints.allSatisfy { !$0.isPicked } == true)
    try scene.finish()
  }

  @Test("Backends are told with their shares")
  func shares() throws {
    var split = route("split")
    split.backends = [
      Backend(service: "origin", weight: 3), Backend(service: "empty", weight: 1),
      Backend(service: "empty", weight: 0),
    ]
    let explained = makeScene([split]).gateway.explain(question("/"))
    #expect(explained.backends.map(\.share) == [0.75, 0.25, 0])
    #expect(explained.backends.map(\.endpointCount) == [1, 0, 0])
  }
}
