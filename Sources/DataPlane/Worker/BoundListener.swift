import Resources
import Runtime
import TLS

/// A listener as one worker has it: a socket of its own on the shared address.
final class BoundListener: Watcher {
  /// Connections taken in a round at most, so that a burst does not hold up those that are there.
  static let acceptsPerRoundMax = 64
  /// How long a worker without descriptors waits before it accepts again.
  static let pauseNanoseconds: Int64 = 50_000_000
  static let backlog: Int32 = 4_096

  private(set) var name: String
  /// Into the configuration's listeners; -1 when it is no longer one of them.
  private(set) var index: Int
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
  private(set) var redirect: HTTPSRedirect?
  private(set) var strictTransportSecurity: [UInt8]?
  private let socket: Socket
  /// Connections to take in the next round: as many as usually wait, so that no call is made to
  /// hear that there are no more. Those left over are reported again.
  private var acceptBudget = 1
  private let data: DataPlaneWorker

  init(_ listener: Listener, index: Int, address: SocketAddress, data: DataPlaneWorker) throws(SystemError) {
    name = listener.name
    self.index = index
    self.data = data
    usesPROXYProtocol = listener.proxyProtocol
    socket = try Socket.listen(on: address, backlog: Self.backlog, worker: data.worker)
    data.worker.seam.awaitFirstBytes(on: socket.handle)
    requestedAddress = address
    self.address = data.worker.seam.localAddress(of: socket.handle) ?? address
    forwardedPortLine = Array("\r\nX-Forwarded-Port: \(self.address.port)\r\n".utf8)
    super.init(on: data.worker)
    update(listener, index: index)
    socket.watcher = self
    socket.interest = .readable
  }

  /// Takes over what may change while the address stays.
  func update(_ listener: Listener, index: Int) {
    name = listener.name
    self.index = index
    usesPROXYProtocol = listener.proxyProtocol
    expectsTLS = listener.tls != nil
    allowsH2C = listener.h2c
    redirect = listener.redirect
    strictTransportSecurity = listener.hsts.map { Array($0.fieldValue.utf8) }
    handshakeNanoseconds = listener.tls?.handshakeTimeout.inNanoseconds ?? 0
  }

  /// What new connections do TLS with; those that are there keep what they have.
  func setTLS(_ context: TLSServerContext?) { tls = context }

  override func socketIsReady(_ transport: Transport) {
    socket.forgetReadiness()
    let accepted = accept(atMost: acceptBudget)
    acceptBudget =
      accepted == acceptBudget ? min(acceptBudget * 2, Self.acceptsPerRoundMax) : max(accepted, 1)
  }

  /// Takes what is waiting before the socket closes: the kernel resets what is left.
  func close() {
    _ = accept(atMost: Int(Self.backlog))
    index = -1
    cancelDeadline()
    socket.close()
  }

  /// - Returns: how many were accepted.
  private func accept(atMost limit: Int) -> Int {
    var count = 0
    let seam = data.worker.seam
    for _ in 0..<limit {
      var peer = SocketAddress.any
      let result = seam.accept(from: socket.handle, peer: &peer)
      if result.isWouldBlock { return count }
      if result.isError {
        // Others are about the connection that was to be accepted, which is gone.
        guard result.error.isShortage else { continue }
        data.counters.figures.acceptFailures &+= 1
        // The longest idle client makes room; without one, those that wait go on waiting.
        if data.relieveDescriptors() { continue }
        seam.setAccepting(false, on: socket.handle)
        setDeadline(data.worker.now.advanced(byNanoseconds: Self.pauseNanoseconds))
        return count
      }
      count += 1
      data.accepted(Int32(result.bytes), peer: peer, on: self)
    }
    return count
  }

  override func deadlinePassed() {
    data.worker.seam.setAccepting(true, on: socket.handle)
  }
}
