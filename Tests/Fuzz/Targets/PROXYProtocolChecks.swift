import HTTPCodec

/// PROXY protocol headers, versions 1 and 2.
///
/// - A header that arrives in pieces is read as the whole is; an error that is found early stays.
/// - Its length lies within what came, and bytes behind it do not matter.
/// - Addresses are both there or both absent, and come back the same from a header of version 2.
enum PROXYProtocolChecks {
  private enum Result: Equatable {
    case needsMore
    case header(Header)
    case refused(PROXYProtocolError)
  }

  private struct Header: Equatable {
    var byteCount: Int
    var source: [UInt8]?
    var destination: [UInt8]?

    init(_ header: PROXYHeader) {
      byteCount = header.byteCount
      source = header.source.map(Self.bytes)
      destination = header.destination.map(Self.bytes)
    }

    /// The address, then the port.
    private static func bytes(_ address: PROXYAddress) -> [UInt8] {
      var bytes: [UInt8] = []
      for index in address.address.indices { bytes.append(address.address[index]) }
      return bytes + [UInt8(address.port >> 8), UInt8(address.port & 0xFF)]
    }
  }

  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let whole = parse(input)
    for count in 0...input.count {
      let part = parse(Array(input[..<count]))
      if part == .needsMore { continue }
      try require(part == whole, "\(count) bytes: \(part), all: \(whole)")
    }
    guard case .header(let header) = whole else { return }
    try require(header.byteCount <= input.count, "longer than the input")
    try require((header.source == nil) == (header.destination == nil), "only one of two addresses")
    if header.byteCount > 0 {
      try require(
        parse(Array(input[..<(header.byteCount - 1)])) == .needsMore, "complete before its last byte")
    }
    guard let source = header.source, let destination = header.destination else { return }
    let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x21, 0, 36]
    let written =
      signature + source.prefix(16) + destination.prefix(16) + source.suffix(2) + destination.suffix(2)
    guard case .header(let again) = parse(written) else {
      throw BrokenProperty("\(header) is refused in a header of version 2")
    }
    try require(
      again.source == source && again.destination == destination, "\(header) comes back as \(again)")
  }

  private static func parse(_ bytes: [UInt8]) -> Result {
    do throws(PROXYProtocolError) {
      guard let header = try PROXYProtocol.parse(bytes.span) else { return .needsMore }
      return .header(Header(header))
    } catch { return .refused(error) }
  }
}
