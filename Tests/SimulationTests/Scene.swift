import DataPlane
import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

/// A gateway with one service between simulated clients and origins.
final class Scene {
  static let gatewayAddress = SocketAddress(ipv4: 10, 0, 0, 1, port: 8080)

  static let buffersPerExchange = 4

  let simulation: Simulation
  let gateways: [DataPlaneWorker]
  let origins: [SimulatedOrigin]
  let client: SimulatedClient
  let tracker = ConfigurationTracker()
  /// The client breaks rules itself, and learns so.
  var mayBreakRules = false
  /// Programs that must not throw.
  private var faultless: [SimulatedProgram] = []
  private var connections: [SimulatedHTTP2Connection] = []

  init(
    seed: UInt64 = 1, link: Link = Link(), origins originCount: Int = 1, workers: Int = 1,
    http: HTTPSettings = HTTPSettings(), backlog: Int32 = 128, originsAccept: Bool = true,
    endpoints version: Version = .http1, changeBudget: ChangeBudget = .standard,
    _ change: (inout Service) -> Void = { _ in }
  ) {
    let simulation = Simulation(seed: seed, link: link)
    self.simulation = simulation
    gateways = (0..<workers).map { _ in
      DataPlaneWorker(
        worker: simulation.addWorker(host: Self.gatewayAddress), workerCount: workers,
        changeBudget: changeBudget)
    }
    origins = (0..<originCount).map {
      SimulatedOrigin(
        simulation, address: Self.originAddress($0), backlog: backlog, accepts: originsAccept,
        speaksHTTP2: version == .http2)
    }
    client = SimulatedClient(
      simulation, host: SocketAddress(ipv4: 10, 0, 2, 1, port: 0), gateway: Self.gatewayAddress)
    let configuration = Self.configuration(originCount: originCount, http: http) {
      if version == .http2 { $0.protocol = .http2 }
      change(&$0)
    }
    apply(configuration)
    // Made in slices, it takes its time.
    if changeBudget.entriesMax < .max {
      #expect(throws: Never.self) { try simulation.run(for: .seconds(1)) }
    }
  }

  /// Gives all gateways another configuration, whose service `origin` has all origins.
  func apply(_ configuration: Configuration) {
    apply(tracker.delta(to: configuration, endpoints: ["origin": endpoints]))
  }

  func apply(_ delta: Delta) {
    for gateway in gateways { gateway.apply(delta) { #expect($0.isEmpty) } }
  }

  /// Gives the service other endpoints.
  func setEndpoints(_ endpoints: [ResolvedEndpoint]) {
    apply(tracker.delta(endpoints: endpoints, ofService: "origin"))
  }

  static func originAddress(_ number: Int) -> SocketAddress {
    SocketAddress(ipv4: 10, 0, 1, UInt8(number + 1), port: 80)
  }

  private static func configuration(
    originCount: Int, http: HTTPSettings, _ change: (inout Service) -> Void
  ) -> Configuration {
    let addresses = (0..<originCount).map(originAddress)
    var service = Service(
      name: "origin",
      endpoints: addresses.map { EndpointSpec(address: HostPort(host: $0.host, port: $0.port)) })
    change(&service)
    var configuration = Configuration()
    configuration.http = http
    configuration.listeners = [Listener(name: "web", address: HostPort(host: "10.0.0.1", port: 8080))]
    configuration.services = [service]
    configuration.routes = [Route(name: "all", backends: [Backend(service: "origin")])]
    return configuration
  }

  private static func endpoints(_ addresses: [SocketAddress]) -> [ResolvedEndpoint] {
    addresses.map { ResolvedEndpoint(name: $0.description, address: $0, weight: 1) }
  }

  var endpoints: [ResolvedEndpoint] { Self.endpoints(origins.map(\.address)) }

  var gateway: DataPlaneWorker { gateways[0] }
  var service: UpstreamService { gateway.services[0] }
  var origin: SimulatedOrigin { origins[0] }
  var requestCount: Int { origins.reduce(0) { $0 + $1.requests.count } }

  /// Of requests, and of connections, for this reason.
  func refusals(_ reason: RefusalReason) -> UInt64 {
    gateways.reduce(0) { $0 + $1.counters.figures.refusalReasons[reason] }
  }

  /// What a call of the system takes on the workers' clocks from now on.
  func makeCallsTake(nanoseconds: Int64) {
    for gateway in gateways { simulation.seam(of: gateway.worker).callNanoseconds = nanoseconds }
  }

  // MARK: Programs

  /// Starts a client's program with a connection; what it throws is an issue unless it `mayFail`.
  @discardableResult
  func start(
    _ name: String = "client", mayFail: Bool = false,
    _ program: @escaping (SimulatedStream) async throws(StreamFailure) -> Void
  ) -> SimulatedProgram {
    add(client.start(name, program), mayFail: mayFail)
  }

  /// Starts a client's program that makes its connections itself.
  @discardableResult
  func startUnconnected(
    _ name: String = "client", mayFail: Bool = false,
    _ program: @escaping () async throws(StreamFailure) -> Void
  ) -> SimulatedProgram {
    add(client.startUnconnected(name, program), mayFail: mayFail)
  }

  private func add(_ program: SimulatedProgram, mayFail: Bool) -> SimulatedProgram {
    if !mayFail { faultless.append(program) }
    return program
  }

  /// Sends one request on a connection of its own and runs until its response has come.
  func request(
    _ method: String = "GET", _ target: String = "/", body: [UInt8]? = nil
  ) throws -> SimulatedResponse {
    var response: SimulatedResponse?
    let known: HTTPMethod = method == "HEAD" ? .head : .get
    start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request(method, target, body: body))
      response = try await stream.readResponse(to: known)
    }
    try simulation.run()
    return try #require(response)
  }

