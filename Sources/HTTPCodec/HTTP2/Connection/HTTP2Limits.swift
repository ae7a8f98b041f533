/// How often something may come: `burst` at once, and `perSecond` on and on.
public struct HTTP2RateLimit: Equatable, Sendable {
  /// At least 1.
  public var burst: Int
  /// At least 1.
  public var perSecond: Int

  public init(burst: Int, perSecond: Int) {
    self.burst = burst
    self.perSecond = perSecond
  }
}

/// What a peer may cost beyond what the protocol itself bounds. Each limit ends the connection with
/// ENHANCE_YOUR_CALM where it does not say otherwise (RFC 9113 §10.5).
public struct HTTP2Limits: Equatable, Sendable {
  /// The longest header block, in bytes as sent, over all its frames. Twice the largest head that is
  /// accepted: Huffman coding hardly ever makes it longer. HAProxy takes 16 KB, nginx 32.
  public var blockBytes = 32_768

  /// The most CONTINUATION frames of one block: the flood of CVE-2024-27316. nghttp2 takes 8.
  public var continuations = 8

  /// The most parameters in a SETTINGS frame (CVE-2020-11080), at most 512. nghttp2 takes 32.
  public var settingsEntries = 32

  /// The most heads of responses on one stream: all but the last are interim. The stream fails
  /// beyond. Go long took 5; Early Hints may come more often.
  public var responseHeads = 16

  /// Streams that come to nothing, on a server: requests that the client resets before it has the
  /// response (rapid reset, CVE-2023-44487), and those that the server must reset because the client
  /// broke a rule (CVE-2025-8671). Each stream that is completed makes up for one. Netty takes 200 in
  /// 30 seconds, nghttp2 1,000 and 33 per second.
  public var resets = HTTP2RateLimit(burst: 200, perSecond: 20)

  /// SETTINGS frames: each is answered, and may change the windows of all streams (CVE-2019-9515).
  /// Nobody needs more than a few in the life of a connection.
  public var settings = HTTP2RateLimit(burst: 32, perSecond: 1)

  /// PING frames: each is answered (CVE-2019-9512). Frames that carry something make up for as many:
  /// gRPC measures the path with a PING each round trip while content flows.
  public var pings = HTTP2RateLimit(burst: 200, perSecond: 20)

  /// DATA without content and header fragments without bytes (CVE-2019-9518). Envoy takes one in a
  /// row, Netty two; libraries that flush with an empty frame send one now and then.
  public var emptyFrames = HTTP2RateLimit(burst: 100, perSecond: 10)

  /// WINDOW_UPDATE frames. Each DATA frame that is sent makes up for four: clients answer each with
  /// two, one for the stream and one for the connection. Envoy allows 20 for each DATA frame.
  public var windowUpdates = HTTP2RateLimit(burst: 1_000, perSecond: 100)

  /// WINDOW_UPDATE frames that open a window which was used up by a few bytes only, so that each
  /// costs a tiny DATA frame (CVE-2019-9511).
  public var tinyWindowUpdates = HTTP2RateLimit(burst: 1_000, perSecond: 100)

  /// PRIORITY and PRIORITY_UPDATE frames, which are dropped (CVE-2019-9513). A new stream makes up
  /// for ten. Envoy takes 100 for each stream.
  public var priorities = HTTP2RateLimit(burst: 500, perSecond: 50)

  /// Frames that mean nothing: of unknown types, and those for streams that are over, except
  /// content that was under way.
  public var ignoredFrames = HTTP2RateLimit(burst: 1_000, perSecond: 100)

  /// The most bytes of answers (SETTINGS and PING acknowledgements, RST_STREAM, WINDOW_UPDATE) that
  /// wait for a peer that does not read. Envoy and nghttp2 hold 1,000 frames; this is about as much.
  public var unsentAnswerBytes = 16_384

  public init() {}

  /// A larger frame would not be held; see ``HTTP2Engine/heldBytesMax``.
  static let settingsEntriesMax = 512

  /// A window that was used up and opens by less than this is opened by a few bytes only.
  static let tinyIncrement = 256
}
