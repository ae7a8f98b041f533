import HTTPCodec
import Resources
import Runtime

extension Exchange {
  /// Answers a request by the gateway itself.
  func answer(_ answer: Answer) async -> Ending {
    record.status = answer.status
    record.outcome = answer.outcome
    // Nobody is answered: a plugin hears of the outcome.
    if client.isSide { return .close }
    if case .clientClosed = answer { return .close }
    if case .shed(let reason) = answer { data.counters.figures.refusalReasons.record(reason) }
    if record.outcome == .badRequest || record.outcome == .clientTimeout {
      data.counters.figures.refusals.record(answer.status)
    }
    if let stream = client.stream { return await self.answer(answer, on: stream) }
    if record.outcome == .badRequest || record.outcome == .clientTimeout || !upload.isRead {
      isPersistent = false
    }
    if data.isDraining { isPersistent = false }
    // What follows a CONNECT is meant for a tunnel, and must not be read as requests.
    if request.method == .connect { isPersistent = false }
    if chain != nil { editResponse() }
    appendAnswer(answer)
    return await sendAnswer() && isPersistent ? .keep : .close
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
    data.appendDate(to: out)
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
    if request.method != .head {
      answer.appendContent(to: out)
      record.responseBodyBytes = UInt64(answer.contentCount)
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
    case .plugin(let answer): out.append(responseEdits.kept(of: answer.lines))
    default: break
    }
    if !responseEdits.isEmpty { out.append(responseEdits.lines) }
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

  /// Sends what is in `toClient`.
  /// - Returns: false where the client is gone, or does not take it in time.
  func sendAnswer() async -> Bool {
    let deadline = worker.now.advanced(byNanoseconds: data.settings.sendNanoseconds)
    while !toClient.isEmpty || client.transport.hasUnsentBytes {
      if !toClient.isEmpty {
        let result = client.transport.send(toClient)
        if result.isError { return false }
        if !result.isWouldBlock {
          record.sentBytes += UInt64(result.bytes)
          toClient.consume(result.bytes)
          continue
        }
      }
      let wake = await client.wait(for: client.transport, [.writable, .peerClosed], until: deadline)
      guard wake == .ready, !client.transport.readiness.contains(.peerClosed) else { return false }
    }
    return true
  }

  // MARK: Streams

  private func answer(_ answer: Answer, on stream: HTTP2Stream) async -> Ending {
    if isGRPC {
      answerCall(answer, on: stream)
      return .close
    }
    guard let connection = stream.connection, stream.slot >= 0 else { return .close }
    if chain != nil { editResponse() }
    toClient.removeAll()
    appendAnswerFields(answer, to: toClient)
    let lines = toClient
    connection.engine.encoder.begin()
    connection.engine.encoder.encode(status: answer.status)
    data.encodeDate(with: &connection.engine.encoder)
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
    guard hasContent else {
      stream.noteFinished()
      return .close
    }
    answer.appendContent(to: toClient)
    record.responseBodyBytes = UInt64(answer.contentCount)
    stream.endsWithNextSend = true
    _ = await sendAnswer()
    return .close
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
