import HTTPCodec
import Runtime

/// The state of a request on its way up.
struct Upload {
  /// Content still to be read from the client, by length.
  var remaining: UInt64 = 0
  var isChunked = false
  /// The content ends with the client's stream.
  var endsWithStream = false
  /// The content is sent in chunks.
  var sendsChunks = false
  var decoder = ChunkedDecoder()
  /// Content in `input` that is staged, counted from its first byte.
  var staged = 0..<0
  /// Bytes of `toUpstream` that were sent.
  var headSent = 0
  /// All content has been read from the client.
  var isRead = true
  /// Everything was handed to the system, or the endpoint does not want the rest.
  var isDone = false
  /// Sending failed: the endpoint closed, perhaps after it answered.
  var hasFailed = false
  /// Something was read and let go: the request cannot be sent again.
  var hasStreamed = false
  /// The chunks that came with the head were decoded; they stay in `input`, up to here, until more is
  /// read: another attempt decodes them again, for what its endpoint speaks.
  var hasDecoded = false
  var decodedEnd = 0
  var doneAt = MonotonicTime.never
  var lastProgress = MonotonicTime.never
  var rate = ClientRate()
  /// Trailers do not go on.
  var dropsTrailers = false
  /// Bytes at the front of `input` that belong to this request, once it was read whole.
  var inputBytes = 0

  /// The client still has content to send, or may be sending it.
  var leavesUnreadContent: Bool { !isRead }
}

extension Exchange {
  /// Prepares the upload of a request whose head has been parsed: what content came with the head
  /// is staged.
  func beginUpload() throws(HTTP1Error) {
    upload = Upload()
    upload.lastProgress = worker.now
    let head = request.byteCount
    upload.inputBytes = head
    upload.staged = head..<head
    switch request.framing {
    case .none, .untilClose:
      upload.isRead = true
    case .length(let length) where client.stream != nil:
      upload.remaining = length
      stageFromStream(length)
    case .untilEndOfStream:
      upload.remaining = .max
      upload.endsWithStream = true
      stageFromStream(.max)
    case .length(let length):
      let available = min(UInt64(input.count - head), length)
      upload.staged = head..<head + Int(available)
      upload.inputBytes = head + Int(available)
      upload.remaining = length - available
      upload.isRead = upload.remaining == 0
      record.requestBodyBytes = available
    case .chunked:
      upload.isChunked = true
      upload.isRead = false
    }
  }

  /// Stages what came of a stream's content with its head: it stays behind the head, so that it can be
  /// sent again.
  private func stageFromStream(_ length: UInt64) {
    let stream = client.stream!
    upload.isRead = false
    let head = input.count
    if stream.availableBytes > 0 { _ = stream.receive(into: input, atMost: input.room) }
    let count = input.count - head
    upload.staged = head..<input.count
    upload.inputBytes = input.count
    upload.remaining -= UInt64(count)
    record.requestBodyBytes = UInt64(count)
    record.receivedBytes += UInt64(count)
    guard upload.remaining == 0 || (stream.hasEnded && stream.availableBytes == 0) else { return }
    upload.isRead = true
    // Its length is known after all; trailers need the chunked coding.
    if upload.endsWithStream && !stream.hasTrailers {
      request.framing = count == 0 ? .none : .length(UInt64(count))
    }
  }

  /// Makes the request ready for the protocol that a connection speaks.
  func layOutRequest(for connection: UpstreamConnection) {
    if let stream = connection.stream {
      hasRequestHead = false
      upload.sendsChunks = false
      sendRequestHead(on: stream)
      return decodeAgain()
    }
    if hasRequestHead { return }
    hasRequestHead = true
    toUpstream.removeAll()
    appendRequestHead()
    // Only content is held back.
    if uploadPace.isLimited { uploadPace.giveFree(toUpstream.count) }
    if request.framing != .untilEndOfStream { return decodeAgain() }
    upload.sendsChunks = true
    appendChunk(of: input, upload.staged)
    upload.staged = upload.staged.upperBound..<upload.staged.upperBound
    if upload.isRead { appendLastChunk() }
  }

  /// Frames the chunks that came with the head for another attempt. They were valid before.
  private func decodeAgain() {
    guard upload.hasDecoded, !upload.hasStreamed else { return }
    upload.decoder = ChunkedDecoder()
    record.requestBodyBytes = 0
    for tap in contentTaps { tap.restart(self) }
    _ = decodeContent()
  }

