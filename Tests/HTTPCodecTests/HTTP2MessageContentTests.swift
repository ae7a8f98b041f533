import Testing

@testable import HTTPCodec

/// Framing, limits, cookies, and what responses and trailers must be (RFC 9113 §8).
@Suite("HTTP/2 content and limits")
struct HTTP2MessageContentTests {
  // MARK: Length

  @Test("§8.1.1: without a length the content ends with the stream")
  func noLength() {
    #expect(http2RequestWith([:], endStream: true).value?.framing == BodyFraming.none)
    #expect(http2RequestWith([:], endStream: false).value?.framing == .untilEndOfStream)
    #expect(http2Response([":status": "200"], endStream: true).value?.framing == BodyFraming.none)
    #expect(http2Response([":status": "200"], endStream: false).value?.framing == .untilEndOfStream)
  }

  @Test("§8.1.1: a length frames the content")
  func length() {
    #expect(http2RequestWith(["content-length": "12"], endStream: false).value?.framing == .length(12))
    #expect(http2RequestWith(["content-length": "0"], endStream: true).value?.framing == .length(0))
    #expect(
      http2Response([":status": "200", "content-length": "12"], endStream: false).value?.framing
        == .length(12))
  }

  @Test("§8.1.1: a length other than 0 with the end of the stream is malformed")
  func lengthWithoutContent() {
    #expect(http2RequestWith(["content-length": "1"]).error == .malformed(.contentLengthDiffers))
    #expect(
      http2Response([":status": "200", "content-length": "1"]).error == .malformed(.contentLengthDiffers))
  }

  @Test("§8.1.1: responses to HEAD, and 304, have the length of what is not sent")
  func lengthOfNothing() {
    let toHead = http2Response([":status": "200", "content-length": "9"], to: .head)
    #expect(toHead.value?.framing == BodyFraming.none)
    #expect(http2Response([":status": "304", "content-length": "9"]).value?.framing == BodyFraming.none)
    #expect(http2Response([":status": "204", "content-length": "9"]).value?.framing == BodyFraming.none)
    let tunnel = http2Response([":status": "200", "content-length": "9"], to: .connect, endStream: false)
    #expect(tunnel.value?.framing == BodyFraming.none)
    #expect(http2Response([":status": "200"], to: .head, endStream: false).value?.framing == BodyFraming.none)
  }

  @Test("RFC 9110 §8.6: a length is a number, and there is one")
  func invalidLengths() {
    for value in ["", "a", "-1", "+1", "1, 1", "0x1", "1.0", "18446744073709551616", "9223372036854775808"] {
      #expect(http2RequestWith(["content-length": value]).error == .refused(.invalidContentLength))
      let response = http2Response([":status": "200", "content-length": value])
      #expect(response.error == .refused(.invalidContentLength))
    }
    for second in ["1", "2"] {
      #expect(
        http2RequestWith(["content-length": "1", "content-length": second], endStream: false).error
          == .refused(.severalContentLengths))
    }
  }

  // MARK: Expect

  @Test("RFC 9110 §10.1.1: 100-continue is expected, and nothing else")
  func expectContinue() {
    let head = http2RequestWith(["expect": "100-Continue"], endStream: false).value
    #expect(head?.expectsContinue == true)
    #expect(http2RequestWith(["expect": "100-continue"], endStream: true).value?.expectsContinue == false)
    #expect(http2RequestWith(["expect": "200-ok"]).error == .refused(.unknownExpectation))
  }

  // MARK: Cookies

  @Test("§8.2.3: one cookie field stays where it is")
  func oneCookie() {
    #expect(
      http2RequestWith(["cookie": "a=b; c=d", "x": "y"]).value?.fields == [
        FieldSummary("cookie", "a=b; c=d", .cookie), FieldSummary("x", "y"),
      ])
  }

  @Test("§8.2.3: several cookie fields are joined into one, behind all others")
  func cookieCrumbs() throws {
    let sink = HPACKSink()
    var decoder = HPACKDecoder()
    var head = RequestHead()
    let input = block([
      ":method": "GET", ":scheme": "https", ":authority": "a", ":path": "/",
      "cookie": "a=b", "x": "y", "cookie": "c=d; e=f", "cookie": "", "z": "", "cookie": "g",
    ])
    try decoder.decodeRequest(
      input.span, into: sink, head: &head, endStream: true, limits: HTTP2HeadLimits())
    #expect(
      head.fields.map { FieldSummary($0, sink.bytes) } == [
        FieldSummary("x", "y"), FieldSummary("z", ""),
        FieldSummary("cookie", "a=b; c=d; e=f; g", .cookie),
      ])
    #expect(
      text(sink.bytes, ByteRange(start: 0, count: sink.count)).hasSuffix("\r\ncookie: a=b; c=d; e=f; g\r\n")
    )
    #expect(head.byteCount == sink.count)
  }

  @Test(
    "§8.2.3: an empty crumb adds nothing: a value does not begin or end with white space",
    arguments: [
      (["", "a=b"], "a=b"), (["a=b", ""], "a=b"), (["a=b", "", "", "c=d"], "a=b; c=d"), (["", ""], ""),
    ])
  func emptyCrumbs(crumbs: [String], joined: String) {
    let lines = crumbs.flatMap { literal(bytes("cookie"), bytes($0)) }
    var decoder = HPACKDecoder()
    #expect(decoder.request(first + lines).value?.fields == [FieldSummary("cookie", joined, .cookie)])
  }

  @Test("§8.2.3: crumbs from the table are joined too")
  func indexedCrumbs() {
    var decoder = HPACKDecoder()
    let crumbs = (0..<40).flatMap { literal(bytes("cookie"), bytes("name\($0)=value"), pattern: 0x40) }
    let joined = (0..<40).map { "name\($0)=value" }.joined(separator: "; ")
    #expect(decoder.request(first + crumbs).value?.fields == [FieldSummary("cookie", joined, .cookie)])
    let indices = (0..<40).reversed().map { UInt8(0xBE + $0) }
    #expect(decoder.request(first + indices).value?.fields == [FieldSummary("cookie", joined, .cookie)])
  }

  // MARK: Responses

  @Test("§8.3.2: :status and the fields become the head of a response")
  func response() throws {
    let head = try #require(http2Response([":status": "404", "server": "x", "a": "b"]).value)
    #expect(head.status == 404)
    #expect(head.version == .http2)
    #expect(head.reason == "")
    #expect(head.fields == [FieldSummary("server", "x", .server), FieldSummary("a", "b")])
    #expect(head.isPersistent)
    #expect(!head.hasConnectionOptions)
  }

  @Test("§8.3.2: :status is required, once, and nothing else")
  func statusAlone() {
    #expect(http2Response([:]).error == .malformed(.missingPseudoField))
    #expect(http2Response(["a": "b"]).error == .malformed(.missingPseudoField))
    #expect(http2Response([":status": "200", ":status": "200"]).error == .malformed(.repeatedPseudoField))
    #expect(http2Response(["a": "b", ":status": "200"]).error == .malformed(.latePseudoField))
    for name in [":method", ":scheme", ":path", ":authority", ":protocol"] {
      let value = name == ":scheme" ? "https" : name == ":path" ? "/" : "a"
      #expect(http2Response([":status": "200", name: value]).error == .malformed(.wrongPseudoField))
    }
    #expect(http2Response([":status": "200", ":other": "a"]).error == .malformed(.unknownPseudoField))
  }

  @Test("§8.3.2: :status is three digits from 100 to 599")
  func statusValues() {
    for status in ["", "20", "2000", "0200", "2OO", " 200", "-20", "+20", "20\u{0}"] {
      let error = http2Response([":status": status]).error
      #expect(
        error == .malformed(.invalidStatus) || error == .malformed(.whiteSpaceAroundValue)
          || error == .malformed(.invalidValue), "\(status)")
    }
    for status in ["000", "099", "600", "999"] {
      #expect(http2Response([":status": status]).error == .refused(.invalidStatus))
    }
    for status in [200, 204, 206, 299, 304, 400, 404, 500, 599] {
      #expect(http2Response([":status": "\(status)"]).value?.status == UInt16(status))
    }
  }

  @Test("§8.6: 101 is malformed")
  func switchingProtocols() {
    #expect(http2Response([":status": "101"], endStream: false).error == .malformed(.switchingProtocols))
  }

  @Test("§8.1: an interim response has no content, and does not end the stream")
  func interim() {
    for status in ["100", "103", "199"] {
      #expect(http2Response([":status": status], endStream: false).value?.framing == BodyFraming.none)
      #expect(http2Response([":status": status]).error == .malformed(.interimResponseEndsStream))
    }
  }

  // MARK: Trailers

  @Test("§8.1: trailers have no pseudo-fields")
  func pseudoFieldsInTrailers() {
    for (name, value) in [(":status", "200"), (":method", "GET"), (":path", "/"), (":authority", "a")] {
      #expect(http2Trailers([name: value]).error == .malformed(.wrongPseudoField))
      #expect(http2Trailers(["a": "b", name: value]).error == .malformed(.wrongPseudoField))
    }
    #expect(http2Trailers([":x": "y"]).error == .malformed(.unknownPseudoField))
  }

  @Test("§8.1: trailers may be empty, and keep their order")
  func trailers() {
    #expect(http2Trailers([:]).value == [])
    #expect(
      http2Trailers(["grpc-status": "0", "grpc-message": "", "grpc-status": "1"]).value == [
        FieldSummary("grpc-status", "0"), FieldSummary("grpc-message", ""), FieldSummary("grpc-status", "1"),
      ])
  }

  @Test("RFC 9110 §6.5.1: fields that frame a message mean nothing in trailers")
  func framingTrailers() {
    let value = http2Trailers(["content-length": "x", "content-length": "y", "host": "a", "expect": "b"])
      .value
    #expect(value?.map(\.name) == ["content-length", "content-length", "host", "expect"])
  }

  // MARK: Limits

  @Test("§6.5.2: a head is as large as its names, values and 32 bytes for each field")
  func headBytes() {
    // 4 pseudo-fields: 7+3, 7+5, 10+9, 5+1 and 128 bytes; a field of 1 + 10 + 32.
    let size = 10 + 12 + 19 + 6 + 128 + 43
    let fits = HTTP2HeadLimits(headBytes: size)
    #expect(http2RequestWith(["a": "0123456789"], limits: fits).error == nil)
    let tooSmall = HTTP2HeadLimits(headBytes: size - 1)
    #expect(http2RequestWith(["a": "0123456789"], limits: tooSmall).error == .refused(.headTooLarge))
    let response = http2Response([":status": "200"], limits: HTTP2HeadLimits(headBytes: 41))
    #expect(response.error == .refused(.headTooLarge))
    var decoder = HPACKDecoder()
    let trailers = decoder.trailers(block(["a": "b"]), limits: HTTP2HeadLimits(headBytes: 33))
    #expect(trailers.error == .refused(.trailersTooLarge))
    for error in [HTTP1Error.headTooLarge, .trailersTooLarge, .tooManyFields] { #expect(error.status == 431) }
  }

  @Test("More fields than the limit are refused, pseudo-fields not counted")
  func fieldCount() {
    let limits = HTTP2HeadLimits(fields: 2)
    #expect(http2RequestWith(["a": "", "b": ""], limits: limits).error == nil)
    #expect(http2RequestWith(["a": "", "b": "", "c": ""], limits: limits).error == .refused(.tooManyFields))
  }

  @Test("A head that is refused leaves the tables in step")
  func tablesAfterRefusal() {
    var decoder = HPACKDecoder()
    let large = literal(bytes("large"), [UInt8](repeating: 0x61, count: 3000), pattern: 0x40)
    let behind = literal(bytes("behind"), bytes("it"), pattern: 0x40)
    let limits = HTTP2HeadLimits(headBytes: 1000)
    #expect(decoder.request(first + large + behind, limits: limits).error == .refused(.headTooLarge))
    #expect(decoder.request(first + [0xBE], limits: limits).value?.fields == [FieldSummary("behind", "it")])
    #expect(decoder.request(first + [0xBF], limits: limits).error == .refused(.headTooLarge))
    #expect(decoder.request(first + [0xBF]).value?.fields.first?.value.count == 3000)
  }

  @Test("A block that was skipped leaves the tables in step")
  func tablesAfterSkip() throws {
    var decoder = HPACKDecoder()
    let skipped =
      literal(bytes("Bad Name"), bytes("x"), pattern: 0x40) + literal(bytes("a"), bytes("b"), pattern: 0x40)
    try decoder.skip(skipped.span)
    #expect(decoder.request(first + [0xBE]).value?.fields == [FieldSummary("a", "b")])
    #expect(decoder.request(first + [0xBF]).error == .malformed(.invalidName))
  }

  @Test("The first thing that is wrong is reported")
  func firstError() {
    #expect(
      http2Request([":method": "GET", "Upper": "x", "connection": "close"]).error
        == .malformed(.upperCaseName))
  }

  private let first = block([":method": "GET", ":scheme": "https", ":authority": "a", ":path": "/"])

  @Test("A block that names a large field many times is refused, and copies no more than the limit")
  func largeFieldManyTimes() {
    var decoder = HPACKDecoder()
    let large = literal(bytes("large"), [UInt8](repeating: 0x61, count: 3500), pattern: 0x40)
    #expect(decoder.request(first + large).error == nil)
    let refused = decoder.request(first + [UInt8](repeating: 0xBE, count: 60))
    #expect(refused.error == .refused(.headTooLarge))
    #expect(decoder.lines.storage.count < 64 * 1024)
    #expect(decoder.request(first + [0xBE]).error == nil)
  }

  @Test("A block that names a large field thousands of times ends the connection")
  func bomb() {
    let calm = HTTP2BlockError.connection(.enhanceYourCalm)
    let large = literal(bytes("large"), [UInt8](repeating: 0x61, count: 3500), pattern: 0x40)
    var decoder = HPACKDecoder()
    #expect(decoder.request(first + large).error == nil)
    #expect(decoder.request(first + [UInt8](repeating: 0xBE, count: 1000)).error == calm)

    // The same with a large name, where each field enters the table.
    let largeName = literal([UInt8](repeating: 0x61, count: 3500), [], pattern: 0x40)
    decoder = HPACKDecoder()
    #expect(decoder.request(first + largeName).error == nil)
    let names = (0..<1000).flatMap { _ in [0x7E, 0x00] as [UInt8] }
    #expect(throws: calm) { try decoder.skip(names.span) }
  }

  @Test("Every malformation says what is wrong, and where the rule stands")
  func descriptions() {
    for malformation in HTTP2Malformation.allCases {
      #expect(malformation.description.contains("RFC"))
    }
    #expect(Set(HTTP2Malformation.allCases.map(\.description)).count == HTTP2Malformation.allCases.count)
  }
}
