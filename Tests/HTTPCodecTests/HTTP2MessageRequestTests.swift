import HTTPCodec
import Testing

/// What a request of HTTP/2 must be (RFC 9113 §8.3.1, RFC 8441).
@Suite("HTTP/2 requests")
struct HTTP2MessageRequestTests {
  @Test("§8.3.1: pseudo-fields become the head of a request")
  func simple() throws {
    let outcome = http2Request([
      ":method": "GET", ":scheme": "https", ":authority": "Example.com.:8443",
      ":path": "/a/b?c=d&e=/?", "accept": "*/*", "x": "",
    ])
    let head = try #require(outcome.value)
    #expect(head.method == .get)
    #expect(head.methodText == "GET")
    #expect(head.form == .origin)
    #expect(head.target == "/a/b?c=d&e=/?")
    #expect(head.path == "/a/b")
    #expect(head.query == "c=d&e=/?")
    #expect(head.authority == "Example.com.:8443")
    #expect(head.host == "Example.com")
    #expect(head.version == .http2)
    #expect(head.fields == [FieldSummary("accept", "*/*"), FieldSummary("x", "")])
    #expect(head.framing == .none)
    #expect(head.isPersistent)
    #expect(!head.hasConnectionOptions)
    #expect(!head.expectsContinue)
  }

  @Test("The sink receives canonical lines, pseudo-fields first")
  func lines() throws {
    let sink = HPACKSink()
    var decoder = HPACKDecoder()
    var head = RequestHead()
    let input = block([
      ":method": "PUT", ":scheme": "http", ":authority": "a", ":path": "/", "b": "c", "d": "",
    ])
    try decoder.decodeRequest(
      input.span, into: sink, head: &head, endStream: true, limits: HTTP2HeadLimits())
    let expected = ":method: PUT\r\n:scheme: http\r\n:authority: a\r\n:path: /\r\nb: c\r\nd: \r\n"
    #expect(sink.bytes == bytes(expected))
    #expect(head.byteCount == expected.utf8.count)
  }

  @Test("A head that is used again keeps nothing of the request before")
  func reuse() throws {
    var decoder = HPACKDecoder()
    var head = RequestHead()
    let limits = HTTP2HeadLimits(allowsExtendedConnect: true)
    let connect = block([
      ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":authority": "a",
      ":path": "/chat?x=y", "expect": "100-continue",
    ])
    try decoder.decodeRequest(
      connect.span, into: HPACKSink(), head: &head, endStream: false, limits: limits)
    #expect(!head.upgradeProtocol.isEmpty)
    let get = block([":method": "GET", ":scheme": "https", ":authority": "a", ":path": "/"])
    try decoder.decodeRequest(get.span, into: HPACKSink(), head: &head, endStream: true, limits: limits)
    #expect(head.upgradeProtocol.isEmpty)
    #expect(!head.hasQuery)
    #expect(head.query == .empty)
    #expect(!head.expectsContinue)
    #expect(head.fields.isEmpty)
  }

