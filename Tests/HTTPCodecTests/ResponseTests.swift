import HTTPCodec
import Testing

@Suite("Responses")
struct ResponseTests {
  private func with(_ line: String, status: String = "200 OK", to method: HTTPMethod = .get) -> Outcome<
    ResponseSummary
  > {
    response("HTTP/1.1 \(status)\r\nA: b\r\n\(line)\r\nC: d\r\n\r\n", to: method)
  }

  @Test("RFC 9112 §4: a response is parsed whole, in pieces and byte by byte alike")
  func completeResponse() throws {
    let text =
      "HTTP/1.1 404 Not \t Found\u{E9}\r\nServer: x\r\nContent-Length: 12\r\nConnection: a, close\r\n\r\n"
    let head = try #require(response(text + "body").value)
    #expect(head.status == 404)
    #expect(head.reason == "Not \t Found\u{E9}")
    #expect(head.version == .http11)
    #expect(
      head.fields == [
        FieldSummary("Server", "x", .server), FieldSummary("Content-Length", "12", .contentLength),
        FieldSummary("Connection", "a, close", .connection),
      ])
    #expect(head.framing == .length(12))
    #expect(!head.isPersistent)
    #expect(head.hasConnectionOptions)
    #expect(head.byteCount == text.unicodeScalars.count)
  }

  @Test("RFC 9112 §4: the reason may be empty or missing")
  func reason() {
    #expect(response("HTTP/1.1 200 \r\n\r\n").value?.reason == "")
    #expect(response("HTTP/1.1 200\r\n\r\n").value?.reason == "")
    #expect(response("HTTP/1.1 200  x\r\n\r\n").value?.reason == " x")
  }

  @Test(
    "RFC 9112 §4: a malformed status line is refused",
    arguments: [
      ("HTTP/1.1 20 OK", HTTP1Error.invalidStatusLine), ("HTTP/1.1 2000 OK", .invalidStatusLine),
      ("HTTP/1.1 2x0 OK", .invalidStatusLine), ("HTTP/1.1  200 OK", .invalidStatusLine),
      ("HTTP/1.1\t200 OK", .invalidStatusLine), ("HTTP/1.1 200OK", .invalidStatusLine),
      ("HTTP/1.1 +20 OK", .invalidStatusLine), ("HTTP/1.1 099 x", .invalidStatus),
      ("HTTP/1.1 000 x", .invalidStatus),
      ("HTTP/1.1 600 x", .invalidStatus), ("HTTP/1.1 999 x", .invalidStatus),
      ("HTTP/2.0 200 OK", .unsupportedVersion),
      ("HTTP/0.9 200 OK", .unsupportedVersion), ("http/1.1 200 OK", .malformedVersion),
      ("HTTP/1.1. 200 OK", .invalidStatusLine), ("ICY 200 OK", .malformedVersion),
      (" HTTP/1.1 200", .malformedVersion),
      ("HTTP/1.1 200 O\u{0}K", .controlCharacter), ("HTTP/1.1 200 O\rK", .bareCarriageReturn),
      ("HTTP/1.1 200 OK\nA: b", .bareLineFeed), ("\r\nHTTP/1.1 200 OK", .malformedVersion),
      ("", .malformedVersion),
    ])
  func malformed(_ line: String, _ expected: HTTP1Error) {
    #expect(response("\(line)\r\nB: c\r\n\r\n").error == expected)
  }

  @Test("RFC 9112 §6.3: without a length the content ends with the connection")
  func untilClose() {
    let head = with("E: f").value
    #expect(head?.framing == .untilClose)
    #expect(head?.isPersistent == false)
    #expect(with("E: f", status: "500 x", to: .post).value?.framing == .untilClose)
  }

  @Test("RFC 9112 §6.3: Content-Length and chunked frame the content")
  func framed() {
    #expect(with("Content-Length: 0").value?.framing == .length(0))
    #expect(with("Content-Length: 0").value?.isPersistent == true)
    #expect(with("Transfer-Encoding: Chunked").value?.framing == .chunked)
    #expect(with("Transfer-Encoding: chunked").value?.isPersistent == true)
  }

  @Test(
    "RFC 9112 §6.3: answers to HEAD, and 1xx, 204 and 304, have no content whatever they say",
    arguments: [
      ("200 OK", HTTPMethod.head), ("100 Continue", .get), ("101 Switching", .get), ("103 Early", .post),
      ("199 x", .get), ("204 No", .get), ("304 Not", .get), ("500 x", .head), ("200 OK", .connect),
    ])
  func withoutContent(_ status: String, _ method: HTTPMethod) {
    for line in ["Content-Length: 5", "Transfer-Encoding: chunked", "E: f"] {
      let head = with(line, status: status, to: method).value
      #expect(head?.framing == BodyFraming.none)
      #expect(head?.isPersistent == true)
    }
    #expect(with("Content-Length: 5", status: "407 x", to: .connect).value?.framing == .length(5))
  }

  @Test("RFC 9112 §6.3: several lengths are refused, even when they are the same")
  func severalLengths() {
    #expect(with("Content-Length: 5\r\nContent-Length: 6").error == .severalContentLengths)
    #expect(with("Content-Length: 5\r\nContent-Length: 5").error == .severalContentLengths)
    #expect(with("Content-Length: 5, 6").error == .invalidContentLength)
    #expect(with("Content-Length: 5, 5").error == .invalidContentLength)
    #expect(with("Content-Length: -5").error == .invalidContentLength)
  }

  @Test("RFC 9112 §6.1: both length and coding are refused, also where there is no content")
  func both() {
    for status in ["200 OK", "204 No", "304 Not"] {
      let outcome = with("Content-Length: 5\r\nTransfer-Encoding: chunked", status: status)
      #expect(outcome.error == .contentLengthAndTransferEncoding)
    }
  }

  @Test("RFC 9112 §6.1: codings that do not end with one chunked, or are not known, are refused")
  func codings() {
    #expect(with("Transfer-Encoding: chunked, gzip").error == .invalidTransferEncoding)
    #expect(with("Transfer-Encoding: chunked, chunked").error == .invalidTransferEncoding)
    #expect(with("Transfer-Encoding: gzip, chunked").error == .unknownTransferCoding)
    #expect(with("Transfer-Encoding: gzip").error == .unknownTransferCoding)
    let old = response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    #expect(old.error == .transferEncodingInHTTP10)
  }

  @Test("RFC 9112 §9.3: an HTTP/1.0 server keeps the connection only when it says so")
  func http10() {
    let start = "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n"
    #expect(response(start + "\r\n").value?.isPersistent == false)
    #expect(response(start + "Connection: Keep-Alive\r\n\r\n").value?.isPersistent == true)
    #expect(response("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n").value?.isPersistent == false)
  }

  @Test(
    "RFC 9112 §5: the rules for field lines hold for responses too",
    arguments: [
      ("A : b", HTTP1Error.whiteSpaceBeforeColon), ("A: b\r\n c", .foldedLine),
      ("A: b\rc", .bareCarriageReturn),
      ("A: b\nc", .bareLineFeed), ("A: \u{0}", .controlCharacter), (": b", .emptyFieldName),
      ("A", .invalidFieldName), ("A(: b", .invalidFieldName), ("Connection: a b", .invalidConnection),
    ])
  func fieldLines(_ line: String, _ expected: HTTP1Error) {
    #expect(with(line).error == expected)
  }

  @Test("Host and Expect mean nothing in a response")
  func requestFields() {
    #expect(with("Host: a\r\nHost: b c\r\nExpect: x").value?.fields.count == 5)
  }
}
