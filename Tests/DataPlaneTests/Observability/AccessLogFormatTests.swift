import Foundation
import HTTPCodec
import Runtime
import Testing

@testable import DataPlane

@Suite("Access log formats")
struct AccessLogFormatTests {
  @Test("A JSON line holds every member, in order")
  func jsonLine() throws {
    let directory = TemporaryDirectory()
    let text = try logged(.json, at: directory.file("log")) { log in
      log.write(
        makeRecord(), makeHead(userAgent: Array("curl/8".utf8), referer: Array("http://r/".utf8)))
    }
    #expect(
      String(decoding: text, as: UTF8.self)
        == #"{"time":"2026-02-28T23:59:59.501Z","client":"192.168.10.255","method":"GET","#
        + #""host":"example.com","path":"/a?b=1","protocol":"HTTP/1.1","userAgent":"curl/8","#
        + #""referer":"http://r/","status":200,"route":"orders-api","service":"orders","#
        + #""endpoint":"10.0.0.1:8080","retries":1,"outcome":"proxied","requestId":"abc","#
        + #""bytesReceived":80,"bytesSent":18446744073709551615,"requestBodyBytes":3,"#
        + #""responseBodyBytes":100,"durationMs":1.234,"headMs":0.012,"connectMs":0.000,"#
        + #""responseMs":1.002}"# + "\n")
  }

  @Test("What there was none of is null")
  func jsonNulls() throws {
    let directory = TemporaryDirectory()
    var record = makeRecord(status: 404, outcome: .answered)
    record.responseNanoseconds = -1
    let text = try logged(.json, at: directory.file("log")) { log in
      log.write(record, makeHead(), route: "", service: "", endpoint: "", requestID: "")
    }
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
    for name in ["userAgent", "referer", "route", "service", "endpoint", "requestId", "responseMs"] {
      #expect(object[name] is NSNull, "\(name)")
    }
    #expect(object["status"] as? Int == 404)
  }

  @Test("A common line is the combined format with keys behind it")
  func commonLine() throws {
    let directory = TemporaryDirectory()
    let text = try logged(.common, at: directory.file("log")) { log in
      log.write(makeRecord(), makeHead(userAgent: Array("a \"b\"\\\u{e9}\n".utf8)))
    }
    #expect(
      String(decoding: text, as: UTF8.self)
        == #"192.168.10.255 - - [28/Feb/2026:23:59:59 +0000] "GET /a?b=1 HTTP/1.1" 200 100 "-" "#
        + #""a \"b\"\\\xc3\xa9\x0a" outcome=proxied retries=1 bytesReceived=80 "#
        + #"bytesSent=18446744073709551615 durationMs=1.234 headMs=0.012 connectMs=0.000 "#
        + #"responseMs=1.002 route="orders-api" service="orders" endpoint="10.0.0.1:8080" "#
        + #"requestId="abc""# + "\n")
  }

  @Test("A request that was not parsed shows its first line", arguments: Format.allCases)
  func unparsed(format: Format) throws {
    let directory = TemporaryDirectory()
    let received = Array("GET /\u{1}x\" HTTP/9\r\nHost: a\r\n".utf8)
    let text = String(
      decoding: try logged(format, at: directory.file("log")) { log in
        log.writeUnparsed(makeRecord(status: 400, outcome: .badRequest), received: received.span)
        log.writeUnparsed(makeRecord(status: 408, outcome: .clientTimeout), received: Span())
      }, as: UTF8.self)
    switch format {
    case .json:
      #expect(text.contains(#""path":null,"protocol":null,"userAgent":null,"referer":null,"#))
      #expect(text.contains(#""received":"GET /\u0001x\" HTTP/9","status":400"#))
      #expect(text.contains(#""received":null,"status":408"#))
    case .common:
      #expect(text.contains(#" "GET /\x01x\" HTTP/9" 400 "#))
      #expect(text.contains(#" "-" 408 "#))
    }
    #expect(lines(Array(text.utf8)).count == 2)
  }

  private func text(_ buffer: Buffer) -> [UInt8] {
    (0..<buffer.count).map { buffer.bytes[$0] }
  }

  @Test("The clock carries over months and follows the wall clock")
  func clock() throws {
    let seam = StillSeam()
    let clock = LogClock()
    var milliseconds = clock.set(MonotonicTime(nanoseconds: 1_000_000_000), seam: seam)
    #expect(milliseconds == 500)
    #expect(text(clock.iso) == Array("2026-02-28T23:59:59".utf8))
    milliseconds = clock.set(MonotonicTime(nanoseconds: 1_500_000_000), seam: seam)
    #expect(milliseconds == 0)
    #expect(text(clock.iso) == Array("2026-03-01T00:00:00".utf8))
    #expect(text(clock.common) == Array("01/Mar/2026:00:00:00 +0000".utf8))
    // The wall clock is set an hour ahead while a second passes.
    seam.time = MonotonicTime(nanoseconds: 2_100_000_000)
    seam.wallClock += 3_601_100_000_000
    _ = clock.set(seam.time, seam: seam)
    #expect(text(clock.iso) == Array("2026-03-01T01:00:00".utf8))
  }

  @Test(
    "Dates are those of the calendar",
    arguments: [
      (0, 1970, 1, 1), (59, 1970, 3, 1), (11_016, 2000, 2, 29), (19_782, 2024, 2, 29),
      (19_783, 2024, 3, 1), (20_088, 2024, 12, 31), (47_540, 2100, 2, 28), (47_541, 2100, 3, 1),
    ] as [(Int64, Int64, Int64, Int64)])
  func dates(day: Int64, year: Int64, month: Int64, dayOfMonth: Int64) {
    let date = LogClock.date(ofDay: day)
    #expect(date == (year, month, dayOfMonth))
  }
}
