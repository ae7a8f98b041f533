import HTTPCodec
import Runtime

/// A client's connection, or stream, and an endpoint's connection after both agreed to another
/// protocol: bytes go both ways as they are, without a task, and without a buffer while none are
/// under way.
///
/// It takes over from the exchange what the log wants to know, and ends with whichever end fails or
/// with both ends' last bytes.
final class Tunnel: Watcher {
  private let data: DataPlaneWorker
  private let client: ClientSide
  private let upstream: UpstreamConnection
  private let idleNanoseconds: Int64
  private var up: TunnelDirection
  private var down: TunnelDirection
  private var log: TunnelLog
  private var isEnded = false
  var listPosition = -1

  /// Receives of either direction before others have their turn.
  private static let receivesPerRound = 16

  /// Takes over a client and an endpoint; the exchange is given back.
  init(_ exchange: Exchange, client: ClientSide, upstream: UpstreamConnection) {
    data = exchange.data
    self.client = client
    self.upstream = upstream
    idleNanoseconds = upstream.service.settings.tunnelNanoseconds
    let isWebSocket = exchange.upgradesToWebSocket
    up = TunnelDirection(followsFrames: isWebSocket, closeFrame: WebSocketFrames.goingAwayMasked)
    down = TunnelDirection(followsFrames: isWebSocket, closeFrame: WebSocketFrames.goingAway)
    log = TunnelLog(exchange)
    super.init(on: exchange.worker)
    // What the client sent behind its head, and the endpoint behind its own.
    up.begin(head: nil, exchange.input, from: exchange.request.byteCount, on: worker)
    down.begin(head: exchange.toClient, exchange.response, from: 0, on: worker)
    exchange.letGo()
    data.give(exchange)
  }

  func begin() {
    data.tunnels.add(self)
    data.counters.figures.tunnels += 1
    client.transport.watcher = self
    upstream.transport.watcher = self
    advance()
  }

  override func socketIsReady(_ socket: Transport) { advance() }

  override func deadlinePassed() { end() }

  private func advance() {
    if isEnded { return }
    if let stream = client.stream, stream.isReset { return end() }
    client.transport.interest = .peerClosed
    upstream.transport.interest = .peerClosed
    var rounds = 0
    var isBusy = true
    while isBusy {
      isBusy = false
      switch up.advance(from: client.transport, to: upstream.transport) {
      case .failed: return end()
      case .more: isBusy = true
      case .waits: break
      }
      switch down.advance(from: upstream.transport, to: client.transport) {
      case .failed: return end()
      case .more: isBusy = true
      case .waits: break
      }
      rounds += 1
      if isBusy && rounds == Self.receivesPerRound {
        // The next look comes at once, but behind everybody else's.
        client.transport.interest = []
        upstream.transport.interest = []
        return worker.spawn { self.advance() }
      }
    }
    if up.hasFinished && down.hasFinished {
      // TLS may hold what the system has not taken.
      if !client.transport.hasUnsentBytes && !upstream.transport.hasUnsentBytes { return end() }
      client.transport.interest.insert(.writable)
      upstream.transport.interest.insert(.writable)
    }
    stopLookingAtEnds()
    setDeadline(worker.now.advanced(byNanoseconds: idleNanoseconds))
  }

  /// An end that has said its last is reported as closed for ever: it must not be asked about that.
  private func stopLookingAtEnds() {
    // Of a stream, `peerClosed` says that it was reset, which is news.
    if up.hasEnded {
      client.transport.interest.subtract(client.stream == nil ? [.readable, .peerClosed] : .readable)
    }
    if down.hasEnded { upstream.transport.interest.subtract([.readable, .peerClosed]) }
  }

  /// Tells both ends that the gateway goes away, where the protocol has a way to say so.
  func drain() {
    up.closeWhenPossible()
    down.closeWhenPossible()
    advance()
  }

  func end() {
    if isEnded { return }
    isEnded = true
    cancelDeadline()
    data.tunnels.remove(self)
    data.counters.figures.tunnels -= 1
    up.drop(on: worker)
    down.drop(on: worker)
    let service = upstream.service
    let endpoint = upstream.endpoint
    service.close(upstream)
    endpoint.inFlight -= 1
    service.requestEnded()
    log.finish(on: data, received: up.byteCount, sent: down.byteCount)
    client.transport.watcher = client
    client.tunnelEnded()
  }
}

/// The tunnels of a worker.
struct TunnelList {
  private var tunnels: [Tunnel] = []

  mutating func add(_ tunnel: Tunnel) {
    tunnel.listPosition = tunnels.count
    tunnels.append(tunnel)
  }

  mutating func remove(_ tunnel: Tunnel) {
    let last = tunnels.removeLast()
    if last !== tunnel {
      tunnels[tunnel.listPosition] = last
      last.listPosition = tunnel.listPosition
    }
    tunnel.listPosition = -1
  }

  func drain() { for tunnel in tunnels { tunnel.drain() } }

  func abort() { for tunnel in tunnels { tunnel.end() } }
}
