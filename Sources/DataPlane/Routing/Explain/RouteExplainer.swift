import HTTPCodec
import Resources

/// Says which route takes a request, by the table that requests are routed with, and which others nearly
/// did.
struct RouteExplainer {
  /// Rules that are looked at, whatever a host has.
  static let candidatesMax = 400

  /// A host of the table that has to do with the request's.
  private struct Host {
    var number: UInt32
    /// Nil: any host.
    var pattern: String?
    /// Nil where it is not for the request's host, but close.
    var rank: Int?
    var note = ""
  }

  private struct Candidate {
    var number: UInt32
    var host: Host
    var route: CompiledRoute
  }

  let request: ExplainedRequest
  let listener: Int

  /// - Returns: the route that the request takes; what there is to say of it and its rivals is written
  ///   into the explanation.
  func explain(_ table: RouteTable, into explanation: inout Explanation) -> CompiledRoute? {
    let hosts = hosts(in: table)
    let host = request.host
    let winner = table.rule(
      listener: listener, host: host.span, path: request.path.span, head: request.head,
      bytes: request.bytes.span)
    let (candidates, isCutShort) = candidates(of: hosts, in: table, first: winner)
    explanation.isNearMissesCutShort = isCutShort
    let taken = candidates.first { $0.number == winner }
    if let taken { explanation.route = describe(taken, table) }
    explanation.nearMisses = misses(candidates, taken, table)
    return taken?.route
  }

  // MARK: Candidates

  /// From the most specific host to any; then those that are close to the request's.
  private func hosts(in table: RouteTable) -> [Host] {
    let text = request.hostText
    let bytes = Array(text.utf8)
    var hosts: [Host] = []
    if let number = table.index.hosts.exact(bytes.span, hash: table.index.hosts.hash(of: bytes.span))?.rules {
      hosts.append(Host(number: number, pattern: text, rank: 0))
    }
    var cursor = HostTable.WildcardCursor()
    while let number = table.index.hosts.nextWildcard(bytes.span, &cursor) {
      let suffix = String(decoding: bytes[cursor.position...], as: UTF8.self)
      hosts.append(Host(number: number, pattern: "*." + suffix, rank: hosts.count + 1))
    }
    if table.index.anyHost != RouteIndex.none {
      hosts.append(Host(number: table.index.anyHost, pattern: nil, rank: hosts.count + 1))
    }
    for (pattern, note) in relatives(of: text) {
      guard let number = table.index.hosts.number(of: pattern),
        !hosts.contains(where: { $0.number == number })
      else { continue }
      hosts.append(Host(number: number, pattern: pattern, rank: nil, note: note))
    }
    return hosts
  }

  /// Hosts that people mix up with this one.
  private func relatives(of host: String) -> [(String, String)] {
    var relatives = [
      ("*." + host, "its wildcard stands for one label at least"),
      ("www." + host, "the request's host has no www."),
    ]
    if let dot = host.firstIndex(of: ".") {
      relatives.append((String(host[host.index(after: dot)...]), "the request's host has one label more"))
    }
    return relatives
  }

  private func candidates(
    of hosts: [Host], in table: RouteTable, first: UInt32
  ) -> (candidates: [Candidate], isCutShort: Bool) {
    var candidates: [Candidate] = []
    if first != RouteIndex.none {
      let number = table.index.chains.rule(first).host
      if let host = hosts.first(where: { $0.number == number }) {
        add(first, host, table, to: &candidates)
      }
    }
    for host in hosts {
      // A host with very many routes must not hide the others.
      var left = max(Self.candidatesMax / hosts.count, 20)
      var number = table.index.hostRules[host.number].firstRule
      while number != RouteIndex.none {
        if left == 0 { return (candidates, true) }
        left -= 1
        if number != first { add(number, host, table, to: &candidates) }
        number = table.index.chains.rule(number).nextOfHost
      }
    }
    return (candidates, false)
  }

  private func add(_ number: UInt32, _ host: Host, _ table: RouteTable, to candidates: inout [Candidate]) {
    let rule = table.index.chains.rule(number)
    guard rule.phase != table.index.hidden, let route = table.index.chains.route(rule.route) else { return }
    candidates.append(Candidate(number: number, host: host, route: route))
  }

  // MARK: What is said of them

  private func describe(_ taken: Candidate, _ table: RouteTable) -> Explanation.Route {
    let rule = table.index.chains.rule(taken.number)
    let match = taken.route.definition.matches[Int(rule.precedence.match)]
    let host = taken.host.pattern.map {
      $0.hasPrefix("*") ? "the longest wildcard that fits" : "the host \($0)"
    }
    return Explanation.Route(
      name: taken.route.name, host: taken.host.pattern, match: Int(rule.precedence.match),
      pathKind: match.path.kindName, path: match.path.text,
      reason: "\(host ?? "it is for any host"), \(match.path.kindName) path \(match.path.text)")
  }

  private func misses(
    _ candidates: [Candidate], _ taken: Candidate?, _ table: RouteTable
  ) -> [Explanation.NearMiss] {
    var closest: [String: Explanation.NearMiss] = [:]
    var order: [String] = []
    for candidate in candidates where candidate.route !== taken?.route {
      let miss = miss(candidate, taken, table)
      guard let known = closest[miss.route] else {
        closest[miss.route] = miss
        order.append(miss.route)
        continue
      }
      if miss.reason.distance < known.reason.distance { closest[miss.route] = miss }
    }
    let all = order.enumerated().compactMap { position, name in closest[name].map { ($0, position) } }
    return all.sorted { ($0.0.reason.distance, $0.1) < ($1.0.reason.distance, $1.1) }
      .prefix(Explanation.nearMissesMax).map(\.0)
  }

  private func miss(
    _ candidate: Candidate, _ taken: Candidate?, _ table: RouteTable
  ) -> Explanation.NearMiss {
    let rule = table.index.chains.rule(candidate.number)
    let match = candidate.route.definition.matches[Int(rule.precedence.match)]
    var miss = Explanation.NearMiss(
      route: candidate.route.name, host: candidate.host.pattern, pathKind: match.path.kindName,
      path: match.path.text, reason: .host, detail: candidate.host.note)
    guard let rank = candidate.host.rank else { return miss }
    let explainer = RuleExplainer(request: request, listener: listener)
    if let found = table.mismatch(rule, candidate.route, match, explainer) {
      miss.reason = found.reason
      miss.detail = found.detail
      return miss
    }
    miss.reason = .precedence
    miss.detail = "another route comes before it"
    guard let taken, let takenRank = taken.host.rank else { return miss }
    if takenRank != rank {
      miss.detail = "\(taken.route.name) has a more specific host"
      return miss
    }
    let takenRule = table.index.chains.rule(taken.number)
    let takenMatch = taken.route.definition.matches[Int(takenRule.precedence.match)]
    let why = RulePrecedence.reason(
      (takenMatch, takenRule, taken.route), over: (match, rule, candidate.route))
    miss.detail = "\(taken.route.name) comes first: \(why)"
    return miss
  }
}

extension Explanation.NearMiss.Reason {
  /// The closest first.
  fileprivate var distance: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

extension RouteTable {
  fileprivate func mismatch(
    _ rule: Rule, _ route: CompiledRoute, _ match: Match, _ explainer: RuleExplainer
  ) -> (reason: Explanation.NearMiss.Reason, detail: String)? {
    explainer.mismatch(rule, route, match, index.expressions)
  }
}
