import HTTPCodec
import Resources
import Runtime

/// What happens to a request before an endpoint is chosen.
extension Exchange {
  /// Finds the route of the request whose head was read, and writes the head that goes to the
  /// endpoint.
  /// - Returns: what to answer when it goes to none.
  func prepare() -> Answer? {
    client.requestCount &+= 1
    record.headNanoseconds = worker.now.nanoseconds(since: record.start)
    record.receivedBytes = UInt64(input.count)
    // A listener that was removed finishes what it has begun.
    isPersistent = request.isPersistent && !data.isDraining && client.listener.index >= 0
    if let limit = data.settings.requestsPerConnection, Int(client.requestCount) >= limit {
      isPersistent = false
    }
    toClient.removeAll()
    if let refusal = admit() { return refusal }
    guard let service else { return .noEndpoint }
    toUpstream.removeAll()
    makeRequestID()
    appendRequestHead()
    triedEndpoints = 0
    balancingKey = nil
    if let source = service.hashKeySource { balancingKey = key(of: input, source) }
    service.retryBudget.countRequest(at: worker.now)
    return nil
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
    if forwardsLeft == 0 { return .options }
    do {
      hasNormalisedPath = request.path.isEmpty ? false : try normalisePath(in: input)
    } catch {
      return .badRequest(error)
    }
    isPeerTrusted = data.settings.trusts(client.peer)
    route = findRoute(in: input)
    guard let route else { return .noRoute }
    let index = route.pickBackend(random: &worker.random)
    guard index >= 0 else { return .noEndpoint }
    service = data.services[index]
    resolveClientAddress()
    return nil
  }

  private func key(of input: Buffer, _ source: HashKeySource) -> UInt64? {
    source.key(client: record.client, head: request, bytes: input.bytes)
  }

  private func normalisePath(in input: Buffer) throws(HTTP1Error) -> Bool {
    try PathNormaliser.normalise(input.bytes.extracting(request.path.range), into: &normalisedPath)
  }

  private func findRoute(in input: Buffer) -> CompiledRoute? {
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
}
