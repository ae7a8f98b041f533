import HTTPCodec
import Resources
import Runtime

extension Exchange {
  /// Answers the request whose head was read: refuses it, or passes it to an endpoint.
  /// - Returns: whether the connection may carry another request.
  func perform() async -> Bool {
    client.requestCount &+= 1
    record.headNanoseconds = worker.now.nanoseconds(since: record.start)
    record.receivedBytes = UInt64(input.count)
    // A listener that was removed finishes what it has begun.
    isPersistent = request.isPersistent && !data.isDraining && client.listener.index >= 0
    if let limit = data.settings.requestsPerConnection, Int(client.requestCount) >= limit { isPersistent = false }
    toClient.removeAll()
    defer { finish() }
    if let refusal = admit() { return await answer(refusal) }
    guard let service else { return await answer(.noEndpoint) }
    toUpstream.removeAll()
    response.removeAll()
    makeRequestID()
    appendRequestHead()
    triedEndpoints = 0
    let input = input
    balancingKey = service.hashKeySource?.key(client: record.client, head: request, bytes: input.bytes)
    service.retryBudget.countRequest(at: worker.now)
    if !service.mayStartRequest, let refusal = await waitForTurn(service) { return await answer(refusal) }
    service.requestStarted()
    let keep = await attempts(service)
    service.requestEnded()
    return keep && isPersistent
  }

  /// Checks what can be refused without an endpoint, and finds the route.
  private func admit() -> Answer? {
    requestID.removeAll()
    do {
      try beginUpload()
    } catch {
      return .badRequest(error)
    }
    if request.method == .connect || request.method == .trace { return .methodNotSupported }
    if let limit = data.settings.bodyBytesMax, case .length(let length) = request.framing, length > limit {
      return .contentTooLarge
    }
    let input = input
    do {
      hasNormalisedPath =
        request.path.isEmpty
        ? false : try PathNormaliser.normalise(input.bytes.extracting(request.path.range), into: &normalisedPath)
    } catch {
      return .badRequest(error)
    }
    isPeerTrusted = data.settings.trusts(client.peer)
    route = findRoute()
    guard let route else { return .noRoute }
    let index = route.pickBackend(random: &worker.random)
    guard index >= 0 else { return .noEndpoint }
    service = data.services[index]
    resolveClientAddress()
    return nil
  }

  private func findRoute() -> CompiledRoute? {
    let input = input
    let bytes = input.bytes
    let host = bytes.extracting(request.host.range)
    if hasNormalisedPath {
      let path = normalisedPath
      return data.routes.route(
        listener: client.listener.index, host: host, path: path.span, head: request, bytes: bytes)
    }
    if request.path.isEmpty {
      // `OPTIONS *`, and an absolute form without a path, go where `/` goes.
      let path = data.rootPath
      return data.routes.route(
        listener: client.listener.index, host: host, path: path.span, head: request, bytes: bytes)
    }
    return data.routes.route(
      listener: client.listener.index, host: host, path: bytes.extracting(request.path.range), head: request,
      bytes: bytes)
  }

  // MARK: Attempts

  /// Tries endpoints until one answers or no retry is left.
  private func attempts(_ service: UpstreamService) async -> Bool {
    while true {
      download = Download()
      download.lastClientProgress = worker.now
      response.removeAll()
      responseParser.reset()
      attemptStart = worker.now
      guard let index = service.pickEndpoint(key: balancingKey, tried: triedEndpoints) else {
        return await answer(.noEndpoint)
      }
      endpointIndex = index
      let endpoint = service.endpoints[index]
      servedBy = endpoint
      if index < 64 { triedEndpoints |= 1 << UInt64(index) }
      endpoint.inFlight += 1
      endpoint.requestCount += 1
      let attempt = await attempt(endpoint, of: service)
      endpoint.inFlight -= 1
      switch attempt {
      case .again: rewindUpload()
      case .answered(let keep): return keep
      case .refuse(let refusal): return await answer(refusal)
      }
    }
  }