  @Test("HTTP/1 requests have no protocol of HTTP/2's kind")
  func reuseForHTTP1() throws {
    var head = RequestHead()
    head.upgradeProtocol = ByteRange(start: 1, count: 2)
    var parser = RequestParser()
    let input = bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try parser.parse(input.span, into: &head))
    #expect(head.upgradeProtocol.isEmpty)
  }

  // MARK: The set of pseudo-fields

  @Test("§8.3.1: :method, :scheme and :path are required")
  func missing() {
    let all = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a")]
    for left in 0..<3 {
      var decoder = HPACKDecoder()
      var input: [UInt8] = []
      for (index, field) in all.enumerated() where index != left {
        input += literal(bytes(field.0), bytes(field.1))
      }
      #expect(decoder.request(input).error == .malformed(.missingPseudoField))
    }
    var decoder = HPACKDecoder()
    #expect(decoder.request([]).error == .malformed(.missingPseudoField))
    #expect(http2Request(["host": "a"]).error == .malformed(.missingPseudoField))
  }

  @Test("§8.3: a pseudo-field that is repeated is malformed, even with the same value")
  func repeated() {
    for (name, value) in [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a")] {
      let outcome = http2Request([
        ":method": "GET", ":scheme": "https", ":path": "/", ":authority": "a", name: value,
      ])
      #expect(outcome.error == .malformed(.repeatedPseudoField))
    }
  }

  @Test("§8.3: a pseudo-field behind a field is malformed")
  func late() {
    let outcome = http2Request([
      ":method": "GET", ":scheme": "https", ":path": "/", "a": "b", ":authority": "a",
    ])
    #expect(outcome.error == .malformed(.latePseudoField))
  }

  @Test("§8.3: a pseudo-field that is not defined is malformed")
  func unknown() {
    for name in [":", ":foo", ":Path", ":method ", ":METHOD", ":patH", ":protocol", ":version", "::path"] {
      let outcome = http2Request([
        ":method": "GET", ":scheme": "https", ":path": "/", ":authority": "a", name: "b",
      ])
      #expect(outcome.error == .malformed(.unknownPseudoField))
    }
  }

  @Test("§8.3: a pseudo-field of responses is malformed in a request")
  func status() {
    let outcome = http2Request([
      ":method": "GET", ":scheme": "https", ":path": "/", ":authority": "a", ":status": "200",
    ])
    #expect(outcome.error == .malformed(.wrongPseudoField))
  }

  @Test("§8.3.1: empty pseudo-fields are malformed")
  func empty() {
    #expect(
      http2Request([":method": "", ":scheme": "https", ":path": "/", ":authority": "a"]).error
        == .malformed(.emptyPseudoField))
    #expect(
      http2Request([":method": "GET", ":scheme": "", ":path": "/", ":authority": "a"]).error
        == .malformed(.emptyPseudoField))
    #expect(
      http2Request([":method": "GET", ":scheme": "https", ":path": "", ":authority": "a"]).error
        == .malformed(.emptyPseudoField))
  }

  // MARK: Values

  @Test("RFC 9110 §9.1: methods are tokens, and case-sensitive")
  func methods() {
    func outcome(_ method: String, _ path: String = "/") -> BlockOutcome<RequestSummary> {
      http2Request([":method": method, ":scheme": "https", ":path": path, ":authority": "a"])
    }
    for method in HTTPMethod.allCases where method != .other && method != .connect {
      #expect(outcome("\(method)".uppercased()).value?.method == method)
      #expect(outcome("\(method)").value?.method == .other)
    }
    #expect(outcome("PROPFIND").value?.methodText == "PROPFIND")
    for method in ["GET /", "GE T", "G:T", "GET,", "\u{E9}", "G\"T"] {
      #expect(outcome(method).error == .refused(.invalidMethod))
    }
    #expect(outcome("GET\r\n").error == .malformed(.invalidValue))
    #expect(outcome(String(repeating: "M", count: 33)).error == .refused(.methodTooLong))
    #expect(outcome(String(repeating: "M", count: 32)).error == nil)
  }

  @Test("§8.3.1: :scheme is http or https, whatever its case")
  func schemes() {
    func outcome(_ scheme: String) -> HTTP2BlockError? {
      http2Request([":method": "GET", ":scheme": scheme, ":path": "/", ":authority": "a"]).error
    }
    for scheme in ["http", "https", "HTTP", "hTTps"] { #expect(outcome(scheme) == nil) }
    for scheme in ["ftp", "httpx", "http:", "https://", "wss", "htt", "h"] {
      #expect(outcome(scheme) == .refused(.unsupportedScheme))
    }
    #expect(outcome("http\n") == .malformed(.invalidValue))
  }

  @Test("§8.3.1: :path is a path with an optional query, without white space and fragment")
  func paths() {
    func outcome(_ path: String) -> BlockOutcome<RequestSummary> {
      http2Request([":method": "GET", ":scheme": "https", ":path": path, ":authority": "a"])
    }
    for path in [
      "a", "?", "?a", "http://b/", "//a b", "/a#b", "/#", "/a\u{80}", "/\u{FF}", "/a?b#c", "/a b", "*a",
      "b.example:80",
    ] {
      #expect(outcome(path).error == .refused(.invalidTarget), "\(path)")
    }
    for path in ["/a\r\n", "/\u{0}", "/a\u{7F}", "/a\nHost: b"] {
      #expect(outcome(path).error == .malformed(.invalidValue))
    }
    for path in ["/ ", " /", "/\t"] { #expect(outcome(path).error == .malformed(.whiteSpaceAroundValue)) }
    #expect(outcome("/a\tb").error == .refused(.invalidTarget))
    #expect(outcome("/?").value?.query == "")
    #expect(outcome("/").value?.query == nil)
    #expect(outcome("//a?b??c").value?.query == "b??c")
    #expect(outcome("/a?b").value?.path == "/a")
    #expect(outcome("/%zz\"<>").value?.path == "/%zz\"<>")
    let long = "/" + String(repeating: "a", count: 8191)
    #expect(outcome(long).value?.path == long)
    #expect(outcome(long + "a").error == .refused(.targetTooLong))
  }

  @Test("§8.3.1: the asterisk is for OPTIONS")
  func asterisk() {
    let options = http2Request([":method": "OPTIONS", ":scheme": "https", ":path": "*", ":authority": "a"])
    #expect(options.value?.form == .asterisk)
    #expect(options.value?.path == "")
    #expect(options.value?.target == "*")
    let get = http2Request([":method": "GET", ":scheme": "https", ":path": "*", ":authority": "a"])
    #expect(get.error == .refused(.wrongTargetForm))
  }

  @Test("§8.3.1: :authority is a host with an optional port, without a user")
  func authorities() {
    func outcome(_ authority: String) -> BlockOutcome<RequestSummary> {
      http2Request([":method": "GET", ":scheme": "https", ":path": "/", ":authority": authority])
    }
    for (authority, host) in [
      ("a", "a"), ("a:1", "a"), ("[::1]:80", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("a.b.", "a.b"),
    ] {
      #expect(outcome(authority).value?.host == host)
      #expect(outcome(authority).value?.authority == authority)
    }
    for authority in [
      "", "a:", "a:b", "a:65536", "a/b", "a,b", "a b", "[::1", "a..b", ".", "a?b", "a#b", "a%41",
    ] {
      #expect(outcome(authority).error == .refused(.invalidHost), "\(authority)")
    }
    for authority in ["user@a", "user:pw@a", "@a", "a@"] {
      #expect(outcome(authority).error == .refused(.userInformation))
    }
    #expect(outcome("a\r\nb").error == .malformed(.invalidValue))
  }

  @Test("The static entry of an empty :authority is no authority")
  func emptyStaticAuthority() {
    var decoder = HPACKDecoder()
    #expect(decoder.request([0x82, 0x87, 0x84, 0x81]).error == .refused(.invalidHost))
  }

  // MARK: Host

  @Test("§8.3.1: Host alone names the authority")
  func hostAlone() {
    let head = http2Request([":method": "GET", ":scheme": "https", ":path": "/", "host": "b:1"]).value
    #expect(head?.authority == "b:1")
    #expect(head?.host == "b")
  }

  @Test("§8.3.1: Host and :authority must be the same, but for case")
  func hostDiffers() {
    #expect(http2RequestWith(["host": "A.example"]).value?.authority == "a.example")
    for host in ["b.example", "a.example:443", "a.exampl", "a.example.", "", "a.example, b"] {
      #expect(http2RequestWith(["host": host]).error == .malformed(.hostDiffers))
    }
  }

  @Test("§8.3.1: a request without :authority and Host is refused")
  func noHost() {
    #expect(
      http2Request([":method": "GET", ":scheme": "https", ":path": "/"]).error == .refused(.missingHost))
  }

  @Test("RFC 9110 §11.6.2: several Authorization fields are refused")
  func severalCredentials() {
    #expect(http2RequestWith(["authorization": "a b"]).error == nil)
    let fields: KeyValuePairs = ["authorization": "a b", "x": "y", "authorization": "a b"]
    #expect(http2RequestWith(fields).error == .refused(.severalCredentials))
  }

  @Test("RFC 9112 §3.2: several Host fields are refused, and so is one that is malformed")
  func severalHosts() {
    #expect(http2RequestWith(["host": "a.example", "host": "a.example"]).error == .refused(.severalHosts))
    let first: KeyValuePairs = [":method": "GET", ":scheme": "https", ":path": "/", "host": "a", "host": "a"]
    #expect(http2Request(first).error == .refused(.severalHosts))
    for host in ["", "a:b", "a@b", "a/b"] {
      #expect(
        http2Request([":method": "GET", ":scheme": "https", ":path": "/", "host": host]).error
          == .refused(.invalidHost))
    }
  }

  // MARK: CONNECT

  @Test("§8.5: CONNECT has :authority with a port, and neither :scheme nor :path")
  func connect() {
    let head = http2Request([":method": "CONNECT", ":authority": "a:443"], endStream: false).value
    #expect(head?.form == .authority)
    #expect(head?.target == "a:443")
    #expect(head?.host == "a")
    #expect(head?.path == "")
    #expect(head?.framing == BodyFraming.none)
    #expect(http2Request([":method": "CONNECT"]).error == .malformed(.missingPseudoField))
    #expect(http2Request([":method": "CONNECT", "host": "a:443"]).error == .malformed(.missingPseudoField))
    #expect(http2Request([":method": "CONNECT", ":authority": "a"]).error == .refused(.invalidTarget))
    #expect(
      http2Request([":method": "CONNECT", ":authority": "a:443", ":scheme": "https"]).error
        == .malformed(.wrongPseudoField))
    #expect(
      http2Request([":method": "CONNECT", ":authority": "a:443", ":path": "/"]).error
        == .malformed(.wrongPseudoField))
  }

  @Test("A length of a tunnel's content is refused")
  func connectWithLength() {
    #expect(
      http2Request([":method": "CONNECT", ":authority": "a:443", "content-length": "5"], endStream: false)
        .error == .refused(.invalidContentLength))
  }

  @Test("RFC 8441 §4: extended CONNECT names a protocol, and has :scheme, :path and :authority")
  func extendedConnect() throws {
    let limits = HTTP2HeadLimits(allowsExtendedConnect: true)
    let sink = HPACKSink()
    var decoder = HPACKDecoder()
    var head = RequestHead()
    let input = block([
      ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":authority": "a",
      ":path": "/chat?x=y", "sec-websocket-version": "13",
    ])
    try decoder.decodeRequest(input.span, into: sink, head: &head, endStream: false, limits: limits)
    #expect(text(sink.bytes, head.upgradeProtocol) == "websocket")
    #expect(head.method == .connect)
    #expect(head.targetForm == .origin)
    #expect(text(sink.bytes, head.path) == "/chat")
    #expect(text(sink.bytes, head.query) == "x=y")
    #expect(head.framing == .none)

    func error(_ fields: KeyValuePairs<String, String>) -> HTTP2BlockError? {
      http2Request(fields, endStream: false, limits: limits).error
    }
    let missing = HTTP2BlockError.malformed(.missingPseudoField)
    #expect(error([":method": "CONNECT", ":protocol": "w", ":authority": "a:1"]) == missing)
    #expect(
      error([":method": "CONNECT", ":protocol": "w", ":scheme": "https", ":authority": "a:1"]) == missing)
    #expect(error([":method": "CONNECT", ":protocol": "w", ":scheme": "https", ":path": "/"]) == missing)
    #expect(error([":method": "CONNECT", ":protocol": "w", ":path": "/", ":authority": "a:1"]) == missing)
    let get: KeyValuePairs = [
      ":method": "GET", ":protocol": "w", ":scheme": "https", ":path": "/", ":authority": "a",
    ]
    #expect(error(get) == .malformed(.wrongPseudoField))
    for name in ["", "a b", "a/b", "a,"] {
      #expect(error([":method": "CONNECT", ":protocol": name]) == .malformed(.invalidProtocol))
    }
  }

  @Test("RFC 8441 §3: :protocol is unknown where it was not announced")
  func extendedConnectNotAnnounced() {
    let outcome = http2Request([
      ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":authority": "a", ":path": "/",
    ])
    #expect(outcome.error == .malformed(.unknownPseudoField))
  }
}
