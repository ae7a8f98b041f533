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
  /// The most programs that ran at once.
  private var programsMax = 0
  /// Programs that must not throw.
  private var faultless: [SimulatedProgram] = []

  init(
    seed: UInt64 = 1, link: Link = Link(), origins originCount: Int = 1, workers: Int = 1,
    http: HTTPSettings = HTTPSettings(), backlog: Int32 = 128, originsAccept: Bool = true,
    _ change: (inout Service) -> Void = { _ in }
  ) {
    let simulation = Simulation(seed: seed, link: link)
    self.simulation = simulation
    gateways = (0..<workers).map { _ in
      DataPlaneWorker(worker: simulation.addWorker(host: Self.gatewayAddress), workerCount: workers)
    }
    origins = (0..<originCount).map {
      SimulatedOrigin(simulation, address: Self.originAddress($0), backlog: backlog, accepts: originsAccept)
    }
    client = SimulatedClient(
      simulation, host: SocketAddress(ipv4: 10, 0, 2, 1, port: 0), gateway: Self.gatewayAddress)
    let snapshot = Self.snapshot(originCount: originCount, http: http, change)
    for gateway in gateways { #expect(gateway.apply(snapshot).isEmpty) }
  }

  static func originAddress(_ number: Int) -> SocketAddress {
    SocketAddress(ipv4: 10, 0, 1, UInt8(number + 1), port: 80)
  }

  private static func snapshot(
    originCount: Int, http: HTTPSettings, _ change: (inout Service) -> Void
  ) -> Snapshot {
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
    return Snapshot(revision: 1, configuration: configuration, endpoints: ["origin": endpoints(addresses)])
  }

  private static func endpoints(_ addresses: [SocketAddress]) -> [ResolvedEndpoint] {
    addresses.map { ResolvedEndpoint(name: $0.description, address: $0, weight: 1) }
  }

  var endpoints: [ResolvedEndpoint] { Self.endpoints(origins.map(\.address)) }

  var gateway: DataPlaneWorker { gateways[0] }
  var service: UpstreamService { gateway.services[0] }
  var origin: SimulatedOrigin { origins[0] }
  var requestCount: Int { origins.reduce(0) { $0 + $1.requests.count } }

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
  func startUnconnected(_ name: String, _ program: @escaping () async throws(StreamFailure) -> Void) {
    _ = add(client.startUnconnected(name, program), mayFail: false)
  }

  private func add(_ program: SimulatedProgram, mayFail: Bool) -> SimulatedProgram {
    if !mayFail { faultless.append(program) }
    programsMax = max(programsMax, simulation.runningPrograms.count)
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

  // MARK: The end

  /// Ends everything and checks that the gateway holds nothing any more.
  func finish() throws {
    try simulation.run()
    for program in faultless { #expect(program.failure == nil, "\(program.name)") }
    var drained = 0
    for gateway in gateways { gateway.beginDrain { drained += 1 } }
    try simulation.run(limit: .seconds(300)) { drained == gateways.count }
    for origin in origins { origin.stop() }
    try simulation.run(for: .seconds(10))
    for gateway in gateways {
      #expect(gateway.worker.openSocketCount == 0)
      // Exchanges are kept with their buffers; a lost one would have been replaced by another.
      #expect(gateway.worker.buffers.lentCount % Self.buffersPerExchange == 0)
      #expect(gateway.worker.buffers.lentCount <= Self.buffersPerExchange * programsMax)
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

/// Bytes that are not the same anywhere.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31 ^ ($0 >> 8)) }
}
