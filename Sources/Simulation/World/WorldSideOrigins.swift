import HTTPCodec
import Runtime

/// The services that plugins of a ``World`` ask: one that says who may pass, and one that gets copies, does with them
/// whatever it likes, also in a calm world, and must not be noticed.
extension World {
  func makeSideOrigins() -> [SimulatedOrigin] {
    guard plan.hasPlugins else { return [] }
    let copies = SimulatedOrigin(
      simulation, address: Self.originAddress(WorldPlugins.copiesOrigin),
      speaksHTTP2: plan.sideOriginsSpeakHTTP2)
    copies.script = { [unowned self] request, _ in takeCopy(request) }
    let authority = SimulatedOrigin(
      simulation, address: Self.originAddress(WorldPlugins.authorityOrigin),
      speaksHTTP2: plan.sideOriginsSpeakHTTP2)
    authority.script = { [unowned self] request, _ in decide(request) }
    return [copies, authority]
  }

  private func takeCopy(_ request: SimulatedRequest) -> [OriginStep] {
    if let known = ledger.request(WorldRequest.number(inTarget: request.target)) {
      if request.target != known.target || request.method != known.method {
        ledger.violate("was copied as \(request.method) \(request.target)", known)
      }
    } else {
      ledger.violate("a copy of what nobody sent: \(request.target)", [request.wire])
    }
    switch random.next(below: 6) {
    case 0: return [.readContent, .hang]
    case 1: return plan.sideOriginsSpeakHTTP2 ? [.resetStream(.internalError)] : [.reset]
    case 2: return [.readContent, .close]
    case 3: return [.readContent, .delay(random.milliseconds(below: 30_000)), .respond(500)]
    default: return [.readContent, .delay(random.milliseconds(below: 300)), .respond(200, body: [1, 2, 3])]
    }
  }

  /// One of four may not pass.
  private func decide(_ request: SimulatedRequest) -> [OriginStep] {
    guard let known = ledger.request(request["x-forwarded-uri"].flatMap(WorldRequest.number(inTarget:)))
    else {
      ledger.violate("it is asked about what nobody sent", [request.wire])
      return [.close]
    }
    let delay = OriginStep.delay(random.milliseconds(below: 200))
    if !plan.isCalm, random.chance(5) {
      let reset = plan.sideOriginsSpeakHTTP2 ? OriginStep.resetStream(.internalError) : .reset
      return random.pick([[.readContent, .hang], [reset], [.close], [.readContent, delay, .respond(500)]])
    }
    known.mayPass = known.number % 4 != 0
    return [.readContent, delay, .respond(known.mayPass ? 200 : 403, body: Array("said".utf8))]
  }

  // MARK: What is checked

  /// A request has come to an endpoint: no plugin may have been passed by.
  func checkPassage(_ request: WorldRequest, _ received: SimulatedRequest) {
    guard plan.hasPlugins else { return }
    let sets = topology.pluginSets(of: request.place, from: request.since, to: topology.newest)
    let marks = sets.map { $0.marks ? String($0.number) : nil }
    if !marks.contains(received["x-plugins"]) {
      ledger.violate("came marked as \(received["x-plugins"] ?? "nothing"), which no version says", request)
    }
    if !request.hasKey, sets.allSatisfy(\.asksForKey) { ledger.violate("has no key, and passed", request) }
    if sets.allSatisfy({ $0.asksForKey && $0.hidesKey }), received["apikey"] != nil {
      ledger.violate("brought its key to an endpoint", request)
    }
    // An answer that is remembered is for all requests to its path.
    if request.cacheKey == nil, !request.mayPass, sets.allSatisfy(\.asksService) {
      ledger.violate("passed without having been allowed to", request)
    }
  }

  /// Whether a plugin may have answered so. What is refused must not have come to an endpoint.
  func wasRefused(_ request: WorldRequest, _ status: Int) -> Bool {
    guard plan.hasPlugins, WorldPluginSet.refusals.contains(status) else { return false }
    let sets = topology.pluginSets(of: request.place, from: request.since, to: topology.newest)
    guard sets.contains(where: { $0.mayRefuse(with: status, request) }) else { return false }
    if !request.arrivals.isEmpty {
      ledger.violate("was refused with \(status), and came to an endpoint", request)
    }
    request.wasRefused = true
    pluginsDid.insert("refusals of plugins")
    return true
  }

  /// Whether another request's response may have been sent.
  func mayComeFromCache(_ request: WorldRequest) -> Bool {
    guard request.cacheKey != nil else { return false }
    return topology.pluginSets(of: request.place, from: request.since, to: topology.newest).contains(
      where: \.caches)
  }

  /// Whether a cache may fetch what it asks for by a request of its own, while it is answered with what is stale.
  func mayBeRefreshed(_ request: WorldRequest) -> Bool {
    guard request.cacheKey != nil else { return false }
    return topology.pluginSets(of: request.place, from: request.since, to: topology.newest).contains(
      where: \.refreshes)
  }

  /// Whether some version has plugins for it at all: what calls and tunnels are answered with then is not looked at.
  func mayMeetPlugins(_ request: WorldRequest) -> Bool {
    plan.hasPlugins
      && topology.pluginSets(of: request.place, from: request.since, to: topology.newest).contains {
        !$0.attachments.isEmpty
      }
  }

  /// When all is over: a copy is what was sent, there is one at most, and none of what was refused.
  func checkCopies() {
    guard let copies = sideOrigins.first else { return }
    var whole: [Int: Int] = [:]
    for copy in copies.requests {
      guard let known = ledger.request(WorldRequest.number(inTarget: copy.target)) else { continue }
      if known.wasRefused { ledger.violate("was refused, and copied", known) }
      guard copy.isComplete else { continue }
      whole[known.number, default: 0] += 1
      pluginsDid.insert("copies")
      if copy.body.isEmpty { continue }
      if let difference = difference(copy.body, known.content) {
        ledger.violate("its copy is another: \(difference)", known)
      }
    }
    // Where a connection that was used before is closed, what may be repeated is sent on another.
    for (number, count) in whole.sorted(by: { $0.key < $1.key })
    where count > 1 && !ledger.requests[number].mayBeRepeated {
      ledger.violate("was copied \(count) times", ledger.requests[number])
    }
  }
}
