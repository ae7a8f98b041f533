import Glibc
import Runtime
import Simulation
import Testing

private let serverHost = SocketAddress(ipv4: 10, 0, 0, 1, port: 80)
private let clientHost = SocketAddress(ipv4: 10, 0, 0, 2, port: 0)

/// A server's and a client's worker, and the server's first connection.
private final class Pair {
  let simulation: Simulation
  let server: Worker
  let client: Worker
  var listener: Int32 = -1

  init(seed: UInt64 = 1, link: Link = Link()) {
    simulation = Simulation(seed: seed, link: link)
    server = simulation.addWorker(host: serverHost)
    client = simulation.addWorker(host: clientHost)
  }

  func listen(backlog: Int32 = 16) throws {
    listener = try server.seam.listen(on: serverHost, backlog: backlog)
  }

  /// A connection that was accepted: the client's and the server's handle.
  func connect() throws -> (client: Int32, server: Int32) {
    let handle = try client.seam.connect(to: serverHost)
    simulation.network.pass(.milliseconds(10))
    var peer = SocketAddress.any
    let accepted = server.seam.accept(from: listener, peer: &peer)
    #expect(accepted.bytes >= 0)
    #expect(peer.octets == clientHost.octets)
    return (handle, Int32(accepted.bytes))
  }

  func settle() { simulation.network.pass(.milliseconds(10)) }

  /// What a poll of the worker reports now.
  func poll(_ worker: Worker) -> [ReadyEvent] {
    var events: [ReadyEvent] = []
    worker.seam.poll(until: .never, into: &events)
    return events
  }
}

extension Seam {
  fileprivate func send(_ handle: Int32, _ text: String) -> IOResult { send(handle, Array(text.utf8)) }

  fileprivate func send(_ handle: Int32, _ bytes: [UInt8]) -> IOResult {
    unsafe bytes.withUnsafeBytes { unsafe send(handle, $0) }
  }

  fileprivate func receive(_ handle: Int32, _ count: Int = 100_000) -> (result: IOResult, text: String) {
    var bytes = [UInt8](repeating: 0, count: count)
    let result = unsafe bytes.withUnsafeMutableBytes { unsafe receive(handle, into: $0) }
    return (result, String(decoding: bytes.prefix(max(result.bytes, 0)), as: UTF8.self))
  }
}

@Suite("Simulated network")
struct NetworkTests {
  @Test("Bytes arrive after the latency, in order")
  func bytesArrive() throws {
    let pair = Pair(link: Link(latency: .milliseconds(20)))
    try pair.listen()
    let handle = try pair.client.seam.connect(to: serverHost)
    pair.simulation.network.pass(.milliseconds(39))
    #expect(pair.poll(pair.client).isEmpty)
    let before = pair.simulation.now
    pair.simulation.network.pass(.milliseconds(30))
    var peer = SocketAddress.any
    let accepted = Int32(pair.server.seam.accept(from: pair.listener, peer: &peer).bytes)
    #expect(pair.simulation.now.nanoseconds(since: before) == 30_000_000)
    #expect(pair.client.seam.connectError(of: handle) == nil)
    #expect(pair.client.seam.send(handle, "one ").bytes == 4)
    #expect(pair.client.seam.send(handle, "two").bytes == 3)
    #expect(pair.server.seam.receive(accepted).result.isWouldBlock)
    pair.simulation.network.pass(.milliseconds(20))
    #expect(pair.server.seam.receive(accepted).text == "one two")
    #expect(pair.server.seam.receive(accepted).result.isWouldBlock)
  }

  @Test("Readiness is reported once, when it begins")
  func edges() throws {
    let pair = Pair()
    try pair.listen()
    let (client, server) = try pair.connect()
    // Nothing is taken by the workers' own rounds: these handles have no sockets.
    _ = pair.poll(pair.server)
    _ = pair.client.seam.send(client, "x")
    pair.simulation.network.pass(.milliseconds(5))
    var events = pair.poll(pair.server)
    #expect(events.count == 1)
    #expect(events.first?.handle == server)
    #expect(events.first?.readiness.contains(.readable) == true)
    #expect(pair.poll(pair.server).isEmpty)
    // More bytes are news although the first were not read.
    _ = pair.client.seam.send(client, "y")
    pair.simulation.network.pass(.milliseconds(5))
    events = pair.poll(pair.server)
    #expect(events.count == 1)
    #expect(events.first?.readiness.contains(.peerClosed) == false)
  }