  private func appendChunk(of source: Buffer, _ range: Range<Int>) {
    if range.isEmpty { return }
    toUpstream.append(hexadecimal: UInt64(range.count))
    toUpstream.append("\r\n")
    toUpstream.append(source, range: range)
    toUpstream.append("\r\n")
  }

  private func appendLastChunk() {
    toUpstream.append("0\r\n")
    if let stream = client.stream, let lines = stream.trailers {
      appendTrailers(stream.trailerFields, of: lines, to: toUpstream)
    }
    toUpstream.append("\r\n")
  }

  /// Stages the request once more, for another endpoint. Nothing of it may have been let go.
  func rewindUpload() {
    upload.headSent = 0
    upload.isDone = false
    upload.hasFailed = false
    upload.doneAt = .never
    upload.lastProgress = worker.now
    hasRequestHead = false
    if !upload.isChunked { upload.staged = request.byteCount..<upload.inputBytes }
  }

  /// Moves as much of the request as goes without waiting, and says what it waits for.
  func advanceUpload(_ connection: UpstreamConnection) {
    while !upload.isDone {
      if upload.headSent < toUpstream.count || !upload.staged.isEmpty {
        guard sendStaged(connection) else { return }
        continue
      }
      if upload.isRead {
        if !contentTaps.isEmpty { endTaps() }
        if let stream = connection.stream { endRequest(on: stream) }
        upload.isDone = true
        upload.doneAt = worker.now
        return
      }
      guard readContent() else { return }
    }
  }

  /// - Returns: false when it has to wait, or the endpoint takes no more.
  private func sendStaged(_ connection: UpstreamConnection) -> Bool {
    let socket = connection.transport
    guard socket.readiness.contains(.writable) else {
      upstreamWants.insert(.writable)
      return false
    }
    var headLeft = toUpstream.count - upload.headSent
    var staged = upload.staged
    var isWhole = true
    if uploadPace.isLimited {
      guard let allowed = pacedUpload(headLeft + staged.count) else { return false }
      isWhole = allowed >= headLeft + staged.count
      headLeft = min(headLeft, allowed)
      staged = staged.prefix(allowed - headLeft)
    }
    let result: IOResult
    if let stream = connection.stream {
      stream.endsWithNextSend = isWhole && upload.isRead && !hasRequestTrailers
    }
    if headLeft > 0 && !staged.isEmpty && upload.headSent == 0 {
      result = socket.send(toUpstream, input, range: staged)
    } else if headLeft > 0 {
      result = socket.send(toUpstream, range: upload.headSent..<upload.headSent + headLeft)
    } else {
      result = socket.send(input, range: staged)
    }
    if result.isWouldBlock {
      if uploadPace.isLimited { uploadPace.stall(at: worker.now) }
      upstreamWants.insert(.writable)
      return false
    }
    guard result.bytes >= 0 else {
      // It may have answered before it closed: the download decides.
      upload.isDone = true
      upload.doneAt = worker.now
      upload.hasFailed = true
      return false
    }
    upload.lastProgress = worker.now
    if uploadPace.isLimited {
      uploadPace.moved(result.bytes)
      if result.bytes < headLeft + staged.count { uploadPace.stall(at: worker.now) }
    }
    let fromHead = min(headLeft, result.bytes)
    upload.headSent += fromHead
    let fromContent = result.bytes - fromHead
    upload.staged = upload.staged.lowerBound + fromContent..<upload.staged.upperBound
    return true
  }

  /// Reads content from the client into the room behind the head.
  /// - Returns: false when it has to wait, or the client is gone.
  private func readContent() -> Bool {
    if upload.isChunked && !upload.hasStreamed && !upload.hasDecoded {
      // What came with the head.
      upload.hasDecoded = true
      if input.count > request.byteCount { return decodeContent() }
    }
    let socket = client.transport
    guard socket.readiness.contains(.readable) else {
      clientWants.insert(.readable)
      return false
    }
    if uploadTurnsLeft == 0 { return false }
    uploadTurnsLeft -= 1
    upload.hasStreamed = true
    if upload.decodedEnd > 0 {
      input.removeBytes(request.byteCount..<upload.decodedEnd)
      upload.decodedEnd = 0
    }
    toUpstream.removeAll()
    upload.headSent = 0
    if !upload.isChunked { input.truncate(to: request.byteCount) }
    let receiveMax = data.buffers.receiveBytesMax
    let limit = upload.isChunked ? receiveMax : Int(min(upload.remaining, UInt64(receiveMax)))
    let before = input.count
    let result = socket.receive(into: input, atMost: limit)
    if result.isWouldBlock {
      clientWants.insert(.readable)
      return false
    }
    guard result.bytes > 0 else { return contentEnded(result) }
    upload.lastProgress = worker.now
    record.receivedBytes += UInt64(result.bytes)
    if upload.isChunked { return decodeContent() }
    upload.staged = before..<before + result.bytes
    upload.remaining -= UInt64(result.bytes)
    upload.isRead = upload.remaining == 0
    upload.inputBytes = request.byteCount
    if upload.isRead { upload.inputBytes = before + result.bytes }
    record.requestBodyBytes += UInt64(result.bytes)
    if !contentTaps.isEmpty { tap(input, upload.staged) }
    if upload.sendsChunks {
      appendChunk(of: input, upload.staged)
      upload.staged = upload.staged.upperBound..<upload.staged.upperBound
    }
    if upload.endsWithStream, record.requestBodyBytes > bodyBytesMax {
      end = .requestRefused(.tooLarge)
      return false
    }
    return true
  }

