import COpenSSL
import Runtime
import Testing

@testable import TLS

/// Content, readiness, and the end, through OpenSSL (TLS 1.2) and through records made here (TLS 1.3).
struct TransferTests {
  static let versions: [TLSVersion] = [.tls12, .tls13]

  private func established(_ version: TLSVersion, _ bench: Bench = Bench()) throws -> Pair {
    let pair = try Pair.established(bench, client: try bench.clientContext { $0.versionMax = version })
    #expect(pair.server.phase == (version == .tls13 ? .records : .openSSL))
    return pair
  }

  @Test("Megabytes go both ways through small buffers", arguments: versions)
  func bigTransfers(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    bench.seam.capacity = 5_000
    let bytes = pattern(1_500_000)
    #expect(try pair.transfer(bytes, from: pair.client, to: pair.server) == bytes)
    #expect(try pair.transfer(bytes, from: pair.server, to: pair.client) == bytes)
    bench.seam.capacity = 1 << 20
    #expect(try pair.transfer(bytes, from: pair.client, to: pair.server, room: 700, atMost: 333) == bytes)
    #expect(try pair.transfer(bytes, from: pair.server, to: pair.client, room: 700, atMost: 333) == bytes)
  }

  @Test("One receive takes all records that are there, and one send makes them", arguments: versions)
  func fewSystemCalls(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    let request = pattern(60_000)
    let output = Buffer(capacity: request.count)
    output.append(request)
    // Tickets and the like are out of the way.
    _ = pair.receive(at: pair.client)
    _ = pair.receive(at: pair.server)
    bench.seam.resetCounts()
    #expect(pair.client.send(output).bytes == request.count)
    #expect(bench.seam.sendCount == 1)
    let received = pair.receive(at: pair.server)
    #expect(received.bytes == request)
    #expect(bench.seam.receiveCount == 1)
    // It was short, and so the socket is known to be drained.
    #expect(!pair.server.readiness.contains(.readable))
  }

  @Test("Head and content become one record", arguments: versions)
  func oneRecord(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    _ = pair.receive(at: pair.client)
    let head = Buffer(capacity: 200)
    let body = Buffer(capacity: 2_000)
    head.append(pattern(200))
    body.append(pattern(2_000, seed: 5))
    let before = bench.seam.unreadCount(at: pair.client.handle)
    bench.seam.resetCounts()
    #expect(pair.server.send(head, body, range: 100..<1_900).bytes == 2_000)
    #expect(bench.seam.sendCount == 1)
    // A second record would take as much again.
    #expect(bench.seam.unreadCount(at: pair.client.handle) - before < 2_000 + 2 * 22)
    #expect(pair.receive(at: pair.client).bytes == pattern(200) + Array(pattern(2_000, seed: 5)[100..<1_900]))
  }

  @Test("Records are small at first and after a pause, large under way", arguments: versions)
  func recordSizes(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    var sizes: [Int] = []
    bench.seam.tamper = { handle, bytes in
      guard handle == pair.server.handle else { return }
      var position = 0
      while position + 5 <= bytes.count {
        let length = Int(bytes[position + 3]) << 8 | Int(bytes[position + 4])
        sizes.append(length)
        position += 5 + length
      }
    }
    func send(_ count: Int) -> [Int] {
      sizes = []
      let buffer = Buffer(capacity: count)
      buffer.append(pattern(count))
      #expect(pair.server.send(buffer).bytes == count)
      while pair.receive(at: pair.client).result.bytes > 0 {}
      return sizes
    }
    #expect(send(4_000).count == 1)
    #expect(send(20_000).allSatisfy { $0 < 1_460 || $0 < 4_200 })
    #expect(send(20_000).count > 10)
    _ = send(70_000)
    #expect(send(64_000).count == 4)
    bench.seam.time = bench.seam.time.advanced(byNanoseconds: 900_000_000)
    pair.turn()
    #expect(send(64_000).count == 4)
    bench.seam.time = bench.seam.time.advanced(byNanoseconds: 1_100_000_000)
    pair.turn()
    #expect(send(20_000).count > 10)
    bench.seam.tamper = nil
  }

