import HTTPCodec
import Runtime

/// What became of a request's content that a plugin has asked for.
public enum GatheredContent {
  /// All of it has come; the range is of `input.bytes`, and holds until the exchange goes on.
  case whole(Range<Int>)
  /// It is longer than asked for, or than requests may be. The plugin says what that means: mostly 413. It may
  /// let the request go on as well, whose content is then passed on as it comes.
  case tooLarge
  /// The client is gone or too slow, its content is malformed, or there is no memory for it. The gateway answers
  /// that itself, whatever the plugin's verdict is.
  case refused
}

/// The request's content, held back before it goes on.
extension Exchange {
  /// The content, if all of it has come with the head: what ``gatherContent(atMost:)`` would give, where nothing
  /// has to be waited for. On any call of a plugin's before the request goes on.
  public func takeContentAtHand() -> Range<Int>? {
    let head = request.byteCount
    // What follows is a tunnel's, and no content.
    if upgrade != .none { return head..<head }
    guard upload.isRead, !upload.isChunked else { return nil }
    _ = endGathering()
    return head..<upload.inputBytes
  }

  /// Reads the content whole, behind the head in ``input``, before the request goes on. In
  /// ``Plugin/finishWaiting(_:)``; may be called by several plugins, and then costs once.
  ///
  /// A client that waits for 100 (RFC 9110 §10.1.1) gets it. The timeouts and rates of uploads hold, and what is
  /// held counts against `bufferBytes`. The request goes on with a `Content-Length`, can be tried again at another
  /// endpoint, and has no trailers any more: nobody has looked at them with the content (RFC 9110 §6.5.1 allows
  /// it). A stream of gRPC is a conversation, and comes to its end here only if the client says all at once.
  public func gatherContent(atMost bytesMax: Int) async -> GatheredContent {
    let limit = min(UInt64(max(bytesMax, 0)), bodyBytesMax)
    if case .length(let length) = request.framing, length > limit { return .tooLarge }
    if record.requestBodyBytes > limit { return .tooLarge }
    if let range = takeContentAtHand() { return .whole(range) }
    var gathering = Gathering(limit: limit, scanned: request.byteCount)
    upload.lastProgress = worker.now
    if await !answerExpectation() { return refuse(.clientClosed) }
    while true {
      switch gather(&gathering) {
      case .whole: return .whole(request.byteCount..<upload.inputBytes)
      case .tooLarge: return .tooLarge
      case .refused(let answer): return refuse(answer)
      case .pause: await Task.yield()
      case .wait:
        if let answer = await waitForContent() { return refuse(answer) }
      }
    }
  }

  private func refuse(_ answer: Answer) -> GatheredContent {
    contentRefusal = answer
    return .refused
  }

  private struct Gathering {
    let limit: UInt64
    /// Chunks stay as they came until all are there, so that they can go on as they are after all.
    var decoder = ChunkedDecoder()
    /// Where the decoder has to go on in `input`.
    var scanned: Int
    /// Of chunks, without their framing.
    var contentBytes: UInt64 = 0
    var hasScanned = false
  }

  /// How far gathering came without waiting.
  private enum GatherProgress {
    case whole, tooLarge, wait, pause
    case refused(Answer)
  }

  /// What the framing of chunks may take beside as much as the content may: chunks of a byte have five or more of
  /// it.
  private static let framingBytesMax = 65_536

  private func gather(_ gathering: inout Gathering) -> GatherProgress {
    let socket = client.transport
    for _ in 0..<Self.receivesPerRound {
      if upload.isChunked, !gathering.hasScanned {
        // What came with the head.
        gathering.hasScanned = true
        if let end = scanChunks(&gathering) { return end }
      }
      guard socket.readiness.contains(.readable) else {
        return socket.readiness.contains(.peerClosed) ? .refused(.clientClosed) : .wait
      }
      let receiveMax = data.buffers.receiveBytesMax
      let limit = upload.isChunked ? receiveMax : Int(min(upload.remaining, UInt64(receiveMax)))
      let result = socket.receive(into: input, atMost: limit)
      if result.isWouldBlock { return .wait }
      guard result.bytes > 0 else {
        guard upload.endsWithStream, result.bytes == 0 else { return .refused(.clientClosed) }
        return endGathering()
      }
      upload.lastProgress = worker.now
      record.receivedBytes += UInt64(result.bytes)
      hold(result.bytes)
      if let end = upload.isChunked ? scanChunks(&gathering) : stage(result.bytes, gathering.limit) {
        return end
      }
      if data.buffers.level == .full, gatheredBytes > BufferBudget.exchangeBytes {
        return .refused(.shed(.memory))
      }
    }
    return .pause
  }

  /// Counts what is held from now on until the exchange is over.
  private func hold(_ bytes: Int) {
    gatheredBytes += bytes
    data.buffers.hold(bytes)
    if gatheredBytes >= BufferBudget.exchangeBytes { data.updateBuffers() } else { data.lookAtBuffers() }
  }

