import HTTPCodec
import Resources
import Runtime

/// The attempts to have a request answered.
extension Exchange {
  /// Brings the request to its end from wherever it stands: refuses it, or passes it to an endpoint.
  func perform() async -> Ending {
    if stage == .head {
      if data.isShedding, client.mustRefuse == nil { client.mustRefuse = data.admission.refusal() }
      refusal = prepare()
      stage = .prepared
    }
    let ending = await pursue()
    // A tunnel is counted and logged when it ends.
    if case .tunnel = ending { return ending }
    finish()
    return ending
  }

  func pursue() async -> Ending {
    if stage == .answering { return await endAnswer() }
    if waitsForPlugin { refusal = await waitForPlugins() ?? settleUpstream() }
    if let refusal { return await answer(refusal) }
    let service = service!
    if stage == .prepared {
      if service.inFlight >= service.adaptiveMax { return await answer(.shed(.serviceConcurrency)) }
      if !service.mayStartRequest, let refusal = await waitForTurn(service) { return await answer(refusal) }
      // Others may have begun while it waited, or since it was admitted.
      if data.hasRequestsEnough, !client.isSide { return await answer(.shed(.inFlight)) }
      service.requestStarted()
      if client.isSide { data.sideRequests.atEndpoints += 1 }
      stage = .started
    }
    let result = await attempts(service)
    if case .tunnel(let connection) = result { return .tunnel(connection) }
    // Before an answer of the gateway's own, which a slow client may take its time to read.
    service.requestEnded()
    if client.isSide { data.sideRequests.atEndpoints -= 1 }
    switch result {
    case .refuse(let refusal): return await answer(refusal)
    case .answered(let keep): return keep && isPersistent ? .keep : .close
    case .again, .tunnel: preconditionFailure("attempts end with a result")
    }
  }

  /// Tries endpoints until one answers or no retry is left.
  private func attempts(_ service: UpstreamService) async -> Attempt {
    while true {
      if stage == .started, chooseEndpoint(of: service) == nil { return .refuse(.noEndpoint) }
      let endpoint = servedBy!
      let attempt: Attempt
      if stage == .sent, let connection = upstream {
        attempt = settle(await pump(connection), connection, service)
      } else {
        attempt = await self.attempt(endpoint, of: service)
      }
      if case .tunnel = attempt { return attempt }
      endpoint.inFlight -= 1
      stage = .started
      guard case .again = attempt else { return attempt }
      rewindUpload()
    }
  }

  /// Begins an attempt.
  /// - Returns: nil when no endpoint may be used.
  func chooseEndpoint(of service: UpstreamService) -> Endpoint? {
    download = Download()
    download.lastClientProgress = worker.now
    response.removeAll()
    if held != nil { dropHeld() }
    if hasEditedResponse { forgetResponseEdits() }
    // Interim responses of an attempt before were not passed on, and are not of this one.
    toClient.removeAll()
    responseParser.reset()
    end = nil
    attemptStart = worker.now
    if service.endpointsRevision != endpointsRevision {
      endpointsRevision = service.endpointsRevision
      triedEndpoints = 0
    }
    guard let index = service.pickEndpoint(key: balancingKey, tried: triedEndpoints) else { return nil }
    let endpoint = service.endpoints[index]
    endpointIndex = index
    servedBy = endpoint
    if index < 64 { triedEndpoints |= 1 << UInt64(index) }
    endpoint.inFlight += 1
    endpoint.requestCount += 1
    stage = .chosen
    return endpoint
  }

  enum Attempt {
    case again
    case answered(keep: Bool)
    case refuse(Answer)
    /// The endpoint has switched protocols.
    case tunnel(UpstreamConnection)
  }

  private func attempt(_ endpoint: Endpoint, of service: UpstreamService) async -> Attempt {
    let connection: UpstreamConnection
    if let idle = takeIdle(endpoint, service) {
      connection = idle
      data.counters.figures.poolReused &+= 1
    } else {
      switch await connect(to: endpoint, of: service) {
      case .connected(let new): connection = new
      case .refused(let answer): return .refuse(answer)
      case .clientClosed: return clientLeft()
      case .failed(let isTimeout, let isOwnFault):
        if !isOwnFault { service.recordFailure(endpoint) }
        record.outcome = .connectFailure
        guard mayRetry(.connectFailure) else { return .refuse(isTimeout ? .connectTimeout : .connectFailure) }
        return again()
      }
    }
    use(connection)
    return settle(await pump(connection), connection, service)
  }

  /// Takes a connection for the attempt.
  func use(_ connection: UpstreamConnection) {
    attemptStart = worker.now
    upload.lastProgress = worker.now
    upstream = connection
    stage = .sent
    layOutRequest(for: connection)
  }

  /// Draws the consequences of how the pump ended.
  func settle(_ end: PumpEnd, _ connection: UpstreamConnection, _ service: UpstreamService) -> Attempt {
    upstream = nil
    let endpoint = connection.endpoint
    retireIfSilent(connection, end)
    switch end {
    case .switched:
      service.recordSuccess(endpoint)
      record.outcome = .proxied
      return .tunnel(connection)
    case .complete:
      endAnswered(connection, service)
      record.outcome = .proxied
      return .answered(keep: upload.isRead)
    case .retry(let reason):
      service.close(connection)
      if reason != .status || isFailure(responseHead.status) { service.recordFailure(endpoint) }
      return again()
    case .replaced:
      endAnswered(connection, service)
      return .refuse(replacement.map { .plugin($0) } ?? .upstreamFailure)
    case .upstreamFailed(let failure):
      service.close(connection)
      return settleFailure(failure, wasReused: connection.isReused, endpoint, service)
    case .requestRefused(let error):
      service.close(connection)
      if download.hasSentFinalHead { return cutOff(.badRequest) }
      switch error {
      case .malformed(let error): return .refuse(.badRequest(error))
      case .tooLarge: return .refuse(.contentTooLarge)
      }
    case .clientClosed:
      service.close(connection)
      return clientLeft()
    case .clientTimeout:
      service.close(connection)
      if download.hasSentFinalHead { return cutOff(.clientTimeout) }
      return .refuse(.clientTimeout)
    case .aborted:
      service.close(connection)
      return cutOff(.clientClosed)
    }
  }

