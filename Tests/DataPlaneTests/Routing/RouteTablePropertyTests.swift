import Resources
import Runtime
import Testing

@testable import DataPlane

/// Random routes, requests and changes: the table agrees with a matcher that looks at everything.
struct RouteTablePropertyTests {
  @Test("Agrees with a linear matcher", arguments: 0..<60)
  func agrees(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var routes: [Int: Route] = [:]
    for index in 0..<random.next(below: 40) { routes[index] = Self.route(index, &random) }
    let table = RouteTable(
      routes.keys.sorted().map { routes[$0]! }, listeners: ["l0", "l1"], seed: UInt64(seed))
    for _ in 0..<12 {
      for _ in 0..<60 {
        let request = Self.request(&random)
        let expected = LinearMatcher.route(for: request, in: routes)
        #expect(table.route(for: request)?.number == expected, "\(request)")
      }
      for _ in 0..<5 {
        let index = random.next(below: 45)
        if random.next(below: 2) == 0 {
          let route = Self.route(index, &random)
          routes[index] = route
          table.insert(route, number: index, listeners: ["l0", "l1"])
        } else {
          #expect(table.remove(number: index) == (routes.removeValue(forKey: index) != nil))
        }
      }
    }
    for index in routes.keys { table.remove(number: index) }
    #expect(table.indexCounts.allSatisfy { $0 == 0 })
  }

  @Test("While a change is prepared nothing of it is seen, and after the flip all of it", arguments: 0..<40)
  func changes(seed: Int) {
    var random = SplitMix64(seed: UInt64(1_000 + seed))
    let table = RouteTable(seed: UInt64(seed))
    var routes: [Int: Route] = [:]
    func agrees(_ model: [Int: Route], _ step: String) {
      for _ in 0..<15 {
        let request = Self.request(&random)
        let expected = LinearMatcher.route(for: request, in: model)
        #expect(table.route(for: request)?.number == expected, "\(step): \(request)")
      }
    }
    for _ in 0..<25 {
      let before = routes
      var touched: [Int] = []
      // Numbers are few, so that some are changed twice and thrice within one change.
      for _ in 0..<(1 + random.next(below: 12)) {
        let number = random.next(below: 16)
        touched.append(number)
        if random.next(below: 3) > 0 {
          let route = Self.route(number, &random)
          routes[number] = route
          table.stage(RouteTable.entry(route, number: number, listeners: ["l0", "l1"]))
        } else {
          routes[number] = nil
          table.stageRemoval(number: number)
        }
        agrees(before, "while it is prepared")
      }
      table.flip()
      agrees(routes, "after the flip")
      for number in touched {
        _ = table.settle(number: number)
        agrees(routes, "while it is tidied up")
      }
      table.endChange()
      agrees(routes, "afterwards")
      #expect(table.count == routes.count)
    }
    for number in routes.keys { table.remove(number: number) }
    #expect(table.indexCounts.allSatisfy { $0 == 0 })
  }

  private static func pick<Element>(_ elements: [Element], _ random: inout SplitMix64) -> Element {
    elements[random.next(below: elements.count)]
  }

  private static let routeHosts = ["a.test", "b.a.test", "*.a.test", "*.test", "*.b.a.test", "test"]
  private static let hosts = [
    "a.test", "B.a.test", "c.a.test", "x.b.a.test", "test", "q.test", "none", "", ".test",
  ]
  private static let patterns = ["/a/.*", "/[ab]", "/.*", "/a/b/?", "/(a|b)/c.*"]

  private static func path(_ random: inout SplitMix64) -> String {
    var path = ""
    for _ in 0..<random.next(below: 5) { path += pick(["/a", "/b", "/c", "/ab"], &random) }
    if path.isEmpty || random.next(below: 5) == 0 { path += "/" }
    return path
  }

  private static func route(_ index: Int, _ random: inout SplitMix64) -> Route {
    var route = Route("r\(index)")
    for _ in 0..<random.next(below: 3) { route.hosts.append(pick(routeHosts, &random)) }
    if random.next(below: 5) == 0 { route.listeners = [pick(["l0", "l1"], &random)] }
    route.matches = (0...random.next(below: 2)).map { _ in match(&random) }
    return route
  }

