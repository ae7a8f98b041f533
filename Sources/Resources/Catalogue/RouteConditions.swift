/// One host of a route with one of its matches, which no other route may have on the same listener.
struct RouteCondition {
  /// Empty: any.
  var host: String
  /// In canonical form.
  var match: Match
  /// Of both.
  var hash: Int
}

extension Route {
  /// Calls `body` for each host with each match.
  func forEachCondition(_ body: (RouteCondition) -> Void) {
    for match in matches {
      let match = match.canonical
      if hosts.isEmpty { body(RouteCondition(host: "", match: match, hash: Self.hash("", match))) }
      for host in hosts { body(RouteCondition(host: host, match: match, hash: Self.hash(host, match))) }
    }
  }

  private static func hash(_ host: String, _ match: Match) -> Int {
    var hasher = Hasher()
    hasher.combine(host)
    hasher.combine(match)
    return hasher.finalize()
  }

  /// Whether one of its conditions is this one.
  func has(_ condition: RouteCondition) -> Bool {
    (condition.host.isEmpty ? hosts.isEmpty : hosts.contains(condition.host))
      && matches.contains { $0.canonical == condition.match }
  }

  /// Whether a listener serves both.
  func sharesListener(with other: Route) -> Bool {
    listeners.isEmpty || other.listeners.isEmpty || listeners.contains { other.listeners.contains($0) }
  }
}

extension Match {
  /// Conditions of a match all have to hold, so their order does not matter.
  var canonical: Match {
    guard methods.count > 1 || headers.count > 1 || query.count > 1 else { return self }
    var match = self
    match.methods.sort()
    match.headers.sort { $0.name < $1.name }
    match.query.sort { $0.name < $1.name }
    return match
  }

  /// For messages: `host "a.com", prefix "/"`.
  func described(host: String?) -> String {
    let path: String =
      switch path {
      case .exact(let path): "path " + quoted(path)
      case .prefix(let path): "prefix " + quoted(path)
      case .regex(let pattern): "regex " + quoted(pattern)
      }
    guard let host else { return path }
    return (host.isEmpty ? "any host" : "host " + quoted(host)) + ", " + path
  }
}

/// What a certificate is shown for: one of its hosts, by index, or hosts that no certificate is for.
enum CertificateSubject {
  case host(Int)
  case anyHost
}
