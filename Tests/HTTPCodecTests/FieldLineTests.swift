import HTTPCodec
import Testing

@Suite("Field lines")
struct FieldLineTests {
  @Test(
    "RFC 9112 §5.1: white space before the colon is refused with 400",
    arguments: ["A : b", "A\t: b", "Content-Length : 5", "Host : a", "A  : b"])
  func whiteSpaceBeforeColon(_ line: String) {
    let outcome = requestWith(line)
    #expect(outcome.error == .whiteSpaceBeforeColon)
    #expect(outcome.error?.status == 400)
  }

  @Test(
    "RFC 9112 §5.2: a folded line is refused with 400", arguments: ["A: b\r\n c", "A: b\r\n\tc", "A: b\r\n "])
  func foldedLines(_ line: String) {
    #expect(requestWith(line).error == .foldedLine)
  }

  @Test("RFC 9112 §2.2: white space before the first field is refused with 400", arguments: [" ", "\t"])
  func leadingWhiteSpace(_ blank: String) {
    #expect(request("GET / HTTP/1.1\r\n\(blank)Host: a\r\n\r\n").error == .leadingWhiteSpace)
    #expect(request("GET / HTTP/1.1\r\n\(blank)\r\nHost: a\r\n\r\n").error == .leadingWhiteSpace)
  }

  @Test(
    "RFC 9112 §2.2: a bare CR is refused with 400",
    arguments: ["A: b\rc", "A: b\r\r\nC: d", "A: \rb", "A: longer than a word\rB: c"])
  func bareCarriageReturns(_ line: String) {
    #expect(requestWith(line).error == .bareCarriageReturn)
  }

  @Test(
    "RFC 9112 §2.2: a bare LF is refused with 400",
    arguments: ["A: b\nC: d", "A: b\n\r\nC: d", "A: \nb", "A: longer than a word\nB: c", "\nA: b", "A\n: b"])
  func bareLineFeeds(_ line: String) {
    #expect(requestWith(line).error == .bareLineFeed)
  }

  @Test("RFC 9112 §2.2: a request whose lines end with LF alone is refused as it arrives")
  func lineFeedsOnly() {
    #expect(request("GET / HTTP/1.1\nHost: a\n\n").error == .bareLineFeed)
    #expect(request("GET / HTTP/1.1\r\nHost: a\n\n").error == .bareLineFeed)
    #expect(request("GET / HTTP/1.1\r\nHost: a\r\n\n").error == .bareLineFeed)
    #expect(request("GET\n").error == .bareLineFeed)
    #expect(request("GET / HTTP/1.1\r\nHost: a\r\n\rX").error == .bareCarriageReturn)
  }

  @Test("RFC 9110 §5.5: NUL and control characters in a value are refused with 400")
  func controlCharacters() {
    for code in (0...31).map({ $0 }) + [127] where ![9, 10, 13].contains(code) {
      let scalar = Character(Unicode.Scalar(UInt8(code)))
      for value in ["\(scalar)", "a\(scalar)b", "a longer value\(scalar)", "\(scalar) and a longer value"] {
        let error = requestWith("A: \(value)").error
        #expect(error == .controlCharacter, "byte \(code)")
        #expect(error?.status == 400)
      }
    }
  }

  @Test("RFC 9110 §5.5: tabs and bytes above 127 in a value are kept")
  func allowedBytes() {
    let value = "a\tb and more\tcaf\u{E9} \u{80}\u{FF} ~!"
    #expect(requestWith("A: \(value)").value?.fields[1] == FieldSummary("A", value))
    #expect(requestWith("A: \t\(value)\t ").value?.fields[1] == FieldSummary("A", value))
    #expect(requestWith("A: \t \t").value?.fields[1] == FieldSummary("A", ""))
    #expect(requestWith("A:b:c").value?.fields[1] == FieldSummary("A", "b:c"))
  }

  @Test("RFC 9110 §5.1: a field name is a token, anything else is refused with 400")
  func fieldNames() {
    let tokens = Set("!#$%&'*+-.^_`|~0123456789".utf8).union(UInt8(ascii: "a")...UInt8(ascii: "z"))
      .union(UInt8(ascii: "A")...UInt8(ascii: "Z"))
    for code in UInt8.min...UInt8.max where code != UInt8(ascii: ":") {
      let name = "N" + String(Character(Unicode.Scalar(code))) + "me"
      let outcome = requestWith("\(name): b")
      if tokens.contains(code) {
        #expect(outcome.value?.fields[1] == FieldSummary(name, "b"), "byte \(code)")
      } else {
        #expect(outcome.error?.status == 400, "byte \(code)")
      }
    }
  }