  private static func match(_ random: inout SplitMix64) -> Match {
    var match = Match()
    switch random.next(below: 6) {
    case 0: break
    case 1, 2: match.path = .exact(path(&random))
    case 3: match.path = .regex(pick(patterns, &random))
    default: match.path = .prefix(path(&random))
    }
    if random.next(below: 4) == 0 { match.methods = [pick(["GET", "POST", "PURGE"], &random)] }
    for _ in 0..<max(0, random.next(below: 5) - 2) {
      match = match.header(pick(["x", "y"], &random), pick(["1", "2"], &random))
    }
    if random.next(below: 8) == 0 { match = match.header("z", regex: "[12]") }
    for _ in 0..<max(0, random.next(below: 5) - 2) {
      match = match.query(pick(["p", "q"], &random), pick(["1", "2"], &random))
    }
    return match
  }

  private static func request(_ random: inout SplitMix64) -> WrittenRequest {
    var request = WrittenRequest(path(&random), host: pick(hosts, &random))
      .method(pick(["GET", "GET", "POST", "PURGE", "LINK"], &random)).listener(random.next(below: 2))
    for _ in 0..<random.next(below: 4) {
      request = request.header(pick(["X", "y", "Z"], &random), pick(["1", "2"], &random))
    }
    var parameters: [String] = []
    for _ in 0..<random.next(below: 4) {
      parameters.append(pick(["p=1", "p=2", "q=1", "q=%32", "p"], &random))
    }
    return request.query(parameters.joined(separator: "&"))
  }
}

/// The Gateway API's rules, written down without regard for time.
enum LinearMatcher {
  static func route(for request: WrittenRequest, in routes: [Int: Route]) -> Int? {
    var best: (rank: [Int], route: Int)?
    for (index, route) in routes {
      let isAttached = route.listeners.isEmpty || route.listeners.contains("l\(request.listener)")
      guard isAttached, let host = hostRank(route.hosts, request.host.lowercased()) else { continue }
      for (number, match) in route.matches.enumerated() {
        guard let path = pathRank(match.path, request.path), let conditions = conditionRank(match, request)
        else { continue }
        let rank = host + path + conditions + [-index, -number]
        if best == nil || best!.rank.lexicographicallyPrecedes(rank) { best = (rank, index) }
      }
    }
    return best?.route
  }

  private static func hostRank(_ hosts: [String], _ host: String) -> [Int]? {
    if hosts.isEmpty { return [0, 0] }
    let ranks = hosts.compactMap { pattern -> [Int]? in
      if pattern == host { return [2, host.count] }
      let suffix = String(pattern.dropFirst())
      guard pattern.hasPrefix("*."), host.hasSuffix(suffix), host.count > suffix.count else { return nil }
      return [1, suffix.count]
    }
    return ranks.max { $0.lexicographicallyPrecedes($1) }
  }

  private static func pathRank(_ match: PathMatch, _ path: String) -> [Int]? {
    switch match {
    case .exact(let exact): return path == exact ? [2, 0] : nil
    case .regex(let pattern):
      guard let expression = try? RegularExpression(pattern) else { return nil }
      let bytes = Array(path.utf8)
      return expression.matchesWhole(bytes.span) ? [1, pattern.count] : nil
    case .prefix(var prefix):
      if prefix.hasSuffix("/") { prefix.removeLast() }
      return path == prefix || path.hasPrefix(prefix + "/") ? [0, prefix.count] : nil
    }
  }

  private static func conditionRank(_ match: Match, _ request: WrittenRequest) -> [Int]? {
    guard match.methods.isEmpty || match.methods.contains(request.method) else { return nil }
    let headers = firstOfEachName(match.headers)
    for header in headers {
      let values = request.headers.filter { $0.name.lowercased() == header.name }.map(\.value)
      guard values.contains(where: { holds(header.value, $0) }) else { return nil }
    }
    let query = firstOfEachName(match.query)
    let parameters = request.query.split(separator: "&").map { $0.split(separator: "=") }
    for parameter in query {
      guard let found = parameters.first(where: { $0[0] == parameter.name }) else { return nil }
      let value = found.count > 1 ? found[1] == "%32" ? "2" : String(found[1]) : ""
      guard holds(parameter.value, value) else { return nil }
    }
    return [match.methods.isEmpty ? 0 : 1, headers.count, query.count]
  }

  private static func firstOfEachName(_ matches: [FieldMatch]) -> [FieldMatch] {
    var names: Set<String> = []
    return matches.filter { names.insert($0.name).inserted }
  }

  private static func holds(_ match: FieldMatch.Value, _ value: String) -> Bool {
    switch match {
    case .exact(let text): return text == value
    // The only expression that routes here have.
    case .regex: return value == "1" || value == "2"
    }
  }
}
