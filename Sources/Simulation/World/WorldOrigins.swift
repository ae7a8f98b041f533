import HTTPCodec
import Runtime

/// What the origins of a ``World`` do about requests.
extension World {
  /// What was asked for is answered as the request's number says, unless the origin is in the mood for
  /// something else.
  func steps(origin: Int, for request: SimulatedRequest, index: Int) -> [OriginStep] {
    guard let known = arrived(origin: origin, request, index: index) else { return [.close] }
    simulation.network.remark(
      connection: request.wire, "origin \(origin) gets request \(known.number)")
    let speaksHTTP2 = plan.origins[origin]
    if known.kind == .tunnel && !speaksHTTP2 { return tunnelSteps(known, request) }
    if !plan.isCalm, random.chance(3) {
      // What is wrong with a response that others are sent as well must be something that a cache can notice.
      let ofCache = known.cacheKey == nil ? nil : badSteps(known) ?? [.readContent, .respond(503)]
      let steps = ofCache ?? (speaksHTTP2 ? badHTTP2Steps(known) : badHTTP1Steps(known))
      if steps.contains(where: \.refusesStream) {
        known.arrivals[known.arrivals.count - 1].wasRefused = true
      }
      return steps
    }
    return goodSteps(known, speaksHTTP2: speaksHTTP2)
  }

  private var delay: OriginStep { .delay(random.milliseconds(below: 300)) }

  // MARK: As it should be

  private func goodSteps(_ request: WorldRequest, speaksHTTP2: Bool) -> [OriginStep] {
    let body = request.answer
    if request.asksForHead {
      let length = "content-length: \(request.responseBytes)"
      if speaksHTTP2 { return [.readContent, delay, .head(200, fields: [length], ends: true)] }
      return [.readContent, delay, .send(Array("HTTP/1.1 200 OK\r\n\(length)\r\n\r\n".utf8))]
    }
    if request.kind == .call { return callSteps(body, speaksHTTP2: speaksHTTP2) }
    let trailers = random.chance(3) ? ["x-sum: 7"] : []
    let fields =
      request.cacheKey == nil ? [] : ["cache-control: max-age=\(random.next(below: 3))", "etag: \"e\""]
    if request.cacheKey != nil, random.chance(2) {
      return [.readContent, delay, .respond(200, fields: fields, body: body)]
    }
    let chunks = OriginStep.respondChunked(
      200, fields: fields, body: body, size: 1 + random.next(below: 4_000), trailers: trailers)
    switch random.next(below: 8) {
    case 0:
      return [.interim(103, fields: ["link: </style>"]), .readContent, delay, .respond(200, body: body)]
    case 1: return [slowly, .readContent, delay, .respond(200, body: body)]
    case 2: return [slowly, .readContent, chunks]
    case 3, 4: return [.readContent, delay, chunks]
    default: return [.readContent, delay, .respond(200, body: body)]
    }
  }

  /// Reads slowly.
  private var slowly: OriginStep { .pace(.init(bytes: 500, pause: .milliseconds(2))) }

  private func callSteps(_ body: [UInt8], speaksHTTP2: Bool) -> [OriginStep] {
    let fields = ["content-type: application/grpc"]
    let end = ["grpc-status: 0"]
    guard speaksHTTP2 else {
      return [.readContent, .respondChunked(200, fields: fields, body: body, size: 1_000, trailers: end)]
    }
    if random.chance(2) {
      return [.readContent, delay, .head(200, fields: fields), .content(body), delay, .end(trailers: end)]
    }
    // Both directions at once.
    let half = body.count / 2
    return [
      .head(200, fields: fields), .content(Array(body[..<half])), delay, .readContent,
      .content(Array(body[half...])), .end(trailers: end),
    ]
  }

  // MARK: Early, late, wrongly or never

  private func badSteps(_ request: WorldRequest) -> [OriginStep]? {
    let body = request.answer
    switch random.next(below: 10) {
    case 0: return [.reset]
    case 1: return [.readContent, .close]
    case 2: return [.hang]
    case 3: return [delay, .respond(503)]
    case 4: return [.respond(200, body: body), delay]
    case 5: return [.readContent, .delay(.seconds(7)), .respond(200, body: body)]
    default: return nil
    }
  }

  private func badHTTP1Steps(_ request: WorldRequest) -> [OriginStep] {
    if let steps = badSteps(request) { return steps }
    let body = request.answer
    func say(_ lines: [String], _ content: [UInt8] = []) -> OriginStep {
      .send(Array((["HTTP/1.1 200 OK"] + lines).joined(separator: "\r\n").utf8) + [13, 10, 13, 10] + content)
    }
    let tooLong = "Content-Length: \(body.count + 10)"
    switch random.next(below: 11) {
    case 0: return [.readContent, say([tooLong], body), delay, .close]
    case 1:
      request.endsWithClose = true
      return [.readContent, say(["Connection: close"], body), .close]
    case 2: return [.readContent, .respond(200, body: body), delay, .close]
    case 3:
      ledger.sentUnasked = true
      let unasked = say(["Content-Length: \(WorldLedger.unasked.count)"], WorldLedger.unasked)
      // Whoever takes it for an answer would take each answer after it for the next request's.
      return [.readContent, say(["Content-Length: \(body.count)"], body), unasked, delay, .close]
    case 4: return [.readContent, say(["Content-Length: 4", "Transfer-Encoding: chunked"], body), delay]
    case 5: return [.readContent, say(["Content-Length: 4", "Content-Length: 5"], body), delay]
    case 6: return [.readContent, .send(Array("HTTP/1.1 2xx What\r\n\r\n".utf8)), delay]
    case 7: return [.readContent, say(["X-Long: " + String(repeating: "a", count: 70_000)], body), delay]
    case 8:
      let head = say(["Transfer-Encoding: chunked"], Array("5\r\nabcdefg\r\n".utf8))
      return [.readContent, head, delay]
    case 9:
      return [.send(Array("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2".utf8)), .readContent, delay, .reset]
    default:
      let part = SimulatedClient.chunks(body, size: 700).dropLast(5)
      return [.readContent, say(["Transfer-Encoding: chunked"], Array(part)), delay, .close]
    }
  }

  private func badHTTP2Steps(_ request: WorldRequest) -> [OriginStep] {
    if let steps = badSteps(request) { return steps }
    let body = request.answer
    switch random.next(below: 8) {
    case 0: return [.resetStream(.internalError)]
    case 1: return [.resetStream(.refusedStream)]
    case 2: return [.goAway(accepts: false)]
    case 3: return [.readContent, .goAway(accepts: true), delay, .respond(200, body: body)]
    case 4: return [.readContent, .head(200), .content(body), delay, .resetStream(.cancel)]
    // More than was announced.
    case 5:
      return [.readContent, .head(200, fields: ["content-length: 1"]), .content(body + [1, 2]), .end()]
    case 6: return [.readContent, .send(SimulatedHTTP2Connection.frame(type: 0, streamID: 0, [1, 2, 3]))]
    default: return [.readContent, .head(200), .end(trailers: [":status: 200"])]
    }
  }
}

extension OriginStep {
  /// Says that the request was not processed.
  var refusesStream: Bool {
    switch self {
    case .resetStream(let code): code == .refusedStream
    case .goAway(let accepts): !accepts
    default: false
    }
  }
}
