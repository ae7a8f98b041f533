import Resources
import Testing

@testable import DataPlane

/// One row: of these routes, in the file's order, this one takes the request.
struct PrecedenceCase: CustomTestStringConvertible, Sendable {
  /// The rule of the Gateway API (`HTTPRouteSpec.hostnames`, `HTTPRouteRule.matches`).
  var rule: String
  var routes: [Route]
  var request: @Sendable () -> WrittenRequest
  /// Nil: no route.
  var expected: String?

  init(
    _ rule: String, _ routes: [Route], _ request: @autoclosure @escaping @Sendable () -> WrittenRequest,
    _ expected: String?
  ) {
    self.rule = rule
    self.routes = routes
    self.request = request
    self.expected = expected
  }

  var testDescription: String { rule }
}

struct RoutePrecedenceTests {
  static let hostCases = [
    PrecedenceCase(
      "an exact host comes before a wildcard",
      [Route("wildcard", hosts: ["*.example.com"]), Route("exact", hosts: ["a.example.com"])],
      WrittenRequest(host: "a.example.com"), "exact"),
    PrecedenceCase(
      "the longest wildcard comes first",
      [
        Route("short", hosts: ["*.com"]), Route("long", hosts: ["*.b.com"]),
        Route("middle", hosts: ["*.b.co"]),
      ],
      WrittenRequest(host: "x.a.b.com"), "long"),
    PrecedenceCase(
      "a wildcard comes before any host",
      [Route("any"), Route("wildcard", hosts: ["*.com"])], WrittenRequest(host: "a.com"), "wildcard"),
    PrecedenceCase(
      "a wildcard stands for several labels",
      [Route("wildcard", hosts: ["*.example.com"])], WrittenRequest(host: "a.b.c.example.com"), "wildcard"),
    PrecedenceCase(
      "a wildcard stands for at least one label",
      [Route("wildcard", hosts: ["*.example.com"])], WrittenRequest(host: "example.com"), nil),
    PrecedenceCase(
      "an asterisk does not stand for an empty label",
      [Route("wildcard", hosts: ["*.example.com"])], WrittenRequest(host: ".example.com"), nil),
    PrecedenceCase(
      "a wildcard matches whole labels",
      [Route("wildcard", hosts: ["*.example.com"])], WrittenRequest(host: "a.badexample.com"), nil),
    PrecedenceCase(
      "hosts are matched in any case",
      [Route("exact", hosts: ["a-z_0.example.com"])], WrittenRequest(host: "A-Z_0.Example.COM"), "exact"),
    PrecedenceCase(
      "wildcards are matched in any case",
      [Route("wildcard", hosts: ["*.example.com"])], WrittenRequest(host: "WWW.EXAMPLE.com"), "wildcard"),
    PrecedenceCase(
      "only letters have a case", [Route("exact", hosts: ["[::1]"])], WrittenRequest(host: "{::1}"), nil),
    PrecedenceCase(
      "an IPv6 literal is a host like any other",
      [Route("exact", hosts: ["[2001:db8::1]"])], WrittenRequest(host: "[2001:DB8::1]"), "exact"),
    PrecedenceCase(
      "without a host, routes for any host are left",
      [Route("named", hosts: ["a.com"]), Route("any")], WrittenRequest(host: ""), "any"),
    PrecedenceCase(
      "a less specific host's rules are tried when none of the more specific one's match",
      [
        Route("exact", hosts: ["a.b.com"], .prefix("/x")), Route("long", hosts: ["*.b.com"], .prefix("/y")),
        Route("short", hosts: ["*.com"], .exact("/z")), Route("any", .prefix("/z")),
      ],
      WrittenRequest("/z", host: "a.b.com"), "short"),
    PrecedenceCase(
      "a more specific host comes before a better path",
      [Route("exact", hosts: ["a.com"], .exact("/x")), Route("wildcard", hosts: ["*.com"], .exact("/x/y"))],
      WrittenRequest("/x/y", host: "a.com"), "wildcard"),
    PrecedenceCase(
      "a more specific host's prefix comes before a less specific one's exact path",
      [Route("any", .exact("/x/y")), Route("exact", hosts: ["a.com"], .prefix("/"))],
      WrittenRequest("/x/y", host: "a.com"), "exact"),
  ]

