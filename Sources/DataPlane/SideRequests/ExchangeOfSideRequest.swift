import HTTPCodec
import Runtime

/// An exchange that serves a request of the gateway's own: no route, no plugins, and a service that is given.
extension Exchange {
  /// - Returns: how it has ended.
  func perform(
    _ request: SideRequest, of side: SideClient, on service: UpstreamService, until deadline: MonotonicTime
  ) async -> Outcome {
    begin(on: side)
    prepare(request, for: service)
    callDeadline = deadline
    _ = await pursue()
    let outcome = record.outcome
    requestEdits.removeAll()
    rewrittenTarget.reset(to: Self.rewrittenTargetBytes)
    rewrittenHost.removeAll(keepingCapacity: true)
    letGo()
    return outcome
  }

  /// Does what reading and routing do for a client's request.
  private func prepare(_ request: SideRequest, for service: UpstreamService) {
    takeSettings(data.sideRequests.settings)
    record = ExchangeRecord()
    record.start = worker.now
    record.client = client.peer
    requestID.removeAll()
    toClient.removeAll()
    isGRPC = false
    upgrade = .none
    hasNormalisedPath = false
    isPeerTrusted = false
    isPersistent = true
    hasRequestHead = false
    bodyBytesMax = .max
    triedEndpoints = 0
    refusal = nil
    layOut(request)
    rewriteTarget(request.target)
    rewrittenHost = request.host.isEmpty ? service.hostBytes : request.host
    requestEdits.add(request.lines)
    self.service = service
    balancingKey = nil
    let input = input
    if let source = service.hashKeySource {
      balancingKey = source.key(client: record.client, head: self.request, bytes: input.bytes)
    }
    service.retryBudget.countRequest(at: worker.now)
    stage = .prepared
  }

  /// A head of nothing but its method; target, host and fields are what the exchange has been given in place of
  /// a client's. Content is all there, so that every attempt can send it.
  private func layOut(_ side: SideRequest) {
    let input = input
    input.removeAll()
    input.append(side.method)
    let head = input.count
    request.methodRange = ByteRange(start: 0, count: head)
    request.method = HTTPMethod(input.bytes, request.methodRange)
    request.targetForm = .origin
    request.target = .empty
    request.path = .empty
    request.query = .empty
    request.hasQuery = false
    request.authority = .empty
    request.host = .empty
    request.upgradeProtocol = .empty
    request.version = .http10
    request.fields.removeAll(keepingCapacity: true)
    request.isPersistent = true
    request.expectsContinue = false
    request.hasConnectionOptions = false
    request.byteCount = head
    input.append(side.content)
    let usesContent = request.method == .post || request.method == .put || request.method == .patch
    request.framing =
      usesContent || !side.content.isEmpty ? .length(UInt64(side.content.count)) : .none
    upload = Upload()
    upload.lastProgress = worker.now
    upload.staged = head..<input.count
    upload.inputBytes = input.count
  }

  /// The lines of the response's head that go on, with the date where there was none (RFC 9110 §6.6.1).
  func responseLines() -> [UInt8] {
    toClient.removeAll()
    var hasDate = false
    appendEndToEndFields(of: responseHead.fields, from: response, to: toClient) { field in
      if field.known == .date { hasDate = true }
      return self.isResponseFieldPassedOn(field)
    }
    if !hasDate { data.appendDate(to: toClient) }
    let lines = toClient.copy(0..<toClient.count)
    toClient.removeAll()
    return lines
  }
}

extension UpstreamService {
  /// What requests that have no host of their own call it: the name that its certificate has to be for, or else the
  /// first endpoint's, as it is configured.
  var hostBytes: [UInt8] {
    if let name = settings.service.tls?.serverName { return Array(name.utf8) }
    return Array((endpoints.first?.name ?? name).utf8)
  }
}
