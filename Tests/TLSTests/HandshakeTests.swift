import Runtime
import TLS
import Testing

struct HandshakeTests {
  @Test("Both ends agree on version, suite and protocol", arguments: [TLSVersion.tls12, .tls13])
  func agreement(_ version: TLSVersion) throws {
    let bench = Bench()
    let client = try bench.clientContext {
      $0.versionMax = version
      $0.applicationProtocols = [.http11, .http2]
    }
    let pair = try Pair.established(bench, client: client)
    for socket in [pair.client, pair.server] {
      #expect(socket.isTLS && socket.isEstablished && !socket.isResumed)
      #expect(socket.version == version)
      // The server's order decides for ALPN.
      #expect(socket.applicationProtocol == .http2)
    }
    #expect(pair.server.cipherName.description == pair.client.cipherName.description)
    #expect(pair.server.serverName == "a.example")
    #expect(pair.server.certificate === Bench.certificate)
    #expect(pair.client.peerIdentity?.names == [Array("DNS:a.example".utf8), Array("DNS:*.a.example".utf8)])
    #expect(try pair.transfer(pattern(10_000), from: pair.client, to: pair.server) == pattern(10_000))
    #expect(try pair.transfer(pattern(10_000), from: pair.server, to: pair.client) == pattern(10_000))
  }

  @Test("No application protocol is shared")
  func noSharedProtocol() throws {
    let bench = Bench()
    var options = TLSServerOptions()
    options.applicationProtocols = [.http2]
    let pair = Pair(bench)
    pair.start(
      try bench.serverContext(options), try bench.clientContext { $0.applicationProtocols = [.http11] })
    pair.shake()
    #expect(pair.serverFailure?.kind == .noSharedApplicationProtocol)
    #expect(pair.clientFailure?.kind == .refusedByPeer)
    #expect(pair.clientFailure?.alert == 120)
  }

  @Test("A client without ALPN is served")
  func withoutALPN() throws {
    let pair = try Pair.established(Bench())
    #expect(pair.server.applicationProtocol == nil)
  }

  @Test("The modern profile refuses TLS 1.2")
  func modernProfile() throws {
    let bench = Bench()
    var options = TLSServerOptions()
    options.profile = .modern
    let pair = Pair(bench)
    pair.start(try bench.serverContext(options), try bench.clientContext { $0.versionMax = .tls12 })
    pair.shake()
    #expect(pair.serverFailure?.kind == .unsupportedProtocol)
    #expect(pair.serverFailure?.alert == 70)
  }

  @Test("The handshake arrives byte by byte", arguments: [TLSVersion.tls12, .tls13])
  func byteByByte(_ version: TLSVersion) throws {
    let bench = Bench()
    bench.seam.bytesPerCall = 1
    let pair = try Pair.established(bench, client: try bench.clientContext { $0.versionMax = version })
    #expect(try pair.transfer(pattern(300), from: pair.client, to: pair.server) == pattern(300))
    #expect(try pair.transfer(pattern(300), from: pair.server, to: pair.client) == pattern(300))
  }

  @Test("Every call may be short", arguments: [2, 3, 7, 64, 333, 1_000])
  func shortCalls(_ size: Int) throws {
    let bench = Bench()
    bench.seam.bytesPerCall = size
    bench.seam.capacity = size * 2
    let pair = try Pair.established(bench)
    #expect(try pair.transfer(pattern(5_000), from: pair.client, to: pair.server) == pattern(5_000))
    #expect(try pair.transfer(pattern(5_000), from: pair.server, to: pair.client) == pattern(5_000))
  }

  @Test("A ClientHello that was received before TLS was started")
  func earlyBytes() throws {
    let bench = Bench()
    let pair = Pair(bench)
    pair.client.startClient(try bench.clientContext(), serverName: "a.example", endpoint: Bench.endpoint)
    #expect(pair.client.handshake() == .wantsRead)
    pair.turn()
    let early = Buffer(capacity: 4_096)
    #expect(pair.server.receive(into: early).bytes > 100)
    pair.server.startServer(try bench.serverContext(), early: early)
    early.removeAll()
    pair.shake()
    #expect(pair.serverFailure == nil && pair.server.isEstablished)
  }

