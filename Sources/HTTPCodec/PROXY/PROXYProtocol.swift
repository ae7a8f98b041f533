/// An address and port of a PROXY protocol header.
public struct PROXYAddress: Sendable {
  /// In network byte order; IPv4 as an IPv4-mapped address.
  public var address: IPAddressBytes
  public var port: UInt16

  public init(address: IPAddressBytes, port: UInt16) {
    self.address = address
    self.port = port
  }
}

/// A PROXY protocol header: who the connection is from before the proxy in front.
public struct PROXYHeader: Sendable {
  /// The length of the header, in bytes: HTTP begins there.
  public var byteCount: Int
  /// The client; nil where the proxy speaks for itself (`LOCAL`, such as its health checks) or
  /// does not know (`UNKNOWN`): the connection's own addresses then count.
  public var source: PROXYAddress?
  /// What the client connected to; nil together with `source`.
  public var destination: PROXYAddress?

  public init(byteCount: Int, source: PROXYAddress? = nil, destination: PROXYAddress? = nil) {
    self.byteCount = byteCount
    self.source = source
    self.destination = destination
  }
}

/// Why a PROXY protocol header was refused; the connection is closed without an answer.
public enum PROXYProtocolError: UInt8, Error, Equatable, Sendable, CaseIterable, CustomStringConvertible {
  case missing, malformed, tooLong, unsupported

  /// For logs.
  public var description: String {
    switch self {
    case .missing: "the connection does not begin with a PROXY protocol header"
    case .malformed: "the PROXY protocol header is malformed"
    case .tooLong: "the PROXY protocol header is longer than the limit"
    case .unsupported: "the PROXY protocol header has an unknown version, command or family"
    }
  }
}

/// Parses the header that a proxy in front sends before the first byte of the client: versions 1
/// and 2 of the PROXY protocol (HAProxy's `proxy-protocol.txt`).
public enum PROXYProtocol {
  /// The longest header of version 1, its line end included (§2.1).
  static let version1BytesMax = 107
  /// The longest part of a version 2 header after its first 16 bytes: addresses and extensions.
  static let version2BytesMax = 4096

  /// Parses the header at the start of a connection.
  ///
  /// - Parameter bytes: all that was received so far.
  /// - Returns: nil when more bytes are needed.
  public static func parse(_ bytes: Span<UInt8>) throws(PROXYProtocolError) -> PROXYHeader? {
    guard !bytes.isEmpty else { return nil }
    if bytes[0] == 0x50 { return try parseVersion1(bytes) }
    return try parseVersion2(bytes)
  }

  // MARK: Version 1

  /// "PROXY ".
  private static let prefix: InlineArray<6, UInt8> = [0x50, 0x52, 0x4F, 0x58, 0x59, 0x20]

  private static func parseVersion1(_ bytes: Span<UInt8>) throws(PROXYProtocolError) -> PROXYHeader? {
    for index in 0..<min(6, bytes.count) where bytes[index] != prefix[index] { throw .missing }
    let limit = min(bytes.count, version1BytesMax)
    let end = bytes.index(of: ASCII.carriageReturn, from: 0, to: limit)
    guard end &+ 1 < limit else {
      if bytes.count >= version1BytesMax { throw .tooLong }
      return nil
    }
    guard bytes[end &+ 1] == ASCII.lineFeed else { throw .malformed }
    guard end > 6 else { throw .malformed }
    let familyEnd = bytes.index(of: ASCII.space, from: 6, to: end)
    let family = ByteRange(start: 6, count: familyEnd &- 6)
    var header = PROXYHeader(byteCount: end &+ 2)
    if bytes.equals(family, Array("UNKNOWN".utf8)) { return header }
    let isIPv6 = bytes.equals(family, Array("TCP6".utf8))
    guard isIPv6 || bytes.equals(family, Array("TCP4".utf8)) else { throw .malformed }

    var words = WordCursor(position: familyEnd &+ 1, end: end)
    let source = try words.address(in: bytes, isIPv6)
    let destination = try words.address(in: bytes, isIPv6)
    header.source = PROXYAddress(address: source, port: try words.port(in: bytes))
    header.destination = PROXYAddress(address: destination, port: try words.port(in: bytes))
    guard words.isAtEnd else { throw .malformed }
    return header
  }

