import HTTPCodec
import Resources
import Runtime
import Testing

@testable import DataPlane

struct StickyCookieTests {
  /// The key of a request with this `Cookie` field.
  private func key(_ cookie: String) -> UInt64? {
    let (head, bytes) = WrittenRequest().header("Cookie", cookie).head()
    return HashKeySource(.sticky(cookie: "sid"))!.key(client: .any, head: head, bytes: bytes.span)
  }

  /// What the field sets, as a client sends it back.
  private func key(setBy field: [UInt8]) -> UInt64? {
    key("other=1; " + String(decoding: field.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self))
  }

  @Test("A client without a cookie gets one, and stays where it was")
  func stays() throws {
    var trial = Trial(.sticky(cookie: "sid"), Endpoint.numbers(0..<5))
    for _ in 0..<10 {
      let index = trial.pick()!
      let field = try #require(trial.balancer.stickyCookie(for: index, key: nil))
      let text = String(decoding: field, as: UTF8.self)
      #expect(text.wholeMatch(of: /sid=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax/) != nil)
      let returned = key(setBy: field)
      #expect(returned != nil)
      for _ in 0..<5 {
        #expect(trial.pick(key: returned) == index)
        #expect(trial.balancer.stickyCookie(for: index, key: returned) == nil)
      }
    }
  }

  @Test("Without its endpoint a client goes elsewhere, with a new cookie")
  func endpointOut() throws {
    let endpoints = Endpoint.numbers(0..<3)
    var trial = Trial(.sticky(cookie: "sid"), endpoints)
    let first = trial.pick()!
    let field = try #require(trial.balancer.stickyCookie(for: first, key: nil))
    let returned = key(setBy: field)
    endpoints[first].isHealthy = false
    let second = trial.pick(key: returned)!
    #expect(second != first)
    let other = try #require(trial.balancer.stickyCookie(for: second, key: returned))
    #expect(other != field)
    endpoints[first].isHealthy = true
    #expect(trial.pick(key: returned, tried: 1 << UInt64(first)) != first)
    #expect(trial.pick(key: returned) == first)
  }

  @Test("Tokens depend on the address and the cookie's name, not on the order")
  func tokens() {
    let endpoints = Endpoint.numbers(0..<50)
    var one = StickyCookie(name: "sid")
    one.endpointsChanged(endpoints)
    var reversed = StickyCookie(name: "sid")
    reversed.endpointsChanged(endpoints.reversed())
    var renamed = StickyCookie(name: "sid2")
    renamed.endpointsChanged(endpoints)
    for index in 0..<50 {
      #expect(one.token(of: index) == reversed.token(of: 49 - index))
      #expect(one.token(of: index) != renamed.token(of: index))
      let value = Array(one.fieldValue(for: index)[4..<20])
      #expect(StickyCookie.token(in: value.span).flatMap(one.index) == index)
      #expect(StickyCookie.token(in: value.span).flatMap(renamed.index) == nil)
    }
  }

  @Test(
    "Values that are no tokens name nothing",
    arguments: ["", "0", "zzzzzzzzzzzzzzzz", "0000000000000000", "00000000000000000", "-000000000000001"])
  func garbage(_ value: String) {
    var cookie = StickyCookie(name: "sid")
    cookie.endpointsChanged(Endpoint.numbers(0..<5))
    #expect(StickyCookie.token(in: Array(value.utf8).span).flatMap(cookie.index) == nil)
    var trial = Trial(.sticky(cookie: "sid"), Endpoint.numbers(0..<5))
    #expect(trial.pick(key: key("sid=\(value)")) != nil)
  }

  @Test("Other policies set no cookie")
  func otherPolicies() {
    for policy in [Balance.roundRobin, .leastRequest, .hash(.cookie("sid"))] {
      var trial = Trial(policy, Endpoint.numbers(0..<2))
      let index = trial.pick(key: 1)!
      #expect(trial.balancer.stickyCookie(for: index, key: nil) == nil)
    }
  }
}
