import HTTPCodec
import Runtime

/// How a connection of HTTP/2 ends.
extension HTTP2Connection {
  /// The peer broke a rule that ends the connection (RFC 9113 §5.4.1).
  func fail(_ error: HTTP2ConnectionError) {
    data.counters.figures.http2Failures &+= 1
    end(error.code, error.reason)
  }

  /// Says that the connection ends, tells all streams, and closes when that was sent.
  func end(_ code: HTTP2ErrorCode, _ reason: StaticString = "") {
    if isClosing || isClosed { return }
    if !engine.goesAway || code != .noError { engine.goAway(code, debug: reason, into: outputBuffer()) }
    isClosing = true
    // A peer that does not read must not hold it for ever.
    setDeadline(worker.now.advanced(byNanoseconds: Exchange.lingerNanoseconds))
    endStreams()
    stateChanged()
    askFlush()
  }

  /// Ends a connection that carries nothing, at once: its place is needed.
  func closeIdle() {
    if isClosed { return }
    end(.noError)
    flush()
    close(reset: false)
  }

  func finishClosing() {
    if isFinishing { return drop() }
    isFinishing = true
    socket.shutdownSending()
    setDeadline(worker.now.advanced(byNanoseconds: Exchange.lingerNanoseconds))
    drop()
  }

  /// Closes at once.
  func close(reset: Bool) {
    if isClosed { return }
    isClosed = true
    isClosing = true
    wasReset = reset
    cancelDeadline()
    endStreams()
    if let input { worker.buffers.give(input) }
    if let output { worker.buffers.give(output) }
    input = nil
    output = nil
    socket.watcher = nil
    ended()
  }

  private func endStreams() {
    for slot in streams.indices {
      guard let stream = streams[slot] else { continue }
      streams[slot] = nil
      stream.wasReset(isRefused: false)
      touch(stream)
    }
    // Those that are not being told already.
    let news = touched
    touched.removeAll(keepingCapacity: true)
    for stream in news where stream.isTouched {
      stream.isTouched = false
      hasNews(stream)
    }
    for stream in blocked { stream.isBlocked = false }
    blocked.removeAll()
    unservedCount = 0
  }
}