  @Test("A listening socket is reported for as long as connections wait")
  func levels() throws {
    let pair = Pair()
    try pair.listen()
    _ = try pair.client.seam.connect(to: serverHost)
    pair.simulation.network.pass(.milliseconds(5))
    #expect(pair.poll(pair.server).map(\.handle) == [pair.listener])
    #expect(pair.poll(pair.server).map(\.handle) == [pair.listener])
    pair.server.seam.setAccepting(false, on: pair.listener)
    #expect(pair.poll(pair.server).isEmpty)
    pair.server.seam.setAccepting(true, on: pair.listener)
    var peer = SocketAddress.any
    let accepted = pair.server.seam.accept(from: pair.listener, peer: &peer)
    #expect(accepted.bytes >= 0)
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).isWouldBlock)
  }

  @Test("A finish is readable and a closed peer; then 0 bytes")
  func finish() throws {
    let pair = Pair()
    try pair.listen()
    let (client, server) = try pair.connect()
    #expect(pair.server.seam.isQuiet(server))
    _ = pair.client.seam.send(client, "last")
    pair.client.seam.shutdownSending(client)
    _ = pair.poll(pair.server)
    pair.simulation.network.pass(.milliseconds(5))
    #expect(!pair.server.seam.isQuiet(server))
    let event = try #require(pair.poll(pair.server).first)
    #expect(event.readiness.isSuperset(of: [.readable, .peerClosed]))
    #expect(pair.server.seam.receive(server).text == "last")
    #expect(pair.server.seam.receive(server).result.bytes == 0)
    // The other direction is still open.
    #expect(pair.server.seam.send(server, "answer").bytes == 6)
    pair.settle()
    #expect(pair.client.seam.receive(client).text == "answer")
    #expect(pair.client.seam.send(client, "more").error == SystemError(EPIPE))
  }

  @Test("Closing with something unread resets the peer, which can still read what came before")
  func closeWithUnread() throws {
    let pair = Pair()
    try pair.listen()
    let (client, server) = try pair.connect()
    _ = pair.server.seam.send(server, "early")
    _ = pair.client.seam.send(client, "unread")
    pair.settle()
    pair.server.seam.close(server, reset: false)
    pair.settle()
    #expect(pair.client.seam.receive(client).text == "early")
    #expect(pair.client.seam.receive(client).result.error == .connectionReset)
    #expect(pair.client.seam.receive(client).result.bytes == 0)
    #expect(pair.client.seam.send(client, "x").error == SystemError(EPIPE))
  }

  @Test("Sending to a socket that was closed is answered with a reset")
  func sendToClosed() throws {
    let pair = Pair()
    try pair.listen()
    let (client, server) = try pair.connect()
    pair.server.seam.close(server, reset: false)
    pair.settle()
    #expect(pair.client.seam.send(client, "x").bytes == 1)
    pair.settle()
    #expect(pair.client.seam.send(client, "y").error == SystemError(EPIPE))
  }

  @Test("A reset is an error, once")
  func reset() throws {
    let pair = Pair()
    try pair.listen()
    let (client, server) = try pair.connect()
    pair.client.seam.close(client, reset: true)
    pair.settle()
    #expect(pair.server.seam.send(server, "x").error == .connectionReset)
    #expect(pair.server.seam.send(server, "x").error == SystemError(EPIPE))
    #expect(pair.server.seam.receive(server).result.bytes == 0)
  }

  @Test("Nobody listens: refused; a silent address: no answer")
  func connectFailures() throws {
    let pair = Pair()
    let refused = try pair.client.seam.connect(to: serverHost)
    pair.simulation.network.pass(.milliseconds(5))
    let event = try #require(pair.poll(pair.client).first)
    #expect(event.readiness == [.readable, .writable, .peerClosed])
    #expect(pair.client.seam.connectError(of: refused) == .connectionRefused)
    #expect(pair.client.seam.connectError(of: refused) == nil)

    try pair.listen()
    pair.simulation.network.ignoreConnects(to: serverHost)
    _ = try pair.client.seam.connect(to: serverHost)
    pair.simulation.network.pass(.seconds(300))
    var peer = SocketAddress.any
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).isWouldBlock)
  }

  @Test("A full accept queue lets connections wait until their attempt is repeated")
  func fullAcceptQueue() throws {
    let pair = Pair()
    try pair.listen(backlog: 1)
    for _ in 0..<3 { _ = try pair.client.seam.connect(to: serverHost) }
    pair.simulation.network.pass(.milliseconds(500))
    var peer = SocketAddress.any
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).bytes >= 0)
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).bytes >= 0)
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).isWouldBlock)
    pair.simulation.network.pass(.seconds(1))
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).bytes >= 0)
  }

  @Test("Buffers fill: short sends, then would-block, then news of room")
  func backPressure() throws {
    var link = Link()
    link.sendBufferBytes = 1_000
    link.receiveBufferBytes = 2_000
    let pair = Pair(link: link)
    try pair.listen()
    let (client, server) = try pair.connect()
    let bytes = [UInt8](repeating: 7, count: 10_000)
    #expect(pair.client.seam.send(client, bytes).bytes == 1_000)
    #expect(pair.client.seam.send(client, bytes).bytes == 1_000)
    #expect(pair.client.seam.send(client, bytes).bytes == 1_000)
    #expect(pair.client.seam.send(client, bytes).isWouldBlock)
    #expect(pair.simulation.seam(of: pair.client).bytesUnderWay == 3_000)
    pair.settle()
    _ = pair.poll(pair.client)
    #expect(pair.client.seam.send(client, bytes).isWouldBlock)
    #expect(pair.server.seam.receive(server).result.bytes == 2_000)
    pair.simulation.network.pass(.milliseconds(5))
    let news = pair.poll(pair.client)
    #expect(news.contains { $0.handle == client && $0.readiness.contains(.writable) })
    #expect(pair.client.seam.send(client, bytes).bytes == 1_000)
  }

  @Test("A host that is cut off hears nothing and is not heard")
  func silence() throws {
    let pair = Pair()
    try pair.listen()
    let (client, server) = try pair.connect()
    pair.simulation.network.silence(serverHost)
    #expect(pair.client.seam.send(client, "x").bytes == 1)
    pair.server.seam.close(server, reset: true)
    pair.settle()
    #expect(pair.client.seam.receive(client).result.isWouldBlock)
    #expect(pair.client.seam.isQuiet(client))
  }

  @Test("Handles are the lowest free numbers, and they can run out")
  func descriptors() throws {
    let pair = Pair()
    try pair.listen()
    let first = try pair.client.seam.connect(to: serverHost)
    let second = try pair.client.seam.connect(to: serverHost)
    #expect(second == first + 1)
    pair.client.seam.close(first, reset: false)
    #expect(try pair.client.seam.connect(to: serverHost) == first)
    pair.simulation.seam(of: pair.client).descriptorLimit = 2
    #expect(throws: SystemError.tooManyFiles) { try pair.client.seam.connect(to: serverHost) }
    pair.simulation.seam(of: pair.server).descriptorLimit = 1
    pair.settle()
    var peer = SocketAddress.any
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).error == .tooManyFiles)
    pair.simulation.seam(of: pair.server).descriptorLimit = 2
    #expect(pair.server.seam.accept(from: pair.listener, peer: &peer).bytes >= 0)
  }

  @Test("Listeners of one address share its connections")
  func sharedAddress() throws {
    let pair = Pair()
    try pair.listen(backlog: 100)
    let other = pair.simulation.addWorker(host: serverHost)
    let otherListener = try other.seam.listen(on: .init(ipv4: 0, 0, 0, 0, port: 80), backlog: 100)
    for _ in 0..<40 { _ = try pair.client.seam.connect(to: serverHost) }
    pair.settle()
    func count(_ worker: Worker, _ listener: Int32) -> Int {
      var peer = SocketAddress.any
      var count = 0
      while worker.seam.accept(from: listener, peer: &peer).bytes >= 0 { count += 1 }
      return count
    }
    let (one, two) = (count(pair.server, pair.listener), count(other, otherListener))
    #expect(one + two == 40)
    #expect(one > 5 && two > 5)
  }
}
