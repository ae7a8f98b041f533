import HTTPCodec
import Runtime
import TLS

/// The content of a response on its way down.
extension Exchange {
  func receiveContent(_ connection: UpstreamConnection) -> Bool {
    if response.isEmpty || download.isChunked {
      guard receive(connection) else { return false }
    }
    stageContent()
    return true
  }

  /// Stages what content `response` holds.
  func stageContent() {
    stageWhatCame()
    if download.isFollowed, download.isReceived || hasAllOfStream, end == nil { endFollowing() }
  }

  /// A stream has brought as much as was announced. Its end may come later, or not at all where the client, which
  /// has all it wants, has gone (RFC 9112 §8: complete is what has its length).
  private var hasAllOfStream: Bool {
    guard download.endsWithStream, case .length(let length) = responseHead.framing else { return false }
    return record.responseBodyBytes == length
  }

  func stageWhatCame() {
    if download.endsWithStream { return stageStreamContent() }
    if download.isReceived {
      // What follows was not asked for: such a connection is not used again.
      if !response.isEmpty { download.mustCloseUpstream = true }
      return
    }
    guard !response.isEmpty else { return }
    if download.isChunked { return stageChunks() }
    let count = download.endsWithClose ? response.count : Int(min(UInt64(response.count), download.remaining))
    if !download.endsWithClose {
      download.remaining -= UInt64(count)
      download.isReceived = download.remaining == 0
      if download.isReceived && response.count > count { download.mustCloseUpstream = true }
    }
    stage(count)
  }

  /// Stages what a stream has brought; where its head has just come, with what came behind it.
  func stageStreamContent() {
    guard !download.isReceived, let stream = upstream?.stream else { return }
    if response.isEmpty && stream.availableBytes > 0 { _ = stream.receive(into: response, atMost: .max) }
    if !response.isEmpty { stage(response.count) }
    guard stream.hasEnded, stream.availableBytes == 0 else { return }
    download.isReceived = true
    guard download.framing == .chunked else { return }
    toClient.append("0\r\n")
    if let lines = stream.trailers { appendTrailers(stream.trailerFields, of: lines, to: toClient) }
    toClient.append("\r\n")
  }

  /// Stages the first `count` bytes of `response`.
  func stage(_ count: Int) {
    record.responseBodyBytes += UInt64(count)
    if download.isFollowed { follow(0..<count) }
    if record.responseBodyBytes > responseBytesMax {
      end = .upstreamFailed(.tooLarge)
    } else if held != nil {
      holdBack(count)
    } else if download.framing == .chunked {
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

  func stageChunks() {
    if download.isFollowed { followChunks() }
    do {
      let (consumed, isComplete, section) =
        download.framing == .chunked
        ? try reframe(
          response, from: 0, decoder: &download.decoder, into: toClient,
          contentBytes: &record.responseBodyBytes)
        : try unframe(
          response, from: 0, decoder: &download.decoder, into: held?.buffer ?? toClient,
          contentBytes: &record.responseBodyBytes)
      if client.stream != nil { try keepTrailers(response, section) }
      response.consume(consumed)
      download.isReceived = isComplete
      if isComplete && !response.isEmpty { download.mustCloseUpstream = true }
      if record.responseBodyBytes > responseBytesMax { end = .upstreamFailed(.tooLarge) }
    } catch {
      end = .upstreamFailed(.malformedResponse)
    }
  }

  /// The end of a connection with TLS says that the content is whole only where TLS has ended as well:
  /// anyone can end a connection (RFC 9112 §9.8).
  func isTruncated(_ transport: Transport) -> Bool { (transport as? TLSSocket)?.isTruncated ?? false }

  /// Receives from the endpoint.
  /// - Returns: false when it has to wait, or the connection ended.
  func receive(_ connection: UpstreamConnection) -> Bool {
    let socket = connection.transport
    guard socket.readiness.contains(.readable) else {
      upstreamWants.insert(.readable)
      return false
    }
    if downloadTurnsLeft == 0 { return false }
    downloadTurnsLeft -= 1
    let result = socket.receive(into: response, atMost: data.buffers.receiveBytesMax)
    if result.bytes > 0 {
      download.lastUpstreamProgress = worker.now
      // There was nothing for the client until now.
      download.lastClientProgress = worker.now
      return true
    }
    if result.isWouldBlock {
      upstreamWants.insert(.readable)
      return false
    }
    // Behind the content of a stream; what it ends with is seen to when it is staged.
    if result.bytes == 0 && download.endsWithStream { return true }
    if result.bytes == 0 && download.phase == .content && download.endsWithClose && !isTruncated(socket) {
      download.isReceived = true
      if download.framing == .chunked { toClient.append("0\r\n\r\n") }
      return true
    }
    end = .upstreamFailed(
      download.phase == .head && response.isEmpty ? .closedWithoutResponse : .closedInResponse)
    return false
  }
}
