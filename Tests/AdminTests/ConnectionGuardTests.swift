import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
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

  private func request(_ fields: HTTPFields = [:]) -> HTTPRequestPart {
    .head(HTTPRequest(method: .put, scheme: "http", authority: "a", path: "/", headerFields: fields))
  }

  private func response(_ fields: HTTPFields = [:]) -> HTTPResponsePart {
    .head(HTTPResponse(status: .ok, headerFields: fields))
  }

  private var piece: ByteBuffer { ByteBuffer(string: "x") }

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
    channel.write(HTTPResponsePart.body(piece), promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(5))
    channel.flush()
    channel.embeddedEventLoop.advanceTime(by: .seconds(29))
    #expect(channel.isActive)
    channel.write(HTTPResponsePart.body(piece), promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive)
  }

  @Test("A client that sends a little now and then is closed at the end of its lifetime")
  func drip() throws {
    let channel = try channel()
    try channel.writeInbound(request())
    for _ in 0..<29 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(20))
      try channel.writeInbound(HTTPRequestPart.body(piece))
      #expect(channel.isActive)
    }
    channel.embeddedEventLoop.advanceTime(by: .seconds(20))
    #expect(!channel.isActive)
  }

  @Test("While the gateway works on an answer, the client may be silent")
  func working() throws {
    let channel = try channel()
    try channel.writeInbound(request())
    try channel.writeInbound(HTTPRequestPart.end(nil))
    channel.embeddedEventLoop.advanceTime(by: .seconds(700))
    #expect(channel.isActive)
    try channel.writeOutbound(response())
    channel.embeddedEventLoop.advanceTime(by: .seconds(31))
    #expect(!channel.isActive)
  }

  @Test("The last response before the end of the lifetime says so, and the connection ends with it")
  func lastResponse() throws {
    let channel = try channel()
    for _ in 0..<28 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(20))
      try exchange(channel)
      #expect(channel.isActive)
      #expect(try connectionField(channel) == nil)
    }
    channel.embeddedEventLoop.advanceTime(by: .seconds(15))
    try exchange(channel)
    #expect(try connectionField(channel) == "close")
    #expect(!channel.isActive)
  }

  private func exchange(_ channel: EmbeddedChannel) throws {
    try channel.writeInbound(request())
    try channel.writeInbound(HTTPRequestPart.end(nil))
    try channel.writeOutbound(response())
    try channel.writeOutbound(HTTPResponsePart.end(nil))
  }

  private func connectionField(_ channel: EmbeddedChannel) throws -> String? {
    var field: String?
    while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
      if case .head(let head) = part { field = head.headerFields[.connection] }
    }
    return field
  }

  @Test("A stream of events goes on for as long as it moves")
  func stream() throws {
    let channel = try channel()
    try channel.writeInbound(request())
    try channel.writeInbound(HTTPRequestPart.end(nil))
    try channel.writeOutbound(response([.contentType: "text/event-stream"]))
    for _ in 0..<100 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(15))
      try channel.writeOutbound(HTTPResponsePart.body(piece))
      #expect(channel.isActive)
    }
    channel.embeddedEventLoop.advanceTime(by: .seconds(30))
    #expect(!channel.isActive)
  }

  @Test("After a refusal, what the client still sends is read for a moment")
  func refusal() throws {
    let channel = try channel()
    try channel.writeInbound(request())
    try channel.writeOutbound(response([.connection: "close"]))
    try channel.writeOutbound(HTTPResponsePart.end(nil))
    try channel.writeInbound(HTTPRequestPart.body(piece))
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: ConnectionGuard.linger)
    #expect(!channel.isActive)
  }

  @Test("Who asks whether to go on is told to")
  func expectation() throws {
    let channel = try channel()
    try channel.writeInbound(request([.expect: "100-continue"]))
    guard case .head(let head)? = try channel.readOutbound(as: HTTPResponsePart.self) else {
      Issue.record("no interim response")
      return
    }
    #expect(head.status == .continue)
  }

  @Test("When the server has ended, connections end that nobody serves, and new ones at once")
  func orphans() throws {
    let connections = OpenConnections()
    func channel() throws -> EmbeddedChannel {
      let channel = EmbeddedChannel(
        handler: ConnectionGuard(
          stallTimeout: .seconds(30), lifetime: .seconds(600), connections: connections))
      try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
      return channel
    }
    let (first, second) = (try channel(), try channel())
    try second.close().wait()
    connections.close()
    first.embeddedEventLoop.run()
    #expect(!first.isActive)
    #expect(try !channel().isActive)
  }
}
