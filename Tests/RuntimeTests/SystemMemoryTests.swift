import Testing

@testable import Runtime

/// What the system takes of a connection over loopback whose other end reads nothing.
@Suite("What waits in the system")
struct SystemMemoryTests {
  /// A connection on which much is sent by the end that accepted it.
  /// - Returns: what the system took.
  private func taken(windowBytes: Int?, unsentBytesMax: Int?) throws -> Int {
    let seam = EpollSeam()
    let listener = try seam.listen(on: SocketAddress(ipv4: 127, 0, 0, 1, port: 0), backlog: 16)
    defer { seam.close(listener, reset: false) }
    let address = try #require(seam.localAddress(of: listener))
    let client = try seam.connect(to: address, windowBytes: windowBytes)
    defer { seam.close(client, reset: true) }
    var peer = SocketAddress.any
    var accepted = seam.accept(from: listener, peer: &peer)
    for _ in 0..<1_000 where accepted.isWouldBlock {
      var events: [ReadyEvent] = []
      seam.poll(until: seam.now().advanced(byNanoseconds: 10_000_000), into: &events)
      accepted = seam.accept(from: listener, peer: &peer)
    }
    try #require(!accepted.isError)
    let server = Int32(accepted.bytes)
    defer { seam.close(server, reset: true) }
    if let unsentBytesMax { seam.setUnsentBytesMax(unsentBytesMax, of: server) }
    let bytes = [UInt8](repeating: 1, count: 4_096)
    var sum = 0
    // Valid for the calls.
    unsafe bytes.withUnsafeBytes {
      while true {
        let result = unsafe seam.send(server, $0)
        guard result.bytes > 0 else { return }
        sum += result.bytes
      }
    }
    return sum
  }

  @Test("An endpoint that was connected to while memory was short sends less ahead")
  func smallWindow() throws {
    let usual = try taken(windowBytes: nil, unsentBytesMax: nil)
    let small = try taken(windowBytes: 16_384, unsentBytesMax: nil)
    #expect(small < usual)
  }

  @Test("Less is left with the system where that is asked for")
  func littleUnsent() throws {
    let usual = try taken(windowBytes: 16_384, unsentBytesMax: nil)
    let little = try taken(windowBytes: 16_384, unsentBytesMax: Seam.littleUnsentBytes)
    #expect(little < usual)
    #expect(little < Seam.unsentBytesMax)
  }

  @Test(
    "The system says what it has for connections, in pages",
    arguments: [
      ("1\t20\t300\n", 20), ("0 9223372036854775807 9223372036854775807\n", nil), ("1 -2 3", nil),
      ("1 2", nil), ("1 x 3", nil), ("", nil),
    ] as [(String, Int?)])
  func connectionMemory(text: String, pages: Int?) {
    let bytes = EpollSeam.connectionMemoryBytes(in: Array(text.utf8))
    #expect(bytes == pages.map { $0 * Int(ProcessMemory.pageBytes) })
  }
}
