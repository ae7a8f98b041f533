import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A server that answers bytes as a test wants them, on a free port of the loopback address.
final class TestServer: Sendable {
  /// What it does with a connection when a request's head is there.
  enum Answer: Sendable {
    /// Writes this and closes.
    case bytes(String)
    /// Writes this and stays silent.
    case bytesThenSilence(String)
    /// Writes the first, then the second again and again until the client goes.
    case endless(String, String)
    /// Closes without a byte.
    case close
  }

  let channel: any Channel
  private let handler: Handler

  var port: Int { channel.localAddress?.port ?? 0 }
  /// All that clients sent, one text for each connection.
  var requests: [String] { handler.requests.withLock { $0 } }

  private init(channel: any Channel, handler: Handler) {
    self.channel = channel
    self.handler = handler
  }

  /// - Parameter answer: for a request's text up to what has come when its head is whole.
  static func start(_ answer: @escaping @Sendable (String) -> Answer) async throws -> TestServer {
    let handler = Handler(answer)
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ConnectionHandler(handler))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return TestServer(channel: channel, handler: handler)
  }

  func stop() async {
    try? await channel.close()
  }

  fileprivate final class Handler: Sendable {
    let answer: @Sendable (String) -> Answer
    let requests = Mutex<[String]>([])

    init(_ answer: @escaping @Sendable (String) -> Answer) { self.answer = answer }
  }

  private final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let handler: Handler
    private var text = ""
    private var hasAnswered = false

    init(_ handler: Handler) { self.handler = handler }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      text += String(buffer: unwrapInboundIn(data))
      guard !hasAnswered, isWhole else { return }
      hasAnswered = true
      handler.requests.withLock { $0.append(text) }
      switch handler.answer(text) {
      case .close: context.close(promise: nil)
      case .bytes(let bytes):
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
        context.close(promise: nil)
      case .bytesThenSilence(let bytes):
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
      case .endless(let first, let again):
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: first)), promise: nil)
        repeatWriting(ByteBuffer(string: again), context)
      }
    }

    /// Ends with the first write that fails.
    private func repeatWriting(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      context.writeAndFlush(wrapOutboundOut(buffer)).whenSuccess {
        // Not at once: as long as the peer reads, each write is over before it returns.
        bound.eventLoop.execute {
          let (handler, context) = bound.value
          handler.repeatWriting(buffer, context)
        }
      }
    }

    /// Whether the head, and the content where its length is known, have come.
    private var isWhole: Bool {
      guard let end = text.range(of: "\r\n\r\n") else { return false }
      let lines = text[..<end.lowerBound].split(separator: "\r\n")
      let length = lines.first { $0.lowercased().hasPrefix("content-length:") }
        .flatMap { Int($0.dropFirst("content-length:".count).filter { $0 != " " }) }
      return text[end.upperBound...].utf8.count >= length ?? 0
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

/// Runs `body` with a server that answers so.
func withServer<Value: Sendable>(
  _ answer: @escaping @Sendable (String) -> TestServer.Answer,
  _ body: (TestServer) async throws -> Value
) async throws -> Value {
  let server = try await TestServer.start(answer)
  do {
    let value = try await body(server)
    await server.stop()
    return value
  } catch {
    await server.stop()
    throw error
  }
}

/// An answer with its length.
func answer(_ content: String, status: String = "200 OK", type: String = "application/json") -> String {
  "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(content.utf8.count)\r\n\r\n\(content)"
}
