import HTTPCodec
import Testing

/// A sink in an array.
final class EngineOutput: ByteSink {
  var bytes: [UInt8] = []
  var count: Int { bytes.count }
  func append(_ byte: UInt8) { bytes.append(byte) }
  func append(_ piece: Span<UInt8>) { for index in piece.indices { bytes.append(piece[index]) } }
  func replaceBytes(at position: Int, with piece: Span<UInt8>) {
    for index in piece.indices { bytes[position + index] = piece[index] }
  }
}

/// A frame, to be sent to an engine or found in what it sent.
struct Frame: Equatable, CustomStringConvertible {
  var type: UInt8
  var flags: UInt8 = 0
  var stream: UInt32 = 0
  var payload: [UInt8] = []

  var description: String { "frame \(type) flags \(flags) stream \(stream) \(payload)" }

  /// - Parameter length: what the header says, where it is not the truth.
  func encoded(length: Int? = nil) -> [UInt8] {
    let length = length ?? payload.count
    return [UInt8(length >> 16 & 0xFF), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF), type, flags]
      + bigEndian(stream) + payload
  }

  static func parse(_ bytes: [UInt8]) -> [Frame] {
    var frames: [Frame] = []
    var rest = bytes[...]
    while rest.count >= 9 {
      let start = rest.startIndex
      let length = Int(rest[start]) << 16 | Int(rest[start + 1]) << 8 | Int(rest[start + 2])
      let stream = rest[(start + 5)..<(start + 9)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      guard rest.count >= 9 + length else { break }
      frames.append(
        Frame(
          type: rest[start + 3], flags: rest[start + 4], stream: stream,
          payload: Array(rest[(start + 9)..<(start + 9 + length)])))
      rest = rest[(start + 9 + length)...]
    }
    #expect(rest.isEmpty, "what was sent ends within a frame")
    return frames
  }

  static func data(_ stream: UInt32, _ payload: [UInt8] = [], end: Bool = false) -> Frame {
    Frame(type: 0, flags: end ? 1 : 0, stream: stream, payload: payload)
  }

  /// DATA with padding: the length byte, the content, zeroes.
  static func padded(_ stream: UInt32, _ content: [UInt8], padding: Int, end: Bool = false) -> Frame {
    Frame(
      type: 0, flags: 8 | (end ? 1 : 0), stream: stream,
      payload: [UInt8(padding)] + content + Array(repeating: 0, count: padding))
  }

  /// A block that every decoder knows: `:method: GET`.
  static let get: [UInt8] = [0x82]

  static func headers(
    _ stream: UInt32, _ block: [UInt8] = Frame.get, end: Bool = false, whole: Bool = true
  ) -> Frame {
    Frame(type: 1, flags: (end ? 1 : 0) | (whole ? 4 : 0), stream: stream, payload: block)
  }

  static func continuation(_ stream: UInt32, _ block: [UInt8], whole: Bool = true) -> Frame {
    Frame(type: 9, flags: whole ? 4 : 0, stream: stream, payload: block)
  }

  static func priority(_ stream: UInt32) -> Frame {
    Frame(type: 2, stream: stream, payload: bigEndian(0) + [15])
  }

  static func reset(_ stream: UInt32, _ code: HTTP2ErrorCode) -> Frame {
    Frame(type: 3, stream: stream, payload: bigEndian(code.rawValue))
  }

  static func settings(_ entries: [(UInt16, UInt32)] = []) -> Frame {
    Frame(type: 4, payload: entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 0xFF)] + bigEndian($0.1) })
  }

  static let settingsAcknowledgement = Frame(type: 4, flags: 1)

  static func ping(_ payload: [UInt8] = Array(1...8), acknowledges: Bool = false) -> Frame {
    Frame(type: 6, flags: acknowledges ? 1 : 0, payload: payload)
  }

  static func goAway(_ last: UInt32, _ code: HTTP2ErrorCode, debug: [UInt8] = []) -> Frame {
    Frame(type: 7, payload: bigEndian(last) + bigEndian(code.rawValue) + debug)
  }

  static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Frame {
    Frame(type: 8, stream: stream, payload: bigEndian(increment))
  }

  static func priorityUpdate(_ prioritised: UInt32) -> Frame {
    Frame(type: 16, payload: bigEndian(prioritised) + bytes("u=1"))
  }
}

