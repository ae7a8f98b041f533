import DataPlane
import HTTPCodec
import Runtime

/// A connection of HTTP/2 in the hands of a simulated client or origin.
///
/// It reads by itself, as events come; the tasks of its streams wait for what they need.
public final class SimulatedHTTP2Connection: Watcher {
  let socket: Socket
  /// The number of its connection in the network.
  public let number: Int
  var engine: HTTP2Engine
  private let input = Buffer(capacity: 32_768)
  private let output = Buffer(capacity: 32_768)
  private var streams: [SimulatedHTTP2Stream?] = []
  /// What the streams that the other side opens are given to.
  var accept: ((SimulatedHTTP2Stream) -> Void)?
  public private(set) var isOpen = true
  /// GOAWAY frames that came, in their order.
  public private(set) var goAways: [(lastStreamID: UInt32, code: HTTP2ErrorCode)] = []
  /// Bytes received so far.
  public private(set) var receivedCount = 0
  /// The rule that the other side broke.
  public private(set) var violation: HTTP2ConnectionError?
  /// The other side has reset the connection.
  public private(set) var wasReset = false
  /// What GOAWAY said that is processed.
  private var lastStreamTaken = UInt32.max
  /// Content of its streams is released as it comes, unless a stream says otherwise.
  public var releasesContent = true
  /// How long a call waits before it fails with `timedOut`.
  public var patience = Duration.seconds(3_600)
  /// What has changed for all its streams.
  let news: Signal

  /// While false, nothing is received, and the other side's bytes pile up.
  public var isReading = true {
    didSet { if isReading { receive() } }
  }

  init(_ socket: Socket, role: HTTP2Engine.Role, settings: HTTP2LocalSettings) {
    self.socket = socket
    number = (socket.worker.seam as? SimulatedSeam)?.connectionNumber(of: socket.handle) ?? 0
    // What a gateway under test sends must not be taken for abuse.
    var limits = HTTP2Limits()
    limits.pings.burst = 1_000_000
    limits.windowUpdates.burst = 1_000_000
    limits.tinyWindowUpdates.burst = 1_000_000
    limits.ignoredFrames.burst = 1_000_000
    limits.unsentAnswerBytes = 1 << 24
    engine = HTTP2Engine(role: role, settings: settings, limits: limits)
    news = Signal(on: socket.worker)
    super.init(on: socket.worker)
    socket.watcher = self
    socket.interest = [.readable, .peerClosed]
    engine.begin(into: output)
    flush()
    receive()
  }

  /// Connects to a listener that is known to speak HTTP/2.
  public static func connect(
    to address: SocketAddress, on worker: Worker, settings: HTTP2LocalSettings = HTTP2LocalSettings()
  ) async throws(StreamFailure) -> SimulatedHTTP2Connection {
    let stream = try await SimulatedStream.connect(to: address, on: worker)
    return SimulatedHTTP2Connection(stream.socket, role: .client, settings: settings)
  }

  public var openStreamCount: Int { engine.activeStreams }
  /// What the other side announced.
  public var peerSettings: HTTP2PeerSettings { engine.peerSettings }

  // MARK: Receiving

  override public func socketIsReady(_ transport: Transport) {
    if !isOpen { return }
    if socket.readiness.contains(.writable) { flush() }
    if isReading { receive() }
  }

