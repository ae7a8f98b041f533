import HTTPCodec

/// The frames of a WebSocket connection, as far as they are followed.
///
/// - After every byte, a plain and slow walk over all bytes from the first comes to the same boundary.
/// - In pieces, the same is known at the end.
enum WebSocketChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let boundaries = boundaries(input)
    var frames = WebSocketFrames()
    for index in input.indices {
      frames.note(input.span.extracting(index..<(index + 1)))
      let isAtBoundary = boundaries.frames.contains(index + 1)
      try require(frames.isAtBoundary == isAtBoundary, "after \(index + 1) bytes: \(frames.isAtBoundary)")
      let hasClosed = boundaries.close.map { $0 <= index } ?? false
      try require(frames.hasClosed == hasClosed, "after \(index + 1) bytes, closed: \(frames.hasClosed)")
    }
    for ends in Pieces.ways(of: input) {
      var pieces = WebSocketFrames()
      var start = 0
      for end in ends {
        pieces.note(input.span.extracting(start..<end))
        start = end
      }
      try require(
        pieces.isAtBoundary == frames.isAtBoundary && pieces.hasClosed == frames.hasClosed,
        "in pieces that end at \(ends.prefix(40))")
    }
  }

  /// The indices at which frames end, and the one at which a Close frame begins.
  private static func boundaries(_ input: [UInt8]) -> (frames: Set<Int>, close: Int?) {
    var ends: Set<Int> = []
    var close: Int?
    var position = 0
    while position < input.count {
      if input[position] & 15 == 8 { close = close ?? position }
      guard position + 1 < input.count else { break }
      let code = Int(input[position + 1] & 127)
      let lengthBytes = code == 126 ? 2 : code == 127 ? 8 : 0
      let header = 2 + lengthBytes + (input[position + 1] & 128 == 0 ? 0 : 4)
      guard position + header <= input.count else { break }
      let extended = input[(position + 2)..<(position + 2 + lengthBytes)]
      let length = lengthBytes == 0 ? UInt64(code) : extended.reduce(0) { $0 << 8 | UInt64($1) }
      guard length <= UInt64(input.count - position - header) else { break }
      position += header + Int(length)
      ends.insert(position)
    }
    return (ends, close)
  }
}
