/// Reads one of `services`.
enum ServiceReader {
  static let keys = [
    "name", "endpoints", "protocol", "tls", "http2", "balance", "slowStart", "health", "ejection",
    "timeouts", "retries", "pool", "limits", "plugins",
  ]
  static let endpointKeys = ["address", "weight"]
  static let ejectionKeys = ["consecutiveFailures", "duration", "durationMax", "percentMax"]
  static let timeoutKeys = ["connect", "response", "idle", "tunnel"]
  static let poolKeys = ["idleMax", "idleTimeout", "lifetime"]
  static let limitKeys = ["connections", "pending", "inFlight", "pendingTimeout", "adaptive"]
  static let allKeys =
    keys + endpointKeys + ejectionKeys + timeoutKeys + poolKeys + limitKeys + RetriesReader.keys
    + ServiceTLSReader.keys + HTTP2Reader.serviceKeys + OverloadReader.adaptiveKeys

  static let endpointWeightMax = 1_000
  static let countMax = 1_000_000

  /// After an error, what could be read.
  ///
  /// - name: Where it is known without being written.
  static func read(_ value: Value, name known: String? = nil) -> Service? {
    guard let mapping = MappingReader(value, keys: keys) else { return nil }
    let name = mapping.resourceName(known)
    let hint = "such as endpoints: [\"10.0.0.1:8080\"]"
    let endpoints = mapping.required("endpoints", hint).flatMap(readEndpoints)
    var service = Service(name: name ?? "", endpoints: endpoints ?? [])
    readProtocol(mapping, into: &service)
    mapping.read("balance", into: &service.balance, BalanceReader.read)
    mapping.read("slowStart", into: &service.slowStart) { $0.duration(allowsZero: true) }
    mapping.read("health", into: &service.health, HealthReader.read)
    mapping.read("ejection", into: &service.ejection, readEjection)
    mapping.read("timeouts", into: &service.timeouts, readTimeouts)
    mapping.read("retries", into: &service.retries, RetriesReader.read)
    mapping.read("pool", into: &service.pool, readPool)
    mapping.read("limits", into: &service.limits, readLimits)
    mapping.read("plugins", into: &service.plugins, PluginsReader.read)
    if case .grpc? = service.health?.probe, service.protocol == .http1, service.health?.port == nil {
      mapping["health"]?.member("grpc")?.report(
        "a gRPC check needs HTTP/2, and this service speaks http/1.1", hint: "write protocol: h2")
    }
    return service
  }

  private static func readProtocol(_ mapping: MappingReader, into service: inout Service) {
    let words = ServiceProtocol.allCases.map { (word: $0.rawValue, value: $0) }
    mapping.read("protocol", into: &service.protocol) { $0.choice(words) }
    mapping.read("tls", into: &service.tls, ServiceTLSReader.readOrOff)
    mapping.read("http2", into: &service.http2, HTTP2Reader.readService)
    let hasTLS = mapping["tls"].map { !$0.isWord("off") } ?? false
    if service.protocol == .automatic, !hasTLS {
      mapping["protocol"]?.report(
        "auto needs tls: only a handshake says what an endpoint speaks", hint: "write http/1.1 or h2")
    }
  }

  private static func readEndpoints(_ value: Value) -> [EndpointSpec]? {
    guard let items = value.items("a list of endpoints", hint: "such as [\"10.0.0.1:8080\"]") else {
      return nil
    }
    guard !items.isEmpty else {
      value.report("at least one endpoint is needed")
      return nil
    }
    var positions: [HostPort: Position] = [:]
    var endpoints: [EndpointSpec] = []
    for item in items {
      guard let endpoint = readEndpoint(item) else { continue }
      if let first = positions[endpoint.address] {
        item.report(
          "the endpoint \(endpoint.address.description) is already at \(first.line):\(first.column)",
          hint: "give it a weight to send it more")
      }
      positions[endpoint.address] = positions[endpoint.address] ?? item.node.position
      endpoints.append(endpoint)
    }
    if endpoints.count == items.count, endpoints.allSatisfy({ $0.weight == 0 }) {
      value.report("every endpoint has the weight 0", hint: "at least one needs a weight")
    }
    return endpoints
  }

  private static func readEndpoint(_ value: Value) -> EndpointSpec? {
    guard value.isMapping else {
      return value.endpointAddress().map { EndpointSpec(address: $0) }
    }
    guard let mapping = MappingReader(value, keys: endpointKeys) else { return nil }
    var weight = 1
    mapping.read("weight", into: &weight) { $0.integer(in: 0...endpointWeightMax) }
    return mapping.required("address")?.endpointAddress().map { EndpointSpec(address: $0, weight: weight) }
  }

  private static func readEjection(_ value: Value) -> Ejection?? {
    if value.isWord("off") { return .some(nil) }
    guard let mapping = MappingReader(value, keys: ejectionKeys, wanted: "a mapping, or off") else {
      return nil
    }
    var ejection = Ejection()
    mapping.read("consecutiveFailures", into: &ejection.consecutiveFailures) { $0.integer(in: 1...1_000_000) }
    mapping.read("duration", into: &ejection.duration) { $0.duration() }
    mapping.read("durationMax", into: &ejection.durationMax) { $0.duration() }
    mapping.read("percentMax", into: &ejection.percentMax) { $0.percentage() }
    if ejection.durationMax < ejection.duration {
      let (shortest, longest) = (
        DurationText.format(ejection.duration), DurationText.format(ejection.durationMax)
      )
      (mapping["durationMax"] ?? mapping["duration"] ?? value).report(
        "durationMax (\(longest)) is shorter than duration (\(shortest))")
    }
    return ejection
  }

  private static func readTimeouts(_ value: Value) -> ServiceTimeouts? {
    guard let mapping = MappingReader(value, keys: timeoutKeys) else { return nil }
    var timeouts = ServiceTimeouts()
    mapping.read("connect", into: &timeouts.connect) { $0.duration() }
    mapping.read("response", into: &timeouts.response) { $0.duration() }
    mapping.read("idle", into: &timeouts.idle) { $0.duration() }
    mapping.read("tunnel", into: &timeouts.tunnel) { $0.duration() }
    return timeouts
  }

  private static func readPool(_ value: Value) -> PoolSettings? {
    guard let mapping = MappingReader(value, keys: poolKeys) else { return nil }
    var pool = PoolSettings()
    mapping.read("idleMax", into: &pool.idleMax) { $0.integer(in: 0...countMax) }
    mapping.read("idleTimeout", into: &pool.idleTimeout) { $0.duration() }
    mapping.read("lifetime", into: &pool.lifetime) { $0.duration() }
    return pool
  }

  private static func readLimits(_ value: Value) -> ServiceLimits? {
    guard let mapping = MappingReader(value, keys: limitKeys) else { return nil }
    var limits = ServiceLimits()
    mapping.read("connections", into: &limits.connections) { $0.integer(in: 1...countMax) }
    mapping.read("pending", into: &limits.pending) { $0.integer(in: 0...countMax) }
    mapping.read("inFlight", into: &limits.inFlight) { $0.integer(in: 1...countMax) }
    mapping.read("pendingTimeout", into: &limits.pendingTimeout) { $0.duration() }
    mapping.read("adaptive", into: &limits.adaptive, OverloadReader.readAdaptive)
    return limits
  }
}
