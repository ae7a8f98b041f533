import HTTPCodec
import Testing

@testable import Plugins

@Suite("Cache-Control")
struct CacheControlTests {
  private func response(_ lines: String...) -> ResponseDirectives {
    var directives = ResponseDirectives()
    for line in lines {
      let bytes = Array(line.utf8)
      directives.note(ByteRange(start: 0, count: bytes.count), in: bytes.span)
    }
    return directives
  }

  private func request(_ line: String) -> RequestDirectives {
    var directives = RequestDirectives()
    let bytes = Array(line.utf8)
    directives.note(ByteRange(start: 0, count: bytes.count), in: bytes.span)
    return directives
  }

  @Test("every directive is found, whatever its case and the white space around it")
  func directives() {
    let found = response(
      " Public , MAX-AGE=60,s-maxage=120 ,\tmust-revalidate, proxy-revalidate,must-understand",
      "stale-while-revalidate=30, stale-if-error=40", "no-store,no-cache,private")
    #expect(found.isPublic && found.mustRevalidate && found.proxyRevalidate && found.mustUnderstand)
    #expect(found.maxAge == 60 && found.sharedMaxAge == 120)
    #expect(found.staleWhileRevalidate == 30 && found.staleIfError == 40)
    #expect(found.noStore && found.noCache && found.isPrivate)
  }

  @Test("names that only begin like a directive are none")
  func otherNames() {
    let found = response(
      "no-stores, xprivate, publicly, max-ages=5, immutable, no-transform, =5, , max-age-x=1")
    var nothing = ResponseDirectives()
    nothing.isGiven = true
    #expect(found == nothing)
  }

  @Test("a quoted argument counts as one without quotes, and with white space around the sign")
  func quoted() {
    #expect(response("max-age=\"60\"").maxAge == 60)
    #expect(response("max-age = 60").maxAge == 60)
  }

  @Test("what stands in a quoted string is no directive")
  func inQuotes() {
    let found = response("private=\"a, no-store, public\", max-age=5")
    #expect(found.isPrivate && !found.noStore && !found.isPublic && found.maxAge == 5)
    let escaped = response("ext=\"\\\", private, \\\"\", max-age=7")
    #expect(!escaped.isPrivate && escaped.maxAge == 7)
  }

  @Test(
    "a string without an end forbids storing: directives may be in it",
    arguments: ["a=\"b, private", "a=\"\\"])
  func unterminated(_ line: String) {
    #expect(response(line).noStore)
    #expect(request(line).noStore)
  }

  @Test("of directives that come twice the more restrictive counts")
  func twice() {
    let found = response("max-age=60, max-age=30", "max-age=90", "s-maxage=5,s-maxage=50")
    #expect(found.maxAge == 30 && found.sharedMaxAge == 5)
    #expect(request("max-age=60, max-age=30").maxAge == 30)
    #expect(request("min-fresh=6, min-fresh=60").minFresh == 60)
    #expect(request("max-stale, max-stale=30").maxStale == 30)
  }

  @Test(
    "RFC 9111 §4.2.1: a number that cannot be read is 0",
    arguments: [
      "max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "max-age=6 0", "max-age=\"\"",
    ])
  func invalidNumber(_ line: String) {
    #expect(response(line).maxAge == 0)
    #expect(request(line).maxAge == 0)
  }

  @Test("RFC 9111 §1.2.2: a number that is too large counts as 2^31")
  func overflow() {
    #expect(response("max-age=99999999999999999999999999").maxAge == 2_147_483_648)
    #expect(response("max-age=0000000000000000000000000000000000060").maxAge == 60)
  }

  @Test("what a request says")
  func requestDirectives() {
    let found = request("No-Cache, no-store, only-if-cached, max-age=0, min-fresh=5, max-stale=7")
    #expect(found.noCache && found.noStore && found.onlyIfCached)
    #expect(found.maxAge == 0 && found.minFresh == 5 && found.maxStale == 7)
    #expect(request("max-stale").maxStale == DeltaSeconds.max)
    #expect(request("max-stale=x").maxStale == 0)
    #expect(request("min-fresh=x").minFresh == DeltaSeconds.max)
  }

  @Test("random bytes are read without harm, and a restriction among them is never lost")
  func randomBytes() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array("\"\\,=; \tno-storeprivatemax-age0123456789".utf8)
    for _ in 0..<5_000 {
      var bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        alphabet.randomElement(using: &random)!
      }
      var directives = ResponseDirectives()
      directives.note(ByteRange(start: 0, count: bytes.count), in: bytes.span)
      // In front of everything nothing can hide it.
      bytes = Array("no-store,".utf8) + bytes
      directives = ResponseDirectives()
      directives.note(ByteRange(start: 0, count: bytes.count), in: bytes.span)
      #expect(directives.noStore)
    }
  }
}