  @Test("What the system does not take is kept, counts as sent, and goes by itself", arguments: versions)
  func unsentBytes(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    bench.seam.capacity = 1_000
    let bytes = pattern(10_000)
    let output = Buffer(capacity: bytes.count)
    output.append(bytes)
    #expect(pair.server.send(output).bytes == bytes.count)
    #expect(pair.server.hasUnsentBytes)
    #expect(!pair.server.readiness.contains(.writable))
    // Nothing more is taken before.
    #expect(pair.server.send(output).isWouldBlock)
    var received: [UInt8] = []
    for _ in 0..<100 where received.count < bytes.count {
      let buffer = Buffer(capacity: 4_096)
      if pair.client.receive(into: buffer).bytes > 0 { received += buffer.array }
      pair.turn()
    }
    #expect(received == bytes)
    #expect(!pair.server.hasUnsentBytes)
    #expect(pair.server.readiness.contains(.writable))
  }

  @Test("Content that was not taken keeps the socket readable", arguments: versions)
  func remainingContent(_ version: TLSVersion) throws {
    let pair = try established(version)
    let bytes = pattern(3_000)
    let output = Buffer(capacity: bytes.count)
    output.append(bytes)
    for socket in [pair.client, pair.server] {
      _ = pair.receive(at: socket)
      let other = socket === pair.client ? pair.server : pair.client
      #expect(other.send(output).bytes == 3_000)
      pair.turn()
      var received: [UInt8] = []
      while socket.readiness.contains(.readable) && received.count < 3_000 {
        let input = Buffer(capacity: 64)
        let result = socket.receive(into: input, atMost: 50)
        #expect(result.bytes > 0 && result.bytes <= 50)
        received += input.array
      }
      #expect(received == bytes)
      // Nothing is left, and a call says so.
      #expect(socket.receive(into: Buffer(capacity: 64)).isWouldBlock)
      #expect(!socket.readiness.contains(.readable))
    }
  }

  @Test("A full buffer grows, as a plain socket's does", arguments: versions)
  func fullBuffer(_ version: TLSVersion) throws {
    let pair = try established(version)
    let input = Buffer(capacity: 8)
    input.append([1, 2, 3, 4, 5, 6, 7, 8])
    #expect(pair.send("hello", from: pair.client).bytes == 5)
    pair.turn()
    while pair.server.readiness.contains(.readable) && input.count < 13 {
      _ = pair.server.receive(into: input)
    }
    #expect(input.array == [1, 2, 3, 4, 5, 6, 7, 8] + Array("hello".utf8))
  }

  // MARK: The end

  @Test("close_notify ends content in order, and only one direction", arguments: versions)
  func closeNotify(_ version: TLSVersion) throws {
    let pair = try established(version)
    _ = pair.receive(at: pair.client)
    #expect(pair.send("last", from: pair.client).bytes == 4)
    pair.client.shutdownSending()
    #expect(pair.receive(at: pair.server).bytes == Array("last".utf8))
    #expect(pair.receive(at: pair.server).result.bytes == 0)
    #expect(!pair.server.isTruncated)
    #expect(pair.server.readiness.isSuperset(of: [.readable, .peerClosed]))
    #expect(pair.send("answer", from: pair.server).bytes == 6)
    pair.server.close()
    #expect(pair.receive(at: pair.client).bytes == Array("answer".utf8))
    #expect(pair.receive(at: pair.client).result.bytes == 0)
    #expect(!pair.client.isTruncated)
  }

  @Test("close_notify behind a request does not say that the client is gone", arguments: versions)
  func closeNotifyBehindContent(_ version: TLSVersion) throws {
    let pair = try established(version)
    _ = pair.receive(at: pair.client)
    #expect(pair.send("last", from: pair.client).bytes == 4)
    pair.client.sayGoodbye()
    #expect(pair.receive(at: pair.server).bytes == Array("last".utf8))
    #expect(pair.server.readiness.contains(.readable) && !pair.server.readiness.contains(.peerClosed))
    #expect(pair.receive(at: pair.server).result.bytes == 0)
    #expect(!pair.server.readiness.contains(.peerClosed) && !pair.server.isTruncated)
    #expect(pair.send("answer", from: pair.server).bytes == 6)
  }

