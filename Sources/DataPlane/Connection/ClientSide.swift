import HTTPCodec
import Runtime

/// The client's side of an exchange: a connection of HTTP/1, or a stream of an HTTP/2 connection.
///
/// The usual request is served by calls from the event loop, without a task; one that has to wait for
/// anything but its response gets a task.
class ClientSide: Waiter {
  enum State {
    /// No request is in flight.
    case idle
    /// The exchange's request is on its way, and only its response is missing.
    case awaitsResponse
    /// A task serves it.
    case served
  }

  final let data: DataPlaneWorker
  /// Where content comes from and goes to.
  final let transport: Transport
  /// ``transport`` where it is a stream of HTTP/2.
  final let stream: HTTP2Stream?
  final var listener: BoundListener
  /// The other end of the connection, or what a PROXY header says.
  final var peer: SocketAddress
  /// It came by TLS, or by a connection that is to begin with it.
  final var isTLS: Bool
  /// The client speaks HTTP on a listener that expects TLS.
  final var isPlainOnTLS = false
  /// The gateway ends it in the middle of whatever it does.
  final var isAborted = false
  /// Its end must not look like the end of the content.
  final var mustReset = false
  final var requestCount: UInt32 = 0
  /// The next request is answered with 503, whatever it is.
  final var mustRefuse: RefusalReason?
  final var state = State.served
  /// In flight without a task.
  final var exchange: Exchange?
  /// A request of the gateway's own, which has no connection; see ``SideClient``.
  final let isSide: Bool
  /// The request of the gateway's own that its task waits for.
  final var sideClient: SideClient?
  /// What it holds meanwhile, where that is more than every exchange counts as.
  private final var heldBytes = 0

  init(
    _ transport: Transport, stream: HTTP2Stream?, peer: SocketAddress, listener: BoundListener,
    data: DataPlaneWorker, isTLS: Bool, isSide: Bool = false
  ) {
    self.data = data
    self.isTLS = isTLS
    self.isSide = isSide
    self.transport = transport
    self.stream = stream
    self.listener = listener
    self.peer = peer
    super.init(on: data.worker)
  }

  /// The connection that carries it, with what TLS knows of the client.
  var connection: ClientConnection { preconditionFailure("abstract") }

  // MARK: For those that know what follows an exchange

  /// News while no request is in flight.
  func idleTransportIsReady() {}
  /// The deadline has passed while no request is in flight.
  func idleDeadlinePassed() {}
  /// The exchange is over, and was served without a task. To be given back with
  /// ``DataPlaneWorker/give(_:)`` unless more is asked of it.
  func exchangeEnded(_ exchange: Exchange, keep: Bool) { preconditionFailure("abstract") }
  /// The rest of the exchange's head is still to come. The exchange is to be given back.
  func headIsPartial(_ exchange: Exchange) { preconditionFailure("abstract") }
  /// The tunnel that took it over has ended.
  func tunnelEnded() { preconditionFailure("abstract") }
  /// A final head of the exchange's; where ``isSide``, in place of sending it.
  func responseHeadArrived(_ exchange: Exchange) { preconditionFailure("abstract") }
  /// Serves on with a task, from wherever the exchange stands.
  func serve() async { preconditionFailure("abstract") }

  // MARK: Events

  override final func socketIsReady(_ socket: Transport) {
    switch state {
    case .idle: idleTransportIsReady()
    case .awaitsResponse: responseArrived()
    case .served:
      // Only its end is of interest meanwhile.
      if let sideClient { sideClient.abandon() } else { super.socketIsReady(socket) }
    }
  }

  override final func deadlinePassed() {
    switch state {
    case .idle: idleDeadlinePassed()
    case .awaitsResponse: serveByTask()
    case .served: super.deadlinePassed()
    }
  }

  override final var refusesToWait: Bool { isAborted }

  private func responseArrived() {
    guard let exchange else { return }
    releaseHeld()
    proceed(exchange, exchange.continueWithoutWaiting(on: self))
  }

  final func proceed(_ exchange: Exchange, _ progress: Exchange.Progress) {
    switch progress {
    case .awaitsResponse:
      state = .awaitsResponse
      transport.interest = .peerClosed
      exchange.upstream?.transport.interest = .readable
      setDeadline(exchange.nextDeadline())
      if exchange.heldBytes > BufferBudget.exchangeBytes { hold(exchange.heldBytes) }
    case .done(let keep): exchangeEnded(exchange, keep: keep)
    case .headIsPartial: headIsPartial(exchange)
    case .needsTask: serveByTask()
    }
  }

  /// Counts content that came with the head: it is kept until the response comes, to be sent again.
  private func hold(_ bytes: Int) {
    heldBytes = bytes
    data.buffers.hold(bytes)
    data.updateBuffers()
  }

  private func releaseHeld() {
    if heldBytes == 0 { return }
    data.buffers.release(heldBytes)
    heldBytes = 0
  }

  /// Lets a task go on from wherever the exchange stands.
  final func serveByTask() {
    releaseHeld()
    state = .served
    transport.interest = []
    exchange?.upstream?.transport.interest = []
    setDeadline(.never)
    worker.spawn { await self.serve() }
  }
}