@Suite("dates and entity tags")
struct CacheFieldTests {
  private func date(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    return HTTPDate.read(ByteRange(start: 0, count: bytes.count), in: bytes.span)
  }

  @Test("RFC 9110 §5.6.7: the three forms of a date")
  func dates() {
    #expect(date("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
    #expect(date("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
    #expect(date("Sun Nov  6 08:49:37 1994") == 784_111_777)
    #expect(date("Wed, 16 Nov 1994 08:49:37 GMT") == date("Wed Nov 16 08:49:37 1994"))
    #expect(date("Thu, 01 Jan 1970 00:00:00 GMT") == 0)
    #expect(date("Thu, 29 Feb 2024 23:59:60 GMT") == 1_709_251_200)
    #expect(date("Monday, 01-Jan-69 00:00:00 GMT") == 3_124_224_000)
    #expect(date("Wed, 31 Dec 1969 23:59:59 GMT") == -1)
  }

  @Test(
    "what is no date",
    arguments: [
      "", "0", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
      "Sun, 31 Feb 1994 08:49:37 GMT",
      "Sun, 29 Feb 2023 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994", "Sun, 06 Nov 0000 08:49:37 GMT",
      "Sun, 06 Nov 1994 08-49-37 GMT", "Sun Nov  6 08:49:37 19x4", ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,",
    ])
  func noDates(_ text: String) { #expect(date(text) == nil) }

  private func matches(_ list: String, _ tag: String) -> Bool {
    let bytes = Array(list.utf8)
    return EntityTags.matches(ByteRange(start: 0, count: bytes.count), in: bytes.span, Array(tag.utf8))
  }

  @Test("RFC 9110 §13.1.2: If-None-Match compares weakly")
  func ifNoneMatch() {
    #expect(matches("\"a\"", "\"a\"") && matches("W/\"a\"", "\"a\"") && matches("\"a\"", "W/\"a\""))
    #expect(matches("\"x\", W/\"a,b\" ,\"y\"", "\"a,b\""))
    #expect(matches(" * ", "\"a\"") && matches("*", ""))
    #expect(
      !matches("\"b\"", "\"a\"") && !matches("\"a\"", "") && !matches("a", "\"a\"")
        && !matches("\"a", "\"a\""))
    #expect(!matches("", "\"a\"") && !matches("\"\"", "\"a\""))
  }

  @Test("which texts are entity tags")
  func tags() {
    func isValid(_ text: String) -> Bool {
      let bytes = Array(text.utf8)
      return EntityTags.isValid(ByteRange(start: 0, count: bytes.count), in: bytes.span)
    }
    for text in ["\"\"", "\"a\"", "W/\"a\"", "\"a,b;c\"", "\"\u{e9}\""] { #expect(isValid(text)) }
    for text in ["", "\"", "a", "W/", "w/\"a\"", "\"a\"b\"", "\"a b\"", "W/a", "\"a\" "] {
      #expect(!isValid(text))
    }
  }

  private func range(_ text: String, _ length: Int) -> RequestedRange {
    let bytes = Array(text.utf8)
    return RequestedRange(ByteRange(start: 0, count: bytes.count), in: bytes.span, length: length)
  }

  @Test("RFC 9110 §14.1.2: ranges of bytes")
  func ranges() {
    #expect(range("bytes=0-0", 10) == .part(0..<1))
    #expect(range("bytes=2-5", 10) == .part(2..<6))
    #expect(range("Bytes=2-", 10) == .part(2..<10))
    #expect(range("bytes=2-99999999999999999999999999", 10) == .part(2..<10))
    #expect(range("bytes=-3", 10) == .part(7..<10))
    #expect(range("bytes=-30", 10) == .part(0..<10))
    #expect(range("bytes=10-", 10) == .unsatisfiable)
    #expect(range("bytes=99999999999999999999999999-", 10) == .unsatisfiable)
    #expect(range("bytes=-0", 10) == .unsatisfiable)
    #expect(range("bytes=0-", 0) == .unsatisfiable)
  }

  @Test(
    "what is not understood, and several ranges, mean the whole",
    arguments: [
      "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=1-2,4-5", "items=0-1", "bytes=1",
      "bytes=--1",
      "bytes=1-2-3", "bytes= ", "bytes=0x1-2",
    ])
  func wholes(_ text: String) { #expect(range(text, 10) == .whole) }
}