func bigEndian(_ value: UInt32) -> [UInt8] {
  [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
}

/// An event with its ranges made into bytes, or the error that ended the connection.
enum Seen: Equatable {
  case headers(UInt32, HTTP2BlockKind, end: Bool)
  case content(Int, [UInt8], end: Bool)
  case reset(Int, HTTP2ErrorCode)
  case failed(Int, HTTP2ErrorCode)
  case refused(Int)
  case windowOpened(Int)
  case connectionWindowOpened
  case settingsChanged
  case settingsAcknowledged
  case goAway(UInt32, HTTP2ErrorCode)
  case pong(UInt64)
  case error(HTTP2ErrorCode)
}

/// Runs each test twice: with what is received whole, and byte by byte. Both must see the same.
struct WholeAndByteByByte: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    try await function()
    try await Probe.$isByteByByte.withValue(true) { try await function() }
  }
}

extension Trait where Self == WholeAndByteByByte {
  static var wholeAndByteByByte: Self { WholeAndByteByByte() }
}

/// An engine whose peer is written by hand.
final class Probe {
  @TaskLocal static var isByteByByte = false

  var engine: HTTP2Engine
  let output = EngineOutput()
  /// Nanoseconds.
  var now: Int64 = 0
  /// Whether a client's engine is told that each response head is a final one.
  var acceptsHeads = true
  private var held: [UInt8] = []
  private(set) var lastSlot = -1

  init(
    _ role: HTTP2Engine.Role = .server, _ settings: HTTP2LocalSettings = HTTP2LocalSettings(),
    limits: HTTP2Limits = HTTP2Limits()
  ) {
    engine = HTTP2Engine(role: role, settings: settings, limits: limits)
    engine.begin(into: output)
  }

  /// An engine that has the peer's SETTINGS and acknowledgement; what it sent so far is forgotten.
  static func ready(
    _ role: HTTP2Engine.Role = .server, _ settings: HTTP2LocalSettings = HTTP2LocalSettings(),
    limits: HTTP2Limits = HTTP2Limits(), peer: [(UInt16, UInt32)] = []
  ) -> Probe {
    let probe = Probe(role, settings, limits: limits)
    let preface = role == .server ? Probe.preface : []
    probe.feed(preface + Frame.settings(peer).encoded() + Frame.settingsAcknowledgement.encoded())
    _ = probe.sent()
    return probe
  }

  static let preface = bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

  /// The frames that were sent since the last call.
  func sent() -> [Frame] {
    let hasPreface = output.bytes.starts(with: Probe.preface)
    let frames = Frame.parse(Array(output.bytes.dropFirst(hasPreface ? Probe.preface.count : 0)))
    output.bytes = []
    engine.outputSent(Int.max, remaining: 0)
    return frames
  }

  @discardableResult
  func receive(_ frames: Frame...) -> [Seen] { receive(bytes: frames.flatMap { $0.encoded() }) }

  /// Receives bytes, as the test runs whole or byte by byte; returns everything seen, with pieces of
  /// content put together.
  @discardableResult
  func receive(bytes: [UInt8]) -> [Seen] {
    guard Probe.isByteByByte else { return feed(bytes) }
    var seen: [Seen] = []
    for byte in bytes { Probe.merge(feed([byte]), into: &seen) }
    return seen
  }

  private static func merge(_ events: [Seen], into all: inout [Seen]) {
    for event in events {
      if case .content(let slot, let more, let end) = event,
        case .content(let last, let bytes, false)? = all.last, last == slot
      {
        all[all.count - 1] = .content(slot, bytes + more, end: end)
      } else if case .error = event, all.last == event {
        continue
      } else {
        all.append(event)
      }
    }
  }

