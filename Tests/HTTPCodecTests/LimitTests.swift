import HTTPCodec
import Testing

@Suite("Limits of a head")
struct LimitTests {
  private let limits = HTTP1Limits(targetBytes: 40, headBytes: 200, fields: 4)

  /// A request whose target and head have these lengths.
  private func text(target: Int, head: Int) -> String {
    let start = "GET /\(String(repeating: "t", count: target - 1)) HTTP/1.1\r\nHost: a\r\nA: "
    return start + String(repeating: "v", count: head - start.utf8.count - 4) + "\r\n\r\n"
  }

  @Test("The defaults are 8 KiB for the target, 16 KiB for the head and 100 fields")
  func defaults() {
    #expect(HTTP1Limits() == HTTP1Limits(targetBytes: 8192, headBytes: 16384, fields: 100))
  }

  @Test("RFC 9112 §3: a target at the limit is accepted, one byte more is refused with 414")
  func target() {
    #expect(request(text(target: 40, head: 150), limits: limits).value?.target.utf8.count == 40)
    let error = request(text(target: 41, head: 150), limits: limits).error
    #expect(error == .targetTooLong)
    #expect(error?.status == 414)
  }

  @Test("A head at the limit is accepted, one byte more is refused with 431")
  func head() {
    #expect(request(text(target: 10, head: 200), limits: limits).value?.byteCount == 200)
    let error = request(text(target: 10, head: 201), limits: limits).error
    #expect(error == .headTooLarge)
    #expect(error?.status == 431)
  }

  @Test("As many fields as the limit are accepted, one more is refused with 431")
  func fields() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nA:\r\nA:\r\n"
    #expect(request(start + "\r\n", limits: limits).value?.fields.count == 4)
    let error = request(start + "A:\r\n\r\n", limits: limits).error
    #expect(error == .tooManyFields)
    #expect(error?.status == 431)
  }

  @Test("Connection at the limit is accepted, one byte more, over all its lines, is refused with 431")
  func connection() {
    func outcome(_ count: Int) -> Outcome<RequestSummary> {
      let first = String(repeating: ",", count: 500)
      let second = String(repeating: "x", count: count - 500)
      return requestWith("Connection: \(first)\r\nConnection: \(second)")
    }
    #expect(outcome(1024).value?.hasConnectionOptions == true)
    #expect(outcome(1025).error == .connectionTooLong)
    #expect(HTTP1Error.connectionTooLong.status == 431)
  }

  @Test("A target without end is refused with 414 as soon as it must be too long")
  func endlessTarget() {
    let endless = bytes("GET /" + String(repeating: "t", count: 500))
    #expect(parseRequest(endless, prefixes: Array(0...100), limits: limits).error == .targetTooLong)
    #expect(parseRequest(endless, prefixes: [10, 100], limits: limits).error == .targetTooLong)
    #expect(parseRequest(endless, prefixes: [100], limits: limits).error == .targetTooLong)
    #expect(parseRequest(endless, prefixes: [40], limits: limits) == .incomplete)
  }

  @Test(
    "A head without end is refused with 431 when the limit is reached",
    arguments: ["GET / HTTP/1.1\r\nA: ", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nA: b\r\n"])
  func endlessHead(_ start: String) {
    let endless = bytes(start + String(repeating: "v", count: 500))
    #expect(parseRequest(endless, prefixes: Array(0...200), limits: limits).error == .headTooLarge)
    #expect(parseRequest(endless, prefixes: [200], limits: limits).error == .headTooLarge)
    #expect(parseRequest(endless, prefixes: [199], limits: limits) == .incomplete)
  }

  @Test("A response head at the limit is accepted, one byte more is refused; so are too many fields")
  func response() {
    let start = "HTTP/1.1 200 OK\r\nA: "
    func head(_ count: Int) -> Outcome<ResponseSummary> {
      let value = String(repeating: "v", count: count - start.utf8.count - 4)
      return HTTPCodecTests.response(start + value + "\r\n\r\n", limits: limits)
    }
    #expect(head(200).value?.byteCount == 200)
    #expect(head(201).error == .headTooLarge)
    let fields = "HTTP/1.1 200 OK\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n"
    #expect(HTTPCodecTests.response(fields, limits: limits).error == .tooManyFields)
  }

  @Test(
    "What cannot be HTTP is refused at its first bytes",
    arguments: ["\u{16}\u{3}\u{1}", "\u{0}", "\u{80}", " ", "{\"a\"", "<html>", "GET \u{1}", "GET /\u{0}"])
  func nonsense(_ start: String) {
    let input = bytes(start)
    #expect(parseRequest(input, prefixes: [input.count]).error?.status == 400)
  }

  @Test("A control character is refused when it arrives, before its line is complete")
  func earlyControl() {
    let input = bytes("GET / HTTP/1.1\r\nHost: a\r\nA: bcd\u{0}efg")
    #expect(parseRequest(input, prefixes: Array(0...32)).error == .controlCharacter)
  }

  @Test("Every error has a status that fits a refused request, and says what is wrong in its own words")
  func errors() {
    for error in HTTP1Error.allCases {
      #expect([400, 414, 417, 431, 501, 505].contains(error.status))
      #expect(error.description != "the message is malformed")
    }
    #expect(Set(HTTP1Error.allCases.map(\.description)).count == HTTP1Error.allCases.count)
  }
}