  @Test("A receive of nothing is not the end, and one after closing is an error", arguments: versions)
  func emptyReceive(_ version: TLSVersion) throws {
    let pair = try established(version)
    #expect(pair.send("some", from: pair.client).bytes == 4)
    pair.turn()
    #expect(pair.server.receive(into: Buffer(capacity: 10), atMost: 0).isWouldBlock)
    #expect(pair.receive(at: pair.server).bytes == Array("some".utf8))
    pair.server.close()
    #expect(pair.server.receive(into: Buffer(capacity: 10)).isError)
    #expect(pair.send("late", from: pair.server).isError)
  }

  @Test("A client of TLS 1.2 that renegotiates is told so, and its connection ends")
  func renegotiation() throws {
    let pair = try established(.tls12)
    let tls = try #require(pair.client.tls)
    // The connection lives as long as the socket.
    let ssl = try unsafe #require(pair.client.connection)
    _ = unsafe clearOptions(ssl, 1 << 30)
    #expect(unsafe renegotiate(ssl) == 1)
    _ = unsafe cossl_handshake(ssl)
    #expect(tls.outputCount > 0 && tls.sendOutput(on: pair.client).bytes == tls.outputCount)
    tls.dropOutput()
    #expect(pair.receive(at: pair.server).result.isError)
    #expect(pair.server.failure?.alert == 100)
    #expect(pair.send("late", from: pair.server).isError)
  }

  @Test("An end without close_notify is told from one with it", arguments: versions)
  func truncation(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    #expect(pair.send("part", from: pair.client).bytes == 4)
    bench.seam.shutdownSending(pair.client.handle)
    #expect(pair.receive(at: pair.server).bytes == Array("part".utf8))
    #expect(pair.receive(at: pair.server).result.bytes == 0)
    #expect(pair.server.isTruncated)
  }

  @Test("A shutdown waits for what is unsent", arguments: versions)
  func shutdownBehindUnsent(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    _ = pair.receive(at: pair.client)
    bench.seam.capacity = 500
    let bytes = pattern(3_000)
    let output = Buffer(capacity: bytes.count)
    output.append(bytes)
    #expect(pair.server.send(output).bytes == bytes.count)
    pair.server.shutdownSending()
    var received: [UInt8] = []
    var last = IOResult.wouldBlock
    for _ in 0..<200 where last.bytes != 0 {
      let buffer = Buffer(capacity: 4_096)
      last = pair.client.receive(into: buffer)
      received += buffer.array
      pair.turn()
    }
    #expect(received == bytes)
    #expect(last.bytes == 0 && !pair.client.isTruncated)
  }

  @Test("A reset is an error", arguments: versions)
  func reset(_ version: TLSVersion) throws {
    let pair = try established(version)
    pair.client.close(reset: true)
    let received = pair.receive(at: pair.server)
    #expect(received.result.isError)
    #expect(pair.server.failure?.kind == .closed)
    #expect(pair.send("late", from: pair.server).isError)
  }

  @Test("A connection that nobody has spoken on is quiet", arguments: versions)
  func quiet(_ version: TLSVersion) throws {
    let bench = Bench()
    let pair = try established(version, bench)
    // The server's session tickets are no content.
    pair.turn()
    #expect(pair.client.isQuiet())
    #expect(!pair.client.readiness.contains(.readable))
    #expect(pair.send("unasked", from: pair.server).bytes == 7)
    pair.turn()
    #expect(!pair.client.isQuiet())
    #expect(pair.receive(at: pair.client).bytes == Array("unasked".utf8))
    #expect(pair.client.isQuiet())
    pair.server.close()
    pair.turn()
    #expect(!pair.client.isQuiet())
  }
}

// What our own clients never do.

@_silgen_name("SSL_renegotiate")
private func renegotiate(_ ssl: OpaquePointer) -> Int32

/// SSL_OP_NO_RENEGOTIATION is bit 30.
@_silgen_name("SSL_clear_options")
private func clearOptions(_ ssl: OpaquePointer, _ options: UInt64) -> UInt64
