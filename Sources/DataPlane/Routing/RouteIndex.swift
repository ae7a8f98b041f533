import HTTPCodec
import Resources

/// The rules of all routes, by host and path.
///
/// A host with a single route costs some 350 bytes, most of it the route: hosts and paths are
/// entries of shared arrays. Adding and removing a route touches only its own hosts and paths.
struct RouteIndex: ~Copyable {
  static let none = Pool<Rule>.none

  private(set) var chains = RuleChains()
  private(set) var hosts: HostTable
  private(set) var hostRules = Pool(blank: HostRules())
  /// Number of the rules for any host; `none`: there are none.
  private(set) var anyHost = RouteIndex.none
  private(set) var paths: PathTable
  private(set) var conditions = Pool(blank: MatchConditions())
  private(set) var expressions: ExpressionPool
  /// Routes of this phase do not exist for requests: those that come before a change, those that go
  /// after it.
  var hidden = CompiledRoute.Phase.arriving
  /// Room for a decoded query value; grows to the longest that an expression was tried on.
  private var decoded: [UInt8] = []

  init(seed: UInt64) {
    hosts = HostTable(seed: seed)
    paths = PathTable(seed: ~seed)
    expressions = ExpressionPool(seed: seed)
  }

  /// How many of each there are, for tests: all zero when all routes are removed.
  var counts: [Int] {
    [
      hosts.count, hostRules.count, paths.count, chains.ruleCount, chains.routeCount, conditions.count,
      expressions.count,
    ]
  }

  // MARK: Looking up

  /// Has what a look-up begins with brought near. Mutating although nothing changes: a table that is stored would be
  /// copied for the call.
  /// - Returns: the host's hash.
  @inline(__always)
  mutating func prepare(host: Span<UInt8>) -> UInt64 {
    let hash = hosts.hash(of: host)
    hosts.prepare(hash: hash)
    return hash
  }

  /// Has what comes next in the look-up brought near. Mutating for the same reason.
  @inline(__always)
  mutating func prepareRoute(hostHash: UInt64) { hosts.prepareEntry(hash: hostHash) }

  /// The route for a request, or nil.
  @inline(__always)
  mutating func route(
    listener: Int, host: Span<UInt8>, hostHash: UInt64, path: Span<UInt8>, head: borrowing RequestHead,
    bytes: Span<UInt8>
  ) -> CompiledRoute? {
    let exact = hosts.exact(host, hash: hostHash)
    if let route = exact?.onlyRoute { return route }
    let found = rule(host, exact?.rules, listener, path, head, bytes)
    return found == Self.none ? nil : chains.route(chains.rule(found).route)
  }

  /// The number of the rule that takes a request, or `none`. Most specific host first (Gateway API
  /// `HTTPRouteSpec.hostnames`); where none of its rules matches, the next one's are tried.
  @inline(__always)
  mutating func rule(
    _ host: Span<UInt8>, _ listener: Int, _ path: Span<UInt8>, _ head: borrowing RequestHead,
    _ bytes: Span<UInt8>
  ) -> UInt32 {
    rule(host, hosts.exact(host, hash: hosts.hash(of: host))?.rules, listener, path, head, bytes)
  }

  @inline(__always)
  private mutating func rule(
    _ host: Span<UInt8>, _ exact: UInt32?, _ listener: Int, _ path: Span<UInt8>,
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>
  ) -> UInt32 {
    if let number = exact {
      let found = rule(under: number, listener, path, head, bytes)
      if found != Self.none { return found }
    }
    if hosts.hasWildcards {
      var cursor = HostTable.WildcardCursor()
      while let number = hosts.nextWildcard(host, &cursor) {
        let found = rule(under: number, listener, path, head, bytes)
        if found != Self.none { return found }
      }
    }
    if anyHost == Self.none { return Self.none }
    return rule(under: anyHost, listener, path, head, bytes)
  }

