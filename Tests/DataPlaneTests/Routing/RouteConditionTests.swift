import Resources
import Testing

@testable import DataPlane

struct RouteConditionTests {
  private func matches(_ match: Match, _ request: WrittenRequest) -> Bool {
    RouteTable([Route("r", match)]).route(for: request) != nil
  }

  @Test("Methods are compared as they are written", arguments: ["GET", "PATCH", "PURGE"])
  func methods(_ method: String) {
    let match = Match.any.methods("GET", "PATCH", "PURGE")
    #expect(matches(match, WrittenRequest().method(method)))
    #expect(!matches(match, WrittenRequest().method("POST")))
    #expect(!matches(match, WrittenRequest().method("PURG")))
    #expect(!matches(match, WrittenRequest().method("purge")))
    #expect(!matches(Match.any.methods("GET"), WrittenRequest().method("PURGE")))
    #expect(matches(.any, WrittenRequest().method("PURGE")))
  }

  @Test("Header names have no case, values do")
  func headerCase() {
    let match = Match.any.header("x-beta", "On")
    #expect(matches(match, WrittenRequest().header("X-Beta", "On")))
    #expect(!matches(match, WrittenRequest().header("X-Beta", "on")))
    #expect(!matches(match, WrittenRequest().header("X-Beta2", "On")))
    #expect(!matches(match, WrittenRequest()))
  }

  @Test("Any of several field lines may have the value")
  func repeatedHeader() {
    let match = Match.any.header("x", "2")
    #expect(matches(match, WrittenRequest().header("X", "1").header("x", "2")))
    #expect(!matches(match, WrittenRequest().header("X", "1, 2")))
  }

  @Test("A header expression matches the whole value")
  func headerExpression() {
    let match = Match.any.header("user-agent", regex: "curl/[0-9.]+")
    #expect(matches(match, WrittenRequest().header("User-Agent", "curl/8.1")))
    #expect(!matches(match, WrittenRequest().header("User-Agent", "not curl/8.1")))
  }

  @Test("Of several conditions on one header or parameter the first counts")
  func repeatedConditions() {
    #expect(matches(Match.any.header("x", "1").header("X", "2"), WrittenRequest().header("x", "1")))
    #expect(matches(Match.any.query("a", "1").query("a", "2"), WrittenRequest().query("a=1")))
  }

  @Test("The first parameter of a name counts")
  func repeatedParameter() {
    #expect(matches(Match.any.query("a", "1"), WrittenRequest().query("b=2&a=1&a=2")))
    #expect(!matches(Match.any.query("a", "2"), WrittenRequest().query("b=2&a=1&a=2")))
  }

  @Test(
    "Parameters are percent-decoded",
    arguments: [
      ("a%62=x%20y", true), ("ab=x%20y", true), ("ab=x+y", false), ("ab=x y", true), ("ab=x%2", false),
      ("AB=x%20y", false), ("ab=x%20yz", false), ("ab=x%20", false), ("ab", false), ("", false),
      ("&&ab=x%20y&", true),
      ("%61%62=%78%20%79", true), ("ab=x%2%30y", false),
    ])
  func encodedParameter(_ query: String, _ expected: Bool) {
    #expect(matches(Match.any.query("ab", "x y"), WrittenRequest().query(query)) == expected)
    #expect(matches(Match.any.query("ab", regex: "x +y"), WrittenRequest().query(query)) == expected)
  }

  @Test(
    "An incomplete escape stands for itself",
    arguments: [
      ("a=%", "%"), ("a=%4", "%4"), ("a=%zz", "%zz"), ("a=100%25", "100%"), ("a==", "="), ("a=", ""),
    ])
  func incompleteEscape(_ query: String, _ value: String) {
    #expect(matches(Match.any.query("a", value), WrittenRequest().query(query)))
  }

  @Test("A parameter without a value has an empty one")
  func valuelessParameter() {
    #expect(matches(Match.any.query("debug", ""), WrittenRequest().query("a=1&debug&b=2")))
    #expect(matches(Match.any.query("debug", regex: ".*"), WrittenRequest().query("debug")))
    #expect(!matches(Match.any.query("debug", ""), WrittenRequest().query("debugger")))
  }

  @Test("A route does not exist for listeners that it is not attached to")
  func listeners() {
    var inside = Route("inside", hosts: ["a.com"])
    inside.listeners = ["l1", "l69"]
    let table = RouteTable([inside, Route("any")], listeners: (0..<70).map { "l\($0)" })
    for listener in 0..<70 {
      let route = table.route(for: WrittenRequest(host: "a.com").listener(listener))
      #expect(route?.name == (listener == 1 || listener == 69 ? "inside" : "any"))
    }
    #expect(table.route(for: WrittenRequest(host: "a.com").listener(1_000))?.name == "any")
  }

  @Test("A pattern that does not compile matches nothing")
  func brokenPattern() {
    #expect(!matches(.regex("/("), WrittenRequest("/(")))
  }
}
