import Runtime
import Testing

@testable import TLS

/// The record layer of TLS 1.3 against what RFC 8446 §5 and §6 say of a peer's mistakes.
struct RecordTests {
  /// A server that has left OpenSSL, and a client whose records a test makes.
  private final class Forge {
    let bench = Bench()
    let pair: Pair
    let forger: Forger

    init() throws {
      pair = try Pair.established(bench)
      #expect(pair.server.phase == .records)
      _ = pair.receive(at: pair.client)
      forger = Forger(pair.server)
    }

    func record(_ type: UInt8, _ content: [UInt8], padding: Int = 0) -> [UInt8] {
      forger.record(type, content, padding: padding)
    }

    func receive(_ bytes: [UInt8]) -> IOResult {
      bench.seam.inject(bytes, to: pair.server.handle)
      return pair.receive(at: pair.server).result
    }
  }

  private func expectAlert(
    _ alert: UInt8, _ forge: Forge, _ result: IOResult, _ place: SourceLocation = #_sourceLocation
  ) {
    #expect(result.isError, sourceLocation: place)
    #expect(forge.pair.server.failure?.alert == alert, sourceLocation: place)
    #expect(forge.pair.server.failure?.kind == .malformed, sourceLocation: place)
    // The client is told.
    #expect(forge.pair.receive(at: forge.pair.client).result.isError, sourceLocation: place)
    #expect(forge.pair.client.failure?.alert == alert, sourceLocation: place)
    #expect(forge.pair.send("late", from: forge.pair.server).isError, sourceLocation: place)
  }

  @Test("A changed byte is noticed wherever it is", arguments: [0, 3, 4, 5, 20, 30])
  func tampering(_ position: Int) throws {
    let forge = try Forge()
    var record = forge.record(23, Array("hello, world".utf8))
    record[position] ^= 0x40
    let result = forge.receive(record + pattern(40_000))
    #expect(result.isError && forge.pair.server.failure != nil)
    #expect(forge.pair.receive(at: forge.pair.client).result.isError)
  }

  @Test("A record that is repeated is not accepted")
  func replay() throws {
    let forge = try Forge()
    let record = forge.record(23, [1, 2, 3])
    #expect(forge.receive(record).bytes == 3)
    expectAlert(20, forge, forge.receive(record))
  }

  @Test("Padding is dropped")
  func padding() throws {
    let forge = try Forge()
    #expect(forge.receive(forge.record(23, [1, 2, 3], padding: 1_000)).bytes == 3)
    #expect(forge.receive(forge.record(23, [0, 0, 0])).bytes == 3)
  }

  @Test("A record that is all padding has no type")
  func allPadding() throws {
    let forge = try Forge()
    expectAlert(10, forge, forge.receive(forge.record(0, [0, 0, 0])))
  }

  @Test("Content of more than 16,384 bytes is an overflow")
  func contentOverflow() throws {
    let forge = try Forge()
    #expect(forge.receive(forge.record(23, pattern(16_384))).bytes == 16_384)
    expectAlert(22, forge, forge.receive(forge.record(23, pattern(16_385))))
  }

  @Test("Padding counts as content does")
  func paddingOverflow() throws {
    let forge = try Forge()
    #expect(forge.receive(forge.record(23, [1, 2, 3], padding: 16_381)).bytes == 3)
    expectAlert(22, forge, forge.receive(forge.record(23, [1, 2, 3], padding: 16_382)))
  }

  @Test("A record that is too long is refused before it has come")
  func recordOverflow() throws {
    let forge = try Forge()
    expectAlert(22, forge, forge.receive([23, 3, 3, 0x41, 0x01]))
  }

  @Test("Records without protection are refused", arguments: [20, 21, 22, 24, 0] as [UInt8])
  func unprotected(_ type: UInt8) throws {
    let forge = try Forge()
    expectAlert(10, forge, forge.receive([type, 3, 3, 0, 2, 1, 0]))
  }

  @Test("A record that is shorter than its tag")
  func shortRecord() throws {
    let forge = try Forge()
    expectAlert(20, forge, forge.receive([23, 3, 3, 0, 3, 1, 2, 3]))
  }

  @Test("Unknown types of content", arguments: [20, 24, 255] as [UInt8])
  func unknownType(_ type: UInt8) throws {
    let forge = try Forge()
    expectAlert(10, forge, forge.receive(forge.record(type, [1])))
  }