  private func receive() {
    while isOpen && isReading && !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) {
      let result = socket.receive(into: input)
      if result.isWouldBlock { break }
      guard result.bytes > 0 else {
        wasReset = result.isError
        return end(reset: false)
      }
      receivedCount += result.bytes
      take()
    }
  }

  private func take() {
    let input = input
    do throws(HTTP2ConnectionError) {
      let consumed = try takeFrames(input.bytes)
      input.consume(consumed)
    } catch {
      violation = error
      engine.goAway(error.code, into: output)
      flush()
      return end(reset: false)
    }
    flush()
  }

  private func takeFrames(_ bytes: Span<UInt8>) throws(HTTP2ConnectionError) -> Int {
    var position = 0
    while true {
      switch try engine.next(bytes, position: &position, now: worker.now.nanoseconds, into: output) {
      case .needMore: return position
      case .headers(let block): try takeHeaders(block, bytes)
      case .content(let slot, let range, let endsStream):
        guard let stream = stream(at: slot) else {
          engine.release(Int(range.count), slot: slot, into: output)
          continue
        }
        stream.contentArrived(bytes.extracting(range.range), endsStream: endsStream)
      case .streamReset(let slot, let code): stream(at: slot)?.wasReset(code)
      case .streamFailed(let slot, let code): stream(at: slot)?.hasFailed(code)
      case .streamRefused(let slot): stream(at: slot)?.wasReset(.refusedStream)
      case .windowOpened(let slot): stream(at: slot)?.news.notify()
      case .connectionWindowOpened, .settingsChanged: notifyAll()
      case .settingsAcknowledged, .pingAcknowledged: news.notify()
      case .goAway(let last, let code):
        goAways.append((last, code))
        notifyAll()
      }
    }
  }

  private func takeHeaders(_ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>) throws(HTTP2ConnectionError) {
    if block.kind == .request {
      // Beyond what GOAWAY promised to process, nothing is.
      if block.streamID > lastStreamTaken { return try engine.skipBlock(block, of: bytes) }
      add(SimulatedHTTP2Stream(self, slot: block.slot))
    }
    guard let stream = stream(at: block.slot) else { return try engine.skipBlock(block, of: bytes) }
    do throws(HTTP2BlockError) {
      try stream.takeHeaders(block, bytes)
    } catch {
      if case .connection(let code) = error { throw HTTP2ConnectionError(code, "a block cannot be decoded") }
      stream.reset(.protocolError)
    }
    if block.kind == .request { accept?(stream) }
  }

  // MARK: Streams

  private func stream(at slot: Int) -> SimulatedHTTP2Stream? { slot < streams.count ? streams[slot] : nil }

  private func add(_ stream: SimulatedHTTP2Stream) {
    while streams.count <= stream.slot { streams.append(nil) }
    streams[stream.slot] = stream
  }

  /// Gives a stream's place back once it is over; what is still open is reset.
  func free(_ stream: SimulatedHTTP2Stream) {
    guard self.stream(at: stream.slot) === stream else { return }
    streams[stream.slot] = nil
    engine.free(slot: stream.slot, into: output)
    flush()
    news.notify()
  }

  /// Waits for room for one more stream, and opens it.
  public func openStream() async throws(StreamFailure) -> SimulatedHTTP2Stream {
    let deadline = worker.now.advanced(byNanoseconds: patience.inNanoseconds)
    while true {
      guard isOpen else { throw .closed }
      if let slot = engine.openStream() {
        let stream = SimulatedHTTP2Stream(self, slot: slot)
        add(stream)
        return stream
      }
      if !goAways.isEmpty { throw .refused }
      guard await news.wait(until: deadline) else { throw .timedOut }
    }
  }

  private func notifyAll() {
    news.notify()
    for stream in streams { stream?.news.notify() }
  }

  // MARK: Sending

  /// Calls `body` with the engine and its output, and sends what it appended.
  func write(_ body: (inout HTTP2Engine, Buffer) -> Void) {
    guard isOpen else { return }
    body(&engine, output)
    flush()
  }

  /// Sends bytes as they are.
  public func sendRaw(_ bytes: [UInt8]) { write { _, output in output.append(bytes) } }

  /// Announces other settings.
  public func announce(_ settings: HTTP2LocalSettings) {
    write { engine, output in _ = engine.announce(settings, into: output) }
  }

  /// Says that streams above one are not processed, and that no more are taken.
  public func sendGoAway(lastStreamID: UInt32, code: HTTP2ErrorCode = .noError) {
    lastStreamTaken = min(lastStreamTaken, lastStreamID)
    sendRaw(Self.frame(type: 7, streamID: 0, Self.word(lastStreamTaken) + Self.word(code.rawValue)))
  }

  /// The bytes of a frame.
  public static func frame(type: UInt8, flags: UInt8 = 0, streamID: UInt32, _ payload: [UInt8] = [])
    -> [UInt8]
  {
    let length = payload.count
    return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
      + word(streamID) + payload
  }

  public static func word(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }

  private func flush() {
    while isOpen && !output.isEmpty && socket.readiness.contains(.writable) {
      let result = socket.send(output)
      if result.isError {
        wasReset = true
        return end(reset: false)
      }
      if result.isWouldBlock { break }
      output.consume(result.bytes)
      engine.outputSent(result.bytes, remaining: output.count)
    }
    guard isOpen else { return }
    if output.isEmpty { socket.interest.remove(.writable) } else { socket.interest.insert(.writable) }
  }

  // MARK: The end

  public func close() { end(reset: false) }

  public func reset() { end(reset: true) }

  private func end(reset: Bool) {
    guard isOpen else { return }
    isOpen = false
    socket.close(reset: reset)
    for stream in streams { stream?.connectionEnded() }
    streams.removeAll()
    news.notify()
  }

  public func sleep(_ duration: Duration) async {
    await Waiter(on: worker).sleep(until: worker.now.advanced(byNanoseconds: duration.inNanoseconds))
  }

  /// Waits until the other side ends the connection.
  public func waitForClose() async throws(StreamFailure) {
    let deadline = worker.now.advanced(byNanoseconds: patience.inNanoseconds)
    while isOpen {
      guard await news.wait(until: deadline) else { throw .timedOut }
    }
  }
}

/// Something that several tasks of a worker wait for.
public final class Signal {
  private let worker: Worker
  private var waiters: [Waiter] = []

  public init(on worker: Worker) { self.worker = worker }

  public func notify() {
    let woken = waiters
    waiters.removeAll()
    for waiter in woken { waiter.wake() }
  }

  /// - Returns: false when the time is over.
  public func wait(until deadline: MonotonicTime) async -> Bool {
    let waiter = Waiter(on: worker)
    waiters.append(waiter)
    let wake = await waiter.sleep(until: deadline)
    waiters.removeAll { $0 === waiter }
    waiter.cancelDeadline()
    return wake != .deadline
  }
}
