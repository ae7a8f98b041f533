import HTTPCodec
import Runtime
import TLS

/// A client's connection.
///
/// Between two requests of HTTP/1 it is parked: this small record waits for bytes. A connection of
/// HTTP/2 is taken over by an ``HTTP2ServerConnection``, and stays here to be counted and closed.
final class ClientConnection: ClientSide {
  let socket: Socket
  /// ``socket`` on a listener with TLS.
  let tls: TLSSocket?
  /// The PROXY header is still to come.
  private var expectsPROXYHeader: Bool
  /// The TLS handshake is still to be done.
  private var expectsHandshake: Bool
  private(set) var isHandshaking = false
  /// What came of a head that is not whole yet.
  private var partialHead: PartialHead?
  /// Its next request is there, and waits unread; see ``AdmissionGate``.
  private(set) var isHeld = false
  /// Under which it is counted.
  var countedAddress: ClientAddresses.Key?
  private(set) var handshakeBegan = MonotonicTime(nanoseconds: 0)
  /// Takes over where the client speaks HTTP/2.
  private(set) var http2: HTTP2ServerConnection?
  private(set) var isParked = false
  /// Grows with every park; see ``ParkedConnections``.
  private(set) var parkNumber: UInt32 = 0
  /// It has an entry there.
  var isListed = false
  /// Its place in the worker's list.
  var registryPosition: Int32 = -1

  init(_ handle: Int32, peer: SocketAddress, listener: BoundListener, data: DataPlaneWorker) {
    expectsPROXYHeader = listener.usesPROXYProtocol
    expectsHandshake = listener.expectsTLS
    tls = expectsHandshake ? TLSSocket(accepted: handle, on: data.worker) : nil
    socket = tls ?? Socket(accepted: handle, on: data.worker)
    super.init(socket, stream: nil, peer: peer, listener: listener, data: data, isTLS: tls != nil)
    socket.watcher = self
  }

  override var connection: ClientConnection { self }

  override func idleTransportIsReady() {
    if isHandshaking { return shakeHands() }
    if isHeld { return clientLeftHold() }
    if partialHead != nil { return headGoesOn(isLate: false) }
    requestArrived()
  }

  override func idleDeadlinePassed() {
    if isHandshaking { return handshakeEnded(.init(.timeout)) }
    if isHeld { return endHold(refuse: .admission) }
    if partialHead != nil { return headGoesOn(isLate: true) }
    closeParked()
  }

  /// Ends whatever the connection does, at once.
  func abort() {
    if let http2 { return http2.abort() }
    if isParked { return closeParked() }
    isAborted = true
    if partialHead != nil { return close() }
    if isHandshaking { return handshakeEnded(nil) }
    sideClient?.abandon()
    if state == .awaitsResponse { serveByTask() } else { wake() }
  }

  /// Lets it end by itself: after what is in flight, or with its client's next request.
  func drain() {
    if let http2 { return http2.drain() }
    if isHeld { return endHold(refuse: .admission) }
    if !isParked { return wake() }
    if !data.isPatient { closeIfIdle() }
  }

  /// Its listener is no longer there: it finishes what it has begun.
  func leaveListener() {
    if let http2 { return http2.drain() }
    if isHeld { return endHold(refuse: .admission) }
    if isParked { closeIfIdle() }
  }

  /// Whether it may wait for another request.
  var mayWait: Bool { !isAborted && (!data.isDraining || data.isPatient) && listener.number >= 0 }

  /// Reads what the client has sent by the time it is accepted, mostly its request, and only then asks
  /// for news: a report that has become needless costs a round (docs/decisions/0009).
  func begin() {
    if data.isShedding && !expectsPROXYHeader && !expectsHandshake {
      countAsParked()
      requestArrived()
    } else {
      serveRequest()
    }
    if socket.isOpen && !socket.beginWatching() { abort() }
  }

  // MARK: Parked