  /// Receives bytes in one piece.
  @discardableResult
  func feed(_ bytes: [UInt8]) -> [Seen] {
    held += bytes
    var seen: [Seen] = []
    var position = 0
    let input = held
    do throws(HTTP2ConnectionError) {
      while true {
        let event = try engine.next(input.span, position: &position, now: now, into: output)
        if event == .needMore { break }
        Probe.merge([try describe(event, input)], into: &seen)
      }
    } catch {
      seen.append(.error(error.code))
    }
    held.removeFirst(position)
    return seen
  }

  private func describe(_ event: HTTP2Event, _ input: [UInt8]) throws(HTTP2ConnectionError) -> Seen {
    switch event {
    case .needMore: fatalError("not an event to describe")
    case .headers(let block):
      lastSlot = block.slot
      try engine.skipBlock(block, of: input.span)
      if block.kind == .response, acceptsHeads { _ = engine.acceptHead(slot: block.slot, contentLength: nil) }
      return .headers(block.streamID, block.kind, end: block.endsStream)
    case .content(let slot, let range, let end): return .content(slot, Array(input[range.range]), end: end)
    case .streamReset(let slot, let code): return .reset(slot, code)
    case .streamFailed(let slot, let code): return .failed(slot, code)
    case .streamRefused(let slot): return .refused(slot)
    case .windowOpened(let slot): return .windowOpened(slot)
    case .connectionWindowOpened: return .connectionWindowOpened
    case .settingsChanged: return .settingsChanged
    case .settingsAcknowledged: return .settingsAcknowledged
    case .goAway(let last, let code): return .goAway(last, code)
    case .pingAcknowledged(let payload): return .pong(payload)
    }
  }

  // MARK: What the caller does

  /// Sends a head of one field: `:status: 200` or `:method: GET`.
  func sendHead(_ slot: Int, end: Bool = false) {
    engine.encoder.begin()
    engine.encoder.encode(status: 200)
    engine.sendHeaders(slot: slot, endStream: end, into: output)
  }

  func sendContent(_ slot: Int, _ count: Int, end: Bool = false) {
    engine.appendDataHeader(slot: slot, count: count, endStream: end, into: output)
    for _ in 0..<count { output.append(0x61) }
  }

  /// Opens a client's stream and sends its head; returns the slot.
  func request(end: Bool = true) -> Int {
    guard let slot = engine.openStream() else {
      Issue.record("no stream could be opened")
      return -1
    }
    sendHead(slot, end: end)
    return slot
  }
}

// Questions to the engine that can stand in an expectation.
extension Probe {
  func isClosed(_ slot: Int) -> Bool { engine.isClosed(slot: slot) }
  func hasReceivedEnd(_ slot: Int) -> Bool { engine.hasReceivedEnd(slot: slot) }
  func canSend(_ slot: Int) -> Bool { engine.canSend(slot: slot) }
  func streamID(_ slot: Int) -> UInt32 { engine.streamID(slot: slot) }
  func sendWindow(_ slot: Int) -> Int { engine.sendWindow(slot: slot) }
  func sendAllowance(_ slot: Int) -> Int { engine.sendAllowance(slot: slot) }
  var awaitsAcknowledgement: Bool { engine.awaitsSettingsAcknowledgement }
  var activeStreams: Int { engine.activeStreams }
  var slotCount: Int { engine.slotCount }
  var streamsAvailable: Int { engine.streamsAvailable }
  var peerSettings: HTTP2PeerSettings { engine.peerSettings }
  var localSettings: HTTP2LocalSettings { engine.localSettings }
  func openStream() -> Int? { engine.openStream() }
  func announce(_ settings: HTTP2LocalSettings) -> Bool { engine.announce(settings, into: output) }
  func acceptHead(_ slot: Int, _ contentLength: UInt64?) -> Bool {
    engine.acceptHead(slot: slot, contentLength: contentLength)
  }
}

/// Content of a length.
func filler(_ count: Int) -> [UInt8] { Array(repeating: 0x62, count: count) }
