import Resources
import Runtime
import TLS

/// A listener as one worker has it: a socket of its own on the shared address. It has more than one where
/// the process before this one had more workers, since connections may wait at each.
final class BoundListener: Watcher {
  /// Connections taken in a round at most, so that a burst does not hold up those that are there.
  static let acceptsPerRoundMax = 64
  /// How long a worker without descriptors waits before it accepts again.
  static let pauseNanoseconds: Int64 = 50_000_000
  static let backlog: Int32 = 4_096

  /// Its listener's number; -1 when it is no longer there.
  private(set) var number: Int
  /// As configured; the port may be 0.
  let requestedAddress: SocketAddress
  let address: SocketAddress
  /// What ends the forwarding fields that are the same for all its clients.
  let forwardedPortLine: [UInt8]
  private(set) var usesPROXYProtocol: Bool
  /// Connections begin with TLS.
  private(set) var expectsTLS = false
  /// Nil where there is none, or none that can be used: such connections are closed.
  private(set) var tls: TLSServerContext?
  private(set) var handshakeNanoseconds: Int64 = 0
  private(set) var allowsH2C = true
  /// This worker's share of the limit on its connections.
  private(set) var connectionsMax = Int.max
  private(set) var redirect: HTTPSRedirect?
  private(set) var strictTransportSecurity: [UInt8]?
  private(set) var sockets: [Socket] = []
  /// Connections to take in the next round: as many as usually wait, so that no call is made to
  /// hear that there are no more. Those left over are reported again.
  private var acceptBudget = 1
  let data: DataPlaneWorker
  /// Those that it has accepted and that are open.
  private(set) var connections: [ClientConnection] = []
  /// Connections that may still be taken before the socket closes.
  private var acceptsLeft = Int(BoundListener.backlog)
  /// Of ``connections``, those before this one are still to be told that it is gone.
  private var untold = Int.max

  init(
    _ listener: Listener, number: Int, address: SocketAddress, tls: TLSServerContext?, data: DataPlaneWorker
  ) throws(SystemError) {
    self.number = number
    self.data = data
    usesPROXYProtocol = listener.proxyProtocol
    requestedAddress = address
    sockets = try Self.open(address, data)
    self.address = sockets.first.flatMap { data.worker.seam.localAddress(of: $0.handle) } ?? address
    forwardedPortLine = Array("\r\nX-Forwarded-Port: \(self.address.port)\r\n".utf8)
    super.init(on: data.worker)
    update(listener, number: number, tls: tls)
    for socket in sockets { attend(to: socket) }
  }

  /// Has its news told to this listener.
  func attend(to socket: Socket) {
    socket.watcher = self
    socket.interest = .readable
  }

  func add(_ socket: Socket) {
    attend(to: socket)
    sockets.append(socket)
  }

  /// Takes over what may change while the address stays.
  ///
  /// - Parameter tls: what new connections do TLS with; those that are there keep what they have.
  func update(_ listener: Listener, number: Int, tls: TLSServerContext?) {
    self.number = number
    self.tls = tls
    usesPROXYProtocol = listener.proxyProtocol
    expectsTLS = listener.tls != nil
    allowsH2C = listener.h2c
    connectionsMax = listener.connections.map(data.share) ?? .max
    redirect = listener.redirect
    strictTransportSecurity = listener.hsts.map { Array($0.fieldValue.utf8) }
    handshakeNanoseconds = listener.tls?.handshakeTimeout.inNanoseconds ?? 0
  }

  override func socketIsReady(_ transport: Transport) {
    guard let socket = sockets.first(where: { $0 === transport }) else { return }
    socket.forgetReadiness()
    let accepted = accept(from: socket, atMost: acceptBudget)
    acceptBudget =
      accepted == acceptBudget ? min(acceptBudget * 2, Self.acceptsPerRoundMax) : max(accepted, 1)
  }

  // MARK: Connections

  func add(_ connection: ClientConnection) {
    connection.registryPosition = Int32(connections.count)
    connections.append(connection)
  }

  func remove(_ connection: ClientConnection) {
    let position = Int(connection.registryPosition)
    let last = connections.removeLast()
    if last !== connection {
      connections[position] = last
      last.registryPosition = Int32(position)
    }
  }

  // MARK: The end

  /// No longer there: its connections take no further requests. To be followed by
  /// ``closeInSlices(_:)``.
  func leave() { number = -1 }

  /// Takes what is waiting before the socket closes, since the kernel resets what is left; then lets
  /// each connection finish what it has begun.
  ///
  /// - Returns: false where the slice is over and there is more to do.
  func closeInSlices(_ slice: ChangeSlice) -> Bool {
    while acceptsLeft > 0 {
      acceptsLeft -= 1
      if acceptWaiting(atMost: 1) == 0 { acceptsLeft = 0 }
      if slice.isOver() { return false }
    }
    handOver()
    // Backwards: closing takes a connection out of the list, and puts one behind it in its place.
    untold = min(untold, connections.count)
    while untold > 0 {
      untold -= 1
      connections[untold].leaveListener()
      untold = min(untold, connections.count)
      if slice.isOver() { return untold == 0 }
    }
    return true
  }

  /// Takes what is waiting, and closes the socket; connections stay.
  func close() {
    _ = acceptWaiting(atMost: acceptsLeft)
    number = -1
    handOver()
  }

  /// Closes the sockets, and leaves what waits to whoever else has them. The kernel reports a socket for as
  /// long as any process has it, so the reports end explicitly.
  func handOver() {
    if sockets.isEmpty { return }
    cancelDeadline()
    for socket in sockets {
      data.worker.seam.stopWatching(socket.handle)
      socket.close()
    }
    sockets = []
  }

  private func acceptWaiting(atMost limit: Int) -> Int {
    sockets.reduce(0) { $0 + accept(from: $1, atMost: limit - $0) }
  }

  /// - Returns: how many were accepted.
  private func accept(from socket: Socket, atMost limit: Int) -> Int {
    var count = 0
    let seam = data.worker.seam
    for _ in 0..<limit {
      var peer = SocketAddress.any
      let result = seam.accept(from: socket.handle, peer: &peer)
      if result.isWouldBlock { return count }
      if result.isError {
        // Others are about the connection that was to be accepted, which is gone.
        guard result.error.isShortage else { continue }
        data.noteShortage(result.error)
        // The longest idle client makes room; without one, those that wait go on waiting.
        if data.relieveDescriptors() { continue }
        setAccepting(false)
        setDeadline(data.worker.now.advanced(byNanoseconds: Self.pauseNanoseconds))
        return count
      }
      count += 1
      data.accepted(Int32(result.bytes), peer: peer, on: self)
    }
    return count
  }

  override func deadlinePassed() { setAccepting(true) }

  func setAccepting(_ accepting: Bool) {
    for socket in sockets { data.worker.seam.setAccepting(accepting, on: socket.handle) }
  }
}
