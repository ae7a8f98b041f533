import HTTPCodec
import Runtime

/// The clients of a ``World`` that speak HTTP/1.1.
extension World {
  /// How a client behaves.
  private struct Manner {
    var requests: Int
    /// Sends all its requests before it reads a response.
    var pipelines = false
    var leavesEarly = false
    var halfCloses = false
    var isSlow = false
    var pauses = false
  }

  func startHTTP1Client(_ number: Int) {
    var own = random.split()
    let isCrowd = plan.focus == .overload
    var manner = Manner(requests: 1 + own.next(below: isCrowd ? 20 : 6))
    manner.pipelines = own.chance(4)
    manner.isSlow = own.chance(isCrowd ? 2 : 4)
    manner.pauses = own.chance(isCrowd ? 12 : 3)
    if !plan.isCalm {
      manner.leavesEarly = own.chance(6)
      manner.halfCloses = own.chance(6)
    }
    start("client \(number)", client: number) { [unowned self] client, listener throws(StreamFailure) in
      let stream = try await client.connect(to: listener)
      defer { stream.close() }
      stream.patience = patience
      if manner.isSlow {
        stream.pace = .init(bytes: 700, pause: .milliseconds(plan.bufferBytes == nil ? 1 : 5))
      }
      if manner.pipelines {
        await pipeline(on: stream, requests: manner.requests, client: number, &own)
      } else {
        await talk(on: stream, manner, client: number, &own)
      }
    }
  }

  private func talk(
    on stream: SimulatedStream, _ manner: Manner, client: Int, _ own: inout SplitMix64
  ) async {
    var open: [WorldRequest] = []
    // One worker serves the connection: what it has seen of a change cannot be undone for the next request.
    var seen = 0
    do throws(StreamFailure) {
      for index in 0..<manner.requests {
        let request = makeRequest(&own, notBefore: seen)
        open.append(request)
        try await send(request, on: stream, &own)
        let isLast = index == manner.requests - 1
        if isLast && manner.leavesEarly {
          if own.chance(2) { await stream.sleep(own.milliseconds(below: 300)) }
          stream.reset()
          return abandon(open)
        }
        if isLast && manner.halfCloses { stream.finish() }
        let isPersistent = try await read(request, from: stream)
        open.removeFirst()
        if let version = versionSeen(by: request) { seen = version }
        if !isPersistent { return }
        if manner.pauses { await stream.sleep(own.milliseconds(below: 4_000)) }
      }
      await checkSilence(of: stream, client: client)
    } catch {
      fail(open, error, on: stream.number, isLost: lostClients.contains(client % 2))
    }
  }

  /// The version that must have been in force when a request was routed, if not a later one; nil where its
  /// answer does not say.
  private func versionSeen(by request: WorldRequest) -> Int? {
    switch request.outcome {
    // An answer of an origin that was not asked says nothing.
    case .status(200) where request.arrivals.isEmpty: nil
    case .status(200), .status(404): topology.firstExplaining(request, from: request.since)
    default: nil
    }
  }

  private func checkSilence(of stream: SimulatedStream, client: Int) async {
    await stream.sleep(.seconds(1))
    if stream.hasUnreadBytes {
      ledger.violate("client \(client) got more than it asked for", [stream.number])
    }
  }

  // MARK: Pipelining

  /// Requests that were sent ahead, in the hands of a task that sends and of one that reads: if one did
  /// both, it and the gateway could wait for each other.
  private final class Pipeline {
    var open: [WorldRequest] = []
    var isSent = false
    var isOver = false
    let news: Signal

    init(on worker: Worker) { news = Signal(on: worker) }
  }

  private func sendAhead(
    _ count: Int, on stream: SimulatedStream, _ pipeline: Pipeline, _ own: inout SplitMix64
  ) async {
    do throws(StreamFailure) {
      for _ in 0..<count where !pipeline.isOver {
        let request = makeRequest(&own)
        pipeline.open.append(request)
        pipeline.news.notify()
        try await send(request, on: stream, &own)
      }
    } catch {
      // Whoever reads learns it as well.
    }
    pipeline.isSent = true
    pipeline.news.notify()
  }

  private func pipeline(
    on stream: SimulatedStream, requests: Int, client: Int, _ own: inout SplitMix64
  ) async {
    let pipeline = Pipeline(on: stream.worker)
    var sender = own.split()
    stream.worker.spawn { await self.sendAhead(requests, on: stream, pipeline, &sender) }
    do throws(StreamFailure) {
      while !(pipeline.isSent && pipeline.open.isEmpty) {
        guard let request = pipeline.open.first else {
          _ = await pipeline.news.wait(until: .never)
          continue
        }
        let isPersistent = try await read(request, from: stream)
        pipeline.open.removeFirst()
        // The gateway has said that it answers no more of them.
        guard isPersistent else {
          pipeline.isOver = true
          return abandon(pipeline.open)
        }
      }
      await checkSilence(of: stream, client: client)
    } catch {
      pipeline.isOver = true
      fail(pipeline.open, error, on: stream.number, isLost: lostClients.contains(client % 2))
    }
  }

  // MARK: Requests

