import HTTPCodec
import Runtime

/// What an origin does about a request, step by step. After the last step it reads what is left of
/// the request's content and goes on with the next request.
///
/// `@unchecked Sendable`: a program that it holds belongs to one simulation, which has one thread.
public enum OriginStep: @unchecked Sendable {
  case delay(Duration)
  /// Reads the request's content.
  case readContent
  /// Reads slowly from here on.
  case pace(SimulatedStream.Pace)
  /// A response with a length.
  case respond(Int, fields: [String] = [], body: [UInt8] = [])
  /// A response in chunks, or in frames without a length.
  case respondChunked(
    Int, fields: [String] = [], body: [UInt8] = [], size: Int = 1_000, trailers: [String] = [])
  /// An interim response.
  case interim(Int, fields: [String] = [])
  /// Bytes as they are.
  case send([UInt8])
  case close
  case reset
  /// Does nothing more on this connection; keeps it open until the other side ends it.
  case hang

  /// HTTP/1 only: a program of its own takes the connection over, until it closes.
  case tunnel((SimulatedStream) async throws(StreamFailure) -> Void)

  // HTTP/2 only.

  /// A final head alone.
  case head(Int, fields: [String] = [], ends: Bool = false)
  /// Content behind a head.
  case content([UInt8])
  /// The end of the content, and trailers where there are some.
  case end(trailers: [String] = [])
  /// Resets the stream; the connection goes on.
  case resetStream(HTTP2ErrorCode)
  /// Takes no more streams: this one is the last, or not even that.
  case goAway(accepts: Bool)
  case announce(HTTP2LocalSettings)

  /// An answer to the whole request.
  public static func answer(_ text: String) -> [OriginStep] {
    [.readContent, .respond(200, body: Array(text.utf8))]
  }
}

/// A server behind the gateway: a host with a worker of its own, which answers as a script says.
public final class SimulatedOrigin {
  public let worker: Worker
  public let address: SocketAddress
  /// What it does about a request, by its head and number, counted from 0. To be set before requests come.
  public var script: (SimulatedRequest, Int) -> [OriginStep] = { _, _ in OriginStep.answer("ok") }
  /// Requests whose head it has read, in their order; content is added as it is read.
  public internal(set) var requests: [SimulatedRequest] = []
  public private(set) var connectionCount = 0
  /// Connections that are open now.
  public internal(set) var openCount = 0
  /// How its connections ended, other than by the other side between requests.
  public internal(set) var failures: [StreamFailure] = []
  /// Rules of HTTP/2 that the other side broke.
  public var violations: [String] = []
  private var streams: [SimulatedStream] = []
  /// Speaks HTTP/2 with everybody, and nothing else.
  public let speaksHTTP2: Bool
  /// What it announces; to be set before connections come.
  public var http2Settings = HTTP2LocalSettings()
  /// Content is released as it comes.
  public var http2ReleasesContent = true
  public internal(set) var http2Connections: [SimulatedHTTP2Connection] = []
  /// The connection that it accepted last, of those that are open.
  public var newestStream: SimulatedStream? { streams.last }
  private var listener: Socket?
  private let acceptor: Waiter

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - backlog: connections that may wait to be accepted.
  ///   - accepts: whether it takes connections before ``startAccepting()``.
  public init(
    _ simulation: Simulation, address: SocketAddress, backlog: Int32 = 128, accepts: Bool = true,
    speaksHTTP2: Bool = false
  ) {
    self.address = address
    self.speaksHTTP2 = speaksHTTP2
    worker = simulation.addWorker(host: address)
    acceptor = Waiter(on: worker)
    listen(backlog: backlog)
    // Without a task that takes them, the reports of waiting connections would never end.
    if accepts { startAccepting() } else { setAccepting(false) }
  }

  /// Opens its listener again after ``stop()``.
  public func restart() {
    listen(backlog: 128)
    startAccepting()
  }

  private func listen(backlog: Int32) {
    do {
      let socket = try Socket.listen(on: address, backlog: backlog, worker: worker)
      socket.watcher = acceptor
      listener = socket
    } catch {
      preconditionFailure("an origin cannot listen: \(error)")
    }
  }

