import HTTPCodec
import Resources

/// Says of single rules why they do not take a request.
struct RuleExplainer {
  let request: ExplainedRequest
  let listener: Int

  /// Nil where the rule takes the request as far as its own conditions go.
  func mismatch(
    _ rule: Rule, _ route: CompiledRoute, _ match: Match, _ expressions: borrowing ExpressionPool
  ) -> (reason: Explanation.NearMiss.Reason, detail: String)? {
    if !route.isAttached(to: listener) {
      let names = route.definition.listeners.joined(separator: ", ")
      return (.listener, "it is attached to other listeners: \(names)")
    }
    if !pathMatches(rule, match.path, expressions) {
      return (.path, "the path \(String(decoding: request.path, as: UTF8.self)) is not what it asks for")
    }
    if !match.methods.isEmpty, !match.methods.contains(request.text(request.head.methodRange)) {
      return (.method, "it takes \(match.methods.joined(separator: ", ")) only")
    }
    var names: Set<String> = []
    for header in match.headers where names.insert(header.name.lowercased()).inserted {
      if let detail = headerMismatch(header) { return (.header, detail) }
    }
    names = []
    for parameter in match.query where names.insert(parameter.name).inserted {
      if let detail = parameterMismatch(parameter) { return (.query, detail) }
    }
    return nil
  }

  private func pathMatches(
    _ rule: Rule, _ match: PathMatch, _ expressions: borrowing ExpressionPool
  ) -> Bool {
    let path = request.path
    switch match {
    case .exact(let exact): return path == Array(exact.utf8)
    case .regex: return expressions.matchesWhole(rule.expression, path.span)
    case .prefix(let prefix):
      let prefix = PathTable.canonicalPrefix(prefix)
      return path.starts(with: prefix)
        && (prefix.isEmpty || path.count == prefix.count || path[prefix.count] == UInt8(ascii: "/"))
    }
  }

  private func headerMismatch(_ condition: FieldMatch) -> String? {
    var name = condition.name.utf8.map { $0.asciiLowercased }
    var values: [String] = []
    for field in request.head.fields
    where request.bytes.span.equalsIgnoringCase(field.name, lowercase: name) {
      let value = request.text(field.value)
      if holds(condition.value, value) { return nil }
      values.append(value)
    }
    name = []
    let wanted = Self.text(condition.value)
    guard let value = values.first else { return "header \(condition.name) is missing; it must be \(wanted)" }
    return "header \(condition.name) is \"\(value)\"; it must be \(wanted)"
  }

  private func parameterMismatch(_ condition: FieldMatch) -> String? {
    let wanted = Self.text(condition.value)
    let bytes = request.bytes
    let name = Array(condition.name.utf8)
    guard let range = bytes.span.decodedQueryValue(named: name, in: request.head.query) else {
      return "query parameter \(condition.name) is missing; it must be \(wanted)"
    }
    var decoded: [UInt8] = []
    bytes.span.percentDecode(range, into: &decoded)
    let value = String(decoding: decoded, as: UTF8.self)
    if holds(condition.value, value) { return nil }
    return "query parameter \(condition.name) is \"\(value)\"; it must be \(wanted)"
  }

  private func holds(_ condition: FieldMatch.Value, _ value: String) -> Bool {
    switch condition {
    case .exact(let text): return text == value
    case .regex(let pattern):
      let value = Array(value.utf8)
      return (try? RegularExpression(pattern))?.matchesWhole(value.span) ?? false
    }
  }

  private static func text(_ condition: FieldMatch.Value) -> String {
    switch condition {
    case .exact(let text): "\"\(text)\""
    case .regex(let pattern): "what /\(pattern)/ matches"
    }
  }
}

extension PathMatch {
  var kindName: String {
    switch self {
    case .exact: "exact"
    case .prefix: "prefix"
    case .regex: "regex"
    }
  }

  var text: String {
    switch self {
    case .exact(let text), .prefix(let text), .regex(let text): text
    }
  }

  /// What is tried first under one host.
  fileprivate var rank: Int {
    switch self {
    case .exact: 0
    case .regex: 1
    case .prefix: 2
    }
  }
}

/// Which rule of precedence decides between two that both take a request.
enum RulePrecedence {
  static func reason(
    _ winner: (match: Match, rule: Rule, route: CompiledRoute),
    over loser: (match: Match, rule: Rule, route: CompiledRoute)
  ) -> String {
    let (one, other) = (winner.match.path, loser.match.path)
    if one.rank != other.rank { return "an \(one.kindName) path comes before a \(other.kindName)" }
    if case .prefix = one,
      PathTable.canonicalPrefix(one.text).count != PathTable.canonicalPrefix(other.text).count
    {
      return "a longer prefix comes first"
    }
    let (a, b) = (winner.rule.precedence, loser.rule.precedence)
    if a.patternBytes != b.patternBytes { return "a longer expression comes first" }
    if a.hasMethod != b.hasMethod { return "a match with a method comes first" }
    if a.headerCount != b.headerCount { return "more header conditions come first" }
    if a.queryCount != b.queryCount { return "more query conditions come first" }
    if winner.route.order != loser.route.order { return "all else is equal, and it is the earlier one" }
    return "all else is equal, and its name comes first"
  }
}
