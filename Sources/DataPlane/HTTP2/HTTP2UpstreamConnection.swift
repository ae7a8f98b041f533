import HTTPCodec
import Runtime
import TLS

/// HTTP/2 with an endpoint: many exchanges at a time, each on a stream of its own.
final class HTTP2UpstreamConnection: HTTP2Connection {
  let endpoint: Endpoint
  let service: UpstreamService
  private let openedAt: MonotonicTime
  /// Streams in use.
  private(set) var leasedStreams = 0
  private var idleSince: MonotonicTime
  /// Takes no more streams, and closes with the last.
  private var isRetiring = false
  /// The endpoint's SETTINGS have come: until then one stream is open, as its limit may be one.
  private var isKnown = false

  init(_ socket: Socket, to endpoint: Endpoint, of service: UpstreamService, data: DataPlaneWorker) {
    self.endpoint = endpoint
    self.service = service
    openedAt = data.worker.now
    idleSince = data.worker.now
    super.init(
      socket, role: .client, settings: service.settings.http2, isTLS: socket is TLSSocket, data: data)
  }

  func begin() {
    engine.begin(into: outputBuffer())
    askFlush()
    endpoint.multiplexers.append(self)
    stateChanged()
  }

  /// The endpoint's limits are known: others than the exchange that made the connection may use it.
  private func becomeKnown() {
    isKnown = true
    endpoint.endConnecting()
    service.connectingEnded()
  }

  // MARK: Streams

  /// Whether one more stream can be opened.
  var hasRoom: Bool {
    takesStreams && (isKnown || leasedStreams == 0) && leasedStreams < service.settings.http2StreamsMax
      && engine.streamsAvailable > 0
  }

  /// Whether it takes streams, now or when others are over.
  var takesStreams: Bool {
    !isRetiring && !isClosing
      && worker.now.nanoseconds(since: openedAt) < service.settings.poolLifetimeNanoseconds
  }

  /// Opens a stream for an exchange, with its client as the watcher.
  func lease(for exchange: Exchange) -> UpstreamConnection? {
    guard let slot = engine.openStream() else { return nil }
    let lease = data.takeLease(of: self)
    let stream = lease.stream!
    insert(stream, at: slot)
    stream.exchange = exchange
    stream.watcher = exchange.client
    lease.lease(self)
    leasedStreams += 1
    return lease
  }

  /// A lease is over.
  func returned() {
    leasedStreams -= 1
    if leasedStreams == 0 { idleSince = worker.now }
    if service.isRetired || endpoint.isGone || !endpoint.isHealthy { isRetiring = true }
    stateChanged()
  }

  /// Takes no more streams, and closes with the last.
  func retire() {
    isRetiring = true
    stateChanged()
  }

  // MARK: Responses

  override func headersArrived(_ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>) throws(HTTP2ConnectionError) {
    guard let stream = stream(at: block.slot), let exchange = stream.exchange else {
      return try engine.skipBlock(block, of: bytes)
    }
    do {
      if block.kind == .trailers {
        try engine.decodeTrailers(
          block, of: bytes, into: stream.trailersBuffer(), fields: &stream.trailerFields,
          limits: data.settings.http2HeadLimits)
      } else {
        try decodeHead(block, bytes, stream, exchange)
      }
      if block.endsStream { stream.peerEnded() }
    } catch {
      if case .connection(let code) = error { throw HTTP2ConnectionError(code, "a head cannot be decoded") }
      stream.headError = error
      stream.fail(.protocolError)
      stream.wasReset(isRefused: false)
      streams[block.slot] = nil
      engine.free(slot: block.slot, into: outputBuffer())
    }
    touch(stream)
  }

  private func decodeHead(
    _ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>, _ stream: HTTP2Stream, _ exchange: Exchange
  ) throws(HTTP2BlockError) {
    if stream.hasPendingHead { exchange.passOnInterimHead() }
    // It gives way also to a head that cannot be decoded.
    stream.hasPendingHead = false
    exchange.response.removeAll()
    try engine.decodeResponse(
      block, of: bytes, into: exchange.response, head: &exchange.responseHead,
      requestMethod: exchange.request.method, limits: data.settings.http2HeadLimits)
    exchange.responseHead.byteCount = exchange.response.count
    if exchange.responseHead.status >= 200 {
      var length: UInt64?
      if case .length(let announced) = exchange.responseHead.framing { length = announced }
      guard engine.acceptHead(slot: block.slot, contentLength: length) else {
        throw .malformed(.contentLengthDiffers)
      }
    }
    stream.hasPendingHead = true
    stream.becomeReady(.readable)
  }

  // MARK: Idle and age

  override func stateChanged() {
    if isClosed || isClosing { return }
    if !isKnown && engine.hasReceivedSettings { becomeKnown() }
    if engine.peerGoesAway { isRetiring = true }
    if leasedStreams > 0 {
      setDeadline(
        hasOutput ? lastSendProgress.advanced(byNanoseconds: service.settings.idleNanoseconds) : .never)
    } else if isRetiring {
      return end(.noError)
    } else {
      setDeadline(idleSince.advanced(byNanoseconds: service.settings.poolIdleNanoseconds))
    }
    service.streamsChanged()
  }

  override func deadlinePassed() {
    if isClosing { return close(reset: false) }
    if leasedStreams == 0 {
      data.counters.figures.poolExpired &+= 1
      return end(.noError)
    }
    let stuckSince = lastSendProgress.advanced(byNanoseconds: service.settings.idleNanoseconds)
    if hasOutput && stuckSince <= worker.now { return close(reset: true) }
    stateChanged()
  }

  override func ended() {
    endpoint.multiplexers.removeAll { $0 === self }
    if !isKnown { endpoint.endConnecting() }
    socket.close(reset: wasReset)
    service.connectionClosed()
  }
}