  /// Content of a known length, or of a stream, has come behind what is there.
  private func stage(_ bytes: Int, _ limit: UInt64) -> GatherProgress? {
    record.requestBodyBytes += UInt64(bytes)
    upload.remaining -= UInt64(bytes)
    // As if it had come with the head.
    upload.inputBytes = input.count
    upload.staged = request.byteCount..<input.count
    if record.requestBodyBytes > limit { return .tooLarge }
    return upload.remaining == 0 ? endGathering() : nil
  }

  /// Looks through the chunks that have come.
  private func scanChunks(_ gathering: inout Gathering) -> GatherProgress? {
    let input = input
    while true {
      do throws(HTTP1Error) {
        switch try gathering.decoder.next(input.bytes, from: gathering.scanned) {
        case .data(let range):
          gathering.contentBytes += UInt64(range.count)
          gathering.scanned = range.end
        case .needMore(let consumed):
          gathering.scanned = consumed
          let framing = UInt64(input.count - request.byteCount) - gathering.contentBytes
          let isLarge =
            gathering.contentBytes > gathering.limit
            || framing > gathering.limit &+ UInt64(Self.framingBytesMax)
          return isLarge ? .tooLarge : nil
        case .end(let section, let consumed):
          if gathering.contentBytes > gathering.limit { return .tooLarge }
          if !section.isEmpty {
            try TrailerSection.parse(input.bytes, section, into: &trailerFields)
            trailerFields.removeAll(keepingCapacity: true)
          }
          removeFraming(endingAt: consumed)
          return endGathering()
        }
      } catch {
        return .refused(.badRequest(error))
      }
    }
  }

  /// Leaves the content behind the head, and behind that what the client has sent ahead.
  private func removeFraming(endingAt end: Int) {
    let head = request.byteCount
    let content = toUpstream
    content.removeAll()
    var decoder = ChunkedDecoder()
    var count: UInt64 = 0
    // The same bytes were valid before.
    _ = try? unframe(input, from: head, decoder: &decoder, into: content, contentBytes: &count)
    content.append(input, range: end..<input.count)
    input.truncate(to: head)
    input.append(content, range: 0..<content.count)
    content.reset(to: BufferPool.bufferBytes)
    // The framing is held no more.
    let removed = max(gatheredBytes - (input.count - head), 0)
    data.buffers.release(removed)
    gatheredBytes -= removed
    upload.inputBytes = head + Int(count)
    record.requestBodyBytes = count
  }

  /// The request is from now on one whose content has come with its head.
  private func endGathering() -> GatherProgress {
    let head = request.byteCount
    let count = UInt64(upload.inputBytes - head)
    upload.staged = head..<upload.inputBytes
    upload.remaining = 0
    upload.isRead = true
    upload.dropsTrailers = true
    if upload.isChunked { request.framing = .length(count) }
    if upload.endsWithStream { request.framing = count == 0 ? .none : .length(count) }
    upload.isChunked = false
    upload.endsWithStream = false
    return .whole
  }

  // MARK: Waiting

  /// Tells a client that waits for it to go on.
  /// - Returns: false where it is gone.
  private func answerExpectation() async -> Bool {
    // Who has begun to send waits for nothing.
    guard request.expectsContinue, input.count == request.byteCount else { return true }
    // An endpoint is not asked for another.
    request.expectsContinue = false
    if let stream = client.stream {
      guard let connection = stream.connection, stream.slot >= 0 else { return false }
      connection.engine.encoder.begin()
      connection.engine.encoder.encode(status: 100)
      connection.appendHeaders(slot: stream.slot, endStream: false)
      return true
    }
    let sentBefore = record.sentBytes
    toClient.append("HTTP/1.1 100 Continue\r\n\r\n")
    // How fast the client takes it counts from here.
    download.lastClientProgress = worker.now
    download.takenAt = .never
    download.rate = ClientRate()
    let isSent = await sendAnswer()
    // Nothing of a response: the request may still be tried again.
    record.sentBytes = sentBefore
    return isSent
  }

  /// - Returns: what to answer to a client from which no more comes.
  private func waitForContent() async -> Answer? {
    clientWants = .readable
    let held = willWait()
    let start = worker.now
    let silenceEnd = upload.lastProgress.advanced(byNanoseconds: data.settings.bodyNanoseconds)
    let wake = await client.wait(
      for: client.transport, [.readable, .peerClosed], until: min(silenceEnd, callDeadline, rateDeadline()))
    hasWaited(since: start, holding: held)
    if client.isAborted { return .clientClosed }
    guard wake == .deadline else { return nil }
    if callDeadline <= worker.now { return .deadlineExceeded }
    if silenceEnd <= worker.now { return .clientTimeout }
    guard let reason = slowness() else { return nil }
    data.counters.figures.refusalReasons.record(reason)
    return .clientTimeout
  }

  /// What was gathered is let go.
  func releaseGathered() {
    data.buffers.release(gatheredBytes)
    gatheredBytes = 0
    contentRefusal = nil
  }
}