  @Test(
    "HTTP without TLS is told, and can be answered", arguments: ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0"])
  func plainHTTP(_ request: String) throws {
    let bench = Bench()
    let pair = Pair(bench)
    pair.server.startServer(try bench.serverContext())
    #expect(pair.send(request, from: pair.client).bytes == request.utf8.count)
    pair.turn()
    #expect(pair.server.handshake() == .failed(TLSFailure(.plainHTTP)))
    #expect(!pair.server.isTLS)
    let received = pair.receive(at: pair.server)
    #expect(received.bytes == Array(request.utf8))
    #expect(pair.send("HTTP/1.1 400 Bad Request\r\n\r\n", from: pair.server).bytes > 0)
    #expect(pair.receive(at: pair.client).bytes.starts(with: Array("HTTP/1.1 400".utf8)))
  }

  @Test("What is no ClientHello is refused", arguments: [0, 22, 23, 0x80, 0xFF] as [UInt8])
  func garbage(_ first: UInt8) throws {
    let bench = Bench()
    let pair = Pair(bench)
    pair.server.startServer(try bench.serverContext())
    bench.seam.inject([first] + pattern(600, seed: 3), to: pair.server.handle)
    pair.turn()
    guard case .failed(let failure) = pair.server.handshake() else {
      Issue.record("garbage is accepted")
      return
    }
    #expect(failure.kind == .malformed || failure.kind == .unsupportedProtocol || failure.kind == .other)
    #expect(!failure.description.isEmpty)
    #expect(pair.server.receive(into: Buffer(capacity: 64)).isError)
  }

  @Test("The peer goes away in the handshake", arguments: [0, 1, 100])
  func closedInHandshake(_ bytes: Int) throws {
    let bench = Bench()
    let pair = Pair(bench)
    pair.server.startServer(try bench.serverContext())
    bench.seam.tamper = { handle, sent in
      if handle == pair.client.handle { sent = Array(sent.prefix(bytes)) }
    }
    pair.client.startClient(try bench.clientContext(), serverName: "a.example", endpoint: Bench.endpoint)
    _ = pair.client.handshake()
    pair.client.close()
    pair.turn()
    #expect(pair.server.handshake() == .failed(TLSFailure(.closed)))
    bench.seam.tamper = nil
  }

  @Test("A client that says nothing costs no connection of OpenSSL")
  func silentClient() throws {
    let bench = Bench()
    let pair = Pair(bench)
    pair.server.startServer(try bench.serverContext())
    #expect(pair.server.handshake() == .wantsRead)
    bench.seam.resetCounts()
    #expect(pair.server.handshake() == .wantsRead)
    #expect(bench.seam.receiveCount == 0)
  }

  @Test("A full handshake with its first exchange takes two receives and two sends of the server")
  func systemCalls() throws {
    let bench = Bench()
    let pair = Pair(bench)
    pair.start(try bench.serverContext(), try bench.clientContext())
    #expect(pair.client.handshake() == .wantsRead)
    pair.turn()
    bench.seam.resetCounts()
    #expect(pair.server.handshake() == .wantsRead)
    #expect(bench.seam.receiveCount == 1 && bench.seam.sendCount == 1)
    pair.turn()
    #expect(pair.client.handshake() == .done)
    #expect(pair.send("GET", from: pair.client).bytes == 3)
    pair.turn()
    bench.seam.resetCounts()
    #expect(pair.server.handshake() == .done)
    #expect(pair.server.readiness.contains(.readable))
    #expect(!pair.server.hasUnsentBytes)
    #expect(pair.receive(at: pair.server).bytes == Array("GET".utf8))
    pair.server.isEndingWithNextSend = true
    // With the session ticket before it and close_notify behind it.
    #expect(pair.send("200", from: pair.server).bytes == 3)
    pair.server.close()
    #expect(bench.seam.receiveCount == 1 && bench.seam.sendCount == 1)
    #expect(pair.receive(at: pair.client).bytes == Array("200".utf8))
    #expect(pair.receive(at: pair.client).result.bytes == 0)
    #expect(!pair.client.isTruncated)
  }

  @Test(
    "Flights that are changed anywhere end in a failure or not at all, and in nothing worse",
    arguments: 0..<300)
  func mutations(_ seed: Int) throws {
    let bench = Bench()
    var random = SplitMix64(seed: UInt64(seed))
    let server = try bench.serverContext()
    let client = try bench.clientContext { $0.versionMax = seed % 2 == 0 ? .tls13 : .tls12 }
    let pair = Pair(bench)
    pair.start(server, client)
    bench.seam.tamper = { _, bytes in
      for _ in 0..<1 + random.next(below: 3) where !bytes.isEmpty && random.next(below: 3) > 0 {
        let position = random.next(below: bytes.count)
        switch random.next(below: 4) {
        case 0: bytes[position] ^= UInt8(1 << random.next(below: 8))
        case 1: bytes.removeSubrange(position..<min(bytes.count, position + 1 + random.next(below: 40)))
        case 2: bytes.insert(contentsOf: bytes[position..<min(bytes.count, position + 30)], at: position)
        default: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        }
      }
    }
    for _ in 0..<12 {
      pair.turn()
      for socket in [pair.client, pair.server] {
        if !socket.isEstablished {
          if case .failed = socket.handshake() { socket.close() }
        } else if socket.isOpen {
          _ = pair.send("hello", from: socket)
          _ = socket.receive(into: Buffer(capacity: 64))
        }
      }
    }
    bench.seam.tamper = nil
  }
}
