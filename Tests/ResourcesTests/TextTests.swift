import Testing

@testable import Resources

@Suite struct IPAddressTextTests {
  private let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF]

  @Test func ipv4IsMapped() {
    #expect(IPAddressText.parse("10.0.0.255") == mapped + [10, 0, 0, 255])
  }

  @Test(arguments: [
    ("::", [UInt8](repeating: 0, count: 16)),
    ("::1", [UInt8](repeating: 0, count: 15) + [1]),
    ("2001:db8::ff00:42:8329", [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0x42, 0x83, 0x29]),
    ("1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]),
    ("1::", [0, 1] + [UInt8](repeating: 0, count: 14)),
    ("::ffff:10.1.2.3", [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 10, 1, 2, 3]),
  ])
  func ipv6(text: String, bytes: [UInt8]) {
    #expect(IPAddressText.parse(text) == bytes)
  }

  @Test(arguments: [
    "", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.", "1:2:3", ":", ":::", "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::g", "fe80::1%eth0", "1.2.3.4::", ":1:2:3:4:5:6:7", "::1.2.3",
  ])
  func wrongAddresses(text: String) {
    #expect(IPAddressText.parse(text) == nil)
  }

  @Test func networks() throws {
    #expect(
      try Network.parse("10.0.0.0/8")
        == Network(address: mapped + [10, 0, 0, 0], prefixBits: 104, text: "10.0.0.0/8"))
    #expect(try Network.parse("192.0.2.1").prefixBits == 128)
    #expect(try Network.parse("::/0").prefixBits == 0)
    #expect(throws: Network.Failure.hostBits(right: "10.0.0.0/12")) { try Network.parse("10.1.2.3/12") }
    #expect(throws: Network.Failure.hostBits(right: "2001:db8::/32")) { try Network.parse("2001:db8::1/32") }
    for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "ten/8", "/8"] {
      #expect(throws: Network.Failure.malformed) { try Network.parse(text) }
    }
  }
}

@Suite struct HostTextTests {
  @Test(arguments: [
    ("api.example.com", "api.example.com"), ("API.Example.COM", "api.example.com"),
    ("*.Example.com", "*.example.com"), ("localhost", "localhost"), ("a_b.example", "a_b.example"),
    ("[2001:DB8::1]", "[2001:db8::1]"), ("10.0.0.1", "10.0.0.1"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
  ])
  func hosts(text: String, canonical: String) throws {
    #expect(try HostText.routeHost(text) == canonical)
  }

  @Test(arguments: [
    "", "*", "*.", "a.*.com", "*a.com", "a..b", ".a", "a.", "-a.com", "a-.com", "a b", "a/b", "a:80",
    "http://a",
    "[::1", "[1.2]", "*.*.com", "a\u{0}b",
  ])
  func wrongHosts(text: String) {
    #expect(throws: HostText.Failure.self) { try HostText.routeHost(text) }
  }

  @Test func lengths() {
    let label = String(repeating: "a", count: 63)
    #expect(throws: Never.self) { try HostText.routeHost(label + ".com") }
    #expect(throws: HostText.Failure.self) { try HostText.routeHost(label + "a.com") }
    let name = [label, label, label, String(repeating: "a", count: 61)].joined(separator: ".")
    #expect(name.utf8.count == 253)
    #expect(throws: Never.self) { try HostText.routeHost(name) }
    #expect(throws: HostText.Failure.self) { try HostText.routeHost(name + "a") }
  }

  /// Samples of RFC 3492 §7.1, and common names.
  @Test(arguments: [
    ("bücher", "xn--bcher-kva"), ("münchen", "xn--mnchen-3ya"), ("中国", "xn--fiqs8s"),
    ("Ελλάδα", "xn--hxakic4aa"),
    ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"), ("plain", "plain"),
  ])
  func punycode(label: String, ascii: String) {
    #expect(Punycode.label(label) == ascii)
  }
}

@Suite struct PathTextTests {
  @Test(arguments: [
    "/", "/a", "/a/", "/a/b.c", "/a%20b", "/%C3%BC", "/a:b@c;d=1,2", "/.well-known/x", "/a...b", "/%2F",
  ])
  func normalPaths(path: String) throws {
    try PathText.check(path)
  }

  @Test(arguments: [
    ("a", "/a"), ("/a//b", "/a/b"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/..", "/"),
    ("/a/b/.", "/a/b/"), ("/%7Euser", "/~user"), ("/%c3%bc", "/%C3%BC"), ("/a b", "/a%20b"),
    ("/ü", "/%C3%BC"),
    ("//", "/"),
  ])
  func wrongPaths(path: String, right: String) {
    #expect { try PathText.check(path) } throws: { error in
      (error as? PathText.Failure)?.hint == "write \"\(right)\""
    }
  }

  @Test(arguments: ["/%", "/%4", "/%zz", "/%00", "/a?b", "/a#b", "/../..", "/%2e%2e/a"])
  func pathsBeyondRepair(path: String) {
    #expect(throws: PathText.Failure.self) { try PathText.check(path) }
  }
}