  /// The client sends no more: the end of a stream's content, or of a connection too early.
  private func contentEnded(_ result: IOResult) -> Bool {
    guard upload.endsWithStream, result.bytes == 0 else {
      end = .clientClosed
      return false
    }
    upload.isRead = true
    upload.inputBytes = input.count
    if upload.sendsChunks { appendLastChunk() }
    return true
  }

  /// Decodes chunks behind the head and stages them, framed anew, in `toUpstream`.
  private func decodeContent() -> Bool {
    let head = request.byteCount
    do {
      let (consumed, isComplete, section) =
        upstream?.stream != nil
        ? try unframe(
          input, from: head, decoder: &upload.decoder, into: toUpstream,
          contentBytes: &record.requestBodyBytes, tapped: true)
        : try reframe(
          input, from: head, decoder: &upload.decoder, into: toUpstream,
          contentBytes: &record.requestBodyBytes, tapped: true)
      if isComplete {
        upload.isRead = true
        upload.inputBytes = consumed
        try keepTrailers(input, section)
      } else if upload.hasStreamed {
        input.removeBytes(head..<consumed)
      } else {
        upload.decodedEnd = consumed
      }
      if record.requestBodyBytes > bodyBytesMax {
        end = .requestRefused(.tooLarge)
        return false
      }
      return true
    } catch {
      end = .requestRefused(.malformed(error))
      return false
    }
  }

  /// Takes chunked content out of `source` and appends it to `target` in canonical chunks, without
  /// extensions and without the trailer fields that must not be passed on.
  /// - Returns: where the bytes that were not taken begin, whether the content is complete, and where
  ///   trailer lines are that are still to be passed on, which is nowhere.
  func reframe(
    _ source: Buffer, from: Int, decoder: inout ChunkedDecoder, into target: Buffer,
    contentBytes: inout UInt64, tapped: Bool = false
  ) throws(HTTP1Error) -> (consumed: Int, isComplete: Bool, trailers: ByteRange) {
    var position = from
    while true {
      switch try decoder.next(source.bytes, from: position) {
      case .data(let range):
        target.append(hexadecimal: UInt64(range.count))
        target.append("\r\n")
        target.append(source, range: range.range)
        target.append("\r\n")
        contentBytes += UInt64(range.count)
        if tapped, !contentTaps.isEmpty { tap(source, range.range) }
        position = range.end
      case .needMore(let consumed):
        return (consumed, false, .empty)
      case .end(let section, let consumed):
        target.append("0\r\n")
        if !section.isEmpty { try appendTrailers(source, section, to: target) }
        target.append("\r\n")
        return (consumed, true, .empty)
      }
    }
  }

  /// Takes chunked content out of `source` without its framing.
  /// - Returns: where the bytes that were not taken begin, whether the content is complete, and where
  ///   its trailer lines are.
  func unframe(
    _ source: Buffer, from: Int, decoder: inout ChunkedDecoder, into target: Buffer,
    contentBytes: inout UInt64, tapped: Bool = false
  ) throws(HTTP1Error) -> (consumed: Int, isComplete: Bool, trailers: ByteRange) {
    var position = from
    while true {
      switch try decoder.next(source.bytes, from: position) {
      case .data(let range):
        target.append(source, range: range.range)
        contentBytes += UInt64(range.count)
        if tapped, !contentTaps.isEmpty { tap(source, range.range) }
        position = range.end
      case .needMore(let consumed): return (consumed, false, .empty)
      case .end(let section, let consumed): return (consumed, true, section)
      }
    }
  }
}
