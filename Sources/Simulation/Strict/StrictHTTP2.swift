/// Judges what one side of a connection of HTTP/2 sends, by frames alone: their form, the states of
/// streams, and flow control (RFC 9113 §4 to §6). Header blocks are not decoded.
///
/// Written for checking, apart from `HTTPCodec` and without any of its code. What the other side sends is
/// read, but not judged: it may be made to break rules.
public struct StrictHTTP2 {
  /// The content of a stream in the direction that is judged.
  public struct Content: Sendable, Equatable {
    public var count = 0
    /// FNV-1a.
    public var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    /// The sender has said that this was all.
    public var isWhole = false

    public init() {}

    public mutating func append(_ bytes: some Sequence<UInt8>) {
      for byte in bytes {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        count += 1
      }
    }
  }

  private struct Stream {
    var content = Content()
    var heads = 0
    /// The judged side has ended or reset it.
    var isOver = false
    /// What it may still send.
    var window: Int
  }

  /// What the other side announced, in force once it is acknowledged.
  private struct Settings {
    var initialWindow: Int?
    var frameBytes: Int?
    var streams: Int?
  }

  public let judgesClient: Bool
  private var judged: StrictHTTP2Reader
  private var other: StrictHTTP2Reader
  private var otherIsBroken = false
  private var streams: [UInt32: Stream] = [:]
  private var hasSettings = false
  private var unacknowledged: [Settings] = []
  private var initialWindow = 65_535
  private var window = 65_535
  private var frameBytesMax = 16_384
  /// The stream whose header block is not complete.
  private var openBlock: UInt32?
  private var highestStream: UInt32 = 0
  private var highestOtherStream: UInt32 = 0
  private var lastGoAway: UInt32 = .max
  private static let windowMax = 0x7fff_ffff

  public init(judgesClient: Bool) {
    self.judgesClient = judgesClient
    judged = StrictHTTP2Reader(isClient: judgesClient)
    other = StrictHTTP2Reader(isClient: !judgesClient)
  }

  /// What was sent as content of a stream; nil where the stream was not seen.
  public func content(of stream: UInt32) -> Content? { streams[stream]?.content }

  // MARK: The other side

  /// Reads what the other side sends.
  public mutating func takeFromOther(_ bytes: [UInt8]) {
    if otherIsBroken { return }
    other.append(bytes)
    do throws(StrictFault) {
      while let frame = try other.next() { takeFromOther(frame) }
    } catch {
      otherIsBroken = true
    }
  }

  private mutating func takeFromOther(_ frame: StrictHTTP2Frame) {
    switch frame.type {
    case 1:
      highestOtherStream = max(highestOtherStream, frame.streamID)
    case 4 where !frame.isAcknowledgement:
      var settings = Settings()
      for start in stride(from: 0, to: frame.payload.count - 5, by: 6) {
        let value = Int(frame.word(at: start + 2))
        switch Int(frame.payload[start]) << 8 | Int(frame.payload[start + 1]) {
        case 3: settings.streams = value
        case 4: settings.initialWindow = value
        case 5: settings.frameBytes = value
        default: break
        }
      }
      unacknowledged.append(settings)
    case 8 where frame.payload.count == 4:
      let increment = Int(frame.word(at: 0) & 0x7fff_ffff)
      if frame.streamID == 0 {
        window += increment
      } else {
        // It may come before the first frame that is judged.
        streams[frame.streamID, default: Stream(window: initialWindow)].window += increment
      }
    default: break
    }
  }

  // MARK: The judged side

  /// Reads what the judged side sends.
  public mutating func takeFromJudged(_ bytes: [UInt8]) throws(StrictFault) {
    judged.append(bytes)
    while let frame = try judged.next() {
      do throws(StrictFault) {
        try take(frame)
      } catch {
        throw StrictFault("frame of type \(frame.type) on stream \(frame.streamID): \(error.description)")
      }
    }
  }

  private func require(_ condition: Bool, _ text: @autoclosure () -> String) throws(StrictFault) {
    if !condition { throw StrictFault(text()) }
  }