  /// Exact path, then regular expressions, then the longest prefix.
  private mutating func rule(
    under host: UInt32, _ listener: Int, _ path: Span<UInt8>, _ head: borrowing RequestHead,
    _ bytes: Span<UInt8>
  ) -> UInt32 {
    let entry = hostRules[host].paths
    if path.count <= Int(entry.exactBytesMax), let first = paths.exact(path, host: host) {
      let found = rule(in: first, listener, path, head, bytes)
      if found != Self.none { return found }
    }
    if entry.expressions != Self.none {
      let found = rule(in: entry.expressions, listener, path, head, bytes)
      if found != Self.none { return found }
    }
    if entry.prefixSegments != 0 {
      var longest = Self.none
      var cursor = paths.prefixes(host: host)
      while let first = paths.nextPrefix(
        path, &cursor, segments: entry.prefixSegments, bytesMax: Int(entry.prefixBytesMax))
      {
        let found = rule(in: first, listener, path, head, bytes)
        if found != Self.none { longest = found }
      }
      if longest != Self.none { return longest }
    }
    return rule(in: entry.root, listener, path, head, bytes)
  }

  /// The first rule in a chain whose conditions hold.
  @inline(__always)
  private mutating func rule(
    in first: UInt32, _ listener: Int, _ path: Span<UInt8>, _ head: borrowing RequestHead,
    _ bytes: Span<UInt8>
  ) -> UInt32 {
    var number = first
    while number != Self.none {
      let candidate = number
      let rule = chains.rule(candidate)
      number = rule.next
      guard rule.methods & head.method.bit != 0, rule.phase != hidden else { continue }
      if !rule.isAttachedToAllListeners, chains.route(rule.route)?.isAttached(to: listener) != true {
        continue
      }
      if rule.expression != Self.none, !expressions.matchesWhole(rule.expression, path) { continue }
      if rule.conditions != Self.none,
        !conditions[rule.conditions].hold(head, bytes, expressions, decoded: &decoded)
      {
        continue
      }
      return candidate
    }
    return Self.none
  }

  // MARK: Changing

  /// Adds a route and its rules, in the route's phase.
  mutating func insert(_ route: CompiledRoute) {
    chains.insert(route)
    forEachHost(of: route) { index, host, name in
      let number = index.numberForInserting(name, host)
      for (match, definition) in route.definition.matches.enumerated() {
        index.insert(definition, number: match, of: route, under: number)
      }
      index.findOnlyRoute(of: number, name)
    }
  }

  /// Removes a route and its rules.
  mutating func remove(_ route: CompiledRoute) {
    forEachHost(of: route) { index, host, name in
      guard let number = host else { return }
      for (match, definition) in route.definition.matches.enumerated() {
        index.remove(definition, number: match, of: route, under: number)
      }
      index.findOnlyRoute(of: number, name)
      guard index.hostRules[number].ruleCount == 0 else { return }
      index.hostRules.remove(number)
      if let name { index.hosts.remove(name) } else { index.anyHost = Self.none }
    }
    chains.remove(route)
  }

  /// Sets the phase of a route and its rules.
  mutating func setPhase(_ phase: CompiledRoute.Phase, of route: CompiledRoute) {
    chains.setPhase(phase, of: route)
    forEachHost(of: route) { index, host, name in
      if let host { index.findOnlyRoute(of: host, name) }
    }
  }

  /// To be called when rules of a host have come, gone or changed.
  private mutating func findOnlyRoute(of host: UInt32, _ name: String?) {
    guard let name else { return }
    var only: CompiledRoute?
    if hostRules[host].ruleCount == 1, hostRules[host].paths.root != Self.none {
      let rule = chains.rule(hostRules[host].paths.root)
      if rule.takesEveryRequest { only = chains.route(rule.route) }
    }
    hosts.setOnlyRoute(of: name, number: host, to: only)
  }

  /// Calls `body` with the number, where it has one, and the name of each host; no name: any host.
  private mutating func forEachHost(
    of route: CompiledRoute, _ body: (_ index: inout RouteIndex, _ host: UInt32?, _ name: String?) -> Void
  ) {
    if route.definition.hosts.isEmpty {
      body(&self, anyHost == Self.none ? nil : anyHost, nil)
    }
    for name in route.definition.hosts { body(&self, hosts.number(of: name), name) }
  }

  private mutating func numberForInserting(_ name: String?, _ host: UInt32?) -> UInt32 {
    if let host { return host }
    let number = hostRules.insert(HostRules())
    if let name { hosts.insert(name, number: number) } else { anyHost = number }
    return number
  }

