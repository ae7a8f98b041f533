import Glibc
import HTTPCodec
import Runtime

/// A connection in the hands of a simulated client or origin, with calls that suspend.
///
/// Used by tasks of its worker, one at a time in each direction.
public final class SimulatedStream {
  /// How slowly it reads.
  public struct Pace: Sendable {
    public var bytes: Int
    public var pause: Duration

    public init(bytes: Int, pause: Duration) {
      self.bytes = bytes
      self.pause = pause
    }
  }

  public let worker: Worker
  let socket: Socket
  /// The number of its connection in the network.
  public let number: Int
  private let reader: Waiter
  private let writer: Waiter
  private let relay: Relay
  private let input = Buffer(capacity: 16_384)
  /// Reads at most so much at a time, with pauses; `nil`: as fast as it comes.
  public var pace: Pace?
  /// How long a call waits before it fails with `timedOut`.
  public var patience = Duration.seconds(3_600)
  public private(set) var isOpen = true
  /// Bytes received so far.
  public private(set) var receivedCount = 0
  /// Bytes that the system took over so far.
  public private(set) var sentCount = 0

  /// Passes a socket's news to a reading and a writing task, which may wait at once.
  private final class Relay: Watcher {
    var reader: Waiter?
    var writer: Waiter?

    override func socketIsReady(_ socket: Transport) {
      reader?.wake()
      writer?.wake()
    }
  }

  init(_ socket: Socket) {
    self.socket = socket
    worker = socket.worker
    number = (socket.worker.seam as? SimulatedSeam)?.connectionNumber(of: socket.handle) ?? 0
    reader = Waiter(on: worker)
    writer = Waiter(on: worker)
    relay = Relay(on: worker)
    relay.reader = reader
    relay.writer = writer
    socket.watcher = relay
    socket.interest = [.readable, .writable, .peerClosed]
  }

  /// How long an attempt to connect may take: as long as Linux repeats it.
  private static let connectPatience = Duration.seconds(130)

  /// Connects to a listener.
  public static func connect(to address: SocketAddress, on worker: Worker) async throws(StreamFailure)
    -> SimulatedStream
  {
    let socket: Socket
    do {
      socket = try Socket(connectingTo: address, on: worker)
    } catch {
      throw .refused
    }
    let stream = SimulatedStream(socket)
    let deadline = worker.now.advanced(byNanoseconds: connectPatience.inNanoseconds)
    while !socket.readiness.contains(.writable) {
      guard await stream.writer.sleep(until: deadline) != .deadline else {
        stream.close()
        throw .timedOut
      }
    }
    if socket.connectError() != nil {
      stream.close()
      throw .refused
    }
    return stream
  }

  /// The connection ended in some way, as far as this side has been told.
  public var peerHasClosed: Bool { socket.readiness.contains(.peerClosed) }

  public func sleep(_ duration: Duration) async {
    await Waiter(on: worker).sleep(until: worker.now.advanced(byNanoseconds: duration.inNanoseconds))
  }

  // MARK: Sending

  public func send(_ text: String) async throws(StreamFailure) { try await send(Array(text.utf8)) }

  public func send(_ bytes: [UInt8]) async throws(StreamFailure) {
    let buffer = Buffer(capacity: max(bytes.count, 1))
    buffer.append(bytes)
    while !buffer.isEmpty {
      guard isOpen else { throw .closed }
      let result = socket.send(buffer)
      if result.isError { throw .reset }
      if result.isWouldBlock {
        let deadline = worker.now.advanced(byNanoseconds: patience.inNanoseconds)
        if await writer.sleep(until: deadline) == .deadline { throw .timedOut }
        continue
      }
      sentCount += result.bytes
      buffer.consume(result.bytes)
    }
  }

  /// Sends in pieces of `size` bytes, with pauses between them.
  public func trickle(_ bytes: [UInt8], size: Int, pause: Duration) async throws(StreamFailure) {
    for start in stride(from: 0, to: bytes.count, by: size) {
      if start > 0 { await sleep(pause) }
      try await send(Array(bytes[start..<min(start + size, bytes.count)]))
    }
  }

  /// Tells the other side that nothing more will be sent.
  public func finish() { if isOpen { socket.shutdownSending() } }

