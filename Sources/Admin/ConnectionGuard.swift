import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Runtime

/// Closes admin connections on which nothing moves, and those that are old.
///
/// A client that does not read its response would else hold a connection, and the response's
/// memory, for as long as it likes. While the gateway works on an answer, the client is not to blame.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// What a client still sends after a refusal is read for so long, so that it gets to see the refusal
  /// (RFC 9112 §9.6).
  static let linger = TimeAmount.seconds(2)

  private let stallTimeout: TimeAmount
  private let lifetime: TimeAmount
  private let connections: OpenConnections
  private var start = NIODeadline.uptimeNanoseconds(0)
  private var progress = NIODeadline.uptimeNanoseconds(0)
  private var check: Scheduled<Void>?
  /// Requests that were read to their end and have no response yet; less than zero where responses
  /// came first.
  private var unanswered = 0
  /// Bytes of a request have come, and not all.
  private var isReading = false
  /// The response says that it is the last one.
  private var isLast = false
  /// False where the server has ended already.
  private var isWanted = true
  /// A stream of events: it has no age.
  private var isStream = false

  /// - Parameters:
  ///   - stallTimeout: without a byte read or a write finished.
  ///   - lifetime: whatever happens, but for streams of events; the response under way then is the last.
  ///   - connections: where this one is listed while it is open.
  init(
    stallTimeout: TimeAmount, lifetime: TimeAmount, connections: OpenConnections = OpenConnections()
  ) {
    self.stallTimeout = stallTimeout
    self.lifetime = lifetime
    self.connections = connections
  }

  func handlerAdded(context: ChannelHandlerContext) {
    ControlThreads.giveWay()
    start = context.eventLoop.now
    progress = start
    isWanted = connections.insert(context.channel)
    if context.channel.isActive { closeUnlessWanted(context) }
    schedule(context)
  }

  func channelActive(context: ChannelHandlerContext) {
    closeUnlessWanted(context)
    context.fireChannelActive()
  }

  private func closeUnlessWanted(_ context: ChannelHandlerContext) {
    if !isWanted { context.close(promise: nil) }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    check?.cancel()
    connections.remove(context.channel)
  }

  func channelInactive(context: ChannelHandlerContext) {
    check?.cancel()
    context.fireChannelInactive()
  }

  // MARK: What moves

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    progress = context.eventLoop.now
    switch unwrapInboundIn(data) {
    case .head(let head):
      isReading = true
      answerExpectation(of: head, context)
    case .body: break
    case .end:
      isReading = false
      unanswered += 1
    }
    context.fireChannelRead(data)
  }

  /// The server leaves `Expect: 100-continue` to others, and curl waits a second for its answer.
  private func answerExpectation(of head: HTTPRequest, _ context: ChannelHandlerContext) {
    guard head.headerFields[.expect]?.lowercased() == "100-continue" else { return }
    context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let promise = promise ?? context.eventLoop.makePromise()
    let loop = context.eventLoop
    promise.futureResult.assumeIsolated().whenSuccess { self.progress = loop.now }
    switch unwrapOutboundIn(data) {
    case .head(var head):
      unanswered -= 1
      // The last one before it is too old says so, and the client need not guess.
      if loop.now >= start + lifetime - stallTimeout { head.headerFields[.connection] = "close" }
      isLast = head.headerFields[.connection] == "close"
      isStream = head.headerFields[.contentType] == "text/event-stream"
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      isStream = false
      if isLast { promise.futureResult.assumeIsolated().whenComplete { _ in self.end(context) } }
      context.write(data, promise: promise)
    }
  }

  /// After the last response.
  private func end(_ context: ChannelHandlerContext) {
    guard isReading else { return context.close(promise: nil) }
    context.eventLoop.assumeIsolated().scheduleTask(in: Self.linger) { context.close(promise: nil) }
  }

  // MARK: What does not

  private func schedule(_ context: ChannelHandlerContext) {
    let now = context.eventLoop.now
    let isWorking = unanswered > 0
    let stall = isWorking ? now + stallTimeout : progress + stallTimeout
    let end = isStream || isWorking ? now + stallTimeout : start + lifetime
    check = context.eventLoop.assumeIsolated().scheduleTask(deadline: min(stall, end)) {
      self.look(context)
    }
  }

  private func look(_ context: ChannelHandlerContext) {
    let now = context.eventLoop.now
    let isWorking = unanswered > 0
    let isStalled = !isWorking && now >= progress + stallTimeout
    let isOld = !isWorking && !isStream && now >= start + lifetime
    if isStalled || isOld { context.close(promise: nil) } else { schedule(context) }
  }
}
