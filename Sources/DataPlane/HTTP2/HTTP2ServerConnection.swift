import HTTPCodec
import Runtime

/// HTTP/2 with a client: each stream that it opens is a request, served by a ``ClientStream``.
final class HTTP2ServerConnection: HTTP2Connection {
  private let owner: ClientConnection
  private let openedAt: MonotonicTime
  private var idleSince: MonotonicTime
  /// Streams whose exchanges are not over.
  private var servedStreams = 0
  /// GOAWAY was sent: when those that are served must be done.
  private var drainDeadline = MonotonicTime.never
  private var isDraining = false
  /// The second GOAWAY, which names the last stream, was sent (RFC 9113 §6.8).
  private var isDrainFinal = false

  init(_ owner: ClientConnection) {
    self.owner = owner
    openedAt = owner.worker.now
    idleSince = owner.worker.now
    super.init(
      owner.socket, role: .server, settings: owner.data.settings.http2, isTLS: owner.tls != nil,
      data: owner.data)
  }

  func begin(early: Buffer?) {
    data.counters.figures.http2Connections &+= 1
    engine.begin(into: outputBuffer())
    askFlush()
    owner.setDeadline(.never)
    owner.countAsParked()
    updateDeadline()
    if let early, !early.isEmpty {
      process(early: early)
    } else if !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) {
      socketIsReady(socket)
    }
  }

  // MARK: Requests

  override func headersArrived(_ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>) throws(HTTP2ConnectionError) {
    if block.kind == .request { return try requestArrived(block, bytes) }
    guard let stream = stream(at: block.slot) else { return try engine.skipBlock(block, of: bytes) }
    do {
      try engine.decodeTrailers(
        block, of: bytes, into: stream.trailersBuffer(), fields: &stream.trailerFields,
        limits: data.settings.http2HeadLimits)
      stream.peerEnded()
    } catch {
      if case .connection(let code) = error {
        throw HTTP2ConnectionError(code, "the trailers cannot be decoded")
      }
      failStream(block.slot)
    }
    touch(stream)
  }

  private func requestArrived(_ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>) throws(HTTP2ConnectionError) {
    let side = data.takeClientStream(for: owner)
    let exchange = data.takeExchange()
    do {
      try engine.decodeRequest(
        block, of: bytes, into: exchange.input, head: &exchange.request, limits: data.settings.http2HeadLimits
      )
    } catch {
      switch error {
      case .connection(let code):
        data.give(exchange)
        data.give(side)
        throw HTTP2ConnectionError(code, "a request's head cannot be decoded")
      case .malformed:
        data.give(exchange)
        data.give(side)
        data.counters.figures.refusals.record(400)
        return failStream(block.slot)
      case .refused(let error):
        side.headError = error
        // What was decoded of it must not be used, nor what is left of an earlier one.
        exchange.request = RequestHead()
      }
    }
    let stream = side.stream!
    insert(stream, at: block.slot)
    stream.side = side
    stream.watcher = side
    if block.endsStream { stream.peerEnded() }
    if case .length(let length) = exchange.request.framing {
      // With END_STREAM the decoder has seen to it already.
      _ = engine.acceptHead(slot: block.slot, contentLength: length)
    }
    exchange.request.byteCount = exchange.input.count
    side.begin(exchange)
    servedStreams += 1
    if servedStreams == 1 { stateChanged() }
    owner.requestCount &+= 1
    touch(stream)
  }

  /// A stream that broke a rule and that nobody serves yet (RFC 9113 §8.1.1).
  private func failStream(_ slot: Int) {
    engine.reset(slot: slot, code: .protocolError, into: outputBuffer())
    if let stream = stream(at: slot) {
      streams[slot] = nil
      stream.wasReset(isRefused: false)
      touch(stream)
    }
    engine.free(slot: slot, into: outputBuffer())
  }

  /// At once, so that the next request has its exchange while that is in the CPU's caches: 200 requests that are
  /// reset in one read would otherwise have an exchange with its pages each.
  override func endUnserved(_ stream: HTTP2Stream) -> Bool {
    guard let side = stream.side, side.isNew else { return false }
    stream.isTouched = false
    side.start()
    return true
  }

  override func hasNews(_ stream: HTTP2Stream) {
    guard let side = stream.side else { return }
    if side.isNew { side.start() } else { stream.tellWatcher() }
  }

  /// An exchange is over; its stream was given back.
  func exchangeEnded() {
    servedStreams -= 1
    if servedStreams == 0 {
      idleSince = worker.now
      stateChanged()
    }
    if let limit = data.settings.requestsPerConnection, Int(owner.requestCount) >= limit { drain() }
  }

  // MARK: Idle, age and drain

  override func stateChanged() {
    if isClosed { return }
    // One that is closing makes room by itself: it must not be chosen again.
    if isClosing { return owner.countAsBusy() }
    if servedStreams == 0 { owner.countAsParked() } else { owner.countAsBusy() }
    if servedStreams == 0 && isDrainFinal && !hasOutput { return end(.noError) }
    updateDeadline()
  }

  private func updateDeadline() {
    if isClosing { return }
    let settings = data.settings
    var deadline = drainDeadline
    if servedStreams == 0 {
      deadline = min(deadline, idleSince.advanced(byNanoseconds: settings.idleNanoseconds))
    }
    if hasOutput {
      deadline = min(deadline, lastSendProgress.advanced(byNanoseconds: settings.sendNanoseconds))
    }
    if !isDraining, let age = settings.http2AgeNanoseconds {
      deadline = min(deadline, openedAt.advanced(byNanoseconds: age))
    }
    setDeadline(deadline)
  }

  override func deadlinePassed() {
    let now = worker.now
    let settings = data.settings
    if isClosing { return close(reset: false) }
    if hasOutput && lastSendProgress.advanced(byNanoseconds: settings.sendNanoseconds) <= now {
      return close(reset: true)
    }
    if drainDeadline <= now {
      if isDrainFinal { return end(.noError) }
      return finishDrain()
    }
    if servedStreams == 0 && idleSince.advanced(byNanoseconds: settings.idleNanoseconds) <= now {
      return end(.noError)
    }
    if !isDraining, let age = settings.http2AgeNanoseconds, openedAt.advanced(byNanoseconds: age) <= now {
      drain()
    }
    updateDeadline()
  }

  /// Asks the client to send new requests elsewhere, and finishes what it has sent (RFC 9113 §6.8).
  func drain() {
    if isDraining || isClosing { return }
    isDraining = true
    engine.beginShutdown(into: outputBuffer())
    askFlush()
    // Requests that crossed the first GOAWAY still arrive; a second later there are none.
    drainDeadline = worker.now.advanced(byNanoseconds: Self.drainRoundTripNanoseconds)
    updateDeadline()
  }

  private static let drainRoundTripNanoseconds: Int64 = 1_000_000_000

  private func finishDrain() {
    isDrainFinal = true
    engine.goAway(.noError, into: outputBuffer())
    askFlush()
    drainDeadline = .never
    if let grace = data.settings.http2AgeGraceNanoseconds, !data.isDraining {
      drainDeadline = worker.now.advanced(byNanoseconds: grace)
    }
    stateChanged()
  }

  /// Closes it because something else needs its place.
  func closeParked() {
    if data.isDraining { return drain() }
    closeIdle()
  }

  /// Ends it and all that it carries, at once.
  func abort() {
    owner.isAborted = true
    for case let stream? in streams { stream.side?.isAborted = true }
    close(reset: true)
  }

  override func ended() {
    if wasReset { owner.mustReset = true }
    owner.close()
  }
}
