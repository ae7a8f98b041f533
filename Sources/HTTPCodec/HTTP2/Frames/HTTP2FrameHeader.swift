/// The nine bytes before the payload of each frame (RFC 9113 §4.1).
struct HTTP2FrameHeader {
  static let byteCount = 9

  /// Bytes of the payload.
  let length: Int
  let type: UInt8
  let flags: UInt8
  /// Without the reserved bit, which means nothing.
  let streamID: UInt32

  /// Reads the header at `position`; nil when it is not complete.
  @inline(__always)
  init?(_ bytes: Span<UInt8>, at position: Int) {
    guard bytes.count &- position >= Self.byteCount, let word = bytes.word(at: position) else { return nil }
    let eight = word.byteSwapped
    length = Int(truncatingIfNeeded: eight &>> 40)
    type = UInt8(truncatingIfNeeded: eight &>> 32)
    flags = UInt8(truncatingIfNeeded: eight &>> 24)
    let last = UInt32(bytes[position &+ 8])
    streamID = (UInt32(truncatingIfNeeded: eight) &<< 8 | last) & HTTP2StreamID.max
  }

  @inline(__always)
  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
}

enum HTTP2StreamID {
  /// Identifiers have 31 bits (RFC 9113 §5.1.1).
  static let max: UInt32 = 0x7FFF_FFFF
}

extension Span where Element == UInt8 {
  /// The 32-bit number at `position`, in network byte order.
  @inline(__always)
  func bigEndianWord(at position: Int) -> UInt32 {
    let four = extracting(position..<(position &+ 4))
    return UInt32(four[0]) &<< 24 | UInt32(four[1]) &<< 16 | UInt32(four[2]) &<< 8 | UInt32(four[3])
  }
}
