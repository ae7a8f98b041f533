import HTTPCodec
import Runtime

/// A client's connection.
///
/// Between two requests it is parked: this small record waits for bytes. The usual request is then
/// served by calls from the event loop, without a task; one that has to wait for anything but its
/// response gets a task, which serves until the client has sent nothing ahead.
final class ClientConnection: Waiter {
  private enum State {
    case parked
    /// The exchange's request is on its way, and only its response is missing.
    case awaitsResponse
    /// A task serves it.
    case served
  }

  let data: DataPlaneWorker
  let socket: Socket
  let listener: BoundListener
  /// The other end of the socket, or what a PROXY header says.
  var peer: SocketAddress
  /// The PROXY header is still to come.
  var expectsPROXYHeader: Bool
  /// The gateway closes it in the middle of whatever it does.
  private(set) var isAborted = false
  /// Its end must not look like the end of the content.
  var mustReset = false
  private var state = State.served
  /// In flight without a task.
  private var exchange: Exchange?
  /// Grows with every park; see ``ParkedConnections``.
  private(set) var parkNumber: UInt32 = 0
  /// It has an entry there.
  var isListed = false
  var requestCount: UInt32 = 0
  /// Its place in the worker's list.
  var registryPosition: Int32 = -1

  init(_ handle: Int32, peer: SocketAddress, listener: BoundListener, data: DataPlaneWorker) {
    self.data = data
    self.listener = listener
    self.peer = peer
    expectsPROXYHeader = listener.usesPROXYProtocol
    socket = Socket(accepted: handle, on: data.worker)
    super.init(on: data.worker)
    socket.watcher = self
  }

  var isParked: Bool { state == .parked }

  override func socketIsReady(_ socket: Socket) {
    switch state {
    case .parked: requestArrived()
    case .awaitsResponse: responseArrived()
    case .served: super.socketIsReady(socket)
    }
  }

  override func deadlinePassed() {
    switch state {
    case .parked: closeParked()
    case .awaitsResponse: serveByTask()
    case .served: super.deadlinePassed()
    }
  }

  /// Ends whatever the connection does, at once.
  func abort() {
    if isParked { return closeParked() }
    isAborted = true
    if state == .awaitsResponse { serveByTask() } else { wake() }
  }

  /// Whether it may wait for another request.
  private var mayWait: Bool { !isAborted && !data.isDraining && listener.index >= 0 }

  override var refusesToWait: Bool { isAborted }

  // MARK: Parked

  /// Waits for bytes without a task.
  func park() {
    state = .parked
    parkNumber &+= 1
    data.parked.add(self)
    socket.interest = [.readable, .peerClosed]
    setDeadline(worker.now.advanced(byNanoseconds: data.settings.idleNanoseconds))
    // What arrived before the interest was set is not reported again.
    if !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) { requestArrived() }
  }

  private func unpark() {
    state = .served
    data.parked.left()
    socket.interest = []
    setDeadline(.never)
  }

  /// Closes it while it is parked.
  func closeParked() {
    unpark()
    close()
  }

  /// Closes it while it is parked, unless a request has arrived that nobody has looked at.
  func closeIfIdle() {
    if socket.isQuiet() { closeParked() } else { requestArrived() }
  }

  // MARK: Served by the event loop

  private func requestArrived() {
    unpark()
    if expectsPROXYHeader { return serveByTask() }
    let exchange = data.takeExchange()
    exchange.begin(on: self)
    self.exchange = exchange
    proceed(exchange, exchange.startWithoutWaiting(on: self))
  }

  private func responseArrived() {
    guard let exchange else { return }
    proceed(exchange, exchange.continueWithoutWaiting(on: self))
  }

  private func proceed(_ exchange: Exchange, _ progress: Exchange.Progress) {
    switch progress {
    case .awaitsResponse:
      state = .awaitsResponse
      socket.interest = .peerClosed
      exchange.upstream?.socket.interest = .readable
      setDeadline(exchange.nextDeadline())
    case .done(let keep) where exchange.input.isEmpty:
      state = .served
      socket.interest = []
      self.exchange = nil
      data.give(exchange)
      if keep && mayWait { park() } else { close() }
    case .done, .needsTask: serveByTask()
    }
  }

  // MARK: Served by a task

  /// Lets a task go on from wherever the connection stands.
  private func serveByTask() {
    state = .served
    socket.interest = []
    exchange?.upstream?.socket.interest = []
    setDeadline(.never)
    worker.spawn { await self.serve() }
  }

  /// Serves requests until the client has sent none ahead, or the connection ends.
  private func serve() async {
    if expectsPROXYHeader {
      guard await readPROXYHeader() else { return close() }
    }
    let exchange = self.exchange ?? data.takeExchange()
    self.exchange = nil
    exchange.begin(on: self)
    takeEarlyBytes(into: exchange.input)
    let mayContinue = await exchange.serve()
    data.give(exchange)
    if mayContinue && mayWait { park() } else { close() }
  }

  private func close() {
    cancelDeadline()
    if let early = earlyBytes { worker.buffers.give(early) }
    earlyBytes = nil
    socket.close(reset: isAborted || mustReset)
    data.remove(self)
  }

  // MARK: PROXY protocol

  /// Reads the header that a load balancer puts before everything else.
  ///
  /// The header is taken from the socket byte-exactly: it is looked for in what was received, and
  /// what follows it is left in ``earlyBytes``.
  private func readPROXYHeader() async -> Bool {
    let deadline = worker.now.advanced(byNanoseconds: data.settings.headNanoseconds)
    let buffer = worker.buffers.take()
    defer { if earlyBytes !== buffer { worker.buffers.give(buffer) } }
    while true {
      let result = socket.receive(into: buffer)
      if result.isWouldBlock {
        switch await wait(for: socket, [.readable, .peerClosed], until: deadline) {
        case .ready: continue
        case .deadline, .interrupted: return false
        }
      }
      guard result.bytes > 0 else { return false }
      do {
        guard let header = try PROXYProtocol.parse(buffer.bytes) else { continue }
        if let source = header.source {
          peer = SocketAddress(source)
        }
        buffer.consume(header.byteCount)
        expectsPROXYHeader = false
        if buffer.isEmpty { return true }
        earlyBytes = buffer
        return true
      } catch {
        data.counters.figures.proxyHeadersRefused &+= 1
        return false
      }
    }
  }

  /// What came behind the PROXY header, for the first exchange.
  private var earlyBytes: Buffer?

  private func takeEarlyBytes(into input: Buffer) {
    guard let early = earlyBytes else { return }
    input.append(early, range: 0..<early.count)
    worker.buffers.give(early)
    earlyBytes = nil
  }
}

extension SocketAddress {
  /// The address that a PROXY header names.
  fileprivate init(_ address: PROXYAddress) {
    var octets = SIMD16<UInt8>(repeating: 0)
    for index in 0..<16 { octets[index] = address.address[index] }
    self.init(octets: octets, port: address.port)
  }
}