  @Test("RFC 9112 §5: a line without a name or a colon is refused with 400")
  func incompleteLines() {
    #expect(requestWith(": b").error == .emptyFieldName)
    #expect(requestWith("NoColon").error == .invalidFieldName)
    #expect(requestWith("A B: c").error == .whiteSpaceBeforeColon)
    #expect(requestWith("\"A\": c").error == .invalidFieldName)
  }

  @Test("RFC 9110 §11.6.2: several Authorization fields are refused with 400, even when they are the same")
  func severalCredentials() {
    for text in ["Authorization: a b\r\nAuthorization: a b", "authorization: a\r\nX: y\r\nAUTHORIZATION:"] {
      #expect(request("GET / HTTP/1.1\r\nHost: a\r\n\(text)\r\n\r\n").error == .severalCredentials)
      #expect(request("GET / HTTP/1.0\r\n\(text)\r\n\r\n").error == .severalCredentials)
    }
    let others = "Authorization: a\r\nProxy-Authorization: b\r\nX-Authorization: c"
    #expect(request("GET / HTTP/1.1\r\nHost: a\r\n\(others)\r\n\r\n").error == nil)
  }

  @Test("Every known field is known in any case, and no other name is")
  func knownFields() throws {
    let names: [(String, KnownField)] = [
      ("authorization", .authorization), ("connection", .connection), ("content-length", .contentLength),
      ("cookie", .cookie), ("date", .date),
      ("expect", .expect), ("forwarded", .forwarded), ("host", .host), ("keep-alive", .keepAlive),
      ("location", .location), ("max-forwards", .maxForwards), ("proxy-authenticate", .proxyAuthenticate),
      ("proxy-authorization", .proxyAuthorization), ("proxy-connection", .proxyConnection),
      ("server", .server), ("set-cookie", .setCookie), ("te", .te), ("trailer", .trailer),
      ("transfer-encoding", .transferEncoding), ("upgrade", .upgrade), ("via", .via),
      ("x-forwarded-for", .xForwardedFor), ("x-forwarded-host", .xForwardedHost),
      ("x-forwarded-port", .xForwardedPort), ("x-forwarded-proto", .xForwardedProto),
      ("x-request-id", .xRequestID), ("user-agent", .userAgent), ("referer", .referer),
      ("content-type", .contentType), ("retry-after", .retryAfter),
    ]
    #expect(Set(names.map(\.1)).count == KnownField.allCases.count - 1)
    for (name, known) in names {
      for form in [name, name.uppercased(), name.prefix(1).uppercased() + name.dropFirst()] {
        #expect(knownField(form) == known, "\(form)")
      }
      for index in name.indices {
        var other = name
        other.replaceSubrange(index...index, with: name[index] == "~" ? "!" : "~")
        #expect(knownField(other) == .other, "\(other)")
      }
      #expect(knownField(name + "x") == .other)
      #expect(knownField("x" + name) == .other)
      #expect(knownField(String(name.dropLast())) == .other)
    }
  }

  /// Responses: a request gives some of the values a meaning of its own.
  private func knownField(_ name: String) -> KnownField? {
    let value = name.lowercased() == "transfer-encoding" ? "chunked" : "0"
    let input = bytes("HTTP/1.1 200 OK\r\n\(name):\(value)\r\n\r\n")
    return parseResponse(input, .get, prefixes: [input.count]).value?.fields.first?.known
  }

  @Test("A head reuses its storage and holds only the last message's fields")
  func reuse() throws {
    var parser = RequestParser()
    var head = RequestHead()
    let long = bytes("GET /a?b HTTP/1.1\r\nHost: a\r\nB: c\r\nExpect: 100-continue\r\nConnection: x\r\n\r\n")
    let short = bytes("GET / HTTP/1.0\r\n\r\n")
    let isLongComplete = try parser.parse(long.span, into: &head)
    #expect(isLongComplete)
    #expect(head.fields.count == 4)
    #expect(head.expectsContinue && head.hasConnectionOptions && head.hasQuery)
    let isShortComplete = try parser.parse(short.span, into: &head)
    #expect(isShortComplete)
    #expect(head.fields.isEmpty)
    #expect(RequestSummary(head, short) == parseRequest(short, prefixes: [short.count]).value)
    #expect(head.fields.capacity >= 4)
  }

  @Test("After an incomplete message, reset makes the parser ready for another")
  func reset() throws {
    var parser = RequestParser()
    var head = RequestHead()
    let isFirstComplete = try parser.parse(bytes("GET /a HTTP/1.1\r\nHost: a\r\nLonger: x").span, into: &head)
    #expect(!isFirstComplete)
    parser.reset()
    let isSecondComplete = try parser.parse(bytes("GET /b HTTP/1.0\r\n\r\n").span, into: &head)
    #expect(isSecondComplete)
    #expect(head.fields.isEmpty)
  }
}
