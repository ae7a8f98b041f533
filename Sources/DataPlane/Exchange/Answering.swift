import HTTPCodec
import Resources
import Runtime

extension Exchange {
  /// Answers a request by the gateway itself.
  func answer(_ answer: Answer) async -> Ending {
    guard beginAnswer(replaced(answer)) else { return .close }
    return await endAnswer()
  }

  /// Writes the answer's head, and of its content what is sent with it.
  /// - Returns: false where nobody is left to answer.
  func beginAnswer(_ answer: Answer) -> Bool {
    record.status = answer.status
    record.outcome = answer.outcome
    // Nobody is answered: a plugin hears of the outcome.
    if client.isSide { return false }
    if hasEditedResponse { forgetResponseEdits() }
    stage = .answering
    heldRange = 0..<0
    if case .clientClosed = answer { return false }
    if case .shed(let reason) = answer { data.counters.figures.refusalReasons.record(reason) }
    if record.outcome == .badRequest || record.outcome == .clientTimeout {
      data.counters.figures.refusals.record(answer.status)
    }
    if let stream = client.stream {
      writeAnswer(answer, on: stream)
    } else {
      if record.outcome == .badRequest || record.outcome == .clientTimeout || !upload.isRead {
        isPersistent = false
      }
      if data.isDraining { isPersistent = false }
      // What follows a CONNECT is meant for a tunnel, and must not be read as requests.
      if request.method == .connect { isPersistent = false }
      editResponse()
      appendAnswer(answer)
    }
    // How fast the client takes it counts from here.
    download.lastClientProgress = worker.now
    download.takenAt = .never
    download.rate = ClientRate()
    return true
  }

  /// Sends what of the answer is still to be sent.
  func endAnswer() async -> Ending {
    let isSent = await sendAnswer()
    heldAnswer = nil
    heldPiece = nil
    return isSent && isPersistent && client.stream == nil ? .keep : .close
  }

  private func appendAnswer(_ answer: Answer) {
    let out = toClient
    // An interim head of which a part was sent has to be sent to its end.
    out.truncate(to: record.sentBytes > 0 ? min(download.interimBytes, out.count) : 0)
    out.append("HTTP/1.1 ")
    out.append(decimal: UInt64(answer.status))
    out.append(" ")
    out.append(Answer.reason(of: answer.status))
    out.append("\r\n")
    if !answer.isStored { data.appendDate(to: out) }
    if !answer.contentType.isEmpty, !responseEdits.drops(FieldEdits.contentType) {
      out.append("Content-Type: ")
      out.append(answer.contentType)
      out.append("\r\n")
    }
    // RFC 9110 §8.6: never with these.
    if answer.status != 204, answer.status != 304 {
      out.append("Content-Length: ")
      out.append(decimal: UInt64(answer.contentCount))
      out.append("\r\n")
    }
    appendAnswerFields(answer, to: out)
    appendPersistence(to: out)
    out.append("\r\n")
    if request.method != .head { stageContent(of: answer) }
  }

  /// Small content goes behind the head; what is large is sent from where it is.
  private func stageContent(of answer: Answer) {
    record.responseBodyBytes = UInt64(answer.contentCount)
    if case .plugin(let answer) = answer, answer.held != nil || answer.pieces != nil {
      heldAnswer = answer
      heldRange = answer.heldRange
    } else {
      answer.appendContent(to: toClient)
    }
  }

