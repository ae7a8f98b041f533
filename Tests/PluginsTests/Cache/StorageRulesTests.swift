import HTTPCodec
import Testing

@testable import Plugins

@Suite("what is stored, and for how long")
struct StorageRulesTests {
  /// 2023-11-14T22:13:20Z
  private let now: Int64 = 1_700_000_000
  private let date = "Date: Tue, 14 Nov 2023 22:13:20 GMT"

  private func facts(_ lines: [String], status: UInt16 = 200, tagFields: [[UInt8]] = []) -> ResponseFacts {
    var parser = ResponseParser(limits: HTTP1Limits())
    var head = ResponseHead()
    let bytes = Array(("HTTP/1.1 \(status) OK\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n").utf8)
    guard (try? parser.parse(bytes.span, requestMethod: .get, into: &head)) == true else {
      Issue.record("the head is malformed")
      return ResponseFacts()
    }
    var facts = ResponseFacts()
    facts.status = head.status
    for field in head.fields { facts.note(field, in: bytes.span, tagFields: tagFields) }
    return facts
  }

  private func terms(
    _ lines: String..., status: UInt16 = 200, rules: StorageRules = StorageRules(),
    request: StorageRules.Request = .init(), delay: Int64 = 0
  ) -> Result<StorageTerms, StorageRules.Refusal> {
    let facts = facts(lines, status: status)
    return Result { () throws(StorageRules.Refusal) in
      try rules.terms(for: facts, to: request, at: now, delay: delay)
    }
  }

  private func lifetime(_ result: Result<StorageTerms, StorageRules.Refusal>) -> Int64? {
    (try? result.get())?.lifetime
  }

  @Test("RFC 9111 §4.2.1: s-maxage goes before max-age, which goes before Expires")
  func order() {
    let expires = "Expires: Tue, 14 Nov 2023 22:14:20 GMT"
    #expect(lifetime(terms(date, "Cache-Control: max-age=10, s-maxage=20", expires)) == 20)
    #expect(lifetime(terms(date, "Cache-Control: max-age=10", expires)) == 10)
    #expect(lifetime(terms(date, expires)) == 60)
    #expect(lifetime(terms(expires)) == 60)
  }

  @Test("RFC 9111 §5.3: an Expires that is no date, or comes twice, has passed")
  func invalidExpires() {
    #expect(terms(date, "Expires: 0") == .failure(.stale))
    #expect(lifetime(terms(date, "Expires: 0", "ETag: \"a\"")) == 0)
    let expires = "Expires: Tue, 14 Nov 2023 22:14:20 GMT"
    #expect(terms(date, expires, expires) == .failure(.stale))
  }

  @Test("what says nothing is not stored, unless a lifetime is set for its status")
  func nothingSaid() {
    #expect(terms(date, "Last-Modified: Tue, 14 Nov 2022 22:13:20 GMT") == .failure(.freshness))
    var rules = StorageRules()
    rules.lifetime = 300
    #expect(lifetime(terms(date, rules: rules)) == 300)
    #expect(lifetime(terms(date, status: 404, rules: rules)) == 300)
    #expect(terms(date, status: 403, rules: rules) == .failure(.freshness))
    #expect(lifetime(terms(date, "Cache-Control: max-age=7", rules: rules)) == 7)
    rules.obeysFreshness = false
    #expect(lifetime(terms(date, "Cache-Control: max-age=7", rules: rules)) == 300)
    #expect(terms(date, "Cache-Control: private", rules: rules) == .failure(.isPrivate))
  }

  @Test("RFC 9111 §3: no-store and private forbid, also with arguments and among others")
  func forbidden() {
    #expect(terms("Cache-Control: max-age=60, no-store") == .failure(.noStore))
    #expect(terms("Cache-Control: max-age=60", "Cache-Control: private") == .failure(.isPrivate))
    #expect(terms("Cache-Control: private=\"x-a\", max-age=60") == .failure(.isPrivate))
    #expect(terms("Cache-Control: max-age=60", request: .init(noStore: true)) == .failure(.noStore))
    #expect(terms("Cache-Control: max-age=60", request: .init(isGet: false)) == .failure(.method))
    #expect(lifetime(terms("Cache-Control: max-age=60, no-store, must-understand")) == 60)
  }

