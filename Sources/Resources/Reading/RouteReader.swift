/// Reads `routes`.
enum RouteReader {
  static let keys = [
    "name", "listeners", "hosts", "match", "service", "backends", "upgrades", "redirect", "hsts",
  ]
  static let weightMax = 1_000_000
  /// Entries that one route may make in the tables, hosts times matches.
  static let conditionsMax = 100_000

  static func readAll(_ value: Value, references: References) -> [Route]? {
    guard let items = value.items("a list of routes") else { return nil }
    var names = UniqueNames()
    var conflicts = RouteConflicts()
    return items.compactMap { item -> Route? in
      let errorsBefore = item.diagnostics.count
      guard let mapping = MappingReader(item, keys: keys) else { return nil }
      var route = Route(name: "", backends: [])
      mapping.read("listeners", into: &route.listeners) { readListeners($0, references: references) }
      mapping.read("hosts", into: &route.hosts, readHosts)
      mapping.read("match", into: &route.matches, MatchReader.readAll)
      let hasConditions = item.diagnostics.count == errorsBefore
      route.name = ListenerReader.readName(mapping, "route", &names) ?? ""
      readSecurity(mapping, into: &route, references)
      route.backends = readBackends(mapping, of: route, references: references)
      mapping.read("upgrades", into: &route.upgrades, readUpgrades)
      guard max(1, route.hosts.count) * route.matches.count <= conditionsMax else {
        item.report(
          "\(route.hosts.count) hosts times \(route.matches.count) matches are too many",
          hint: "at most \(conditionsMax) in one route; make several")
        return route
      }
      // Conditions that could not be read would look like those of a route without any.
      if hasConditions { conflicts.insert(route, at: item) }
      return route
    }
  }

  private static func readListeners(_ value: Value, references: References) -> [String]? {
    guard let items = value.items("a list of listeners' names", hint: "leave it out for all listeners") else {
      return nil
    }
    return uniqueTexts(items.map { ($0, references.listener($0)) }, "listener")
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

  private static func readBackends(
    _ mapping: MappingReader, of route: Route, references: References
  ) -> [Backend] {
    let isGRPC = route.matches.contains { $0.grpc != nil }
    switch (mapping["service"], mapping["backends"]) {
    case (let service?, nil):
      return readService(service, isGRPC: isGRPC, references).map { [Backend(service: $0)] } ?? []
    case (nil, let backends?):
      return readList(backends, isGRPC: isGRPC, references: references)
    case (let service?, .some):
      service.report("service and backends exclude each other", hint: "keep one of them")
    case (nil, nil):
      if redirectsAll(route, references) { return [] }
      var hint = "such as service: orders"
      if let listener = listeners(of: route, references).first(where: { references.hasTLS($0) == true }),
        case .on? = route.redirect
      {
        hint = "requests of listener \(quoted(listener)) come with TLS, and are not redirected"
      }
      mapping.value.report("a route needs a service, or backends", hint: hint)
    }
    return []
  }

  private static func readService(_ value: Value, isGRPC: Bool, _ references: References) -> String? {
    let service = references.service(value)
    if isGRPC, let service, references.serviceProtocol(service) == .http1 {
      value.report(
        "gRPC needs HTTP/2, and the service \(quoted(service)) speaks http/1.1",
        hint: "write protocol: h2 in the service")
    }
    return service
  }

  private static func readList(_ value: Value, isGRPC: Bool, references: References) -> [Backend] {
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
      guard let value = mapping.required("service"),
        let service = readService(value, isGRPC: isGRPC, references)
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
