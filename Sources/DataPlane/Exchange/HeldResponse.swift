import HTTPCodec
import Runtime

/// Responses that go on only when all of their content has come, because plugins change it.
struct HeldResponse {
  /// The endpoint's head, and the content behind it.
  let buffer: Buffer
  let headBytes: Int
  let contentBytesMax: Int
  /// Content that is longer is let go, and not passed on as it is.
  let cutsOff: Bool
  /// How the content would go on as it is.
  let framing: Download.Framing

  var contentBytes: Int { buffer.count - headBytes }
}

extension Exchange {
  /// Has the content of an endpoint's response come whole before anything of the response goes on, for
  /// ``Plugin/heldResponse(_:_:)``. For calls within ``Plugin/responseHead(_:)``; of several, the largest bound
  /// counts.
  ///
  /// - cutsOff: Content that is longer than `bytes` is let go, as where all of it is replaced; otherwise the
  ///   response goes on as it is.
  /// - Returns: false where there is no content, or more than that is announced.
  public func holdResponse(atMost bytes: Int, cutsOff: Bool = false) -> Bool {
    // Calls are conversations, whose messages come one by one.
    guard isEndpointsResponse, !isGRPC else { return false }
    if request.method == .head {
      // What a GET would have got is not known.
      download.hidesLength = true
      return false
    }
    if case .length(let length) = responseHead.framing, length > UInt64(bytes), !cutsOff { return false }
    if responseHead.framing == .none, !cutsOff { return false }
    holdBytesMax = max(holdBytesMax, bytes)
    holdCutsOff = holdCutsOff || cutsOff
    return true
  }

  /// Keeps the head, which `response` begins with, until the content has come.
  func beginHolding() {
    let buffer = worker.buffers.take()
    let head = responseHead.byteCount
    buffer.append(response, range: 0..<head)
    held = HeldResponse(
      buffer: buffer, headBytes: head, contentBytesMax: holdBytesMax, cutsOff: holdCutsOff,
      framing: download.framing)
    // What is held has no framing.
    download.framing = .verbatim
    response.consume(head)
    stageContent()
  }

  /// Takes the first `count` bytes of `response`.
  func holdBack(_ count: Int) {
    guard let held else { return }
    held.buffer.append(response, range: 0..<count)
    response.consume(count)
  }

  /// Lets what is held go on when it is whole, or too long.
  /// - Returns: false where more has to come.
  func advanceHeld() -> Bool {
    guard let held else { return true }
    if held.contentBytes > held.contentBytesMax {
      if held.cutsOff { cutOffHeld() } else { passOnHeld() }
      return true
    }
    if download.isReceived { changeHeld() }
    return download.isReceived
  }

  /// More will come than is wanted.
  private func cutOffHeld() {
    download.isReceived = true
    download.mustCloseUpstream = true
    changeHeld()
  }

  /// Has plugins change the content, and sends it.
  private func changeHeld() {
    guard let held else { return }
    var content = held.buffer.copy(held.headBytes..<held.buffer.count)
    changeContent(&content)
    download.framing = .verbatim
    responseHead.framing = .length(UInt64(content.count))
    sendHeldHead(endStream: content.isEmpty && !hasResponseTrailers)
    toClient.append(content)
    record.responseBodyBytes = UInt64(content.count)
    dropHeld()
  }

  /// Sends what is held as it is, and then what comes.
  private func passOnHeld() {
    guard let held else { return }
    download.framing = held.framing
    sendHeldHead(endStream: false)
    let content = held.headBytes..<held.buffer.count
    if held.framing == .chunked {
      toClient.append(hexadecimal: UInt64(content.count))
      toClient.append("\r\n")
      toClient.append(held.buffer, range: content)
      toClient.append("\r\n")
    } else {
      toClient.append(held.buffer, range: content)
    }
    if download.isReceived, download.framing == .chunked { toClient.append("0\r\n\r\n") }
    dropHeld()
  }

  /// The head's fields are ranges of `response`, which has content by now.
  private func sendHeldHead(endStream: Bool) {
    guard let held else { return }
    let rest = response.copy(0..<response.count)
    response.removeAll()
    response.append(held.buffer, range: 0..<held.headBytes)
    record.status = sentStatus
    if let stream = client.stream {
      sendResponseHead(on: stream, endStream: endStream)
      download.hasSentFinalHead = true
    } else {
      appendResponseHead()
    }
    response.removeAll()
    response.append(rest)
  }

  /// Forgets what is held.
  func dropHeld() {
    holdBytesMax = 0
    holdCutsOff = false
    guard let held else { return }
    held.buffer.reset(to: BufferPool.bufferBytes)
    worker.buffers.give(held.buffer)
    self.held = nil
  }

  /// Sends another status than the endpoint's. For calls within ``Plugin/responseHead(_:)``.
  /// - status: 200 or more, and one that has content where the response has some.
  public func replaceStatus(_ status: UInt16) {
    guard isEndpointsResponse else { return }
    download.replacedStatus = status
  }
}
