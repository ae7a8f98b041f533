import HTTPCodec
import Runtime

/// The state of a response on its way down.
struct Download {
  enum Phase {
    case head
    case content
    case done
  }

  /// How the content is framed for the client.
  enum Framing {
    case none
    /// Copied as it is: its length is known, or it ends with the connection.
    case verbatim
    case chunked
  }

  var phase = Phase.head
  var framing = Framing.none
  /// The endpoint's framing is chunked.
  var isChunked = false
  /// The content ends when the endpoint closes.
  var endsWithClose = false
  /// Content still to be received, by length.
  var remaining: UInt64 = 0
  var decoder = ChunkedDecoder()
  /// Content in `response` that is staged as it is, counted from its first byte.
  var staged = 0..<0
  /// Bytes of the final head, or of what follows it, were given to the system.
  var hasSentFinalHead = false
  /// All content was received.
  var isReceived = false
  /// The endpoint's connection cannot be used again.
  var mustCloseUpstream = false
  var lastUpstreamProgress = MonotonicTime.never
  var lastClientProgress = MonotonicTime.never
}

extension Exchange {
  /// Content up to this size is copied behind the head, which is cheaper than sending two runs.
  static let copiedContentMax = 4_096

  /// Moves as much of the response as goes without waiting, and says what it waits for.
  func advanceDownload(_ connection: UpstreamConnection) {
    while end == nil {
      if !toClient.isEmpty || !download.staged.isEmpty {
        guard sendStagedToClient() else { return }
        continue
      }
      switch download.phase {
      case .head:
        guard receiveHead(connection) else { return }
      case .content:
        if download.isReceived {
          download.phase = .done
        } else {
          guard receiveContent(connection) else { return }
        }
      case .done:
        end = .complete
        return
      }
    }
  }

  private func sendStagedToClient() -> Bool {
    let socket = client.socket
    guard socket.readiness.contains(.writable) else {
      clientWants.insert(.writable)
      return false
    }
    let headCount = toClient.count
    let result: IOResult
    if headCount > 0 && !download.staged.isEmpty {
      result = socket.send(toClient, response, range: download.staged)
    } else if headCount > 0 {
      result = socket.send(toClient)
    } else {
      result = socket.send(response, range: download.staged)
    }
    if result.isWouldBlock {
      clientWants.insert(.writable)
      return false
    }
    guard result.bytes >= 0 else {
      end = .clientClosed
      return false
    }
    download.lastClientProgress = worker.now
    if download.phase != .head { download.hasSentFinalHead = true }
    record.sentBytes += UInt64(result.bytes)
    let fromHead = min(headCount, result.bytes)
    toClient.consume(fromHead)
    let lower = download.staged.lowerBound + result.bytes - fromHead
    download.staged = lower..<download.staged.upperBound
    if download.staged.isEmpty && lower > 0 {
      // Everything in front of it was sent.
      response.consume(lower)
      download.staged = 0..<0
    }
    return true
  }

  // MARK: The head

  private func receiveHead(_ connection: UpstreamConnection) -> Bool {
    guard receive(connection) else { return false }
    let response = response
    while !response.isEmpty {
      do {
        guard try responseParser.parse(response.bytes, requestMethod: request.method, into: &responseHead)
        else {
          return true
        }
      } catch {
        end = .upstreamFailed(.malformedResponse)
        return false
      }
      guard responseHead.status < 200 else {
        finalHeadArrived()
        return true
      }
      interimHeadArrived()
      if end != nil { return false }
    }
    return true
  }

  /// 1xx: passed on to those who understand it (RFC 9110 §15.2).
  private func interimHeadArrived() {
    guard responseHead.status != 101 else {
      // No upgrade was asked for: `Upgrade` is not passed on.
      end = .upstreamFailed(.malformedResponse)
      return
    }
    if request.version == .http11 { appendInterimHead() }
    response.consume(responseHead.byteCount)
    responseParser.reset()
  }

