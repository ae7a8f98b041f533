import NIOCore
import NIOEmbedded
import Testing

@testable import Admin

@Suite("Slow admin clients")
struct ConnectionGuardTests {
  private func channel() throws -> EmbeddedChannel {
    let channel = EmbeddedChannel(
      handler: ConnectionGuard(stallTimeout: .seconds(30), lifetime: .seconds(600)))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    return channel
  }

  @Test("A connection on which nothing moves is closed")
  func stalled() throws {
    let channel = try channel()
    channel.embeddedEventLoop.advanceTime(by: .seconds(29))
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive)
  }

  @Test("A write that does not finish is no progress; one that does is")
  func writes() throws {
    let channel = try channel()
    channel.embeddedEventLoop.advanceTime(by: .seconds(20))
    // Not flushed: an embedded channel finishes writes when they are.
    channel.write("x", promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(5))
    channel.flush()
    channel.embeddedEventLoop.advanceTime(by: .seconds(29))
    #expect(channel.isActive)
    channel.write("x", promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive)
  }

  @Test("A client that sends a little now and then is closed at the end of its lifetime")
  func drip() throws {
    let channel = try channel()
    for _ in 0..<29 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(20))
      try channel.writeInbound("x")
      #expect(channel.isActive)
    }
    channel.embeddedEventLoop.advanceTime(by: .seconds(20))
    #expect(!channel.isActive)
  }
}
