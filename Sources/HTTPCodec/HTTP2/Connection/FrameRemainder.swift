/// What is still to come of a frame whose header was taken.
struct FrameRemainder: Sendable {
  enum Kind: UInt8 {
    /// Nothing: a frame header comes next.
    case none
    /// Content of ``slot``.
    case content
    /// A fragment of a header block.
    case fragment
    /// Nothing that is of use.
    case skipped
  }

  var kind: Kind = .none
  /// Whether the stream ends with the content.
  var endsStream = false
  var slot = -1
  /// Bytes of the content or the fragment, or to be skipped.
  var count = 0
  /// Bytes of padding behind them.
  var padding = 0

  /// Goes on to the padding when all else has been taken.
  @inline(__always)
  mutating func finish() {
    kind = padding > 0 ? .skipped : .none
    count = padding
    padding = 0
  }

  @inline(__always)
  mutating func skip(_ bytes: Int) {
    kind = bytes > 0 ? .skipped : .none
    count = bytes
    padding = 0
  }
}

/// A header block that comes in pieces (RFC 9113 §4.3).
struct BlockInProgress: Sendable {
  /// The most memory that is kept for the next one, in bytes.
  private static let keptBytesMax = 4_096

  /// The stream whose CONTINUATION must come next; 0 when there is none.
  var streamID: UInt32 = 0
  var endsStream = false
  /// Whether the fragment that is arriving is the last.
  var isLastFragment = false
  var continuations = 0
  var bytes: [UInt8] = []

  mutating func begin(_ streamID: UInt32, endsStream: Bool) {
    self.streamID = streamID
    self.endsStream = endsStream
    continuations = 0
    bytes.removeAll(keepingCapacity: true)
  }

  mutating func append(_ piece: Span<UInt8>) {
    for index in piece.indices { bytes.append(piece[index]) }
  }

  /// Forgets the bytes after they were decoded.
  mutating func clear() {
    if bytes.capacity > Self.keptBytesMax { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
  }

  mutating func releaseMemory() {
    if streamID == 0 && bytes.isEmpty { bytes = [] }
  }
}
