import Runtime
import TLS
import Testing

/// A client and a server on one connection in memory.
final class Pair {
  let seam: MemorySeam
  let worker: Worker
  let client: TLSSocket
  let server: TLSSocket
  private(set) var clientStep = HandshakeStep.wantsRead
  private(set) var serverStep = HandshakeStep.wantsRead

  init(_ bench: Bench) {
    seam = bench.seam
    worker = bench.worker
    let (a, b) = seam.makePair()
    client = TLSSocket(accepted: a, on: worker)
    server = TLSSocket(accepted: b, on: worker)
  }

  deinit {
    client.close()
    server.close()
  }

  /// A pair with its handshake done.
  static func established(
    _ bench: Bench, name: String = "a.example", server: TLSServerContext? = nil,
    client: TLSClientContext? = nil
  ) throws -> Pair {
    let pair = Pair(bench)
    try pair.start(server ?? bench.serverContext(), client ?? bench.clientContext(), name: name)
    pair.shake()
    try #require(
      pair.clientStep == .done && pair.serverStep == .done, "\(pair.clientStep) \(pair.serverStep)")
    return pair
  }

  func start(_ server: TLSServerContext, _ client: TLSClientContext, name: String? = "a.example") {
    self.server.startServer(server)
    self.client.startClient(client, serverName: name, endpoint: Bench.endpoint)
  }

  /// News of the network reach the sockets.
  func turn() { worker.turn(until: worker.now) }

  /// Drives both handshakes until nothing changes any more.
  func shake() {
    for _ in 0..<20_000 {
      turn()
      if case .failed = clientStep {} else if clientStep != .done { clientStep = client.handshake() }
      if case .failed = serverStep {} else if serverStep != .done { serverStep = server.handshake() }
      if isOver(clientStep) && isOver(serverStep) { return turn() }
      // One that has failed closes, and the other hears of it.
      if case .failed = clientStep { client.close() }
      if case .failed = serverStep { server.close() }
    }
    Issue.record("the handshake does not end: client \(clientStep), server \(serverStep)")
  }

  private func isOver(_ step: HandshakeStep) -> Bool { step != .wantsRead && step != .wantsWrite }

  /// The server's failure, where the handshake failed.
  var serverFailure: TLSFailure? { if case .failed(let failure) = serverStep { failure } else { nil } }
  var clientFailure: TLSFailure? { if case .failed(let failure) = clientStep { failure } else { nil } }

  /// Sends all of `bytes` and receives them at the other end, as a caller does that goes by readiness.
  func transfer(
    _ bytes: [UInt8], from sender: TLSSocket, to receiver: TLSSocket, room: Int = 65_536,
    atMost limit: Int = .max
  ) throws -> [UInt8] {
    let output = Buffer(capacity: max(1, bytes.count))
    output.append(bytes)
    var received: [UInt8] = []
    var idleRounds = 0
    while received.count < bytes.count {
      var hasMoved = false
      if !output.isEmpty && sender.readiness.contains(.writable) {
        let result = sender.send(output)
        try #require(!result.isError, "\(result.error)")
        if result.bytes > 0 {
          output.consume(result.bytes)
          hasMoved = true
        }
      }
      if receiver.readiness.contains(.readable) {
        let input = Buffer(capacity: room)
        let result = receiver.receive(into: input, atMost: limit)
        try #require(!result.isError, "\(result.error)")
        try #require(result.bytes != 0, "ended after \(received.count) bytes")
        if result.bytes > 0 {
          #expect(input.count == result.bytes)
          received += input.array
          hasMoved = true
        }
      }
      turn()
      idleRounds = hasMoved ? 0 : idleRounds + 1
      try #require(idleRounds < 10_000, "nothing moves after \(received.count) bytes")
    }
    return received
  }

  /// Receives what there is, without waiting.
  func receive(at socket: TLSSocket) -> (result: IOResult, bytes: [UInt8]) {
    turn()
    let buffer = Buffer(capacity: 81_920)
    let result = socket.receive(into: buffer)
    return (result, buffer.array)
  }

  func send(_ text: String, from socket: TLSSocket) -> IOResult {
    let buffer = Buffer(capacity: 64)
    buffer.append(string: text)
    return socket.send(buffer)
  }
}

/// What tests of sockets share: a worker on a network in memory.
final class Bench {
  static let endpoint = SocketAddress(ipv4: 10, 0, 0, 1, port: 443)

  let seam = MemorySeam()
  let worker: Worker
  let tls: TLSWorker
  let table = CertificateTable()

  init() {
    worker = Worker(index: 0, seam: seam)
    tls = TLSWorker(on: worker)
  }

  /// With a certificate for `a.example`, unless the table has one.
  func serverContext(_ options: TLSServerOptions = TLSServerOptions(), keys: TicketKeys? = nil) throws
    -> TLSServerContext
  {
    if table.count == 0 { table.set(Bench.certificate) }
    return try TLSServerContext(options, certificates: table, ticketKeys: keys, on: tls)
  }

  func clientContext(_ change: (inout TLSClientOptions) -> Void = { _ in }) throws -> TLSClientContext {
    var options = TLSClientOptions(trust: try Authority.shared.trust())
    change(&options)
    return try TLSClientContext(options, on: tls)
  }

  static let certificate = try! Authority.shared.certificate("a", ["a.example", "*.a.example"])
}

extension Buffer {
  var array: [UInt8] {
    let bytes = self.bytes
    var array: [UInt8] = []
    for index in bytes.indices { array.append(bytes[index]) }
    return array
  }
}

/// Bytes that are not the same anywhere.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31 ^ ($0 >> 8)) }
}
