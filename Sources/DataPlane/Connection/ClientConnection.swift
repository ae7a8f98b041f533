import HTTPCodec
import Runtime

/// A client's connection.
///
/// While requests come, a task serves it. When none has come for a while it is parked: the task
/// ends, the buffers go back, and this small record waits for bytes to arrive.
final class ClientConnection: Waiter {
  /// How long a task waits for the next request before it ends. Making a task costs more than
  /// resuming one, and a waiting one holds 2 KB.
  static let lingerNanoseconds: Int64 = 1_000_000_000
  /// Tasks of one worker that may wait like this.
  static let lingeringMax = 1_024

  let data: DataPlaneWorker
  let socket: Socket
  let listener: BoundListener
  /// The other end of the socket, or what a PROXY header says.
  var peer: SocketAddress
  /// The PROXY header is still to come.
  var expectsPROXYHeader: Bool
  /// The gateway closes it in the middle of whatever it does.
  private(set) var isAborted = false
  private(set) var isParked = false
  /// Grows with every park; see ``ParkedConnections``.
  private(set) var parkNumber: UInt32 = 0
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

  // MARK: Parked

  /// Waits for bytes without a task.
  func park(until deadline: MonotonicTime) {
    isParked = true
    parkNumber &+= 1
    data.parked.add(self)
    socket.interest = [.readable, .peerClosed]
    setDeadline(deadline)
    // What arrived before the interest was set is not reported again.
    if !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) { socketIsReady(socket) }
  }

  private func unpark() {
    isParked = false
    data.parked.left()
    socket.interest = []
    setDeadline(.never)
  }

  override func socketIsReady(_ socket: Socket) {
    guard isParked else { return super.socketIsReady(socket) }
    unpark()
    worker.spawn { await self.serve() }
  }

  override func deadlinePassed() {
    guard isParked else { return super.deadlinePassed() }
    closeParked()
  }

  /// Closes it while it is parked.
  func closeParked() {
    unpark()
    close()
  }

  // MARK: Served

  /// Serves requests until none comes for a while, or the connection ends.
  private func serve() async {
    if expectsPROXYHeader {
      guard await readPROXYHeader() else { return close() }
    }
    while true {
      if isAborted || (data.isDraining && earlyBytes == nil && !socket.readiness.contains(.readable)) { break }
      if earlyBytes == nil, socket.readiness.isDisjoint(with: [.readable, .peerClosed]) {
        let idleDeadline = worker.now.advanced(byNanoseconds: data.settings.idleNanoseconds)
        guard await linger() else { return park(until: idleDeadline) }
        continue
      }
      let exchange = data.takeExchange()
      exchange.begin(on: self)
      takeEarlyBytes(into: exchange.input)
      let mayContinue = await exchange.serve()
      data.give(exchange)
      if !mayContinue { break }
    }
    close()
  }

  /// Waits for the next request with the task at hand.
  /// - Returns: false when none came for a while.
  private func linger() async -> Bool {
    guard data.lingeringCount < Self.lingeringMax else { return false }
    data.lingeringCount += 1
    let limit = min(Self.lingerNanoseconds, data.settings.idleNanoseconds)
    let wake = await wait(
      for: socket, [.readable, .peerClosed], until: worker.now.advanced(byNanoseconds: limit))
    data.lingeringCount -= 1
    return wake != .deadline
  }

  /// Ends whatever the connection does, at once.
  func abort() {
    if isParked { return closeParked() }
    isAborted = true
    wake()
  }

  private func close() {
    cancelDeadline()
    if let early = earlyBytes { worker.buffers.give(early) }
    earlyBytes = nil
    socket.close(reset: isAborted)
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