  private mutating func take(_ frame: StrictHTTP2Frame) throws(StrictFault) {
    try require(
      frame.payload.count <= frameBytesMax, "\(frame.payload.count) bytes, at most \(frameBytesMax)")
    try require(hasSettings || frame.type == 4, "before SETTINGS")
    if let openBlock {
      try require(frame.type == 9 && frame.streamID == openBlock, "within the block of \(openBlock)")
    }
    switch frame.type {
    case 0: try takeData(frame)
    case 1, 9: try takeHeaders(frame)
    case 3:
      try require(frame.payload.count == 4, "of another length")
      try require(isKnown(frame.streamID), "on a stream that nobody has opened")
      streams[frame.streamID, default: Stream(window: initialWindow)].isOver = true
    case 4: try takeSettings(frame)
    case 6: try require(frame.payload.count == 8 && frame.streamID == 0, "malformed")
    case 7:
      try require(frame.payload.count >= 8 && frame.streamID == 0, "malformed")
      let last = frame.word(at: 0) & 0x7fff_ffff
      try require(last <= lastGoAway, "names \(last) after \(lastGoAway)")
      lastGoAway = last
    case 8:
      try require(frame.payload.count == 4, "of another length")
      try require(frame.word(at: 0) & 0x7fff_ffff > 0, "of nothing")
      try require(frame.streamID == 0 || isKnown(frame.streamID), "on a stream that nobody has opened")
    default: throw StrictFault("of a type that is never sent")
    }
  }

  /// Whether the stream was opened by either side.
  private func isKnown(_ stream: UInt32) -> Bool {
    if stream == 0 { return false }
    return stream & 1 == 1 && stream <= (judgesClient ? highestStream : highestOtherStream)
  }

  private mutating func takeSettings(_ frame: StrictHTTP2Frame) throws(StrictFault) {
    try require(frame.streamID == 0, "on a stream")
    hasSettings = true
    guard frame.isAcknowledgement else {
      return try require(frame.payload.count % 6 == 0, "of another length")
    }
    try require(frame.payload.isEmpty, "an acknowledgement with content")
    try require(!unacknowledged.isEmpty, "acknowledges nothing")
    let settings = unacknowledged.removeFirst()
    if let bytes = settings.frameBytes { frameBytesMax = bytes }
    guard let initial = settings.initialWindow else { return }
    for key in streams.keys { streams[key]?.window += initial - initialWindow }
    initialWindow = initial
  }

  private mutating func takeHeaders(_ frame: StrictHTTP2Frame) throws(StrictFault) {
    if frame.type == 9 {
      try require(openBlock != nil, "belongs to no block")
      openBlock = frame.endsHeaders ? nil : frame.streamID
      return
    }
    if judgesClient {
      try require(frame.streamID & 1 == 1, "a number that clients do not use")
      if frame.streamID > highestStream { highestStream = frame.streamID }
    } else {
      try require(isKnown(frame.streamID), "on a stream that nobody has opened")
    }
    var stream = streams[frame.streamID] ?? Stream(window: initialWindow)
    try require(!stream.isOver, "after the end")
    stream.heads += 1
    if judgesClient { try require(stream.heads == 1 || frame.endsStream, "a second head") }
    if frame.endsStream {
      stream.isOver = true
      stream.content.isWhole = true
    }
    streams[frame.streamID] = stream
    openBlock = frame.endsHeaders ? nil : frame.streamID
  }

  private mutating func takeData(_ frame: StrictHTTP2Frame) throws(StrictFault) {
    guard var stream = streams[frame.streamID], stream.heads > 0 else { throw StrictFault("before a head") }
    try require(!stream.isOver, "after the end")
    let count = frame.payload.count
    try require(count == 0 || count <= stream.window, "\(count) bytes into a window of \(stream.window)")
    try require(count <= max(window, 0), "\(count) bytes into the connection's window of \(window)")
    window -= count
    stream.window -= count
    stream.content.append(try frame.content())
    if frame.endsStream {
      stream.isOver = true
      stream.content.isWhole = true
    }
    streams[frame.streamID] = stream
  }
}
