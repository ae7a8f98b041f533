import HTTPCodec
import Testing

@Suite("Request framing and connection")
struct RequestFramingTests {
  @Test("RFC 9112 §6.3: a request without length or coding has no content")
  func none() {
    #expect(requestWith("A: b").value?.framing == BodyFraming.none)
  }

  @Test(
    "RFC 9110 §8.6: Content-Length is a decimal number",
    arguments: [
      ("0", 0), ("5", 5), ("0005", 5), ("10000000000", 10_000_000_000), (" 7\t", 7),
      ("9223372036854775807", UInt64(Int64.max)),
    ])
  func contentLength(_ value: String, _ length: UInt64) {
    #expect(requestWith("content-LENGTH:\(value)").value?.framing == .length(length))
  }

  @Test(
    "RFC 9110 §8.6: a Content-Length that is no number, too large or empty is refused with 400",
    arguments: [
      "", " ", "-1", "+1", "1 2", "1,2", "5, 5", "5,", "0x5", "5a", "5.0", "1e3", "9223372036854775808",
      "18446744073709551616", "99999999999999999999999", "00000000000000000005", "\u{B2}", "5;a", "five",
    ])
  func invalidContentLength(_ value: String) {
    let error = requestWith("Content-Length: \(value)").error
    #expect(error == .invalidContentLength)
    #expect(error?.status == 400)
  }

  @Test("RFC 9112 §6.3: more than one Content-Length is refused with 400", arguments: ["5", "6", "", "x"])
  func severalContentLengths(_ second: String) {
    let error = requestWith("Content-Length: 5\r\nB: c\r\ncontent-length: \(second)").error
    #expect(error == .severalContentLengths)
    #expect(error?.status == 400)
  }

  @Test(
    "RFC 9112 §6.1: chunked alone, in any case, is understood",
    arguments: ["chunked", "Chunked", " CHUNKED\t"])
  func chunked(_ value: String) {
    #expect(requestWith("Transfer-Encoding:\(value)").value?.framing == .chunked)
  }

  @Test("RFC 9112 §6.1: Content-Length with Transfer-Encoding is refused with 400, in either order")
  func both() {
    for coding in ["chunked", "gzip", "identity", "chunked, chunked"] {
      for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: \(coding)",
        "Transfer-Encoding: \(coding)\r\nContent-Length: 0",
      ] {
        let error = requestWith(lines).error
        #expect(error == .contentLengthAndTransferEncoding)
        #expect(error?.status == 400)
      }
    }
  }

  @Test(
    "RFC 9112 §6.1: a transfer coding other than chunked is refused with 501",
    arguments: [
      "gzip, chunked", "gzip", "identity", "xchunked", "chunkedx", "gzip;q=1, chunked",
      "deflate,gzip,chunked",
      "chunke", "gzip\r\nTransfer-Encoding: chunked", "gzip ;q=1, chunked",
    ])
  func unknownCodings(_ value: String) {
    let error = requestWith("Transfer-Encoding: \(value)").error
    #expect(error == .unknownTransferCoding)
    #expect(error?.status == 501)
  }

  @Test(
    "RFC 9112 §6.1: chunked that is repeated, not last or malformed is refused with 400",
    arguments: [
      "chunked, chunked", "chunked, gzip", "chunked,", ",chunked", "", ",", "chunked;a=b", "chunked ;a",
      "\"chunked\"",
      "gzip, chunked, chunked", "chunked\r\nTransfer-Encoding: chunked",
      "chunked\r\nTransfer-Encoding: identity",
      "chunked\r\ntransfer-encoding:", "=chunked", "chunked gzip", "chun ked", "chunked/1",
      "gzip, chunked, gzip",
    ])
  func invalidCodings(_ value: String) {
    let error = requestWith("Transfer-Encoding: \(value)").error
    #expect(error == .invalidTransferEncoding)
    #expect(error?.status == 400)
  }

  @Test(
    "RFC 9112 §6.1: control characters that other parsers strip do not make a coding chunked",
    arguments: ["\u{B}chunked", "chunked\u{C}", "\u{0}chunked", "chun\u{D}ked"])
  func strippedControls(_ value: String) {
    #expect(requestWith("Transfer-Encoding: \(value)").error?.status == 400)
  }

  @Test("RFC 9112 §6.1: Transfer-Encoding in an HTTP/1.0 request is refused with 400")
  func http10() {
    let error = request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").error
    #expect(error == .transferEncodingInHTTP10)
    #expect(error?.status == 400)
  }

  @Test(
    "RFC 9110 §10.1.1: 100-continue is understood, in any case", arguments: ["100-continue", "100-Continue"])
  func expectation(_ value: String) {
    #expect(requestWith("Expect: \(value)").value?.expectsContinue == true)
    #expect(requestWith("Expect: \(value)\r\nExpect: \(value)").value?.expectsContinue == true)
  }

  @Test(
    "RFC 9110 §10.1.1: any other expectation is refused with 417",
    arguments: ["", "200-ok", "100-continue, x", "100-continue;q", "100-continu", "\r\nExpect: 100-continue"])
  func otherExpectations(_ value: String) {
    let error = requestWith("Expect: \(value)").error
    #expect(error == .unknownExpectation)
    #expect(error?.status == 417)
  }

  @Test("RFC 9110 §10.1.1: an HTTP/1.0 request expects nothing")
  func expectationInHTTP10() {
    let outcome = request("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    #expect(outcome.value?.expectsContinue == false)
  }

  @Test(
    "RFC 9112 §9.3: persistence follows version and Connection; close wins",
    arguments: [
      ("1.1", "keep-alive", true, false), ("1.1", "close", false, false), ("1.1", "CLOSE", false, false),
      ("1.1", "upgrade", true, true), ("1.1", "keep-alive, close", false, false),
      ("1.1", "close, X-Token", false, true), ("1.1", "", true, false), ("1.1", " , ,", true, false),
      ("1.0", "keep-alive", true, false), ("1.0", "Keep-Alive, TE", true, true),
      ("1.0", "close", false, false),
      ("1.0", "keep-alive\r\nConnection: close", false, false), ("1.0", "te", false, true),
      ("1.1", "closed", true, true), ("1.1", "keep-alivx", true, true), ("1.1", "TE,\tclose\t", false, true),
    ])
  func persistence(_ version: String, _ value: String, _ isPersistent: Bool, _ hasOptions: Bool) {
    let head = request("GET / HTTP/\(version)\r\nHost: a\r\nConnection: \(value)\r\n\r\n").value
    #expect(head?.isPersistent == isPersistent)
    #expect(head?.hasConnectionOptions == hasOptions)
  }

  @Test("RFC 9112 §9.3: without Connection, HTTP/1.1 persists and HTTP/1.0 does not")
  func defaultPersistence() {
    #expect(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").value?.isPersistent == true)
    #expect(request("GET / HTTP/1.0\r\nHost: a\r\n\r\n").value?.isPersistent == false)
  }

  @Test(
    "RFC 9110 §7.6.1: a Connection that is no list of tokens is refused with 400",
    arguments: ["close;a", "a b", "\"close\""])
  func invalidConnection(_ value: String) {
    #expect(requestWith("Connection: \(value)").error == .invalidConnection)
    #expect(HTTP1Error.invalidConnection.status == 400)
  }
}