  @Test("RFC 9111 §3.5: requests with Authorization need permission")
  func authorization() {
    let request = StorageRules.Request(hasAuthorization: true)
    #expect(terms("Cache-Control: max-age=60", request: request) == .failure(.authorization))
    for directive in ["public", "must-revalidate", "s-maxage=60"] {
      #expect(lifetime(terms("Cache-Control: max-age=60, \(directive)", request: request)) == 60)
    }
  }

  @Test("responses that set cookies are not stored unless that is set")
  func cookies() {
    #expect(terms("Cache-Control: max-age=60", "Set-Cookie: a=b") == .failure(.cookies))
    var rules = StorageRules()
    rules.storesCookies = true
    #expect(lifetime(terms("Cache-Control: max-age=60", "Set-Cookie: a=b", rules: rules)) == 60)
  }

  @Test("RFC 9111 §4.1: what varies by anything is not stored")
  func vary() {
    #expect(terms("Cache-Control: max-age=60", "Vary: *") == .failure(.vary))
    #expect(terms("Cache-Control: max-age=60", "Vary: Accept, *") == .failure(.vary))
    #expect(terms("Cache-Control: max-age=60", "Vary: Accept Encoding") == .failure(.vary))
    let many = (0...ResponseFacts.varyMax).map { "X-\($0)" }.joined(separator: ",")
    #expect(terms("Cache-Control: max-age=60", "Vary: \(many)") == .failure(.vary))
    #expect(
      facts(["Vary: Accept, accept ,X-A", "Vary: x-b"]).vary.map { String(decoding: $0, as: UTF8.self) }
        == ["accept", "x-a", "x-b"])
  }

  @Test("partial, interim and unknown statuses are not stored", arguments: [206, 201, 202, 205, 401, 407, 416, 429, 599])
  func statuses(_ status: UInt16) {
    #expect(terms("Cache-Control: max-age=60", status: status) == .failure(.status))
  }

  @Test("only the content types that are set, without their parameters")
  func contentTypes() {
    var rules = StorageRules()
    rules.contentTypes = [Array("text/plain".utf8)]
    #expect(lifetime(terms("Cache-Control: max-age=6", "Content-Type: Text/Plain; charset=x", rules: rules)) == 6)
    #expect(terms("Cache-Control: max-age=6", "Content-Type: text/html", rules: rules) == .failure(.type))
    #expect(terms("Cache-Control: max-age=6", rules: rules) == .failure(.type))
  }

  @Test("RFC 9111 §4.2.3: the age when it comes is the larger of what its date and Age say")
  func initialAge() throws {
    let old = "Date: Tue, 14 Nov 2023 22:13:00 GMT"
    #expect(try terms(old, "Cache-Control: max-age=60").get().initialAge == 20)
    #expect(try terms(old, "Age: 30", "Cache-Control: max-age=60").get().initialAge == 30)
    #expect(try terms(old, "Age: 30", "Cache-Control: max-age=60", delay: 5).get().initialAge == 35)
    #expect(try terms(date, "Age: 5, 30", "Age: 40", "Cache-Control: max-age=60").get().initialAge == 5)
    #expect(try terms(date, "Age: x", "Cache-Control: max-age=60").get().initialAge == 0)
    let future = "Date: Tue, 14 Nov 2033 22:13:00 GMT"
    #expect(try terms(future, "Cache-Control: max-age=60").get().initialAge == 0)
    #expect(terms(old, "Cache-Control: max-age=20") == .failure(.stale))
    #expect(terms(date, "Age: 99999999999999999999", "Cache-Control: max-age=20") == .failure(.stale))
  }

  @Test("no-cache is stored where it can be validated")
  func noCache() throws {
    #expect(terms("Cache-Control: no-cache, max-age=60") == .failure(.stale))
    let stored = try terms("Cache-Control: no-cache", "ETag: \"a\"").get()
    #expect(stored.alwaysValidates && stored.mustRevalidate)
    #expect(Reuse(stored, sinceStored: 0, RequestDirectives()) == .validate)
  }

  @Test("RFC 5861: what is set holds where the response says nothing and does not forbid it")
  func staleTimes() throws {
    var rules = StorageRules()
    rules.staleWhileRevalidate = 5
    rules.staleIfError = 50
    let said = try terms("Cache-Control: max-age=1, stale-while-revalidate=7", rules: rules).get()
    #expect(said.staleWhileRevalidate == 7 && said.staleIfError == 50)
    let forbidden = try terms(
      "Cache-Control: max-age=1, must-revalidate, stale-if-error=9", rules: rules).get()
    #expect(forbidden.staleWhileRevalidate == 0 && forbidden.staleIfError == 0 && forbidden.mustRevalidate)
    let shared = try terms("Cache-Control: s-maxage=1", rules: rules).get()
    #expect(shared.staleWhileRevalidate == 0 && shared.mustRevalidate)
    let explicit = try terms("Cache-Control: s-maxage=1, stale-while-revalidate=9", rules: rules).get()
    #expect(explicit.staleWhileRevalidate == 9 && !explicit.mustRevalidate)
  }

  @Test("two entity tags, and one that is malformed, are none")
  func entityTags() {
    #expect(facts(["ETag: \"a\""]).entityTag == Array("\"a\"".utf8))
    #expect(facts(["ETag: \"a\"", "ETag: \"b\""]).entityTag.isEmpty)
    #expect(facts(["ETag: \"a\"", "ETag: \"b\"", "ETag: \"c\""]).entityTag.isEmpty)
    #expect(facts(["ETag: a"]).entityTag.isEmpty)
  }

  @Test("tags are separated by spaces or commas, and bounded")
  func tags() {
    let names = ["surrogate-key", "cache-tag"].map { Array($0.utf8) }
    let long = String(repeating: "x", count: ResponseFacts.tagBytesMax + 1)
    let found = facts(["Surrogate-Key: a  b", "Cache-Tag: c, d,,\(long)"], tagFields: names).tags
    #expect(found.map { String(decoding: $0, as: UTF8.self) } == ["a", "b", "c", "d"])
    let many = (0..<1_000).map { "t\($0)" }.joined(separator: " ")
    #expect(facts(["Surrogate-Key: \(many)"], tagFields: names).tags.count == ResponseFacts.tagsMax)
    #expect(facts(["Surrogate-Key: a"]).tags.isEmpty)
  }

  @Test("RFC 9111 §4.2.4, §5.2.1: what requests may do with it")
  func reuse() {
    var terms = StorageTerms()
    terms.lifetime = 60
    terms.initialAge = 10
    func reuse(_ seconds: Int64, _ change: (inout RequestDirectives) -> Void = { _ in }) -> Reuse {
      var request = RequestDirectives()
      change(&request)
      return Reuse(terms, sinceStored: seconds, request)
    }
    #expect(reuse(0) == .fresh && reuse(49) == .fresh && reuse(50) == .validate)
    #expect(reuse(0) { $0.noCache = true } == .validate)
    #expect(reuse(0) { $0.maxAge = 9 } == .validate && reuse(0) { $0.maxAge = 10 } == .fresh)
    #expect(reuse(0) { $0.minFresh = 50 } == .fresh && reuse(0) { $0.minFresh = 51 } == .validate)
    #expect(reuse(60) { $0.maxStale = 10 } == .stale && reuse(61) { $0.maxStale = 10 } == .validate)
    terms.staleWhileRevalidate = 20
    #expect(reuse(50) == .staleWhileRevalidate && reuse(69) == .staleWhileRevalidate && reuse(70) == .validate)
    #expect(reuse(50) { $0.maxAge = 1_000 } == .validate)
    terms.mustRevalidate = true
    terms.staleWhileRevalidate = 0
    #expect(reuse(60) { $0.maxStale = DeltaSeconds.max } == .validate)
  }
}
