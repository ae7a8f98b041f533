import HTTPCodec
import Runtime

/// An answer of the gateway's own.
enum Answer {
  case badRequest(HTTP1Error)
  case noRoute
  case methodNotSupported
  /// To an OPTIONS request that must not go any further.
  case options
  case contentTooLarge
  case noEndpoint
  case overloaded
  case connectFailure
  case connectTimeout
  case upstreamFailure
  case responseTimeout
  case clientTimeout
  /// Nobody is left to answer.
  case clientClosed

  var status: UInt16 {
    switch self {
    case .badRequest(let error): error.status
    case .options: 200
    case .noRoute: 404
    case .methodNotSupported: 405
    case .contentTooLarge: 413
    case .noEndpoint, .overloaded: 503
    case .connectFailure, .upstreamFailure: 502
    case .connectTimeout, .responseTimeout: 504
    case .clientTimeout: 408
    case .clientClosed: 499
    }
  }

  var outcome: Outcome {
    switch self {
    case .badRequest, .contentTooLarge: .badRequest
    case .noRoute, .methodNotSupported, .options: .answered
    case .noEndpoint: .noEndpoint
    case .overloaded: .overloaded
    case .connectFailure, .connectTimeout: .connectFailure
    case .upstreamFailure: .upstreamFailure
    case .responseTimeout: .responseTimeout
    case .clientTimeout: .clientTimeout
    case .clientClosed: .clientClosed
    }
  }

  /// One sentence for the person who sees it; it says nothing about the inside.
  var text: StaticString {
    switch self {
    case .badRequest(let error):
      switch error.status {
      case 414: "The request target is too long.\n"
      case 417: "The expectation is not supported.\n"
      case 431: "The request's header fields are too large.\n"
      case 501: "The request uses something that is not implemented.\n"
      case 505: "The HTTP version is not supported.\n"
      default: "The request is malformed.\n"
      }
    case .noRoute: "No route matches this request.\n"
    case .methodNotSupported: "The method is not supported.\n"
    case .contentTooLarge: "The request's content is too large.\n"
    case .noEndpoint: "The service has no available endpoint.\n"
    case .overloaded: "The service is overloaded.\n"
    case .connectFailure: "The service cannot be reached.\n"
    case .connectTimeout: "The service did not accept the connection in time.\n"
    case .upstreamFailure: "The service failed to answer.\n"
    case .responseTimeout: "The service did not answer in time.\n"
    case .clientTimeout: "The request did not arrive in time.\n"
    case .clientClosed, .options: ""
    }
  }

  /// The reason phrase (RFC 9110 §15).
  static func reason(of status: UInt16) -> StaticString {
    switch status {
    case 200: "OK"
    case 400: "Bad Request"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 431: "Request Header Fields Too Large"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: "Error"
    }
  }
}

extension Exchange {
  /// Answers a request by the gateway itself.
  /// - Returns: whether the connection may carry another request.
  func answer(_ answer: Answer) async -> Bool {
    record.status = answer.status
    record.outcome = answer.outcome
    if case .clientClosed = answer { return false }
    if record.outcome == .badRequest || record.outcome == .clientTimeout {
      data.counters.figures.refusals.record(answer.status)
    }
    if record.outcome == .badRequest || record.outcome == .clientTimeout || !upload.isRead {
      isPersistent = false
    }
    if data.isDraining { isPersistent = false }
    // What follows a CONNECT is meant for a tunnel, and must not be read as requests.
    if request.method == .connect { isPersistent = false }
    let out = toClient
    out.removeAll()
    out.append("HTTP/1.1 ")
    out.append(decimal: UInt64(answer.status))
    out.append(" ")
    out.append(Answer.reason(of: answer.status))
    out.append("\r\n")
    data.appendDate(to: out)
    out.append("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ")
    out.append(decimal: UInt64(answer.text.utf8CodeUnitCount))
    out.append("\r\n")
    switch answer {
    // RFC 9110 §15.5.6 asks for Allow; everything else is the endpoints' to say.
    case .methodNotSupported, .options: out.append("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
    case .overloaded, .noEndpoint: out.append("Retry-After: 1\r\n")
    default: break
    }
    appendPersistence(to: out)
    out.append("\r\n")
    if request.method != .head {
      out.append(answer.text)
      record.responseBodyBytes = UInt64(answer.text.utf8CodeUnitCount)
    }
    return await sendAnswer() && isPersistent
  }

  private func sendAnswer() async -> Bool {
    let deadline = worker.now.advanced(byNanoseconds: data.settings.sendNanoseconds)
    while !toClient.isEmpty {
      let result = client.socket.send(toClient)
      if result.isError { return false }
      if result.isWouldBlock {
        let wake = await client.wait(for: client.socket, [.writable, .peerClosed], until: deadline)
        guard wake == .ready, !client.socket.readiness.contains(.peerClosed) else { return false }
        continue
      }
      record.sentBytes += UInt64(result.bytes)
      toClient.consume(result.bytes)
    }
    return true
  }

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
