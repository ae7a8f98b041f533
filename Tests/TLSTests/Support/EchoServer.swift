import Runtime
import TLS

/// Echoes what clients send over TLS, on a worker with real sockets. For peers that are other programs.
final class EchoServer: Watcher {
  private let socket: Socket
  private let context: TLSServerContext
  let port: UInt16

  /// What the last connection was.
  struct Report: Sendable {
    var version: TLSVersion?
    var cipher = ""
    var certificate = ""
    var isResumed = false
    var failure: TLSFailure?
    var applicationProtocol: ApplicationProtocol?
  }

  var last = Report()

  init(_ context: TLSServerContext, on worker: Worker) {
    self.context = context
    socket = try! Socket.listen(on: SocketAddress(ipv4: 127, 0, 0, 1, port: 0), backlog: 16, worker: worker)
    port = worker.seam.localAddress(of: socket.handle)!.port
    super.init(on: worker)
    socket.watcher = self
    socket.interest = .readable
  }

  func stop() { socket.close() }

  override func socketIsReady(_ transport: Transport) {
    socket.forgetReadiness()
    while true {
      var peer = SocketAddress.any
      let result = worker.seam.accept(from: socket.handle, peer: &peer)
      guard result.bytes >= 0 else { return }
      let accepted = TLSSocket(accepted: Int32(result.bytes), on: worker)
      accepted.startServer(context)
      Connection(accepted, self).begin()
    }
  }

  private final class Connection: Watcher {
    private let socket: TLSSocket
    private let server: EchoServer
    private let buffer = Buffer(capacity: 81_920)

    init(_ socket: TLSSocket, _ server: EchoServer) {
      self.socket = socket
      self.server = server
      super.init(on: socket.worker)
    }

    /// The socket holds its watcher until it is closed.
    func begin() {
      socket.watcher = self
      socket.interest = [.readable, .writable, .peerClosed]
      proceed()
      if socket.isOpen { _ = socket.beginWatching() }
    }

    override func socketIsReady(_ transport: Transport) { proceed() }

    private func proceed() {
      if !socket.isEstablished {
        switch socket.handshake() {
        case .done:
          server.last = Report(
            version: socket.version, cipher: socket.cipherName.description,
            certificate: socket.certificate?.name ?? "", isResumed: socket.isResumed,
            applicationProtocol: socket.applicationProtocol)
        case .failed(let failure):
          server.last.failure = failure
          return socket.close()
        default: return
        }
      }
      while socket.isOpen {
        if !buffer.isEmpty {
          let result = socket.send(buffer)
          if result.isError { return socket.close() }
          if result.isWouldBlock { return }
          buffer.consume(result.bytes)
          continue
        }
        let result = socket.receive(into: buffer)
        if result.isWouldBlock { return }
        if result.bytes <= 0 { return socket.close() }
      }
    }
  }
}