  func makeRequest(
    _ own: inout SplitMix64, _ kind: WorldRequest.Kind = .plain, notBefore version: Int = 0
  ) -> WorldRequest {
    let methods = ["GET", "GET", "HEAD", "PUT", "POST", "DELETE"]
    let large = kind == .tunnel ? 20_000 : plan.focus == .overload ? 200_000 : 60_000
    var cacheKey: Int?
    if plan.hasPlugins, kind == .plain, own.chance(2) { cacheKey = own.next(below: 4) }
    let method = kind == .plain ? own.pick(methods) : kind == .call ? "POST" : "GET"
    return ledger.begin(
      kind, method, own.pick(WorldPlace.all),
      contentBytes: own.chance(3) ? own.next(below: large) : own.next(below: 300),
      responseBytes: own.chance(plan.bufferBytes == nil ? 3 : 2)
        ? own.next(below: large) : own.next(below: 300),
      since: max(topology.servedByAll, version),
      cacheKey: method == "GET" || method == "HEAD" ? cacheKey : nil, hasKey: plan.hasPlugins && own.chance(2)
    )
  }

  private func send(
    _ request: WorldRequest, on stream: SimulatedStream, _ own: inout SplitMix64
  ) async throws(StreamFailure) {
    ledger.sent(request, on: stream.number)
    var lines = ["\(request.method) \(request.target) HTTP/1.1", "Host: \(request.place.host)"]
    if own.chance(3) { lines.append("X-Key: \(own.next(below: 5))") }
    if request.hasKey { lines.append("apikey: \(WorldPlugins.key)") }
    func head() -> [UInt8] { Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) }
    guard request.method != "GET", request.method != "HEAD" else { return try await stream.send(head()) }
    let content = request.content
    let way = own.next(below: 5)
    if way == 0 {
      lines.append("Transfer-Encoding: chunked")
      let trailers = own.chance(3) ? ["X-Digest: 5"] : []
      try await stream.send(head())
      return try await stream.send(
        SimulatedClient.chunks(content, size: 1 + own.next(below: 3_000), trailers: trailers))
    }
    lines.append("Content-Length: \(content.count)")
    if way == 1 {
      lines.append("Expect: 100-continue")
      try await stream.send(head())
      // It need not wait for ever, and does not (RFC 9110 §10.1.1).
      await stream.sleep(.milliseconds(50))
      return try await stream.send(content)
    }
    let bytes = head() + content
    if way > 2 { return try await stream.send(bytes) }
    try await stream.trickle(bytes, size: 1 + bytes.count / 5, pause: own.milliseconds(below: 100))
  }

  /// - Returns: whether the connection may carry on.
  private func read(_ request: WorldRequest, from stream: SimulatedStream) async throws(StreamFailure) -> Bool
  {
    let response = try await stream.readResponse(to: request.method == "HEAD" ? .head : .get)
    answered(request, response)
    return response.isPersistent
  }

  // MARK: What came of requests

  /// A client has read a whole response.
  func answered(_ request: WorldRequest, _ response: SimulatedResponse) {
    ledger.ended(request, .status(response.status), version: topology.newest)
    if request.kind == .call { return callEnded(request, response) }
    switch response.status {
    case 200:
      // Of an answer to HEAD no content shows.
      let looksUnasked = request.method == "HEAD" || response.body == WorldLedger.unasked
      let isUnasked = ledger.sentUnasked && looksUnasked
      if request.arrivals.isEmpty && !isUnasked {
        if mayComeFromCache(request) {
          pluginsDid.insert("answers of a cache")
        } else {
          ledger.violate("was answered by nobody", request)
        }
      }
      if let difference = ledger.flaw(ofResponse: response.body, to: request) {
        ledger.violate("its response is not what was sent: \(difference)", request)
      }
    case 404 where mayLackRoute(request): break
    case _ where wasRefused(request, response.status): break
    case 408, 502, 503, 504:
      if plan.isCalm { ledger.violate("status \(response.status) where nobody does wrong", request) }
    default: ledger.violate("status \(response.status)", request)
    }
  }

  func mayLackRoute(_ request: WorldRequest) -> Bool {
    topology.mayLackRoute(request.place, from: request.since, to: topology.newest)
  }

  /// A call of gRPC is answered with a status of its own, in the head or behind the content.
  private func callEnded(_ request: WorldRequest, _ response: SimulatedResponse) {
    let status = response["grpc-status"] ?? response.trailers.first { $0.name == "grpc-status" }?.value
    switch status {
    case "0":
      if let difference = difference(response.body, request.response) {
        ledger.violate("its messages are not what was sent: \(difference)", request)
      }
    case "12" where mayLackRoute(request): break
    case _ where mayMeetPlugins(request): break
    case let status:
      // An origin that answers with something else than gRPC may do so without one.
      if plan.isCalm { ledger.violate("status \(status ?? "none") of gRPC where nobody does wrong", request) }
    }
  }

  private func abandon(_ requests: [WorldRequest]) {
    for request in requests { ledger.ended(request, .abandoned, version: topology.newest) }
  }

  /// The connection has ended, or nothing came of it.
  func fail(
    _ requests: [WorldRequest], _ failure: StreamFailure, on wire: Int, isLost: Bool
  ) {
    for request in requests { ledger.ended(request, .failure(failure), version: topology.newest) }
    // How far they had come often says why.
    let open = requests.map { "\($0.number) (\(progress(of: $0)))" }.joined(separator: ", ")
    let left = open.isEmpty ? "" : ", without an answer to request \(open)"
    switch failure {
    case .timedOut where !isLost:
      ledger.violate("neither a response nor the end of the connection\(left)", [wire])
    case .malformed(let error): ledger.violate("a response is malformed: \(error)", [wire])
    default:
      if plan.isCalm { ledger.violate("a connection ended in a calm world: \(failure)\(left)", [wire]) }
    }
  }

  /// What of a request has come to an origin.
  private func progress(of request: WorldRequest) -> String {
    guard let arrival = request.arrivals.last else { return "it came to no origin" }
    let received = origins[arrival.origin].requests[arrival.index]
    return "\(received.body.count) of its \(request.contentBytes) bytes came to origin \(arrival.origin)"
  }
}