  public func close() { end(reset: false) }

  public func reset() { end(reset: true) }

  private func end(reset: Bool) {
    guard isOpen else { return }
    isOpen = false
    socket.close(reset: reset)
    reader.wake()
    writer.wake()
  }

  // MARK: Receiving

  /// Receives more.
  /// - Returns: false when the other side has finished.
  private func fill() async throws(StreamFailure) -> Bool {
    if let pace { await sleep(pace.pause) }
    let deadline = worker.now.advanced(byNanoseconds: patience.inNanoseconds)
    while true {
      guard isOpen else { throw .closed }
      input.reserve(4_096)
      let result = socket.receive(into: input, atMost: pace?.bytes ?? .max)
      if result.isError { throw .reset }
      if result.isWouldBlock {
        if await reader.sleep(until: deadline) == .deadline { throw .timedOut }
        continue
      }
      receivedCount += result.bytes
      return result.bytes > 0
    }
  }

  /// Whether something came that was not asked for by a call: received already, or about to be.
  public var hasUnreadBytes: Bool {
    guard isOpen else { return !input.isEmpty }
    input.reserve(1)
    return !input.isEmpty || socket.receive(into: input).bytes > 0
  }

  private func require() async throws(StreamFailure) {
    guard try await fill() else { throw .cutShort }
  }

  /// So many bytes, as they are.
  public func read(_ count: Int) async throws(StreamFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      if input.isEmpty { try await require() }
      bytes += input.takeBytes(min(count - bytes.count, input.count))
    }
    return bytes
  }

  /// Everything up to the other side's end.
  public func readUntilClose() async throws(StreamFailure) -> [UInt8] {
    while try await fill() {}
    return input.takeBytes(input.count)
  }

  /// Waits until the other side ends the connection; what it sends is let go.
  public func waitForClose() async throws(StreamFailure) {
    while try await fill() { input.removeAll() }
  }

  // MARK: Messages

  /// Reads a response, interim ones before it, and its content.
  ///
  /// - Parameter method: of the request that it answers.
  public func readResponse(to method: HTTPMethod = .get) async throws(StreamFailure) -> SimulatedResponse {
    var response = SimulatedResponse()
    var reading = ResponseReading(method: method)
    while true {
      guard try reading.parse(input, into: &response) else {
        let isEmpty = input.isEmpty && response.interim.isEmpty
        guard try await fill() else { throw isEmpty ? .closed : .cutShort }
        continue
      }
      if reading.isFinal { break }
    }
    response.trailers = try await readContent(reading.framing) { response.body += $0 }
    return response
  }

  /// Waits for 100 (Continue), then sends content (RFC 9110 §10.1.1).
  public func sendAfterContinue(_ content: [UInt8]) async throws(StreamFailure) {
    var response = SimulatedResponse()
    var reading = ResponseReading(method: .post)
    while try !reading.parse(input, into: &response) { try await require() }
    guard response.interim == [100] else { throw .cutShort }
    try await send(content)
  }

  /// Reads a request's head, or returns `nil` when the other side has finished.
  func readRequestHead() async throws(StreamFailure) -> RequestReading? {
    var reading = RequestReading()
    while try !reading.parse(input) {
      guard try await fill() else {
        if input.isEmpty { return nil }
        throw .cutShort
      }
    }
    return reading
  }

  /// Reads a message's content, whatever its framing, and gives it to `take` without the framing, as
  /// it comes.
  /// - Returns: the trailers.
  @discardableResult
  func readContent(
    _ framing: BodyFraming, _ take: ([UInt8]) -> Void
  ) async throws(StreamFailure) -> [SimulatedField] {
    switch framing {
    case .none: break
    case .length(let length):
      var remaining = Int(length)
      while remaining > 0 {
        if input.isEmpty { try await require() }
        let piece = input.takeBytes(min(remaining, input.count))
        remaining -= piece.count
        take(piece)
      }
    case .untilClose, .untilEndOfStream:
      repeat { take(input.takeBytes(input.count)) } while try await fill()
    case .chunked:
      var decoder = ChunkedDecoder()
      while true {
        if let trailers = try decoder.decode(input, take) { return trailers }
        try await require()
      }
    }
    return []
  }
}
