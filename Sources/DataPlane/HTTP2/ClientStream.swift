import HTTPCodec
import Runtime

/// The client's side of an exchange that came on a stream of HTTP/2. Reused for one stream after another.
final class ClientStream: ClientSide {
  private var owner: ClientConnection
  /// Its request has been decoded, and nothing was done with it.
  private(set) var isNew = false
  /// What the head is refused for.
  var headError: HTTP1Error?

  init(for owner: ClientConnection) {
    self.owner = owner
    let stream = HTTP2Stream(on: owner.worker)
    super.init(
      stream, stream: stream, peer: owner.peer, listener: owner.listener, data: owner.data, isTLS: owner.isTLS
    )
  }

  /// Takes up another connection's stream.
  func reuse(for owner: ClientConnection) {
    self.owner = owner
    peer = owner.peer
    listener = owner.listener
    isTLS = owner.isTLS
    isAborted = false
    mustReset = false
    headError = nil
    mustRefuse = nil
  }

  override var connection: ClientConnection { owner }

  func begin(_ exchange: Exchange) {
    exchange.begin(on: self)
    self.exchange = exchange
    isNew = true
  }

  /// Serves the request, with what came of its content.
  func start() {
    guard let exchange else { return }
    isNew = false
    if stream!.isReset {
      // The client broke a rule, or changed its mind, before anything was done.
      return exchangeEnded(exchange, keep: false)
    }
    if data.isShedding { mustRefuse = data.admission.refusal() }
    proceed(exchange, exchange.startStream(headError))
  }

  override func exchangeEnded(_ exchange: Exchange, keep: Bool) {
    self.exchange = nil
    end()
    data.give(exchange)
    data.give(self)
  }

  override func serve() async {
    guard let exchange else { return }
    self.exchange = nil
    switch await exchange.serveStream() {
    case .tunnel(let upstream): return Tunnel(exchange, client: self, upstream: upstream).begin()
    default: break
    }
    end()
    data.give(exchange)
    data.give(self)
  }

  override func tunnelEnded() {
    end()
    data.give(self)
  }

  /// Ends the stream, whatever its state.
  func end() {
    state = .served
    cancelDeadline()
    let http2 = owner.http2
    if mustReset || isAborted { stream!.fail(.internalError) }
    stream!.side = nil
    transport.close(reset: mustReset || isAborted)
    http2?.exchangeEnded()
  }
}