  /// Walks words that are separated by exactly one space.
  private struct WordCursor {
    var position: Int
    let end: Int

    var isAtEnd: Bool { position > end }

    private mutating func next(in bytes: Span<UInt8>) throws(PROXYProtocolError) -> ByteRange {
      guard position < end else { throw .malformed }
      let wordEnd = bytes.index(of: ASCII.space, from: position, to: end)
      let word = ByteRange(start: position, count: wordEnd &- position)
      position = wordEnd &+ 1
      return word
    }

    mutating func address(in bytes: Span<UInt8>, _ isIPv6: Bool) throws(PROXYProtocolError) -> IPAddressBytes
    {
      let word = try next(in: bytes)
      let address = isIPv6 ? IPAddressText.parseIPv6(bytes, word) : IPAddressText.parseIPv4(bytes, word)
      guard let address else { throw .malformed }
      return address
    }

    mutating func port(in bytes: Span<UInt8>) throws(PROXYProtocolError) -> UInt16 {
      let word = try next(in: bytes)
      guard word.count <= 5, let number = bytes.decimal(in: word), let port = UInt16(exactly: number),
        word.count == 1 || bytes[Int(word.start)] != ASCII.zero
      else { throw .malformed }
      return port
    }
  }

  // MARK: Version 2

  private static let signature: InlineArray<12, UInt8> = [
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
  ]

  private static func parseVersion2(_ bytes: Span<UInt8>) throws(PROXYProtocolError) -> PROXYHeader? {
    for index in 0..<min(12, bytes.count) where bytes[index] != signature[index] { throw .missing }
    guard bytes.count >= 16 else { return nil }
    let isLocal = bytes[12] == 0x20
    guard isLocal || bytes[12] == 0x21 else { throw .unsupported }
    let length = Int(bytes[14]) << 8 | Int(bytes[15])
    guard length <= version2BytesMax else { throw .tooLong }
    guard bytes.count >= 16 &+ length else { return nil }
    var header = PROXYHeader(byteCount: 16 &+ length)
    if isLocal { return header }
    switch bytes[13] {
    case 0x11:  // TCP over IPv4
      guard length >= 12 else { throw .malformed }
      header.source = PROXYAddress(address: ipv4(bytes, at: 16), port: port(bytes, at: 24))
      header.destination = PROXYAddress(address: ipv4(bytes, at: 20), port: port(bytes, at: 26))
    case 0x21:  // TCP over IPv6
      guard length >= 36 else { throw .malformed }
      header.source = PROXYAddress(address: ipv6(bytes, at: 16), port: port(bytes, at: 48))
      header.destination = PROXYAddress(address: ipv6(bytes, at: 32), port: port(bytes, at: 50))
    case 0x31:  // A Unix stream socket: nothing that can be an address here
      guard length >= 216 else { throw .malformed }
    case 0x00: break  // Unspecified
    default: throw .unsupported
    }
    return header
  }

  private static func ipv4(_ bytes: Span<UInt8>, at start: Int) -> IPAddressBytes {
    var address: UInt32 = 0
    for index in 0..<4 { address = address << 8 | UInt32(bytes[start &+ index]) }
    return .mapped(address)
  }

  private static func ipv6(_ bytes: Span<UInt8>, at start: Int) -> IPAddressBytes {
    IPAddressBytes { bytes[start &+ $0] }
  }

  private static func port(_ bytes: Span<UInt8>, at start: Int) -> UInt16 {
    UInt16(bytes[start]) << 8 | UInt16(bytes[start &+ 1])
  }
}