  /// How much simulated time `body` takes, in seconds.
  func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = simulation.now
    try body()
    return Double(simulation.now.nanoseconds(since: start)) / 1_000_000_000
  }

  // MARK: HTTP/2

  enum Version: CaseIterable {
    case http1, http2
  }

  /// Connects with prior knowledge; the connection is closed at the end.
  func connectHTTP2(settings: HTTP2LocalSettings = HTTP2LocalSettings()) throws -> SimulatedHTTP2Connection {
    var connection: SimulatedHTTP2Connection?
    startUnconnected { () throws(StreamFailure) in
      connection = try await self.client.connectHTTP2(settings: settings)
    }
    try simulation.run(limit: .seconds(10)) { connection != nil }
    let opened = try #require(connection)
    connections.append(opened)
    return opened
  }

  /// Sends one request on a connection of its own and runs until its response has come.
  func exchange(
    over version: Version, _ method: String = "GET", _ target: String = "/", fields: [String] = [],
    body: [UInt8]? = nil, trailers: [String] = [], announcesLength: Bool = true
  ) throws -> SimulatedResponse {
    var response: SimulatedResponse?
    if version == .http1 {
      let known: HTTPMethod = method == "HEAD" ? .head : .get
      start { stream throws(StreamFailure) in
        if announcesLength && trailers.isEmpty {
          try await stream.send(SimulatedClient.request(method, target, fields: fields, body: body))
        } else {
          let fields = fields + ["Transfer-Encoding: chunked"]
          try await stream.send(SimulatedClient.request(method, target, fields: fields))
          try await stream.send(SimulatedClient.chunks(body ?? [], size: 1_000, trailers: trailers))
        }
        response = try await stream.readResponse(to: known)
      }
    } else {
      startUnconnected { () throws(StreamFailure) in
        let connection = try await self.client.connectHTTP2()
        defer { connection.close() }
        response = try await connection.request(
          method, target, fields: fields, body: body, trailers: trailers,
          announcesLength: announcesLength && trailers.isEmpty)
        if let violation = connection.violation { Issue.record("\(violation)") }
      }
    }
    try simulation.run()
    return try #require(response)
  }

  // MARK: The end

  /// Ends everything and checks that the gateway holds nothing any more.
  func finish() throws {
    try simulation.run()
    for program in faultless { #expect(program.failure == nil, "\(program.name)") }
    for origin in origins { #expect(origin.violations.isEmpty) }
    for connection in connections {
      #expect(connection.violation == nil || mayBreakRules)
      connection.close()
    }
    var drained = 0
    for gateway in gateways { gateway.beginDrain { drained += 1 } }
    try simulation.run(limit: .seconds(300)) { drained == gateways.count }
    for origin in origins { origin.stop() }
    try simulation.run(for: .seconds(10))
    for gateway in gateways {
      #expect(gateway.worker.openSocketCount == 0)
      // Exchanges are kept with their buffers; nothing else holds any.
      #expect(gateway.worker.buffers.lentCount == Self.buffersPerExchange * gateway.keptExchangeCount)
      #expect(gateway.connectionCount == 0)
      #expect(gateway.parkedCount == 0)
      for service in gateway.services {
        #expect(service.inFlight == 0)
        #expect(service.connectionCount == 0)
        #expect(service.pendingCount == 0)
        #expect(service.endpoints.allSatisfy { $0.inFlight == 0 })
      }
    }
  }
}

extension SimulatedStream {
  /// Sends a request, and reads its response.
  func request() async throws(StreamFailure) -> SimulatedResponse {
    try await send(SimulatedClient.request())
    return try await readResponse()
  }
}
