import Resources

/// One match of one route under one of its hosts. Rules of the same host and path form a chain, in
/// the order in which they are tried.
struct Rule {
  /// The route's number in its ``RouteIndex``.
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
  /// ``CompiledRoute/phase``, here as well so that the look-up need not ask the route.
  var phase = CompiledRoute.Phase.settled
  var precedence = Precedence()
  /// The next rule of its route, or ``Pool/none``.
  var nextOfRoute = Pool<Rule>.none
  /// Number of its ``HostRules``, and its neighbours among their rules, or ``Pool/none``.
  var host = Pool<Rule>.none
  var nextOfHost = Pool<Rule>.none
  var previousOfHost = Pool<Rule>.none

  /// Whether it matches whatever comes for its host, but for the path.
  var takesEveryRequest: Bool {
    methods == .max && isAttachedToAllListeners && expression == Pool<Rule>.none
      && conditions == Pool<Rule>.none && phase == .settled
  }

  /// What decides between the rules of a chain before the order of their routes (Gateway API
  /// `HTTPRouteRule.matches`): a method match, then more header matches, then more query matches. For
  /// regular expressions, whose order the Gateway API leaves open, the longer pattern comes before all
  /// of that.
  struct Precedence: Equatable {
    var patternBytes: UInt32 = 0
    /// The method in the highest bit, then 15 bits of header matches, 16 of query matches.
    var conditionCounts: UInt32 = 0
    /// Number of the match in its route, which decides last.
    var match: UInt32 = 0

    static func conditionCounts(hasMethod: Bool, headers: Int, query: Int) -> UInt32 {
      (hasMethod ? 1 << 31 : 0) | UInt32(min(headers, 0x7FFF)) << 16 | UInt32(min(query, 0xFFFF))
    }

    var hasMethod: Bool { conditionCounts >> 31 == 1 }
    var headerCount: Int { Int(conditionCounts >> 16 & 0x7FFF) }
    var queryCount: Int { Int(conditionCounts & 0xFFFF) }
  }
}

/// Where the rules of one host begin, and which paths are worth a look.
struct HostRules {
  var paths = Paths()
  /// The first of all its rules, which follow by ``Rule/nextOfHost``: the latest.
  var firstRule = Pool<Rule>.none
  /// Rules of the host; without any it is removed.
  var ruleCount: UInt32 = 0

  struct Paths {
    /// The chain of the prefix `/`, which most hosts have and many have alone.
    var root = Pool<Rule>.none
    /// The chain of all regular expressions.
    var expressions = Pool<Rule>.none
    /// The longest exact path. This and what follows may stay larger than needed when rules go.
    var exactBytesMax: UInt32 = 0
    /// The longest prefix.
    var prefixBytesMax: UInt32 = 0
    /// A bit for each number of segments that a prefix has; the highest for that number and more.
    var prefixSegments: UInt64 = 0
  }
}
