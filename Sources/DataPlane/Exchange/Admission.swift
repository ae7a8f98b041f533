import HTTPCodec
import Resources
import Runtime
import TLS

/// What happens to a request before an endpoint is chosen.
extension Exchange {
  /// Finds the route of the request whose head was read, and writes the head that goes to the
  /// endpoint.
  /// - Returns: what to answer when it goes to none.
  func prepare() -> Answer? {
    prepareRouting(in: input)
    takeSettings()
    bodyBytesMax = http.bodyBytesMax ?? .max
    client.requestCount &+= 1
    isGRPC = false
    callDeadline = .never
    upgrade = .none
    record.headNanoseconds = worker.now.nanoseconds(since: record.start)
    record.receivedBytes = UInt64(input.count)
    // A listener that was removed finishes what it has begun.
    isPersistent = request.isPersistent && !data.isDraining && client.listener.number >= 0
    if let limit = data.settings.requestsPerConnection, Int(client.requestCount) >= limit {
      isPersistent = false
    }
    toClient.removeAll()
    if let reason = client.mustRefuse { return refuseEarly(reason) }
    if let refusal = admit() { return refusal }
    return waitsForPlugin ? nil : settleUpstream()
  }

  /// Settles which service takes the request, when all plugins have let it pass.
  func settleUpstream() -> Answer? {
    if let answer = chooseUpstream() { return answer }
    guard let service else { return .noEndpoint }
    if data.hasRequestsEnough { return .shed(.inFlight) }
    // Only HTTP/1.1 has what endpoints understand.
    if upgrade != .none && service.settings.speaksHTTP2Only { return .upgradeNotSupported }
    hasRequestHead = false
    triedEndpoints = 0
    balancingKey = nil
    if let source = service.hashKeySource { balancingKey = key(of: input, source) }
    service.retryBudget.countRequest(at: worker.now)
    return nil
  }

  /// Refuses a request before any work is spent on it.
  private func refuseEarly(_ reason: RefusalReason) -> Answer {
    client.mustRefuse = nil
    requestID.removeAll()
    do {
      try beginUpload()
    } catch {
      return .badRequest(error)
    }
    if client.stream != nil { noteCall() }
    return .shed(reason)
  }

  /// Checks what can be refused without an endpoint, and finds the route.
  private func admit() -> Answer? {
    requestID.removeAll()
    do {
      try beginUpload()
    } catch {
      return .badRequest(error)
    }
    if client.isPlainOnTLS { return .plainHTTP }
    if request.method == .trace { return .methodNotSupported }
    if request.method == .connect && request.upgradeProtocol.isEmpty { return .methodNotSupported }
    if client.stream != nil { noteCall() }
    if case .length(let length) = request.framing, length > bodyBytesMax { return .contentTooLarge }
    if record.requestBodyBytes > bodyBytesMax { return .contentTooLarge }
    if forwardsLeft == 0 { return .options }
    do {
      hasNormalisedPath = request.path.isEmpty ? false : try normalisePath(in: input)
    } catch {
      return .badRequest(error)
    }
    data.routes.prepareRoute(hostHash: hostHash)
    isPeerTrusted = http.trusts(client.peer)
    if client.isTLS, let tls = client.connection.tls, !isHostCovered(tls) { return .misdirected }
    resolveClientAddress()
    makeRequestID()
    let found = findRoute(in: input)
    route = found
    if let redirect = httpsRedirect(of: found) { return .redirect(redirect) }
    guard let route = found else { return .noRoute }
    route.prepare()
    if let refusal = noteUpgrade(route) { return refusal }
    let index = route.pickBackend(random: &worker.random)
    service = index >= 0 ? data.serviceTable.service(index) : nil
    chain = data.plugins(of: route, service)
    return chain == nil ? nil : meetPlugins()
  }

  private func key(of input: Buffer, _ source: HashKeySource) -> UInt64? {
    source.key(client: record.client, head: request, bytes: input.bytes)
  }

  private func normalisePath(in input: Buffer) throws(HTTP1Error) -> Bool {
    try PathNormaliser.normalise(input.bytes.extracting(request.path.range), into: &normalisedPath)
  }

  /// Begins to fetch what ``findRoute(in:)`` looks at.
  private func prepareRouting(in input: Buffer) {
    hostHash = data.routes.prepare(host: input.bytes.extracting(request.host.range))
  }

  private func findRoute(in input: Buffer) -> CompiledRoute? {
    let bytes = input.bytes
    if hasNormalisedPath {
      let path = normalisedPath
      return findRoute(path: path.span, bytes)
    }
    if request.path.isEmpty {
      // `OPTIONS *`, and an absolute form without a path, go where `/` goes.
      let path = data.rootPath
      return findRoute(path: path.span, bytes)
    }
    return findRoute(path: bytes.extracting(request.path.range), bytes)
  }

  /// Lends the head where it is: to hand it over as an argument is to count what it refers to.
  @inline(__always)
  func withRequest<R>(_ body: (inout RequestHead) -> R) -> R { body(&request) }

  private func findRoute(path: Span<UInt8>, _ bytes: Span<UInt8>) -> CompiledRoute? {
    let listener = client.listener.number
    return withRequest { head in
      data.routes.route(
        listener: listener, host: bytes.extracting(head.host.range), hostHash: hostHash, path: path,
        head: head,
        bytes: bytes)
    }
  }

  /// Whether the connection's certificate is for the request's host (RFC 9110 §7.4).
  private func isHostCovered(_ tls: TLSSocket) -> Bool {
    if request.host.isEmpty { return true }
    let input = input
    return tls.covers(host: input.bytes.extracting(request.host.range))
  }

  /// Where a request that came without TLS has to go.
  private func httpsRedirect(of route: CompiledRoute?) -> HTTPSRedirect? {
    guard !client.isTLS, !request.host.isEmpty, request.targetForm != .asterisk else {
      return nil
    }
    guard let route else { return client.listener.redirect }
    return Override.resolve(route.redirect, inherited: client.listener.redirect)
  }
}
