import HTTPCodec
import Testing

@Suite("Host")
struct HostTests {
  private func host(_ value: String) -> Outcome<RequestSummary> {
    request("GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n")
  }

  @Test(
    "RFC 9112 §3.2: a host with or without a port is accepted",
    arguments: [
      ("example.com", "example.com"), ("example.com:8080", "example.com"), ("a", "a"), ("a:0", "a"),
      ("EXAMPLE.com.", "EXAMPLE.com"), ("example.com.:443", "example.com"), ("127.0.0.1:65535", "127.0.0.1"),
      ("my_service-1.internal~x", "my_service-1.internal~x"), ("[::1]", "[::1]"), ("[::]:80", "[::]"),
      ("[2001:db8::1]:8080", "[2001:db8::1]"), ("[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]"),
      ("[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"), ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]"),
    ])
  func accepted(_ value: String, _ expected: String) {
    let head = host(value).value
    #expect(head?.authority == value)
    #expect(head?.host == expected)
  }

  @Test(
    "RFC 9112 §3.2: an empty or malformed host is refused with 400",
    arguments: [
      "", " ", ".", "..", ".a", "a..b", "a..", ":80", "a:", "a:b", "a:80x", "a:-1", "a:+1", "a:65536",
      "a:123456", "a:80:80", "a b", "a,b", "a/b", "a?b", "a#b", "u@a", "a%41", "a\\b", "a;b", "a!b", "a'b",
      "(a)", "*", "<a>", "caf\u{E9}", "a\tb", "[", "[]", "[::1", "::1", "[::1]x", "[::1]:", "[::1]80", "[:]",
      "[:::]", "[1::2::3]", "[12345::]", "[g::]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]",
      "[1:2:3:4:5:6:7:8::]",
      "[::1%25eth0]", "[fe80::1%eth0]", "[::256.0.0.1]", "[::1.2.3]", "[1.2.3.4]", "[::01.2.3.4]", "[1:]",
      "[:1]",
      "[v1.a]", "[::1]]", "[[::1]]", "[1:2:3:4:5:6:7:1.2.3.4]",
    ])
  func malformed(_ value: String) {
    let error = host(value).error
    #expect(error == .invalidHost)
    #expect(error?.status == 400)
  }

  @Test("RFC 9112 §3.2: an empty label is found wherever it stands, a single dot is none")
  func labels() {
    for length in 1...20 {
      for position in 1...length {
        var name = [UInt8](repeating: UInt8(ascii: position % 2 == 0 ? "x" : "_"), count: length)
        name.insert(UInt8(ascii: "."), at: position)
        let single = String(decoding: name, as: UTF8.self)
        let accepted = parseRequest(head(single), prefixes: [head(single).count]).value
        #expect(accepted?.host == (position == length ? String(single.dropLast()) : single))
        name.insert(UInt8(ascii: "."), at: position)
        let double = String(decoding: name, as: UTF8.self)
        #expect(parseRequest(head(double), prefixes: [head(double).count]).error == .invalidHost, "\(double)")
      }
    }
  }

  private func head(_ host: String) -> [UInt8] {
    bytes("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
  }

  @Test("A host longer than a DNS name is refused with 400")
  func longHost() {
    let label = String(repeating: "a", count: 63)
    let longest = [label, label, label, String(label.dropLast(2))].joined(separator: ".")
    #expect(longest.utf8.count == 253)
    #expect(host(longest + ".:65535").value?.host == longest)
    #expect(host(longest + "aaa.:65535").error == .invalidHost)
  }

  @Test("RFC 9112 §3.2: several Host fields are refused with 400, even when they are the same")
  func several() {
    for text in ["Host: a\r\nHost: a", "Host: a\r\nHost: b", "host: a\r\nX: y\r\nHOST:", "Host:\r\nHost: a"] {
      #expect(request("GET / HTTP/1.1\r\n\(text)\r\n\r\n").error == .severalHosts)
      #expect(request("GET / HTTP/1.0\r\n\(text)\r\n\r\n").error == .severalHosts)
      #expect(request("GET http://a/ HTTP/1.1\r\n\(text)\r\n\r\n").error == .severalHosts)
    }
  }

  @Test("RFC 9112 §3.2: an HTTP/1.1 request without Host is refused with 400, in any form")
  func missing() {
    for line in ["GET /", "GET http://a/", "OPTIONS *", "CONNECT a:1"] {
      #expect(request("\(line) HTTP/1.1\r\nX: y\r\n\r\n").error == .missingHost)
    }
    #expect(HTTP1Error.missingHost.status == 400)
  }

  @Test("RFC 9112 §3.2: HTTP/1.0 needs no Host")
  func http10() {
    #expect(request("GET / HTTP/1.0\r\n\r\n").value?.host == "")
    #expect(request("GET / HTTP/1.0\r\nHost: a:1\r\n\r\n").value?.host == "a")
    #expect(request("GET / HTTP/1.0\r\nHost:\r\n\r\n").error == .invalidHost)
    #expect(request("GET http://b:2/ HTTP/1.0\r\n\r\n").value?.authority == "b:2")
  }

  @Test("RFC 9112 §3.2.2: the absolute form decides, whatever Host says, and Host must be valid all the same")
  func absoluteFormDecides() {
    func absolute(_ target: String, _ host: String) -> Outcome<RequestSummary> {
      request("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
    }
    for host in ["A.COM", "a.com:80", "b.com", "a.com:81", "a.com.evil"] {
      #expect(absolute("http://a.com/", host).value?.authority == "a.com", "\(host)")
    }
    #expect(absolute("http://a.com:80/", "a.com.").value?.authority == "a.com:80")
    #expect(absolute("http://a.com/", "").error == .invalidHost)
    #expect(absolute("http://a.com/", "b..com").error == .invalidHost)
    #expect(absolute("http://a..com/", "a").error == .invalidHost)
    #expect(absolute("http://a.com:/", "a.com").error == .invalidHost)
  }

  @Test("RFC 9113 §3.4: the preface of HTTP/2 is refused with 505")
  func preface() {
    #expect(request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").error == .unsupportedVersion)
    #expect(request("PRY * HTTP/2.0\r\n\r\n").error == .wrongTargetForm)
  }
}