  private mutating func insert(_ match: Match, number: Int, of route: CompiledRoute, under host: UInt32) {
    let new = chains.insert(rule(for: match, number: number, of: route), of: route)
    hostRules[host].ruleCount += 1
    chains.linkToHost(new, host: host, first: &hostRules[host].firstRule)
    switch match.path {
    case .regex: chains.link(new, into: &hostRules[host].paths.expressions)
    case .exact(let path):
      let path = Array(path.utf8)
      hostRules[host].paths.exactBytesMax = max(hostRules[host].paths.exactBytesMax, UInt32(path.count))
      link(new, path, host, isPrefix: false)
    case .prefix(let prefix):
      let prefix = PathTable.canonicalPrefix(prefix)
      if prefix.isEmpty {
        chains.link(new, into: &hostRules[host].paths.root)
      } else {
        hostRules[host].paths.prefixBytesMax = max(hostRules[host].paths.prefixBytesMax, UInt32(prefix.count))
        hostRules[host].paths.prefixSegments |= PathTable.segmentBit(prefix)
        link(new, prefix, host, isPrefix: true)
      }
    }
  }

  private mutating func link(_ rule: UInt32, _ path: [UInt8], _ host: UInt32, isPrefix: Bool) {
    var first = paths.chain(of: path, host: host, isPrefix: isPrefix) ?? Self.none
    let previous = first
    chains.link(rule, into: &first)
    if first != previous { paths.setChain(of: path, host: host, isPrefix: isPrefix, to: first) }
  }

  private mutating func rule(for match: Match, number: Int, of route: CompiledRoute) -> Rule {
    var rule = Rule()
    rule.route = route.slot
    rule.isAttachedToAllListeners = route.isAttachedToAllListeners
    if !match.methods.isEmpty {
      rule.methods = match.methods.reduce(0) { $0 | (HTTPMethod.bit(named: $1) ?? HTTPMethod.other.bit) }
    }
    let conditions = MatchConditions(match, &expressions)
    if !conditions.isEmpty { rule.conditions = self.conditions.insert(conditions) }
    if case .regex(let pattern) = match.path {
      rule.expression = expressions.retain(pattern)
      rule.precedence.patternBytes = UInt32(pattern.utf8.count)
    }
    rule.precedence.conditionCounts = Rule.Precedence.conditionCounts(
      hasMethod: !match.methods.isEmpty, headers: conditions.headers.count, query: conditions.query.count)
    rule.phase = route.phase
    rule.precedence.match = UInt32(number)
    return rule
  }

  private mutating func remove(_ match: Match, number: Int, of route: CompiledRoute, under host: UInt32) {
    let slot = route.slot
    let match32 = UInt32(number)
    let removed: UInt32?
    switch match.path {
    case .regex:
      removed = chains.unlink(route: slot, match: match32, from: &hostRules[host].paths.expressions)
    case .exact(let path): removed = unlink(slot, match32, Array(path.utf8), host, isPrefix: false)
    case .prefix(let prefix):
      let prefix = PathTable.canonicalPrefix(prefix)
      if prefix.isEmpty {
        removed = chains.unlink(route: slot, match: match32, from: &hostRules[host].paths.root)
      } else {
        removed = unlink(slot, match32, prefix, host, isPrefix: true)
      }
    }
    guard let removed else { return }
    hostRules[host].ruleCount -= 1
    chains.unlinkFromHost(removed, first: &hostRules[host].firstRule)
    release(chains.rule(removed))
    chains.removeRule(removed)
  }

  private mutating func unlink(
    _ route: UInt32, _ match: UInt32, _ path: [UInt8], _ host: UInt32, isPrefix: Bool
  ) -> UInt32? {
    guard var first = paths.chain(of: path, host: host, isPrefix: isPrefix) else { return nil }
    let previous = first
    let removed = chains.unlink(route: route, match: match, from: &first)
    if first != previous { paths.setChain(of: path, host: host, isPrefix: isPrefix, to: first) }
    return removed
  }

  private mutating func release(_ rule: Rule) {
    if rule.expression != Self.none { expressions.release(rule.expression) }
    guard rule.conditions != Self.none else { return }
    conditions[rule.conditions].release(&expressions)
    conditions.remove(rule.conditions)
  }
}