  @Test("Empty records are bounded")
  func emptyRecords() throws {
    let forge = try Forge()
    for _ in 0..<32 { #expect(forge.receive(forge.record(23, [])).isWouldBlock) }
    #expect(forge.receive(forge.record(23, [1])).bytes == 1)
    for _ in 0..<32 { #expect(forge.receive(forge.record(23, [])).isWouldBlock) }
    expectAlert(10, forge, forge.receive(forge.record(23, [])))
  }

  @Test("Alerts of the client end the connection, close_notify in order")
  func alerts() throws {
    let fatal = try Forge()
    #expect(fatal.receive(fatal.record(21, [1, 40])).isError)
    #expect(fatal.pair.server.failure?.kind == .refusedByPeer && fatal.pair.server.failure?.alert == 40)
    let orderly = try Forge()
    #expect(orderly.receive(orderly.record(21, [1, 0])).bytes == 0)
    #expect(orderly.pair.server.failure == nil && !orderly.pair.server.isTruncated)
    let cancelled = try Forge()
    #expect(cancelled.receive(cancelled.record(21, [1, 90])).isWouldBlock)
    let long = try Forge()
    expectAlert(50, long, long.receive(long.record(21, [1, 0, 0])))
  }

  @Test(
    "A KeyUpdate changes the client's key, and is answered when that is asked for",
    arguments: [0, 1] as [UInt8])
  func keyUpdate(_ isAskedFor: UInt8) throws {
    let forge = try Forge()
    let before = forge.bench.seam.unreadCount(at: forge.pair.client.handle)
    let message = forge.record(22, [24, 0, 0, 1, isAskedFor])
    forge.forger.updateKey()
    #expect(forge.receive(message + forge.record(23, [7])).bytes == 1)
    let answered = forge.bench.seam.unreadCount(at: forge.pair.client.handle) - before
    // A header, the message, its type and the tag.
    #expect(answered == (isAskedFor == 1 ? 5 + 5 + 1 + 16 : 0))
    // OpenSSL follows.
    #expect(forge.pair.send("new key", from: forge.pair.server).bytes == 7)
    #expect(forge.pair.receive(at: forge.pair.client).bytes == Array("new key".utf8))
    #expect(forge.pair.client.failure == nil)
  }

  @Test("A KeyUpdate may come in pieces")
  func fragmentedKeyUpdate() throws {
    let forge = try Forge()
    #expect(forge.receive(forge.record(22, [24, 0])).isWouldBlock)
    let rest = forge.record(22, [0, 1, 0])
    forge.forger.updateKey()
    #expect(forge.receive(rest).isWouldBlock)
    #expect(forge.receive(forge.record(23, [9])).bytes == 1)
  }

  @Test("Nothing comes between the pieces of a message")
  func interleaved() throws {
    let forge = try Forge()
    #expect(forge.receive(forge.record(22, [24, 0])).isWouldBlock)
    expectAlert(10, forge, forge.receive(forge.record(23, [1])))
  }

  @Test(
    "Other messages, and malformed ones, are refused",
    arguments: [[1, 0, 0, 1, 0], [24, 0, 0, 1, 2], [24, 0, 0, 2, 0], [24, 0, 0, 1, 0, 24], []] as [[UInt8]])
  func messages(_ message: [UInt8]) throws {
    let forge = try Forge()
    expectAlert(10, forge, forge.receive(forge.record(22, message)))
  }

  @Test("KeyUpdates without content are bounded")
  func keyUpdateFlood() throws {
    let forge = try Forge()
    var result = IOResult.wouldBlock
    var count = 0
    while result.isWouldBlock && count < 100 {
      let message = forge.record(22, [24, 0, 0, 1, 0])
      forge.forger.updateKey()
      result = forge.receive(message)
      count += 1
    }
    #expect(count == 33 && result.isError)
  }

  @Test("Answers to KeyUpdates that nobody reads are bounded, whatever comes with them")
  func unreadAnswers() throws {
    let forge = try Forge()
    forge.bench.seam.capacity = 100
    var result = IOResult(code: 1)
    var count = 0
    while result.bytes == 1 && count < 10_000 {
      let message = forge.record(22, [24, 0, 0, 1, 1])
      forge.forger.updateKey()
      result = forge.receive(message + forge.record(23, [7]))
      count += 1
    }
    #expect(result.isError && count > 100 && count < 10_000)
    #expect(forge.pair.server.failure?.alert == 10)
    #expect(forge.pair.server.unsent.map { $0.count < TLSSocket.batchBytes + 30_000 } ?? true)
  }

  @Test("Records arrive in any pieces")
  func pieces() throws {
    let forge = try Forge()
    let bytes = forge.record(23, pattern(500)) + forge.record(23, pattern(700)) + forge.record(23, [])
    for size in [1, 4, 5, 6, 100, 521, 522, 523] {
      var received = 0
      let next = size == 1 ? bytes : forge.record(23, pattern(500)) + forge.record(23, pattern(700))
      for start in stride(from: 0, to: next.count, by: size) {
        let result = forge.receive(Array(next[start..<min(start + size, next.count)]))
        #expect(result.bytes > 0 || result.isWouldBlock)
        received += max(0, result.bytes)
      }
      #expect(received == 1_200)
    }
  }

  @Test("More connections than ciphers take turns with them")
  func cipherTurns() throws {
    let bench = Bench()
    let server = try bench.serverContext()
    let client = try bench.clientContext()
    let pairs = try (0..<CipherPools.ciphersMax + 40).map { _ in
      try Pair.established(bench, server: server, client: client)
    }
    for round in 0..<3 {
      for (index, pair) in pairs.enumerated() {
        let bytes = pattern(100, seed: index + round)
        #expect(try pair.transfer(bytes, from: pair.client, to: pair.server) == bytes)
        #expect(try pair.transfer(bytes, from: pair.server, to: pair.client) == bytes)
      }
    }
  }
}