  private func finalHeadArrived() {
    record.responseNanoseconds = worker.now.nanoseconds(since: attemptStart)
    if mayRetry(status: responseHead.status) {
      end = .retry(.status)
      return
    }
    let head = responseHead.byteCount
    download.phase = .content
    download.mustCloseUpstream = !responseHead.isPersistent
    switch responseHead.framing {
    case .none:
      download.isReceived = true
    case .length(let length):
      download.framing = .verbatim
      download.remaining = length
      download.isReceived = length == 0
    case .chunked:
      download.isChunked = true
      download.framing = request.version == .http11 ? .chunked : .verbatim
    case .untilClose:
      download.endsWithClose = true
      download.mustCloseUpstream = true
      download.framing = request.version == .http11 ? .chunked : .verbatim
    }
    if download.framing == .verbatim && (download.isChunked || download.endsWithClose) {
      isPersistent = false
    }
    // A short answer before all of the request was read: the rest will not be read (RFC 9112 §9.3).
    // A stream may go on for as long as the request does.
    if !upload.isRead && !download.isChunked && !download.endsWithClose { isPersistent = false }
    if data.isDraining || client.listener.index < 0 { isPersistent = false }
    record.status = responseHead.status
    appendResponseHead()
    response.consume(head)
    stageContent()
  }

  // MARK: Content

  private func receiveContent(_ connection: UpstreamConnection) -> Bool {
    if response.isEmpty || download.isChunked {
      guard receive(connection) else { return false }
    }
    stageContent()
    return true
  }

  /// Stages what content `response` holds.
  private func stageContent() {
    if download.isReceived {
      // What follows was not asked for: such a connection is not used again.
      if !response.isEmpty { download.mustCloseUpstream = true }
      return
    }
    guard !response.isEmpty else { return }
    if download.isChunked { return stageChunks() }
    let count = download.endsWithClose ? response.count : Int(min(UInt64(response.count), download.remaining))
    record.responseBodyBytes += UInt64(count)
    if !download.endsWithClose {
      download.remaining -= UInt64(count)
      download.isReceived = download.remaining == 0
      if download.isReceived && response.count > count { download.mustCloseUpstream = true }
    }
    if download.framing == .chunked {
      toClient.append(hexadecimal: UInt64(count))
      toClient.append("\r\n")
      toClient.append(response, range: 0..<count)
      toClient.append("\r\n")
      response.consume(count)
    } else if count <= Self.copiedContentMax && !toClient.isEmpty {
      toClient.append(response, range: 0..<count)
      response.consume(count)
    } else {
      download.staged = 0..<count
    }
  }

  private func stageChunks() {
    do {
      let (consumed, isComplete) =
        download.framing == .chunked
        ? try reframe(
          response, from: 0, decoder: &download.decoder, into: toClient, passingTrailers: true,
          contentBytes: &record.responseBodyBytes)
        : try unframe(response, decoder: &download.decoder, into: toClient)
      response.consume(consumed)
      download.isReceived = isComplete
      if isComplete && !response.isEmpty { download.mustCloseUpstream = true }
    } catch {
      end = .upstreamFailed(.malformedResponse)
    }
  }

  /// Takes chunked content out of `source` without its framing, for a client of HTTP/1.0.
  private func unframe(_ source: Buffer, decoder: inout ChunkedDecoder, into target: Buffer)
    throws(HTTP1Error) -> (Int, Bool)
  {
    var position = 0
    while true {
      switch try decoder.next(source.bytes, from: position) {
      case .data(let range):
        target.append(source, range: range.range)
        record.responseBodyBytes += UInt64(range.count)
        position = range.end
      case .needMore(let consumed): return (consumed, false)
      case .end(_, let consumed): return (consumed, true)
      }
    }
  }

  /// Receives from the endpoint.
  /// - Returns: false when it has to wait, or the connection ended.
  private func receive(_ connection: UpstreamConnection) -> Bool {
    let socket = connection.socket
    guard socket.readiness.contains(.readable) else {
      upstreamWants.insert(.readable)
      return false
    }
    if downloadTurnsLeft == 0 { return false }
    downloadTurnsLeft -= 1
    let result = socket.receive(into: response)
    if result.bytes > 0 {
      download.lastUpstreamProgress = worker.now
      return true
    }
    if result.isWouldBlock {
      upstreamWants.insert(.readable)
      return false
    }
    if result.bytes == 0 && download.phase == .content && download.endsWithClose {
      download.isReceived = true
      if download.framing == .chunked { toClient.append("0\r\n\r\n") }
      return true
    }
    end = .upstreamFailed(
      download.phase == .head && response.isEmpty ? .closedWithoutResponse : .closedInResponse)
    return false
  }
}