  /// The endpoint has answered: what its status says of it counts, and its connection may be used again.
  private func endAnswered(_ connection: UpstreamConnection, _ service: UpstreamService) {
    if service.adaptiveMax != .max { service.noteResponse(after: record.responseNanoseconds) }
    if isFailure(responseHead.status) {
      service.recordFailure(connection.endpoint)
    } else {
      service.recordSuccess(connection.endpoint)
    }
    // What was connected while memory was short is slow for good.
    let isCramped = connection.hasSmallWindow && !data.buffers.isShort
    if download.mustCloseUpstream || !upload.isDone || upload.hasFailed || isCramped {
      service.close(connection)
    } else {
      service.giveBack(connection)
    }
  }

  /// A connection of HTTP/2 that brought nothing at all while a response was due may be dead without
  /// anybody having been told: others should not wait on it too.
  private func retireIfSilent(_ connection: UpstreamConnection, _ end: PumpEnd) {
    switch end {
    case .upstreamFailed(.responseTimeout), .upstreamFailed(.stalled), .retry(.responseTimeout):
      if let multiplexer = connection.multiplexer, multiplexer.lastReceive < attemptStart {
        multiplexer.retire()
      }
    default: break
    }
  }

  /// What a gateway or an overloaded server answers: the endpoint's fault, unlike 500.
  private func isFailure(_ status: UInt16) -> Bool { status >= 502 && status <= 504 }

  private func settleFailure(
    _ failure: UpstreamFailure, wasReused: Bool, _ endpoint: Endpoint, _ service: UpstreamService
  ) -> Attempt {
    if case .closedWithoutResponse = failure, wasReused, canBeRepeated, request.method.isIdempotent {
      // The server closed an idle connection while the request was on its way: nobody's fault, and
      // no retry in the sense of the settings (RFC 9112 §9.3.1).
      if endpointIndex < 64 { triedEndpoints &= ~(1 << UInt64(endpointIndex)) }
      data.counters.figures.poolStale &+= 1
      return .again
    }
    if case .refusedStream = failure, canBeRepeated, record.retries < Self.refusalsMax {
      // Not processed at all: another connection, or another endpoint, takes it (RFC 9113 §8.7).
      return again()
    }
    if case .deadline = failure {
      // The client's own impatience, which says nothing of the endpoint.
      record.outcome = .responseTimeout
      return deadlinePassed()
    }
    if case .tooLarge = failure {
      // What is too large here says nothing of the endpoint.
      service.recordSuccess(endpoint)
      record.outcome = .upstreamFailure
      if download.hasSentFinalHead { return cutOff(.upstreamFailure) }
      return .refuse(.responseTooLarge)
    }
    service.recordFailure(endpoint)
    record.outcome = .upstreamFailure
    switch failure {
    case .closedWithoutResponse where mayRetry(.reset), .streamReset where mayRetry(.reset):
      return again()
    case .responseTimeout, .stalled:
      record.outcome = .responseTimeout
      service.noteResponse(after: worker.now.nanoseconds(since: attemptStart))
      return download.hasSentFinalHead ? cutOff(.responseTimeout) : .refuse(.responseTimeout)
    default:
      return download.hasSentFinalHead ? cutOff(.upstreamFailure) : .refuse(.upstreamFailure)
    }
  }

  /// How often a request goes on after its stream was refused.
  private static let refusalsMax = 3

  private func again() -> Attempt {
    record.retries += 1
    data.counters.figures.retries &+= 1
    return .again
  }

  private func clientLeft() -> Attempt {
    return cutOff(.clientClosed)
  }

  /// The response cannot be finished: the client learns it from the connection's end, which for
  /// chunked content and for a length unfulfilled is an error (RFC 9112 §8).
  private func cutOff(_ outcome: Outcome) -> Attempt {
    record.outcome = outcome
    // Nothing final was sent: nginx's code for it.
    if record.status == 0 { record.status = 499 }
    // For a client of HTTP/1.0 the end of the connection is the end of the content: only a reset
    // says that it is not whole.
    if download.hasSentFinalHead && download.framing == .verbatim
      && (download.isChunked || download.endsWithClose || download.endsWithStream)
    {
      client.mustReset = true
    }
    if client.stream != nil { client.mustReset = true }
    isPersistent = false
    return .answered(keep: false)
  }

  // MARK: The end

  /// Counts and logs the exchange, and lets go of what only it needed.
  func finish() {
    record.totalNanoseconds = worker.now.nanoseconds(since: record.start)
    data.exchangeEnded(self)
    letGo()
  }

  /// Lets go of the request and of all that was found for it.
  func letGo() {
    dropTrailers()
    if !contentTaps.isEmpty { abandonTaps() }
    if chain != nil { endPlugins() }
    if gatheredBytes > 0 || contentRefusal != nil { releaseGathered() }
    heldAnswer = nil
    heldRange = 0..<0
    heldPiece = nil
    refusal = nil
    // What the next exchange waits for before it has an endpoint must not go by the last one's response.
    download.staged = 0..<0
    if upload.isRead { input.consume(min(upload.inputBytes, input.count)) } else { input.removeAll() }
    route = nil
    service = nil
    servedBy = nil
    stage = .head
  }
}