  static let pathCases = [
    PrecedenceCase(
      "an exact path comes before a prefix", [Route("prefix", .prefix("/a")), Route("exact", .exact("/a"))],
      WrittenRequest("/a"), "exact"),
    PrecedenceCase(
      "an exact path comes before a regular expression",
      [Route("regex", .regex("/a")), Route("exact", .exact("/a"))], WrittenRequest("/a"), "exact"),
    PrecedenceCase(
      "a regular expression comes before a prefix",
      [Route("prefix", .prefix("/a/b")), Route("regex", .regex("/a/.*"))], WrittenRequest("/a/b"), "regex"),
    PrecedenceCase(
      "the longest regular expression comes first",
      [Route("short", .regex("/a.*").header("x", "1")), Route("long", .regex("/a/b.*"))],
      WrittenRequest("/a/b").header("x", "1"), "long"),
    PrecedenceCase(
      "regular expressions match the whole path", [Route("regex", .regex("/a"))], WrittenRequest("/a/b"), nil),
    PrecedenceCase(
      "the longest prefix comes first",
      [Route("root"), Route("short", .prefix("/a")), Route("long", .prefix("/a/b"))],
      WrittenRequest("/a/b/c"), "long"),
    PrecedenceCase(
      "a shorter prefix is tried when the conditions of a longer one do not hold",
      [Route("short", .prefix("/a")), Route("long", .prefix("/a/b").methods("POST"))],
      WrittenRequest("/a/b/c"), "short"),
    PrecedenceCase(
      "a prefix is tried when the conditions of an exact path do not hold",
      [Route("exact", .exact("/a/b").methods("POST")), Route("prefix", .prefix("/"))],
      WrittenRequest("/a/b"), "prefix"),
    PrecedenceCase(
      "a prefix matches whole segments", [Route("a", .prefix("/a"))], WrittenRequest("/ab"), nil),
    PrecedenceCase(
      "a prefix matches the path itself", [Route("a", .prefix("/a"))], WrittenRequest("/a"), "a"),
    PrecedenceCase(
      "a prefix matches with a slash behind it", [Route("a", .prefix("/a"))], WrittenRequest("/a/"), "a"),
    PrecedenceCase(
      "a slash at the end of a prefix is ignored", [Route("a", .prefix("/a/"))], WrittenRequest("/a"), "a"),
    PrecedenceCase(
      "prefixes that differ in a slash at the end are the same",
      [Route("one", .prefix("/a")), Route("two", .prefix("/a/").header("x", "1"))],
      WrittenRequest("/a/b").header("X", "1"), "two"),
    PrecedenceCase(
      "a slash at the end of an exact path counts", [Route("a", .exact("/a/"))], WrittenRequest("/a"), nil),
    PrecedenceCase("paths are case-sensitive", [Route("a", .prefix("/a"))], WrittenRequest("/A"), nil),
    PrecedenceCase(
      "what is no path matches the prefix / alone",
      [Route("exact", .exact("/")), Route("prefix", .prefix("/a")), Route("root", .prefix("/"))],
      WrittenRequest("*"), "root"),
  ]

  static let conditionCases = [
    PrecedenceCase(
      "a longer prefix comes before a method match",
      [Route("method", .prefix("/a").methods("GET")), Route("long", .prefix("/a/b"))],
      WrittenRequest("/a/b"), "long"),
    PrecedenceCase(
      "a method match comes before header matches",
      [Route("header", .any.header("x", "1").header("y", "2")), Route("method", .any.methods("GET"))],
      WrittenRequest().header("x", "1").header("y", "2"), "method"),
    PrecedenceCase(
      "more header matches come first",
      [Route("one", .any.header("x", "1")), Route("two", .any.header("x", "1").header("y", "2"))],
      WrittenRequest().header("x", "1").header("y", "2"), "two"),
    PrecedenceCase(
      "a header match comes before query matches",
      [Route("query", .any.query("a", "1").query("b", "2")), Route("header", .any.header("x", "1"))],
      WrittenRequest().header("x", "1").query("a=1&b=2"), "header"),
    PrecedenceCase(
      "more query matches come first",
      [Route("one", .any.query("a", "1")), Route("two", .any.query("a", "1").query("b", "2"))],
      WrittenRequest().query("b=2&a=1"), "two"),
    PrecedenceCase(
      "the first route of the file comes first", [Route("first"), Route("second")], WrittenRequest(), "first"),
    PrecedenceCase(
      "any of a route's matches will do",
      [Route("either", .exact("/a"), .exact("/b")), Route("other")], WrittenRequest("/b"), "either"),
    PrecedenceCase(
      "all conditions of a match have to hold",
      [Route("both", .any.header("x", "1").query("a", "1"))], WrittenRequest().header("x", "1"), nil),
  ]

  @Test("Hosts", arguments: hostCases) func hosts(_ row: PrecedenceCase) { check(row) }
  @Test("Paths", arguments: pathCases) func paths(_ row: PrecedenceCase) { check(row) }
  @Test("Conditions", arguments: conditionCases) func conditions(_ row: PrecedenceCase) { check(row) }

  /// The order of the file decides ties alone, so it must not matter elsewhere.
  @Test("The order of the file matters in ties alone", arguments: hostCases + pathCases + conditionCases)
  func reversed(_ row: PrecedenceCase) {
    guard row.rule != "the first route of the file comes first" else { return }
    check(PrecedenceCase(row.rule, row.routes.reversed(), row.request(), row.expected))
  }

  private func check(_ row: PrecedenceCase) {
    #expect(RouteTable(row.routes).route(for: row.request())?.name == row.expected)
  }
}
