import Runtime

/// A connection to an endpoint: leased to one exchange, or idle in its endpoint's pool.
///
/// While idle it watches itself: anything that the endpoint does, closing or sending unasked,
/// takes it out of the pool at once.
final class UpstreamConnection: Watcher {
  let socket: Socket
  let endpoint: Endpoint
  let service: UpstreamService
  let openedAt: MonotonicTime
  /// Exchanges that were completed on it.
  var exchangeCount = 0
  /// Where it stands in its endpoint's pool; -1 while leased.
  fileprivate var poolPosition = -1

  init(_ socket: Socket, to endpoint: Endpoint, of service: UpstreamService, on worker: Worker) {
    self.socket = socket
    self.endpoint = endpoint
    self.service = service
    openedAt = worker.now
    super.init(on: worker)
  }

  /// Whether an exchange before this one has used it, so that the endpoint may be closing it now.
  var isReused: Bool { exchangeCount > 0 }

  override func socketIsReady(_ socket: Socket) { service.discard(self) }

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

  mutating func remove(_ connection: UpstreamConnection) {
    let position = connection.poolPosition
    guard position >= 0 else { return }
    connection.poolPosition = -1
    let last = idle.removeLast()
    if last !== connection {
      idle[position] = last
      last.poolPosition = position
    }
  }
}
