import Runtime

/// What a worker holds of messages, against its share of `bufferBytes`.
///
/// Exchanges in flight are counted as what the usual one touches of its buffers. What is held beyond that
/// is counted where an exchange comes to a halt, which the usual one does not.
struct BufferBudget {
  enum Level: UInt8, Comparable {
    case low
    /// Half: as where ``isShort``, and buffers are not kept.
    case tight
    /// Three quarters: idle connections go.
    case high
    /// Seven eighths: new requests are refused.
    case full

    static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }

  /// A page of each of its four buffers.
  static let exchangeBytes = 16_384
  /// What is received at a time where memory ``isShort``, and what an endpoint of a new connection may send ahead.
  static let tightReceiveBytes = 16_384

  /// What is used is looked at each time it has grown by this part of the limit.
  private static let looksPerLimit = 64

  private(set) var limit: Int
  /// What the system gives to connections, this worker's share of it; nil: not known.
  private let systemBytes: Int?
  private(set) var level = Level.low
  /// The process holds much, or much waits in the system: what is received at a time gets smaller, as does what is
  /// left with the system, and pages that were used are given back.
  private(set) var isShort = false
  /// What is received from a peer at a time.
  private(set) var receiveBytesMax = Int.max
  /// What is used has to be compared with the limit again when it is more than this: many small
  /// exchanges at a halt come to as much as a few large ones.
  private(set) var lookAbove = 0
  /// Held by exchanges that wait for a peer, and of heads that are not whole.
  private(set) var heldBytes = 0

  /// What was sent to clients that are waited for, and is still with the system. It does not count as held: no
  /// request is refused for it.
  private(set) var unsentBytes = 0

  init(limit: Int, systemBytes: Int? = nil) {
    self.limit = limit
    self.systemBytes = systemBytes
  }

  mutating func setLimit(_ limit: Int) { self.limit = limit }

  mutating func hold(_ bytes: Int) { heldBytes += bytes }

  mutating func release(_ bytes: Int) { heldBytes -= bytes }

  mutating func holdUnsent(_ bytes: Int) { unsentBytes += bytes }

  mutating func releaseUnsent(_ bytes: Int) { unsentBytes -= bytes }

  /// From where on less is left with the system: for each byte that waits on the way to a client, it has about
  /// another one that an endpoint has sent. Others need their connections too.
  var unsentLimit: Int { min(limit, systemBytes ?? .max) / 4 }

  /// - Parameters:
  ///   - exchanges: all there are, kept ones included.
  ///   - otherBuffers: of streams, connections of HTTP/2 and tunnels; these fill up.
  func usedBytes(exchanges: Int, otherBuffers: Int) -> Int {
    heldBytes + exchanges * Self.exchangeBytes + otherBuffers * BufferPool.bufferBytes
  }

  /// Draws the consequences of what is used now.
  mutating func update(used: Int) {
    level =
      used < limit / 2 ? .low : used < limit / 4 * 3 ? .tight : used < limit / 8 * 7 ? .high : .full
    // Not there and back with every byte: each change costs calls of the system.
    isShort = level > .low || unsentBytes >= (isShort ? unsentLimit / 4 * 3 : unsentLimit)
    receiveBytesMax = isShort ? Self.tightReceiveBytes : .max
    lookAbove = used + limit / Self.looksPerLimit
  }
}
