import HTTPCodec
import Testing

private struct HeaderSummary: Equatable {
  var byteCount: Int
  var source: String?
  var destination: String?

  init(_ byteCount: Int, _ source: String? = nil, _ destination: String? = nil) {
    self.byteCount = byteCount
    self.source = source
    self.destination = destination
  }

  init(_ header: PROXYHeader) {
    self.init(header.byteCount, header.source.map(Self.text), header.destination.map(Self.text))
  }

  /// All sixteen bytes in hexadecimal, and the port.
  private static func text(_ address: PROXYAddress) -> String {
    let digits = address.address.indices.map { index in
      let byte = address.address[index]
      return String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }
    return digits.joined() + " \(address.port)"
  }
}

private enum Result: Equatable {
  case header(HeaderSummary)
  case refused(PROXYProtocolError)
  case needsMore
}

private func parse(_ input: [UInt8], _ count: Int) -> Result {
  do {
    guard let header = try PROXYProtocol.parse(input.span.extracting(first: count)) else { return .needsMore }
    return .header(HeaderSummary(header))
  } catch { return .refused(error) }
}

/// Parses whole, and every shorter prefix: those must need more, or be refused alike.
private func parse(_ input: [UInt8]) -> Result {
  let whole = parse(input, input.count)
  for count in 0..<input.count {
    let result = parse(input, count)
    if result != .needsMore {
      #expect(result == whole, "prefix of \(count)")
    } else if case .header(let header) = whole {
      #expect(count < header.byteCount)
    }
  }
  return whole
}

@Suite("PROXY protocol")
struct PROXYProtocolTests {
  private let signature = bytes("\r\n\r\n\u{0}\r\nQUIT\n")
  private let mapped = "00000000000000000000ffff"

  private func version2(_ command: UInt8, _ family: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
    let length = length ?? body.count
    return signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + body
  }

  @Test("§2.1: version 1 names TCP over IPv4 and IPv6")
  func version1() {
    let ipv4 = bytes("PROXY TCP4 192.0.2.1 198.51.100.255 56324 443\r\n")
    let expected = HeaderSummary(47, mapped + "c0000201 56324", mapped + "c63364ff 443")
    #expect(parse(ipv4 + bytes("GET /")) == .header(expected))
    let ipv6 = bytes("PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 0 65535\r\n")
    let expected6 = HeaderSummary(
      ipv6.count, "20010db8000000000000000000000001 0", mapped + "0a000001 65535")
    #expect(parse(ipv6) == .header(expected6))
  }

  @Test("§2.1: version 1 with UNKNOWN tells nothing, whatever follows")
  func unknown() {
    #expect(parse(bytes("PROXY UNKNOWN\r\n")) == .header(HeaderSummary(15)))
    #expect(parse(bytes("PROXY UNKNOWN ffff::1 x y\r\nGET")) == .header(HeaderSummary(27)))
  }

  @Test(
    "§2.1: a malformed version 1 header is refused",
    arguments: [
      "PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP4 \r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
      "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
      "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n",
      "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
      "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
      "PROXY TCP4 ::1 ::1 1 2\r\n",
      "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 2x\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 a\r\n", "PROXY TCP4 ... 1.2.3.4 1 2\r\n",
    ])
  func malformedVersion1(_ line: String) {
    #expect(parse(bytes(line)) == .refused(.malformed))
  }

  @Test("§2.1: a version 1 header has at most 107 bytes")
  func longVersion1() {
    func header(_ count: Int) -> [UInt8] {
      bytes("PROXY UNKNOWN " + String(repeating: "x", count: count - 16) + "\r\n")
    }
    #expect(parse(header(107)) == .header(HeaderSummary(107)))
    #expect(parse(header(108)) == .refused(.tooLong))
  }

  @Test(
    "A connection without a header is refused at the first byte that differs",
    arguments: ["GET / HTTP/1.1", "POST /", "PROXX", "\r\n\r\nx", "\u{16}\u{3}"])
  func missing(_ start: String) {
    #expect(parse(bytes(start)) == .refused(.missing))
  }

  @Test("§2.2: version 2 names TCP over IPv4 and IPv6; extensions are passed over")
  func version2() {
    let ipv4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xDC, 0x04, 0x01, 0xBB]
    let expected = HeaderSummary(28, mapped + "c0000201 56324", mapped + "c6336402 443")
    #expect(parse(version2(0x21, 0x11, ipv4) + bytes("GET")) == .header(expected))
    let extended = version2(0x21, 0x11, ipv4 + [0x03, 0, 4, 1, 2, 3, 4])
    #expect(parse(extended) == .header(HeaderSummary(35, expected.source, expected.destination)))
    let ipv6 = (0..<32).map { UInt8($0) } + [0, 80, 1, 0]
    let expected6 = HeaderSummary(
      52, "000102030405060708090a0b0c0d0e0f 80", "101112131415161718191a1b1c1d1e1f 256")
    #expect(parse(version2(0x21, 0x21, ipv6)) == .header(expected6))
  }

  @Test("§2.2: LOCAL, unspecified and Unix connections tell nothing")
  func local() {
    #expect(parse(version2(0x20, 0x00, [])) == .header(HeaderSummary(16)))
    #expect(parse(version2(0x20, 0x11, [1, 2, 3])) == .header(HeaderSummary(19)))
    #expect(parse(version2(0x21, 0x00, [1, 2, 3])) == .header(HeaderSummary(19)))
    #expect(parse(version2(0x21, 0x31, .init(repeating: 7, count: 216))) == .header(HeaderSummary(232)))
  }

  @Test("§2.2: addresses that are too short, and unknown versions, commands and families, are refused")
  func invalidVersion2() {
    #expect(parse(version2(0x21, 0x11, .init(repeating: 1, count: 11))) == .refused(.malformed))
    #expect(parse(version2(0x21, 0x21, .init(repeating: 1, count: 35))) == .refused(.malformed))
    #expect(parse(version2(0x21, 0x31, .init(repeating: 1, count: 215))) == .refused(.malformed))
    for command: UInt8 in [0x00, 0x11, 0x22, 0x2F, 0x31] {
      #expect(parse(version2(command, 0x11, .init(repeating: 1, count: 12))) == .refused(.unsupported))
    }
    for family: UInt8 in [0x01, 0x12, 0x22, 0x32, 0x41] {
      #expect(parse(version2(0x21, family, .init(repeating: 1, count: 216))) == .refused(.unsupported))
    }
  }

  @Test("§2.2: a version 2 header is limited to 4 KiB, and refused without waiting for more")
  func longVersion2() {
    #expect(parse(version2(0x21, 0x00, .init(repeating: 1, count: 4096))) == .header(HeaderSummary(4112)))
    #expect(parse(version2(0x21, 0x00, [], length: 4097)) == .refused(.tooLong))
    #expect(parse(version2(0x21, 0x00, [], length: 65535)) == .refused(.tooLong))
  }
}
