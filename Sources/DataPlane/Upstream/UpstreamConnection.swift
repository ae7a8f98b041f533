import Runtime
import TLS

/// What carries one exchange to an endpoint: a connection of HTTP/1, leased or idle in its endpoint's
/// pool, or a stream on a connection of HTTP/2.
///
/// While idle, a connection watches itself: anything that the endpoint does, closing or sending
/// unasked, takes it out of the pool at once.
final class UpstreamConnection: Watcher {
  let transport: Transport
  /// ``transport`` where it is a stream of HTTP/2.
  let stream: HTTP2Stream?
  /// Of a stream: its connection.
  private(set) var multiplexer: HTTP2UpstreamConnection?
  private(set) var endpoint: Endpoint
  private(set) var service: UpstreamService
  let openedAt: MonotonicTime
  /// The service's TLS settings that it was opened with.
  let tlsGeneration: UInt32
  /// The endpoint may send little ahead.
  let hasSmallWindow: Bool
  /// Exchanges that were completed on it.
  var exchangeCount = 0
  /// Where it stands in its endpoint's pool; -1 while leased.
  fileprivate var poolPosition = -1

  init(_ socket: Socket, to endpoint: Endpoint, of service: UpstreamService, on worker: Worker) {
    transport = socket
    stream = nil
    self.endpoint = endpoint
    self.service = service
    tlsGeneration = service.tlsGeneration
    hasSmallWindow = socket.hasSmallWindow
    openedAt = worker.now
    super.init(on: worker)
  }

  /// A lease of streams, one after another; the first is one of `connection`.
  init(streamsOf connection: HTTP2UpstreamConnection) {
    let stream = HTTP2Stream(on: connection.worker)
    transport = stream
    self.stream = stream
    endpoint = connection.endpoint
    service = connection.service
    tlsGeneration = 0
    hasSmallWindow = false
    openedAt = connection.worker.now
    super.init(on: connection.worker)
  }

  /// Takes up a stream of a connection.
  func lease(_ connection: HTTP2UpstreamConnection) {
    multiplexer = connection
    endpoint = connection.endpoint
    service = connection.service
  }

  /// Forgets the stream's connection.
  func returned() { multiplexer = nil }

  /// Whether an exchange before this one has used it, so that the endpoint may be closing it now.
  /// A stream's connection says so (GOAWAY), or it was lost with what it carried.
  var isReused: Bool { exchangeCount > 0 && stream == nil }

  override func socketIsReady(_ socket: Transport) {
    // TLS may have taken a ticket that came late, and nothing else.
    if !socket.isQuiet() { service.discard(self) }
  }

  override func deadlinePassed() { service.discard(self) }
}
/// The idle connections of one worker to one endpoint: last in, first out, so that a falling load
/// lets the surplus age and close.
struct ConnectionPool {
  private var idle: [UpstreamConnection] = []

  var count: Int { idle.count }

  mutating func takeLast() -> UpstreamConnection? {
    guard let connection = idle.popLast() else { return nil }
    connection.poolPosition = -1
    return connection
  }

  mutating func put(_ connection: UpstreamConnection) {
    connection.poolPosition = idle.count
    idle.append(connection)
  }

  /// Those that there are, for good.
  mutating func takeAll() -> [UpstreamConnection] {
    for connection in idle { connection.poolPosition = -1 }
    defer { idle = [] }
    return idle
  }

  /// - Returns: whether it was there.
  mutating func remove(_ connection: UpstreamConnection) -> Bool {
    let position = connection.poolPosition
    guard position >= 0 else { return false }
    connection.poolPosition = -1
    let last = idle.removeLast()
    if last !== connection {
      idle[position] = last
      last.poolPosition = position
    }
    return true
  }
}
