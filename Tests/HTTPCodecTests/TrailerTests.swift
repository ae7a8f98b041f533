import HTTPCodec
import Testing

@Suite("Trailers")
struct TrailerTests {
  @Test("RFC 9112 §7.1.2: trailers are found whole, in pieces and byte by byte alike")
  func trailers() throws {
    let text = "1\r\nh\r\n0\r\nETag: \"x\"\r\nDigest:\t caf\u{E9} \r\nx:\r\n\r\n"
    let summary = try #require(chunked(text + "next").value)
    #expect(summary.trailers == "ETag: \"x\"\r\nDigest:\t caf\u{E9} \r\nx:\r\n")
    #expect(summary.byteCount == text.unicodeScalars.count)
  }

  @Test("RFC 9112 §7.1.2: the fields of a trailer section are parsed like those of a head")
  func fields() throws {
    let input = bytes("0\r\nETag: \"x\"\r\nDigest:\t y \r\nSet-Cookie: a=b\r\n\r\n")
    var decoder = ChunkedDecoder()
    guard case .end(let range, let consumed) = try decoder.next(input.span, from: 0) else {
      Issue.record("not complete")
      return
    }
    #expect(consumed == input.count)
    var fields: [Field] = []
    try TrailerSection.parse(input.span, range, into: &fields)
    #expect(
      fields.map { FieldSummary($0, input) } == [
        FieldSummary("ETag", "\"x\""), FieldSummary("Digest", "y"),
        FieldSummary("Set-Cookie", "a=b", .setCookie),
      ])
    #expect(fields.map { input.isForbiddenTrailer($0) } == [false, false, true])
  }

  @Test(
    "RFC 9112 §5: the rules for field lines hold for trailers too",
    arguments: [
      ("A : b", HTTP1Error.whiteSpaceBeforeColon), (" A: b", .leadingWhiteSpace), ("A: b\r\n c", .foldedLine),
      ("A: b\rc", .bareCarriageReturn), ("A: b\nC: d", .bareLineFeed), ("A: \u{0}", .controlCharacter),
      (": b", .emptyFieldName), ("A", .invalidFieldName), ("A\u{80}: b", .invalidFieldName),
      ("0", .invalidFieldName),
    ])
  func malformed(_ line: String, _ expected: HTTP1Error) {
    let error = chunked("0\r\n\(line)\r\n\r\n").error
    #expect(error == expected)
    #expect(error?.status == 400)
  }

  @Test(
    "A trailer section at the limit is accepted, a longer one is refused with 431 without waiting for its end"
  )
  func limits() {
    func message(_ length: Int) -> [UInt8] {
      bytes("0\r\nA: " + String(repeating: "v", count: length - 5) + "\r\n\r\n")
    }
    let limit = ChunkedDecoder.trailerBytesMax
    let longest = message(limit)
    #expect(decode(longest, pieces: [longest.count]).value?.trailers.utf8.count == limit)
    let tooLong = message(limit + 3)
    let error = decode(tooLong, pieces: [tooLong.count]).error
    #expect(error == .trailersTooLarge)
    #expect(error?.status == 431)
    let endless = message(3 * limit)
    #expect(decode(endless, pieces: Array(stride(from: 0, to: limit + 20, by: 7))).error == .trailersTooLarge)
    let many = bytes("0\r\n" + String(repeating: "A:\r\n", count: TrailerSection.fieldsMax + 1) + "\r\n")
    #expect(decode(many, pieces: [many.count]).error == .tooManyFields)
  }

  @Test("A decoder that needs more of the trailers keeps them, and nothing else")
  func kept() throws {
    var decoder = ChunkedDecoder()
    let first = bytes("1\r\nh\r\n0\r\nA: b\r")
    #expect(try next(&decoder, first, from: 0) == .data(ByteRange(start: 3, count: 1)))
    #expect(try next(&decoder, first, from: 4) == .needMore(consumed: 9))
    let second = bytes("A: b\r\n\r\n")
    #expect(try next(&decoder, second, from: 0) == .end(trailers: ByteRange(start: 0, count: 6), consumed: 8))
  }

  @Test(
    "RFC 9110 §6.5.1: fields that frame, route, authenticate or describe content are not allowed as trailers")
  func forbidden() throws {
    let forbidden = [
      "Transfer-Encoding", "Content-Length", "Host", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade",
      "Via",
      "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Cookie",
      "Set-Cookie",
      "Content-Type", "Content-Encoding", "content-range", "Content-Location", "Cache-Control",
      "Max-Forwards", "Range",
      "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Expect", "Pragma",
      "Age",
      "Date", "Expires", "Location", "Retry-After", "Vary", "Warning", "X-Forwarded-For", "Forwarded",
      "X-Request-ID",
      "X-Real-IP",
    ]
    let allowed = [
      "ETag", "Digest", "Content-Digest", "Repr-Digest", "Server-Timing", "grpc-status", "X-Checksum",
    ]
    for (names, expected) in [(forbidden, true), (allowed, false)] {
      for name in names {
        let input = bytes("\(name): x\r\n")
        var fields: [Field] = []
        try TrailerSection.parse(input.span, ByteRange(start: 0, count: input.count), into: &fields)
        #expect(input.isForbiddenTrailer(fields[0]) == expected, "\(name)")
      }
    }
  }
}
