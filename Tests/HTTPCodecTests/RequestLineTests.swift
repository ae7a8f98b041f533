import HTTPCodec
import Testing

@Suite("Request line")
struct RequestLineTests {
  private func line(_ line: String, host: String = "a") -> Outcome<RequestSummary> {
    request("\(line)\r\nHost: \(host)\r\n\r\n")
  }

  @Test("RFC 9112 §3: a request is parsed whole, in pieces and byte by byte alike")
  func completeRequest() throws {
    let text =
      "GET /orders/1?v=2&w HTTP/1.1\r\nHost: api.example.com:8080\r\nAccept: */*\r\n"
      + "x-request-ID:\t abc \t\r\nEmpty:\r\n\r\n"
    let head = try #require(request(text + "next").value)
    #expect(head.method == .get)
    #expect(head.methodText == "GET")
    #expect(head.form == .origin)
    #expect(head.target == "/orders/1?v=2&w")
    #expect(head.path == "/orders/1")
    #expect(head.query == "v=2&w")
    #expect(head.authority == "api.example.com:8080")
    #expect(head.host == "api.example.com")
    #expect(head.version == .http11)
    #expect(head.framing == .none)
    #expect(head.isPersistent)
    #expect(!head.expectsContinue)
    #expect(!head.hasConnectionOptions)
    #expect(
      head.fields == [
        FieldSummary("Host", "api.example.com:8080", .host), FieldSummary("Accept", "*/*"),
        FieldSummary("x-request-ID", "abc", .xRequestID), FieldSummary("Empty", ""),
      ])
    #expect(head.byteCount == text.utf8.count)
  }

  @Test(
    "RFC 9110 §9: methods are known by their exact name",
    arguments: [
      ("GET", HTTPMethod.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete),
      ("OPTIONS", .options), ("TRACE", .trace), ("PATCH", .patch), ("get", .other), ("Get", .other),
      ("PROPFIND", .other), ("M-SEARCH", .other), ("G", .other), ("POS", .other), ("GETS", .other),
      ("PURGE", .other), ("DELETED", .other), ("PATHC", .other),
    ])
  func methods(_ name: String, _ method: HTTPMethod) {
    let head = line("\(name) /x HTTP/1.1").value
    #expect(head?.method == method)
    #expect(head?.methodText == name)
    #expect(head?.path == "/x")
  }

  @Test(
    "RFC 9110 §9.1: a method that is not a token is refused with 400",
    arguments: [" GET /", "G(T /", "G\tT /", "\u{16}\u{3}\u{1} /", "GE\u{80} /", "\"GET\" /", "GET: /", ""])
  func invalidMethods(_ start: String) {
    let error = line("\(start) HTTP/1.1").error
    #expect(error == .invalidMethod)
    #expect(error?.status == 400)
  }

  @Test("A method longer than any that is known is refused with 501, before the line is complete")
  func longMethod() {
    #expect(line("\(String(repeating: "M", count: 32)) / HTTP/1.1").value?.method == .other)
    #expect(line("\(String(repeating: "M", count: 33)) / HTTP/1.1").error == .methodTooLong)
    let error = parseRequest(bytes(String(repeating: "M", count: 33)), prefixes: [33]).error
    #expect(error == .methodTooLong)
    #expect(error?.status == 501)
  }

  @Test(
    "RFC 9112 §3.2: spaces, controls, bytes above 127 and fragments in a target are refused with 400",
    arguments: [
      "GET /a b HTTP/1.1", "GET  /a HTTP/1.1", "GET /a#b HTTP/1.1", "GET /a?b#c HTTP/1.1",
      "GET /a\u{0}b HTTP/1.1", "GET /a\tb HTTP/1.1", "GET /a\u{7F}b HTTP/1.1", "GET /caf\u{E9} HTTP/1.1",
      "GET /long-enough-for-a-word\u{80} HTTP/1.1", "GET /long-enough-for-a-word\u{1F} HTTP/1.1",
      "GET\t/ HTTP/1.1", "GET /a\r HTTP/1.1", "GET  HTTP/1.1", "GET /", "GET /a  HTTP/1.1",
      "GET /a HTTP/1.1 ",
    ])
  func invalidTargets(_ text: String) {
    let error = line(text).error
    #expect([.invalidTarget, .malformedVersion, .invalidMethod].contains(error))
    #expect(error?.status == 400)
  }

  @Test(
    "RFC 9112 §3.2: a target in no known form is refused with 400",
    arguments: [
      ("GET a/b", HTTP1Error.invalidTarget), ("GET ?a", .invalidTarget), ("GET http:/a", .invalidTarget),
      ("GET http//a", .invalidTarget), ("GET http://", .invalidHost), ("GET http:///a", .invalidHost),
      ("GET ftp://a/", .unsupportedScheme), ("GET ://a/", .unsupportedScheme),
      ("GET httpss://a/", .unsupportedScheme), ("GET http://u@a/", .userInformation),
      ("GET http://u:p@a/", .userInformation), ("GET http://a b/", .malformedVersion),
    ])
  func unknownForms(_ start: String, _ expected: HTTP1Error) {
    let error = line("\(start) HTTP/1.1").error
    #expect(error == expected)
    #expect(error?.status == 400)
  }

  @Test(
    "RFC 9112 §3.2.2: the absolute form gives host, path and query",
    arguments: [
      ("http://example.com/a/b?c=d", "example.com", "/a/b", "c=d"),
      ("HTTP://example.com", "example.com", "", nil),
      ("https://example.com?q=/x", "example.com", "", "q=/x"),
      ("hTTp://Example.COM:80/", "example.com", "/", nil),
      ("https://example.com:443/", "example.com", "/", nil),
      ("http://example.com./", "example.com.", "/", nil),
      ("http://[::1]:8080/x", "[::1]:8080", "/x", nil),
      ("http://example.com/http://other@x/", "example.com", "/http://other@x/", nil),
    ] as [(String, String, String, String?)])
  func absoluteForm(_ target: String, _ host: String, _ path: String, _ query: String?) {
    let head = line("GET \(target) HTTP/1.1", host: host).value
    #expect(head?.form == .absolute)
    #expect(head?.target == target)
    #expect(head?.path == path)
    #expect(head?.query == query)
    #expect(head.map { target.contains($0.authority) && !$0.host.hasSuffix(".") } == true)
  }

  @Test("RFC 9112 §3.2.3: the authority form is for CONNECT, which has no other")
  func authorityForm() {
    let head = line("CONNECT example.com:443 HTTP/1.1", host: "example.com:443").value
    #expect(head?.method == .connect)
    #expect(head?.form == .authority)
    #expect(head?.authority == "example.com:443")
    #expect(head?.host == "example.com")
    #expect(head?.path == "")
    #expect(line("CONNECT [::1]:443 HTTP/1.1").value?.host == "[::1]")
    #expect(line("GET example.com:443 HTTP/1.1").error == .wrongTargetForm)
    #expect(line("CONNECT /a HTTP/1.1").error == .wrongTargetForm)
    #expect(line("CONNECT * HTTP/1.1").error == .wrongTargetForm)
    #expect(line("CONNECT a:1?b HTTP/1.1").error == .wrongTargetForm)
    for target in ["example.com", "http://a/", "a:", "u@a:1", "a:65536", "a:1/"] {
      #expect(line("CONNECT \(target) HTTP/1.1").error == .invalidTarget, "\(target)")
    }
  }

  @Test("RFC 9112 §3.2.4: the asterisk form is for OPTIONS")
  func asteriskForm() {
    let head = line("OPTIONS * HTTP/1.1").value
    #expect(head?.form == .asterisk)
    #expect(head?.path == "")
    #expect(head?.host == "a")
    #expect(line("OPTIONS /x HTTP/1.1").value?.form == .origin)
    #expect(line("GET * HTTP/1.1").error == .wrongTargetForm)
    #expect(line("OPTIONS ** HTTP/1.1").error == .invalidTarget)
    #expect(line("OPTIONS *?a HTTP/1.1").error == .invalidTarget)
  }

  @Test(
    "RFC 9112 §2.3: HTTP/1.0 and 1.1 are known, later minor versions are read as 1.1",
    arguments: [("1.0", HTTPVersion.http10), ("1.1", .http11), ("1.2", .http11), ("1.9", .http11)])
  func versions(_ number: String, _ version: HTTPVersion) {
    #expect(line("GET / HTTP/\(number)").value?.version == version)
  }

  @Test(
    "RFC 9110 §15.6.6: another major version is refused with 505", arguments: ["0.9", "2.0", "3.0", "9.9"])
  func otherMajorVersions(_ number: String) {
    let error = line("GET / HTTP/\(number)").error
    #expect(error == .unsupportedVersion)
    #expect(error?.status == 505)
  }

  @Test(
    "RFC 9112 §2.3: a malformed version is refused with 400",
    arguments: [
      "http/1.1", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/11.1", "HTTP/x.1", "HTTP/1,1", "HTTP 1.1",
      "XTTP/1.1",
      "HTTP/1.1x", "HTTP/-1.1", "HTTP/+.1", "HTTP/2", "",
    ])
  func malformedVersions(_ version: String) {
    let error = line("GET / \(version)").error
    #expect(error == .malformedVersion)
    #expect(error?.status == 400)
  }

  @Test("RFC 9112 §2.2: a few empty lines before the request line are passed over")
  func emptyLines() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(request("\r\n" + text).value?.byteCount == text.utf8.count + 2)
    #expect(request("\r\n\r\n" + text).value?.path == "/")
    #expect(request("\r\n\r\n\r\n" + text).error == .tooManyEmptyLines)
    #expect(request("\n" + text).error == .bareLineFeed)
    #expect(request("\r" + text).error == .bareCarriageReturn)
    #expect(request("\r\n").error == nil)
  }
}