  /// Fields that only some answers have, as lines.
  private func appendAnswerFields(_ answer: Answer, to out: Buffer) {
    switch answer {
    // RFC 9110 §15.5.6 asks for Allow; everything else is the endpoints' to say.
    case .methodNotSupported, .options: out.append("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
    case .overloaded, .shed, .noEndpoint:
      if !responseEdits.drops(FieldEdits.retryAfter) { out.append("Retry-After: 1\r\n") }
    case .redirect(let redirect):
      out.append("Location: ")
      appendSecureURL(redirect, to: out)
      out.append("\r\n")
    case .plugin(let answer):
      if answer.hasTransportSecurity, strictTransportSecurity != nil {
        responseEdits.drop(PluginAnswer.transportSecurity)
      }
      out.append(responseEdits.kept(of: answer.lines))
      if answer.isStored, http.addsVia { out.append("Via: 1.1 penstock\r\n") }
    default: break
    }
    out.append(responseEdits.lines)
    if let hsts = strictTransportSecurity {
      out.append("Strict-Transport-Security: ")
      out.append(hsts)
      out.append("\r\n")
    }
  }

  /// The request's URL with https. The host is what the client sent, and was checked as a host.
  private func appendSecureURL(_ redirect: HTTPSRedirect, to out: Buffer) {
    out.append("https://")
    out.append(input, range: request.host.range)
    if redirect.port != 443 {
      out.append(UInt8(ascii: ":"))
      out.append(decimal: UInt64(redirect.port))
    }
    appendTarget(to: out)
  }

  enum AnswerProgress {
    case sent
    /// The client takes no more for now, or others should have a turn.
    case blocked
    /// What comes next is still being read.
    case awaitsPiece
    case failed
  }

  /// Sends as much of the answer as goes without waiting.
  func sendAnswerAtOnce() -> AnswerProgress {
    let socket = client.transport
    var sends = 0
    while !toClient.isEmpty || !heldRange.isEmpty || takePiece() {
      if sends == Self.receivesPerRound { return .blocked }
      sends += 1
      let result: IOResult
      if !toClient.isEmpty {
        if let held = heldPiece ?? heldAnswer?.held, !heldRange.isEmpty {
          result = socket.send(toClient, held, range: heldRange)
        } else {
          result = socket.send(toClient)
        }
      } else if let held = heldPiece ?? heldAnswer?.held {
        result = socket.send(held, range: heldRange)
      } else {
        return .failed
      }
      if result.isWouldBlock { return .blocked }
      if result.isError { return .failed }
      noteSent(result.bytes)
    }
    if let pieces = heldAnswer?.pieces, !pieces.isAtEnd {
      return pieces.hasFailed ? .failed : .awaitsPiece
    }
    return socket.hasUnsentBytes ? .blocked : .sent
  }

  private func noteSent(_ bytes: Int) {
    record.sentBytes += UInt64(bytes)
    download.lastClientProgress = worker.now
    let fromHead = min(bytes, toClient.count)
    toClient.consume(fromHead)
    heldRange = heldRange.lowerBound + bytes - fromHead..<heldRange.upperBound
  }

  /// Sends what is in `toClient`, and what is held of an answer.
  /// - Returns: false where the client is gone, or does not take it in time.
  func sendAnswer() async -> Bool {
    while true {
      switch sendAnswerAtOnce() {
      case .sent: return true
      case .failed:
        if heldAnswer?.pieces?.hasFailed == true { breakOff() }
        return false
      case .blocked: break
      case .awaitsPiece:
        guard await waitForPiece() else { return false }
        continue
      }
      if !client.transport.hasUnsentBytes, client.transport.readiness.contains(.writable), !client.isAborted {
        await Task.yield()
        continue
      }
      clientWants = .writable
      let held = willWait()
      let start = worker.now
      let silence = download.lastClientProgress.advanced(byNanoseconds: data.settings.sendNanoseconds)
      let wake = await client.wait(
        for: client.transport, [.writable, .peerClosed], until: min(silence, rateDeadline()))
      hasWaited(since: start, holding: held)
      // A drain wakes it as well, and lets it go on.
      if client.isAborted || client.transport.readiness.contains(.peerClosed) { return false }
      if wake == .deadline, isTooSlow() { return false }
    }
  }

  private func isTooSlow() -> Bool {
    let silence = download.lastClientProgress.advanced(byNanoseconds: data.settings.sendNanoseconds)
    if silence <= worker.now, !clientTakes() { return true }
    guard let reason = slowness() else { return false }
    data.counters.figures.refusalReasons.record(reason)
    // What the system still holds for it would go on taking memory for as long as it likes.
    client.mustReset = true
    return true
  }

  // MARK: Streams

  private func writeAnswer(_ answer: Answer, on stream: HTTP2Stream) {
    if isGRPC {
      toClient.removeAll()
      return answerCall(answer, on: stream)
    }
    guard let connection = stream.connection, stream.slot >= 0 else { return toClient.removeAll() }
    editResponse()
    toClient.removeAll()
    appendAnswerFields(answer, to: toClient)
    let lines = toClient
    connection.engine.encoder.begin()
    connection.engine.encoder.encode(status: answer.status)
    if !answer.isStored { data.encodeDate(with: &connection.engine.encoder) }
    let contentType = answer.contentType
    if !contentType.isEmpty, !responseEdits.drops(FieldEdits.contentType) {
      connection.engine.encoder.encode(.contentType, value: contentType.span)
    }
    if answer.status != 204, answer.status != 304 {
      connection.engine.encoder.encode(.contentLength, decimal: UInt64(answer.contentCount))
    }
    encodeLines(lines.bytes, connection)
    let hasContent = request.method != .head && answer.contentCount > 0
    record.sentBytes += UInt64(connection.engine.encoder.blockCount)
    connection.appendHeaders(slot: stream.slot, endStream: !hasContent)
    toClient.removeAll()
    guard hasContent else { return stream.noteFinished() }
    stageContent(of: answer)
    stream.endsWithNextSend = true
  }

  // MARK: What was not understood

  /// Answers what could not be parsed, and ends the connection: where the next request begins is
  /// not known.
  func refuse(_ error: HTTP1Error) async {
    // Of a head that was not understood, nothing may be used, and nothing of an earlier one.
    request.method = .other
    request.version = .http11
    await refuse(.badRequest(error))
  }

  /// The head did not come in time. Only a client that began a request is told (RFC 9110 §15.5.9).
  func refuseSlowHead() async {
    data.counters.figures.refusalReasons.record(.slowHead)
    request.method = .other
    request.version = .http11
    await refuse(.clientTimeout)
  }

  private func refuse(_ answer: Answer) async {
    isPersistent = false
    upload = Upload()
    upload.isRead = false
    toClient.removeAll()
    record.receivedBytes = UInt64(input.count)
    _ = await self.answer(answer)
    record.totalNanoseconds = worker.now.nanoseconds(since: record.start)
    data.requestRefused(self)
    await closeClient()
  }
}
