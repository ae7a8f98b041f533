import Resources

/// One match of one route under one of its hosts. Rules of the same host and path form a chain, in
/// the order in which they are tried.
struct Rule {
  /// Index of the route.
  var route: UInt32 = 0
  /// The next rule of the chain, or ``Pool/none``.
  var next = Pool<Rule>.none
  /// Number of its ``MatchConditions``, or ``Pool/none``.
  var conditions = Pool<Rule>.none
  /// Number of the path's expression, or ``Pool/none`` where the path is not one.
  var expression = Pool<Rule>.none
  /// Bits of the methods that it takes.
  var methods = UInt16.max
  var isAttachedToAllListeners = true
  var precedence = Precedence()

  /// What decides between the rules of a chain (Gateway API `HTTPRouteRule.matches`): a method
  /// match, then more header matches, then more query matches, then the order of the file, which
  /// stands for the age of routes. For regular expressions, whose order the Gateway API leaves open,
  /// the longer pattern comes before all of that.
  struct Precedence {
    var patternBytes: UInt32 = 0
    /// The method in the highest bit, then 15 bits of header matches, 16 of query matches.
    var conditionCounts: UInt32 = 0
    var route: UInt32 = 0
    /// Number of the match in its route.
    var match: UInt32 = 0

    /// Whether a rule with this precedence is tried before another.
    func comes(before other: Precedence) -> Bool {
      if patternBytes != other.patternBytes { return patternBytes > other.patternBytes }
      if conditionCounts != other.conditionCounts { return conditionCounts > other.conditionCounts }
      if route != other.route { return route < other.route }
      return match < other.match
    }

    static func conditionCounts(hasMethod: Bool, headers: Int, query: Int) -> UInt32 {
      (hasMethod ? 1 << 31 : 0) | UInt32(min(headers, 0x7FFF)) << 16 | UInt32(min(query, 0xFFFF))
    }
  }
}

/// Where the rules of one host begin, and which paths are worth a look.
struct HostRules {
  /// The chain of the prefix `/`, which most hosts have and many have alone.
  var root = Pool<Rule>.none
  /// The chain of all regular expressions.
  var expressions = Pool<Rule>.none
  /// Rules of the host; without any it is removed.
  var ruleCount: UInt32 = 0
  /// The longest exact path. This and what follows may stay larger than needed when rules go.
  var exactBytesMax: UInt32 = 0
  /// The longest prefix.
  var prefixBytesMax: UInt32 = 0
  /// A bit for each number of segments that a prefix has; the highest for that number and more.
  var prefixSegments: UInt64 = 0
}

extension Pool where Element == Rule {
  /// Puts a rule into its place in a chain.
  mutating func link(_ number: UInt32, into first: inout UInt32) {
    let precedence = self[number].precedence
    guard first != Self.none, !precedence.comes(before: self[first].precedence) else {
      self[number].next = first
      first = number
      return
    }
    var previous = first
    while true {
      let next = self[previous].next
      if next == Self.none || precedence.comes(before: self[next].precedence) { break }
      previous = next
    }
    self[number].next = self[previous].next
    self[previous].next = number
  }

  /// Takes the rule of a route's match out of a chain, and returns its number.
  mutating func unlink(route: UInt32, match: UInt32, from first: inout UInt32) -> UInt32? {
    var previous = Self.none
    var number = first
    while number != Self.none {
      let rule = self[number]
      if rule.route == route, rule.precedence.match == match {
        if previous == Self.none { first = rule.next } else { self[previous].next = rule.next }
        return number
      }
      previous = number
      number = rule.next
    }
    return nil
  }
}
