/// Follows the frames of one direction of a WebSocket connection (RFC 6455 §5.2) without looking at
/// their content: enough to know where a frame of one's own may be put.
public struct WebSocketFrames: Sendable {
  /// Bytes of a frame's header that have come.
  private var headerCount = 0
  /// Bytes of the header in all, as far as is known.
  private var headerLength = 2
  private var lengthCode: UInt8 = 0
  private var length: UInt64 = 0
  /// Bytes of the content still to come.
  private var contentLeft: UInt64 = 0
  /// A Close frame has begun: nothing may follow it (RFC 6455 §5.5.1).
  public private(set) var hasClosed = false

  public init() {}

  /// Whether the bytes so far end with a whole frame.
  public var isAtBoundary: Bool { headerCount == 0 && contentLeft == 0 }

  /// Takes note of the next bytes.
  public mutating func note(_ bytes: Span<UInt8>) {
    var position = 0
    while position < bytes.count {
      if contentLeft > 0 {
        let count = min(contentLeft, UInt64(bytes.count &- position))
        contentLeft &-= count
        position &+= Int(count)
      } else {
        noteHeader(bytes[position])
        position &+= 1
      }
    }
  }

  private mutating func noteHeader(_ byte: UInt8) {
    switch headerCount {
    case 0: if byte & 0x0F == 8 { hasClosed = true }
    case 1:
      lengthCode = byte & 0x7F
      length = lengthCode < 126 ? UInt64(lengthCode) : 0
      headerLength = 2 &+ (lengthCode == 126 ? 2 : lengthCode == 127 ? 8 : 0) &+ (byte & 0x80 != 0 ? 4 : 0)
    default:
      let lengthEnd = lengthCode == 126 ? 4 : lengthCode == 127 ? 10 : 2
      if headerCount < lengthEnd { length = length &<< 8 | UInt64(byte) }
    }
    headerCount &+= 1
    guard headerCount >= headerLength else { return }
    contentLeft = length
    headerCount = 0
    headerLength = 2
  }

  /// Close with the status 1001, going away (RFC 6455 §7.4.1), as a server sends it.
  public static let goingAway: [UInt8] = [0x88, 0x02, 0x03, 0xE9]

  /// The same as a client sends it. Masking protects caches between browsers and servers (RFC 6455
  /// §10.3); content that nobody can choose needs none, so the mask is zero.
  public static let goingAwayMasked: [UInt8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE9]
}