  /// Waits for bytes without a task.
  func park() {
    state = .idle
    countAsParked()
    socket.interest = [.readable, .peerClosed]
    setDeadline(worker.now.advanced(byNanoseconds: data.settings.idleNanoseconds))
    // What arrived before the interest was set is not reported again.
    if !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) { requestArrived() }
  }

  /// Lists it among those that may be closed to make room.
  func countAsParked() {
    if isParked { return }
    isParked = true
    parkNumber &+= 1
    data.parked.add(self)
  }

  func countAsBusy() {
    guard isParked else { return }
    isParked = false
    data.parked.left()
  }

  private func unpark() {
    state = .served
    countAsBusy()
    socket.interest = []
    setDeadline(.never)
  }

  /// Closes it while it is parked.
  func closeParked() {
    if let http2 { return http2.closeParked() }
    unpark()
    close()
  }

  /// Closes it while it is parked, unless a request has arrived that nobody has looked at.
  func closeIfIdle() {
    if http2 != nil || socket.isQuiet() { closeParked() } else { requestArrived() }
  }

  // MARK: TLS

  /// The client's certificate as a field value: its DER in base64 between colons (RFC 9440 §2.1).
  private(set) lazy var clientCertificate: [UInt8]? = tls?.peerIdentity.map { identity in
    // The lines of the PEM between its first and its last are the DER in base64.
    let lines = identity.pem.split(separator: 10)
    return [58] + lines.dropFirst().dropLast().joined() + [58]
  }

  private func beginHandshake(early: Buffer?) {
    guard let tls, let context = listener.tls else { return close() }
    if let reason = data.refusalOfHandshake(self) {
      data.counters.figures.handshakesRefused &+= 1
      data.counters.figures.refusalReasons.record(reason)
      mustReset = true
      return close()
    }
    expectsHandshake = false
    isHandshaking = true
    handshakeBegan = worker.now
    data.handshakeBegan(self)
    tls.startServer(context, early: early)
    setDeadline(worker.now.advanced(byNanoseconds: listener.handshakeNanoseconds))
    shakeHands()
  }

  private func shakeHands() {
    guard let tls else { return }
    state = .idle
    switch tls.handshake() {
    case .done: handshakeEnded(nil)
    case .wantsRead: tls.interest = [.readable, .peerClosed]
    case .wantsWrite: tls.interest = [.readable, .writable, .peerClosed]
    case .failed(let failure): handshakeEnded(failure)
    }
  }

  /// Another connection needs its place.
  func giveUpHandshake() { handshakeEnded(TLSFailure(.timeout)) }

  private func handshakeEnded(_ failure: TLSFailure?) {
    isHandshaking = false
    data.handshakeEnded()
    unpark()
    guard let tls, !isAborted else { return close() }
    if let failure {
      data.counters.figures.handshakes.recordFailure(failure.kind)
      if failure.kind != .plainHTTP { return close() }
      // Whoever speaks HTTP without TLS is answered (400), as nginx does.
      isPlainOnTLS = true
      return serveRequest()
    }
    data.counters.figures.handshakes.record(tls.version, isResumed: tls.isResumed)
    if tls.applicationProtocol == .http2 { return beginHTTP2(early: nil) }
    park()
    // During a drain, for a first request only.
    if isParked && !mayWait { setDeadline(worker.now.advanced(byNanoseconds: data.settings.headNanoseconds)) }
  }

  // MARK: HTTP/2

  /// Hands the socket over. `early`: what was received already; it is copied.
  private func beginHTTP2(early: Buffer?) {
    let http2 = HTTP2ServerConnection(self)
    self.http2 = http2
    http2.begin(early: early)
    // What was under way when the drain began.
    if data.isDraining || listener.number < 0 { http2.drain() }
  }

  /// Whether its first bytes may say that it is HTTP/2: with TLS, ALPN has decided.
  var mayBecomeHTTP2: Bool { tls == nil && listener.allowsH2C }

  // MARK: Served by the event loop

  private func requestArrived() {
    if data.isShedding {
      switch data.admission.decide() {
      case .admit: break
      case .hold: return hold()
      case .refuse(let reason): mustRefuse = reason
      }
    }
    unpark()
    serveRequest()
  }

  // MARK: Held back

  private func hold() {
    isHeld = true
    state = .idle
    socket.interest = .peerClosed
    setDeadline(worker.now.advanced(byNanoseconds: AdmissionGate.holdNanoseconds))
    data.admission.hold(self)
  }

  /// Serves the request after all, or refuses it.
  func endHold(refuse reason: RefusalReason?) {
    isHeld = false
    mustRefuse = reason
    unpark()
    serveRequest()
  }

  private func clientLeftHold() {
    isHeld = false
    data.counters.figures.refusalReasons.record(.admission)
    closeParked()
  }

  // MARK: Heads that are not whole

  /// Keeps what came of a head, and waits for the rest without a task and with no more memory than that.
  private func waitForRest(of head: PartialHead) {
    partialHead = head
    data.buffers.hold(head.bytes.capacity)
    state = .idle
    socket.interest = [.readable, .peerClosed]
    setDeadline(head.deadline)
    if !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) { headGoesOn(isLate: false) }
  }

  override func headIsPartial(_ exchange: Exchange) {
    let head = exchange.partialHead()
    self.exchange = nil
    data.give(exchange)
    waitForRest(of: head)
  }

  private func headGoesOn(isLate: Bool) {
    if isLate {
      partialHead?.isLate = isLate
      return serveByTask()
    }
    state = .served
    socket.interest = []
    setDeadline(.never)
    let exchange = data.takeExchange()
    exchange.begin(on: self)
    self.exchange = exchange
    proceed(exchange, exchange.startWithoutWaiting(on: self, takePartialHead()))
  }

  private func takePartialHead() -> PartialHead? {
    guard let head = partialHead else { return nil }
    partialHead = nil
    data.buffers.release(head.bytes.capacity)
    return head
  }

  private func serveRequest() {
    if expectsPROXYHeader { return serveByTask() }
    if expectsHandshake { return beginHandshake(early: nil) }
    let exchange = data.takeExchange()
    exchange.begin(on: self)
    self.exchange = exchange
    proceed(exchange, exchange.startWithoutWaiting(on: self))
  }

  override func exchangeEnded(_ exchange: Exchange, keep: Bool) {
    if !exchange.input.isEmpty { return serveByTask() }
    state = .served
    socket.interest = []
    self.exchange = nil
    data.give(exchange)
    if keep && mayWait { park() } else { close() }
  }

  // MARK: Served by a task

  /// Serves requests until the client has sent none ahead, or the connection ends.
  override func serve() async {
    if expectsPROXYHeader {
      guard await readPROXYHeader() else { return close() }
    }
    if expectsHandshake {
      beginHandshake(early: earlyBytes)
      return dropEarlyBytes()
    }
    let exchange = self.exchange ?? data.takeExchange()
    self.exchange = nil
    exchange.begin(on: self)
    if let earlyBytes { exchange.input.append(earlyBytes, range: 0..<earlyBytes.count) }
    dropEarlyBytes()
    switch await exchange.serve(takePartialHead()) {
    case .headIsPartial(let head):
      data.give(exchange)
      if isAborted { close() } else { waitForRest(of: head) }
    case .keep:
      data.give(exchange)
      if mayWait { park() } else { close() }
    case .close:
      data.give(exchange)
      close()
    case .http2:
      beginHTTP2(early: exchange.input)
      data.give(exchange)
    case .tunnel(let upstream):
      Tunnel(exchange, client: self, upstream: upstream).begin()
    }
  }

  override func tunnelEnded() { close() }

  /// Closes the connection, and ends this record.
  func close() {
    cancelDeadline()
    _ = takePartialHead()
    isHeld = false
    countAsBusy()
    dropEarlyBytes()
    http2 = nil
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
        guard data.addressIsKnown(of: self) else { return false }
        if buffer.isEmpty { return true }
        earlyBytes = buffer
        return true
      } catch {
        data.counters.figures.proxyHeadersRefused &+= 1
        return false
      }
    }
  }

  /// What came behind the PROXY header, for the first exchange or the handshake.
  private var earlyBytes: Buffer?

  private func dropEarlyBytes() {
    guard let early = earlyBytes else { return }
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
