/// A frame of HTTP/2 as it stands on the wire (RFC 9113 §4.1).
struct StrictHTTP2Frame {
  var type: UInt8 = 0
  var flags: UInt8 = 0
  var streamID: UInt32 = 0
  var payload: [UInt8] = []

  var endsStream: Bool { flags & 1 != 0 }
  var isAcknowledgement: Bool { flags & 1 != 0 }
  var endsHeaders: Bool { flags & 4 != 0 }
  var isPadded: Bool { flags & 8 != 0 }

  /// Four bytes of the payload.
  func word(at position: Int) -> UInt32 {
    payload[position..<position + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// The payload without padding, for DATA.
  func content() throws(StrictFault) -> ArraySlice<UInt8> {
    guard isPadded else { return payload[...] }
    guard let padding = payload.first, Int(padding) < payload.count else {
      throw StrictFault("padding that is longer than its frame")
    }
    return payload[1..<payload.count - Int(padding)]
  }
}

/// Cuts one direction of a connection of HTTP/2 into frames.
struct StrictHTTP2Reader {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  private var bytes: [UInt8] = []
  private var position = 0
  private var awaitsPreface: Bool

  init(isClient: Bool) { awaitsPreface = isClient }

  var hasPartOfFrame: Bool { position < bytes.count }

  mutating func append(_ more: [UInt8]) {
    bytes.removeFirst(position)
    position = 0
    bytes += more
  }

  mutating func next() throws(StrictFault) -> StrictHTTP2Frame? {
    if awaitsPreface {
      guard bytes.count >= Self.preface.count else { return nil }
      guard bytes.starts(with: Self.preface) else { throw StrictFault("no preface") }
      position = Self.preface.count
      awaitsPreface = false
    }
    guard bytes.count - position >= 9 else { return nil }
    let head = Array(bytes[position..<position + 9])
    let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
    guard bytes.count - position >= 9 + length else { return nil }
    var frame = StrictHTTP2Frame(type: head[3], flags: head[4])
    frame.streamID = head[5..<9].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    frame.payload = Array(bytes[position + 9..<position + 9 + length])
    position += 9 + length
    return frame
  }
}
