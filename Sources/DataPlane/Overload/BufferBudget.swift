import Runtime

/// What a worker holds of messages, against its share of `bufferBytes`.
///
/// Exchanges in flight are counted as what the usual one touches of its buffers. What is held beyond that
/// is counted where an exchange comes to a halt, which the usual one does not.
struct BufferBudget {
  enum Level: UInt8, Comparable {
    case low
    /// Half: what is received at a time gets smaller, and buffers are not kept.
    case tight
    /// Three quarters: idle connections go.
    case high
    /// Seven eighths: new requests are refused.
    case full

    static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }

  /// A page of each of its four buffers.
  static let exchangeBytes = 16_384
  /// What is received at a time above the first level.
  static let tightReceiveBytes = 16_384

  /// What is used is looked at each time it has grown by this part of the limit.
  private static let looksPerLimit = 64

  private(set) var limit: Int
  private(set) var level = Level.low
  /// What is received from a peer at a time.
  private(set) var receiveBytesMax = Int.max
  /// What is used has to be compared with the limit again when it is more than this: many small
  /// exchanges at a halt come to as much as a few large ones.
  private(set) var lookAbove = 0
  /// Held by exchanges that wait for a peer, and of heads that are not whole.
  private(set) var heldBytes = 0

  init(limit: Int) { self.limit = limit }

  mutating func setLimit(_ limit: Int) { self.limit = limit }

  mutating func hold(_ bytes: Int) { heldBytes += bytes }

  mutating func release(_ bytes: Int) { heldBytes -= bytes }

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
    receiveBytesMax = level == .low ? .max : Self.tightReceiveBytes
    lookAbove = used + limit / Self.looksPerLimit
  }
}
