import HTTPCodec
import Runtime
import TLS

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
  /// The content ends with the endpoint's stream.
  var endsWithStream = false
  /// Content still to be received, by length.
  var remaining: UInt64 = 0
  var decoder = ChunkedDecoder()
  /// Content in `response` that is staged as it is, counted from its first byte.
  var staged = 0..<0
  /// Bytes of interim heads that wait at the front of `toClient`.
  var interimBytes = 0
  /// Bytes of the final head, or of what follows it, were given to the system.
  var hasSentFinalHead = false
  /// All content was received.
  var isReceived = false
  /// Plugins see the content, and have not been told of its end.
  var isFollowed = false
  /// The endpoint's connection cannot be used again.
  var mustCloseUpstream = false
  /// What the client is told in place of the endpoint's status.
  var replacedStatus: UInt16?
  /// What the endpoint says of the content's length does not hold.
  var hidesLength = false
  var lastUpstreamProgress = MonotonicTime.never
  var lastClientProgress = MonotonicTime.never
  var rate = ClientRate()
  /// What the client had taken when it last made progress, which was then.
  var takenBytes: UInt64 = 0
  var takenAt = MonotonicTime.never
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
        if held != nil, advanceHeld() { continue }
        if download.isReceived {
          download.phase = .done
        } else {
          guard receiveContent(connection) else { return }
        }
      case .done:
        if let stream = client.stream {
          endResponse(on: stream)
        } else if client.transport.hasUnsentBytes {
          clientWants.insert(.writable)
          return
        }
        end = .complete
        return
      }
    }
  }

  private func sendStagedToClient() -> Bool {
    let socket = client.transport
    guard socket.readiness.contains(.writable) else {
      clientWants.insert(.writable)
      return false
    }
    if data.buffers.isShort || socket.keepsLittleUnsent { leaveAsFits(with: socket) }
    var headCount = toClient.count
    var staged = download.staged
    var isWhole = true
    if downloadPace.isLimited {
      guard let allowed = pacedDownload(headCount + staged.count) else { return false }
      isWhole = allowed >= headCount + staged.count
      headCount = min(headCount, allowed)
      staged = staged.prefix(allowed - headCount)
    }
    let result: IOResult
    let isFinal = download.phase != .head && held == nil
    if let stream = client.stream {
      stream.endsWithNextSend = isWhole && download.isReceived && isFinal && !hasResponseTrailers
    } else if isWhole, !isPersistent, download.isReceived, isFinal, !client.isSide {
      // TLS says its end with the last bytes, in one call of the system.
      client.connection.tls?.isEndingWithNextSend = true
    }
    if headCount > 0 && !staged.isEmpty {
      result = socket.send(toClient, response, range: staged)
    } else if headCount > 0 {
      result = socket.send(toClient, range: 0..<headCount)
    } else {
      result = socket.send(response, range: staged)
    }
    if result.isWouldBlock {
      if downloadPace.isLimited { downloadPace.stall(at: worker.now) }
      clientWants.insert(.writable)
      return false
    }
    guard result.bytes >= 0 else {
      end = .clientClosed
      return false
    }
    download.lastClientProgress = worker.now
    if isFinal { download.hasSentFinalHead = true }
    record.sentBytes += UInt64(result.bytes)
    if downloadPace.isLimited {
      downloadPace.moved(result.bytes)
      if result.bytes < headCount + staged.count { downloadPace.stall(at: worker.now) }
    }
    let fromHead = min(headCount, result.bytes)
    toClient.consume(fromHead)
    if download.interimBytes > 0 { download.interimBytes = max(download.interimBytes - fromHead, 0) }
    let lower = download.staged.lowerBound + result.bytes - fromHead
    download.staged = lower..<download.staged.upperBound
    if download.staged.isEmpty && lower > 0 {
      // Everything in front of it was sent.
      response.consume(lower)
      download.staged = 0..<0
    }
    return true
  }

  /// Where memory is short, and this is not the end of a response: it may be a client that hardly reads.
  private func leaveAsFits(with socket: Transport) {
    let isShort = data.buffers.isShort
    if isShort == socket.keepsLittleUnsent || (isShort && download.isReceived) { return }
    socket.keepLittleUnsent(isShort)
  }

  // MARK: The head

  private func receiveHead(_ connection: UpstreamConnection) -> Bool {
    if let stream = connection.stream { return receiveHead(of: stream) }
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

  /// The heads of streams are decoded when they arrive; see ``HTTP2UpstreamConnection``.
  private func receiveHead(of stream: HTTP2Stream) -> Bool {
    if stream.hasPendingHead {
      stream.hasPendingHead = false
      download.lastUpstreamProgress = worker.now
      download.lastClientProgress = worker.now
      if responseHead.status < 200 { interimHeadArrived() } else { finalHeadArrived() }
      return end == nil
    }
    if stream.isReset || stream.hasEnded {
      end = .upstreamFailed(failure(of: stream))
      return false
    }
    stream.readiness.remove(.readable)
    upstreamWants.insert(.readable)
    return false
  }

  private func failure(of stream: HTTP2Stream) -> UpstreamFailure {
    if stream.headError != nil { return .malformedResponse }
    if stream.isRefused { return .refusedStream }
    return stream.connection?.isClosing == false ? .streamReset : .closedWithoutResponse
  }

  /// Passes on an interim head on which another follows in the same read: a proxy must (RFC 9110 §15.2),
  /// as far as there is room for what could come without end.
  func passOnInterimHead() {
    guard responseHead.status < 200, toClient.count < Self.copiedContentMax else { return }
    interimHeadArrived()
  }

  /// 1xx: passed on to those who understand it (RFC 9110 §15.2).
  private func interimHeadArrived() {
    if responseHead.status == 101 {
      // Where no upgrade was asked for, there is nothing to agree to.
      end = acceptSwitch() ? .switched : .upstreamFailed(.malformedResponse)
      return
    }
    if let stream = client.stream {
      // Interim responses without end must not fill the output.
      if stream.connection?.hasRoomToSend == true { sendInterimHead(on: stream) }
    } else if request.version == .http11 {
      let before = toClient.count
      appendInterimHead()
      download.interimBytes += toClient.count - before
    }
    response.consume(responseHead.byteCount)
    responseParser.reset()
  }

  private func finalHeadArrived() {
    record.responseNanoseconds = worker.now.nanoseconds(since: attemptStart)
    if case .extendedConnect = upgrade, responseHead.status < 300 {
      // It has not switched, but on a stream a success would say that it has (RFC 8441 §5).
      end = .upstreamFailed(.malformedResponse)
      return
    }
    if mayRetry(status: responseHead.status) {
      end = .retry(.status)
      return
    }
    if mayRetryCall() {
      end = .retry(.status)
      return
    }
    if responseBytesMax != .max, refusesLongResponse() { return }
    let head = responseHead.byteCount
    download.mustCloseUpstream = !responseHead.isPersistent
    if let answer = findReplacement(responseHead.status, isEndpoints: true) {
      return replaceResponse(with: answer)
    }
    download.phase = .content
    if let stream = upstream?.stream {
      frameStreamContent(stream)
    } else {
      frameContent()
    }
    // A short answer before all of the request was read: the rest will not be read (RFC 9112 §9.3).
    // A stream may go on for as long as the request does.
    if !upload.isRead && !download.isChunked && !download.endsWithClose && !download.endsWithStream {
      isPersistent = false
    }
    if data.isDraining || client.listener.number < 0 { isPersistent = false }
    if chain != nil {
      followsContent = false
      editResponse(isEndpoints: true)
      if download.replacedStatus != nil, responseHead.framing == .none, request.method != .head {
        // There was none because of the endpoint's status; with another, it has to be said.
        responseHead.framing = .length(0)
        download.framing = .verbatim
      }
      // What plugins change is followed by none.
      if holdBytesMax > 0 { return beginHolding() }
      download.isFollowed = followsContent
    }
    record.status = sentStatus
    if let stream = client.stream {
      let isWhole = download.isReceived && !hasResponseTrailers
      sendResponseHead(on: stream, endStream: isWhole)
      download.hasSentFinalHead = true
    } else if client.isSide {
      client.responseHeadArrived(self)
      download.hasSentFinalHead = true
    } else {
      appendResponseHead()
    }
    response.consume(head)
    stageContent()
  }

  /// The endpoint's connection can be used again where nothing more is to come.
  private func replaceResponse(with answer: PluginAnswer) {
    replacement = answer
    hasReplacement = true
    if upstream?.stream == nil, responseHead.framing != .none || response.count > responseHead.byteCount {
      download.mustCloseUpstream = true
    }
    end = .replaced
  }

  /// How a stream's content ends, and how it is framed for the client.
  private func frameStreamContent(_ stream: HTTP2Stream) {
    download.endsWithStream = true
    switch responseHead.framing {
    case .none:
      download.isReceived = true
      // HTTP/1 has to be told that there is no content, where there might be (RFC 9112 §6.3).
      guard client.stream == nil, request.method != .head, responseHead.status != 204,
        responseHead.status != 304
      else { return }
      responseHead.framing = .length(0)
      download.framing = .verbatim
    case .length: download.framing = .verbatim
    default:
      download.framing = request.version == .http11 ? .chunked : .verbatim
      if request.version == .http10 { isPersistent = false }
    }
  }

  private func frameContent() {
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
    case .untilClose, .untilEndOfStream:
      download.endsWithClose = true
      download.mustCloseUpstream = true
      download.framing = request.version == .http11 ? .chunked : .verbatim
    }
    if download.framing == .verbatim && (download.isChunked || download.endsWithClose) && client.stream == nil
    {
      isPersistent = false
    }
  }
}
