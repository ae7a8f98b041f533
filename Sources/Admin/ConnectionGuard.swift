import NIOCore

/// Closes admin connections on which nothing moves, and those that are old.
///
/// A client that does not read its response would else hold a connection, and the response's
/// memory, for as long as it likes.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = Any
  typealias OutboundIn = Any

  private let stallTimeout: TimeAmount
  private let lifetime: TimeAmount
  private var start = NIODeadline.uptimeNanoseconds(0)
  private var progress = NIODeadline.uptimeNanoseconds(0)
  private var check: Scheduled<Void>?

  /// - Parameters:
  ///   - stallTimeout: without a byte read or a write finished.
  ///   - lifetime: whatever happens.
  init(stallTimeout: TimeAmount, lifetime: TimeAmount) {
    self.stallTimeout = stallTimeout
    self.lifetime = lifetime
  }

  func handlerAdded(context: ChannelHandlerContext) {
    start = context.eventLoop.now
    progress = start
    schedule(context)
  }

  func handlerRemoved(context: ChannelHandlerContext) { check?.cancel() }

  func channelInactive(context: ChannelHandlerContext) {
    check?.cancel()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    progress = context.eventLoop.now
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let promise = promise ?? context.eventLoop.makePromise()
    let loop = context.eventLoop
    promise.futureResult.assumeIsolated().whenSuccess { self.progress = loop.now }
    context.write(data, promise: promise)
  }

  private func schedule(_ context: ChannelHandlerContext) {
    let due = min(progress + stallTimeout, start + lifetime)
    check = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) {
      let now = context.eventLoop.now
      if now >= self.progress + self.stallTimeout || now >= self.start + self.lifetime {
        context.close(promise: nil)
      } else {
        self.schedule(context)
      }
    }
  }
}
