import HTTPCodec

/// What a ``World`` finds out when a request comes to an origin, and at the end about all of them.
extension World {
  /// - Returns: the request that it is; nil where nobody has sent it.
  func arrived(origin: Int, _ request: SimulatedRequest, index: Int) -> WorldRequest? {
    guard let known = ledger.request(WorldRequest.number(inTarget: request.target)) else {
      ledger.violate("origin \(origin) got what nobody sent: \(request.target)", [request.wire])
      return nil
    }
    known.arrivals.append(
      WorldRequest.Arrival(origin: origin, method: request.method, index: index, wire: request.wire))
    if request.target != known.target || !mayCome(known, as: request.method)
      || (request["host"] ?? known.place.host) != known.place.host
    {
      ledger.violate("came to origin \(origin) as \(request.method) \(request.target)", known)
    }
    let hasForwarded = request["forwarded"] != nil
    if !topology.explains(
      origin: origin, place: known.place, hasForwarded: hasForwarded, from: known.since, to: topology.newest)
    {
      ledger.violate(
        "came to origin \(origin) \(hasForwarded ? "with" : "without") Forwarded, which no version from "
          + "\(known.since) to \(topology.newest) says", known)
    }
    checkPassage(known, request)
    return known
  }

  /// A cache that has answered HEAD with what is stale fetches that anew, and only GET brings all of it.
  private func mayCome(_ request: WorldRequest, as method: String) -> Bool {
    if request.kind == .tunnel { return method == "GET" }
    return method == request.method
      || (method == "GET" && request.method == "HEAD" && mayBeRefreshed(request))
  }

  /// Content and repetitions, when all is over.
  func checkArrivals() {
    checkCopies()
    for request in ledger.requests {
      if request.outcome == nil { ledger.violate("has no outcome", request) }
      // What is answered with what is stale does not go on as well.
      if Set(request.arrivals.map(\.method)).count > 1 { ledger.violate("came with two methods", request) }
      checkRepetitions(request)
      guard request.kind != .tunnel else { continue }
      for arrival in request.arrivals { checkContent(request, arrival) }
    }
  }

  private func checkContent(_ request: WorldRequest, _ arrival: WorldRequest.Arrival) {
    let received = origins[arrival.origin].requests[arrival.index]
    guard received.isComplete else { return }
    if let difference = difference(received.body, request.content) {
      ledger.violate("its content came changed: \(difference)", request)
    }
    guard received.streamID > 0 else { return }
    var expected = StrictHTTP2.Content()
    expected.append(request.content)
    expected.isWhole = true
    let seen = watch.content(of: received.streamID, on: received.wire)
    if seen != expected { ledger.violate("on the wire its stream has \(seen as Any)", request) }
  }

  private func checkRepetitions(_ request: WorldRequest) {
    let processed = request.arrivals.filter { !$0.wasRefused }
    guard processed.count > 1 else { return }
    if plan.isCalm { return ledger.violate("was sent \(processed.count) times in a calm world", request) }
    let completed = processed.filter {
      origins[$0.origin].requests[$0.index].isComplete || !plan.origins[$0.origin]
    }
    if !request.mayBeRepeated && !topology.repeatsAnything && completed.count > 1 {
      ledger.violate("must not be repeated, and was sent \(processed.count) times", request)
    }
    let endpoints = Set(processed.map(\.origin)).count
    // What is refused by an endpoint of HTTP/2 goes on, up to three times.
    let allowed = 1 + topology.widestRetries + (plan.origins.contains(true) ? 3 : 0)
    if endpoints > allowed { ledger.violate("reached \(endpoints) endpoints, at most \(allowed)", request) }
  }
}
