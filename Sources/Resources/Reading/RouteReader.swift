/// Reads one of `routes`.
enum RouteReader {
  static let keys = [
    "name", "listeners", "hosts", "match", "service", "backends", "upgrades", "redirect", "hsts",
    "plugins",
  ]
  static let weightMax = 1_000_000
  /// Entries that one route may make in the tables, hosts times matches.
  static let conditionsMax = 100_000

  /// After an error, what could be read.
  ///
  /// - name: Where it is known without being written.
  static func read(_ value: Value, name known: String? = nil) -> Route? {
    var isComparable = true
    return read(value, name: known, isComparable: &isComparable)
  }

  /// - isComparable: Set to false where not all conditions could be read: without them, it would look
  ///   like a route that has none.
  static func read(_ value: Value, name known: String? = nil, isComparable: inout Bool) -> Route? {
    let errorsBefore = value.diagnostics.count
    guard let mapping = MappingReader(value, keys: keys) else { return nil }
    var route = Route(name: "", backends: [])
    mapping.read("listeners", into: &route.listeners) { value in
      readNames(value, "a listener's name", "listener", hint: "leave it out for all listeners")
    }
    mapping.read("hosts", into: &route.hosts, readHosts)
    mapping.read("match", into: &route.matches, MatchReader.readAll)
    isComparable = value.diagnostics.count == errorsBefore
    route.name = mapping.resourceName(known) ?? ""
    readSecurity(mapping, into: &route)
    let errorsBeforePlugins = value.diagnostics.count
    mapping.read("plugins", into: &route.plugins, PluginsReader.read)
    let mayAnswerAlways = route.answersAlways || value.diagnostics.count > errorsBeforePlugins
    route.backends = readBackends(mapping, of: route, mayBeNone: mayAnswerAlways)
    mapping.read("upgrades", into: &route.upgrades, readUpgrades)
    guard max(1, route.hosts.count) * route.matches.count <= conditionsMax else {
      value.report(
        "\(route.hosts.count) hosts times \(route.matches.count) matches are too many",
        hint: "at most \(conditionsMax) in one route; make several")
      return nil
    }
    if isComparable { reportSameMatches(route.matches, at: value) }
    return route
  }

  private static func reportSameMatches(_ matches: [Match], at value: Value) {
    guard matches.count > 1 else { return }
    var seen: Set<Match> = []
    for match in matches.map(\.canonical) where !seen.insert(match).inserted {
      value.report("two matches are the same: \(match.described(host: nil))", hint: "remove one")
    }
  }

  /// Names that the catalogue will look up.
  static func readNames(_ value: Value, _ wanted: String, _ kind: String, hint: String) -> [String]? {
    guard let items = value.items("a list of \(kind)s' names", hint: hint) else { return nil }
    return uniqueTexts(items.map { ($0, $0.text(wanted)) }, kind)
  }

  private static func readHosts(_ value: Value) -> [String]? {
    guard let items = value.items("a list of hosts", hint: "such as [api.example.com]") else { return nil }
    let hosts = items.map { item -> (Value, String?) in
      guard let text = item.text("a host such as api.example.com") else { return (item, nil) }
      do throws(HostText.Failure) {
        return (item, try HostText.routeHost(text))
      } catch {
        item.report(error.message, hint: error.hint)
        return (item, nil)
      }
    }
    return uniqueTexts(hosts, "host")
  }

  /// Reports texts that are listed twice.
  static func uniqueTexts(_ texts: [(value: Value, text: String?)], _ kind: String) -> [String] {
    var seen: Set<String> = []
    return texts.compactMap { value, text -> String? in
      guard let text else { return nil }
      if !seen.insert(text).inserted { value.report("the \(kind) \(quoted(text)) is listed twice") }
      return text
    }
  }

  /// - mayBeNone: A plugin answers all requests, as far as is known.
  private static func readBackends(_ mapping: MappingReader, of route: Route, mayBeNone: Bool) -> [Backend] {
    switch (mapping["service"], mapping["backends"]) {
    case (let service?, nil):
      return service.text("a service's name").map { [Backend(service: $0)] } ?? []
    case (nil, let backends?):
      return readList(backends)
    case (let service?, .some):
      service.report("service and backends exclude each other", hint: "keep one of them")
    case (nil, nil):
      // With a redirect, listeners decide whether any request gets to a service.
      if case .on? = route.redirect { return [] }
      if mayBeNone { return [] }
      mapping.value.report("a route needs a service, or backends", hint: "such as service: orders")
    }
    return []
  }

  private static func readList(_ value: Value) -> [Backend] {
    let example = "such as [{service: orders, weight: 90}]"
    guard let items = value.items("a list of backends", hint: example) else { return [] }
    guard !items.isEmpty else {
      value.report("at least one backend is needed", hint: example)
      return []
    }
    var seen: Set<String> = []
    let backends = items.compactMap { item -> Backend? in
      guard
        let mapping = MappingReader(
          item, keys: ["service", "weight"], hint: "such as {service: orders, weight: 90}")
      else { return nil }
      var weight = 1
      mapping.read("weight", into: &weight) { $0.integer(in: 0...weightMax) }
      guard let value = mapping.required("service"), let service = value.text("a service's name")
      else { return nil }
      if !seen.insert(service).inserted {
        value.report("the service \(quoted(service)) is listed twice", hint: "add the weights up")
      }
      return Backend(service: service, weight: weight)
    }
    if backends.count == items.count, backends.allSatisfy({ $0.weight == 0 }) {
      value.report("every backend has the weight 0", hint: "at least one needs a weight")
    }
    return backends
  }
}
