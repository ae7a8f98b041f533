/// Finds routes that no request can tell apart: same host, same match, a listener in common.
struct RouteConflicts {
  private struct Condition: Hashable {
    var host: String
    var match: Match
  }

  private struct Owner {
    var route: String
    var position: Position
    /// Empty: all.
    var listeners: [String]
  }

  /// Owners of one condition have no listener in common, so there are at most as many as listeners.
  private var owners: [Condition: [Owner]] = [:]

  mutating func insert(_ route: Route, at value: Value) {
    let owner = Owner(route: route.name, position: value.node.position, listeners: route.listeners)
    let matches = route.matches.map(canonical)
    var seen: Set<Match> = []
    var uniqueMatches: [Match] = []
    for match in matches {
      if seen.insert(match).inserted {
        uniqueMatches.append(match)
      } else {
        value.report("two matches are the same: \(describe(match, host: nil))", hint: "remove one")
      }
    }
    var reported: Set<String> = []
    for host in Set(route.hosts.isEmpty ? [""] : route.hosts).sorted() {
      for match in uniqueMatches {
        let condition = Condition(host: host, match: match)
        let others = owners[condition, default: []]
        guard let other = others.first(where: { overlap($0.listeners, owner.listeners) }) else {
          owners[condition, default: []].append(owner)
          continue
        }
        // One report for each pair of routes: more would say the same.
        guard reported.insert(other.route).inserted else { continue }
        value.report(
          "route \(quoted(route.name)) has the same conditions as route \(quoted(other.route)) at "
            + "\(other.position.line):\(other.position.column) (\(describe(match, host: host)))",
          hint: "no request can tell them apart; change or remove one")
      }
    }
  }

  private func overlap(_ a: [String], _ b: [String]) -> Bool {
    a.isEmpty || b.isEmpty || a.contains { b.contains($0) }
  }

  /// Conditions of a match all have to hold, so their order does not matter.
  private func canonical(_ match: Match) -> Match {
    var match = match
    match.methods.sort()
    match.headers.sort { $0.name < $1.name }
    match.query.sort { $0.name < $1.name }
    return match
  }

  private func describe(_ match: Match, host: String?) -> String {
    let path: String =
      switch match.path {
      case .exact(let path): "path " + quoted(path)
      case .prefix(let path): "prefix " + quoted(path)
      case .regex(let pattern): "regex " + quoted(pattern)
      }
    guard let host else { return path }
    return (host.isEmpty ? "any host" : "host " + quoted(host)) + ", " + path
  }
}