  private enum Attempt {
    case again
    case answered(keep: Bool)
    case refuse(Answer)
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
      case .failed(let isTimeout):
        service.recordFailure(endpoint)
        record.outcome = .connectFailure
        guard mayRetry(.connectFailure) else { return .refuse(isTimeout ? .connectTimeout : .connectFailure) }
        return again()
      }
    }
    attemptStart = worker.now
    upload.lastProgress = worker.now
    upstream = connection
    let end = await pump(connection)
    upstream = nil
    return settle(end, connection, service)
  }

  /// An idle connection, checked a second time for requests that must not be sent twice: a server
  /// may be closing it just now.
  private func takeIdle(_ endpoint: Endpoint, _ service: UpstreamService) -> UpstreamConnection? {
    if service.hasConnectionQueue { return nil }
    return takeQuietIdle(endpoint, service)
  }

  private func takeQuietIdle(_ endpoint: Endpoint, _ service: UpstreamService) -> UpstreamConnection? {
    while let connection = service.takeIdle(to: endpoint, for: client) {
      if request.method.isIdempotent || connection.socket.isQuiet() { return connection }
      service.close(connection)
    }
    return nil
  }

  /// Draws the consequences of how the pump ended.
  private func settle(_ end: PumpEnd, _ connection: UpstreamConnection, _ service: UpstreamService) -> Attempt {
    let endpoint = connection.endpoint
    switch end {
    case .complete:
      if isFailure(responseHead.status) { service.recordFailure(endpoint) } else { service.recordSuccess(endpoint) }
      if download.mustCloseUpstream || !upload.isDone || upload.hasFailed {
        service.close(connection)
      } else {
        service.giveBack(connection)
      }
      record.outcome = .proxied
      return .answered(keep: upload.isRead)
    case .retry(let reason):
      service.close(connection)
      if reason != .status || isFailure(responseHead.status) { service.recordFailure(endpoint) }
      return again()
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
      if record.sentBytes > 0 { return cutOff(.clientTimeout) }
      return .refuse(.clientTimeout)
    case .aborted:
      service.close(connection)
      return cutOff(.clientClosed)
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
      triedEndpoints = 0
      data.counters.figures.poolStale &+= 1
      return .again
    }
    service.recordFailure(endpoint)
    record.outcome = .upstreamFailure
    switch failure {
    case .closedWithoutResponse where mayRetry(.reset):
      return again()
    case .responseTimeout, .stalled:
      record.outcome = .responseTimeout
      return download.hasSentFinalHead ? cutOff(.responseTimeout) : .refuse(.responseTimeout)
    default:
      return download.hasSentFinalHead ? cutOff(.upstreamFailure) : .refuse(.upstreamFailure)
    }
  }

  private func again() -> Attempt {
    record.retries += 1
    data.counters.figures.retries &+= 1
    return .again
  }

  private func clientLeft() -> Attempt {
    if record.sentBytes == 0 { record.status = 499 }
    return cutOff(.clientClosed)
  }

  /// The response cannot be finished: the client learns it from the connection's end, which for
  /// chunked content and for a length unfulfilled is an error (RFC 9112 §8).
  private func cutOff(_ outcome: Outcome) -> Attempt {
    record.outcome = outcome
    isPersistent = false
    return .answered(keep: false)
  }

  // MARK: Connections

  private enum Connecting {
    case connected(UpstreamConnection)
    case failed(isTimeout: Bool)
    case refused(Answer)
    case clientClosed
  }

  private func connect(to endpoint: Endpoint, of service: UpstreamService) async -> Connecting {
    let started = worker.now
    defer { record.connectNanoseconds += worker.now.nanoseconds(since: started) }
    if !service.mayConnect || service.hasConnectionQueue {
      switch await waitForConnection(to: endpoint, of: service) {
      case .some(let end): return end
      case nil: break
      }
    }
    data.counters.figures.upstreamConnects &+= 1
    let socket: Socket
    do {
      socket = try Socket.connect(to: endpoint.address, on: worker)
    } catch {
      if error.isShortage { data.relieveDescriptors() }
      data.counters.figures.upstreamConnectFailures &+= 1
      return .failed(isTimeout: false)
    }
    socket.watcher = client
    service.connectionOpened()
    let connection = UpstreamConnection(socket, to: endpoint, of: service, on: worker)
    let deadline = worker.now.advanced(byNanoseconds: service.settings.connectNanoseconds)
    while true {
      switch await client.wait(for: socket, .writable, or: client.socket, .peerClosed, until: deadline) {
      case .deadline:
        data.counters.figures.upstreamConnectFailures &+= 1
        service.close(connection)
        return .failed(isTimeout: true)
      case .ready, .interrupted:
        if client.isAborted || client.socket.readiness.contains(.peerClosed) {
          service.close(connection)
          return .clientClosed
        }
        guard socket.readiness.contains(.writable) else { continue }
        if socket.connectError() != nil {
          data.counters.figures.upstreamConnectFailures &+= 1
          service.close(connection)
          return .failed(isTimeout: false)
        }
        return .connected(connection)
      }
    }
  }

  // MARK: Limits

  /// Waits until one more request may be in flight.
  /// - Returns: what to answer when it was in vain.
  private func waitForTurn(_ service: UpstreamService) async -> Answer? {
    let started = worker.now
    defer { record.connectNanoseconds += worker.now.nanoseconds(since: started) }
    return await wait(.turn, service) { service.inFlight < service.settings.inFlightMax }
  }

  /// Waits until a connection is idle or one more may be made.
  /// - Returns: the idle one, or why there is none; nil when one may be made.
  private func waitForConnection(to endpoint: Endpoint, of service: UpstreamService) async -> Connecting? {
    var idle: UpstreamConnection?
    let refusal = await wait(.connection, service) {
      idle = takeQuietIdle(endpoint, service)
      return idle != nil || service.mayConnect || service.closeOneIdle()
    }
    if let refusal {
      if case .clientClosed = refusal { return .clientClosed }
      return .refused(refusal)
    }
    return idle.map { .connected($0) }
  }

  /// Waits in a queue of the service until `isSatisfied`, which is asked each time the request's
  /// turn may have come.
  private func wait(
    _ wait: UpstreamService.Wait, _ service: UpstreamService, isSatisfied: () -> Bool
  ) async -> Answer? {
    guard service.join(wait, client) else {
      data.counters.figures.queueOverflows &+= 1
      return .overloaded
    }
    defer { service.leave(wait, client) }
    let deadline = worker.now.advanced(byNanoseconds: service.settings.pendingNanoseconds)
    // The first in an empty queue may find that something idle can make room.
    while !(service.isFirst(client, wait) && isSatisfied()) {
      if client.socket.readiness.contains(.peerClosed) { return .clientClosed }
      client.socket.interest = .peerClosed
      let wake = await client.sleep(until: deadline)
      client.socket.interest = []
      if client.isAborted || client.socket.readiness.contains(.peerClosed) { return .clientClosed }
      if wake == .deadline {
        data.counters.figures.queueTimeouts &+= 1
        return .overloaded
      }
    }
    return nil
  }

  // MARK: The end

  /// Counts and logs the exchange, and lets go of what only it needed.
  private func finish() {
    record.totalNanoseconds = worker.now.nanoseconds(since: record.start)
    data.exchangeEnded(self)
    if upload.isRead { input.consume(min(upload.inputBytes, input.count)) } else { input.removeAll() }
    route = nil
    service = nil
    servedBy = nil
  }
}