  /// Takes the connections that wait and those that come.
  public func startAccepting() {
    setAccepting(true)
    worker.spawn { await self.acceptConnections() }
  }

  private func setAccepting(_ accepting: Bool) {
    if let listener { worker.seam.setAccepting(accepting, on: listener.handle) }
  }

  /// Closes the listener, and the open connections too where `reset`: the server has died.
  public func stop(reset: Bool = false) {
    listener?.close()
    listener = nil
    acceptor.wake()
    guard reset else { return }
    for stream in streams { stream.reset() }
    for connection in http2Connections { connection.reset() }
  }

  /// Closes the connections that are open now.
  public func closeConnections() {
    for stream in streams { stream.close() }
    for connection in http2Connections { connection.close() }
  }

  private func acceptConnections() async {
    guard let socket = listener else { return }
    while socket.isOpen {
      var peer = SocketAddress.any
      let result = worker.seam.accept(from: socket.handle, peer: &peer)
      if result.bytes >= 0 {
        let number = connectionCount
        connectionCount += 1
        let socket = Socket(accepted: Int32(result.bytes), on: worker)
        if speaksHTTP2 {
          serveHTTP2(socket, number: number)
          continue
        }
        let stream = SimulatedStream(socket)
        worker.spawn { await self.serve(stream, number: number) }
        continue
      }
      socket.forgetReadiness()
      _ = await acceptor.wait(for: socket, .readable, until: .never)
    }
  }

  private func serve(_ stream: SimulatedStream, number: Int) async {
    openCount += 1
    streams.append(stream)
    do throws(StreamFailure) {
      while stream.isOpen {
        guard let reading = try await stream.readRequestHead() else { break }
        var request = reading.request
        request.connection = number
        request.wire = stream.number
        let index = requests.count
        requests.append(request)
        try await perform(script(request, index), on: stream, request: index, reading)
      }
    } catch {
      failures.append(error)
    }
    stream.close()
    streams.removeAll { $0 === stream }
    openCount -= 1
  }

  private func perform(
    _ steps: [OriginStep], on stream: SimulatedStream, request index: Int, _ reading: RequestReading
  ) async throws(StreamFailure) {
    for step in steps {
      switch step {
      case .delay(let duration): await stream.sleep(duration)
      case .readContent:
        try await readContent(of: index, reading.framing, from: stream, reading.expectsContinue)
      case .pace(let pace): stream.pace = pace
      case .respond(let status, let fields, let body):
        try await stream.send(Self.head(status, fields + ["Content-Length: \(body.count)"]) + body)
      case .respondChunked(let status, let fields, let body, let size, let trailers):
        let head = Self.head(status, fields + ["Transfer-Encoding: chunked"])
        try await stream.send(head + SimulatedClient.chunks(body, size: size, trailers: trailers))
      case .interim(let status, let fields): try await stream.send(Self.head(status, fields))
      case .send(let bytes): try await stream.send(bytes)
      case .close: return stream.close()
      case .reset: return stream.reset()
      case .hang:
        try await stream.waitForClose()
        return stream.close()
      case .tunnel(let program):
        try await program(stream)
        return stream.close()
      case .head, .content, .end, .resetStream, .goAway, .announce: preconditionFailure("HTTP/2 only")
      }
    }
    try await readContent(of: index, reading.framing, from: stream, false)
  }

  private func readContent(
    of index: Int, _ framing: BodyFraming, from stream: SimulatedStream, _ expectsContinue: Bool
  ) async throws(StreamFailure) {
    if requests[index].isComplete { return }
    if expectsContinue { try await stream.send("HTTP/1.1 100 Continue\r\n\r\n") }
    requests[index].trailers = try await stream.readContent(framing) { self.requests[index].body += $0 }
    requests[index].isComplete = true
  }

  private static func head(_ status: Int, _ fields: [String]) -> [UInt8] {
    var text = "HTTP/1.1 \(status) Simulated\r\n"
    for field in fields { text += field + "\r\n" }
    return Array((text + "\r\n").utf8)
  }
}
