import Resources

/// All rules, and the routes that they belong to: what decides their order in a chain.
struct RuleChains {
  private static let none = Pool<Rule>.none

  private(set) var rules = Pool(blank: Rule())
  private var routes = Pool<CompiledRoute?>(blank: nil)

  var ruleCount: Int { rules.count }
  var routeCount: Int { routes.count }

  @inline(__always)
  func rule(_ number: UInt32) -> Rule { rules[number] }

  @inline(__always)
  func route(_ number: UInt32) -> CompiledRoute? { routes[number] }

  // MARK: Routes

  mutating func insert(_ route: CompiledRoute) { route.slot = routes.insert(route) }

  mutating func remove(_ route: CompiledRoute) {
    routes.remove(route.slot)
    route.slot = Self.none
    route.firstRule = Self.none
  }

  /// Sets the phase of a route and its rules.
  mutating func setPhase(_ phase: CompiledRoute.Phase, of route: CompiledRoute) {
    route.phase = phase
    var number = route.firstRule
    while number != Self.none {
      rules[number].phase = phase
      number = rules[number].nextOfRoute
    }
  }

  // MARK: Rules

  /// Adds a rule to those of its route.
  mutating func insert(_ rule: Rule, of route: CompiledRoute) -> UInt32 {
    var rule = rule
    rule.nextOfRoute = route.firstRule
    route.firstRule = rules.insert(rule)
    return route.firstRule
  }

  mutating func removeRule(_ number: UInt32) { rules.remove(number) }

  /// Adds a rule to those of a host, in front of `first`.
  mutating func linkToHost(_ number: UInt32, host: UInt32, first: inout UInt32) {
    rules[number].host = host
    rules[number].nextOfHost = first
    if first != Self.none { rules[first].previousOfHost = number }
    first = number
  }

  mutating func unlinkFromHost(_ number: UInt32, first: inout UInt32) {
    let (next, previous) = (rules[number].nextOfHost, rules[number].previousOfHost)
    if previous == Self.none { first = next } else { rules[previous].nextOfHost = next }
    if next != Self.none { rules[next].previousOfHost = previous }
  }

  /// Whether a rule is tried before another of its chain.
  func comes(_ a: Rule, before b: Rule) -> Bool {
    let (one, other) = (a.precedence, b.precedence)
    if one.patternBytes != other.patternBytes { return one.patternBytes > other.patternBytes }
    if one.conditionCounts != other.conditionCounts { return one.conditionCounts > other.conditionCounts }
    if a.route != b.route, let mine = routes[a.route], let theirs = routes[b.route] {
      return mine.comes(before: theirs)
    }
    return one.match < other.match
  }

  /// Puts a rule into its place in a chain.
  mutating func link(_ number: UInt32, into first: inout UInt32) {
    let rule = rules[number]
    guard first != Self.none, !comes(rule, before: rules[first]) else {
      rules[number].next = first
      first = number
      return
    }
    var previous = first
    while true {
      let next = rules[previous].next
      if next == Self.none || comes(rule, before: rules[next]) { break }
      previous = next
    }
    rules[number].next = rules[previous].next
    rules[previous].next = number
  }

  /// Takes the rule of a route's match out of a chain, and returns its number.
  mutating func unlink(route: UInt32, match: UInt32, from first: inout UInt32) -> UInt32? {
    var previous = Self.none
    var number = first
    while number != Self.none {
      let rule = rules[number]
      if rule.route == route, rule.precedence.match == match {
        if previous == Self.none { first = rule.next } else { rules[previous].next = rule.next }
        return number
      }
      previous = number
      number = rule.next
    }
    return nil
  }
}
