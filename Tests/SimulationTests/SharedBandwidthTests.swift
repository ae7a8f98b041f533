import Plugins
import Resources
import Runtime
import Simulation
import Testing

@Suite("A rate that requests share, simulated")
struct SharedBandwidthTests {
  @Test("All connections of a key have one rate together", arguments: Pairing.all)
  func together(pairing: Pairing) throws {
    let plugins = try bandwidth("response: {shared: {rate: 20000}}")
    let scene = pairing.scene { $0.plugins = plugins }
    scene.origin.script = { _, _ in [.respond(200, body: pattern(20_000))] }
    var ends: [Double] = []
    let start = scene.simulation.now
    for number in 0..<5 {
      if pairing.client == .http2 {
        let connection = try scene.connectHTTP2()
        scene.startUnconnected("\(number)") { () throws(StreamFailure) in
          let response = try await connection.request("GET", "/")
          #expect(response.body == pattern(20_000))
          ends.append(Double(scene.simulation.now.nanoseconds(since: start)) / 1e9)
        }
      } else {
        scene.start("\(number)") { stream throws(StreamFailure) in
          try await stream.send(SimulatedClient.request())
          let response = try await stream.readResponse()
          #expect(response.body == pattern(20_000))
          ends.append(Double(scene.simulation.now.nanoseconds(since: start)) / 1e9)
        }
      }
    }
    try scene.simulation.run()
    // 100,000 bytes and five heads; what the bucket holds goes at once.
    #expect(ends.count == 5)
    #expect((ends.max() ?? 0) >= (100_000 - 2_500) / 20_000 && (ends.max() ?? 0) <= 5.3, "\(ends)")
    // They take turns: none is done long before the others.
    #expect((ends.min() ?? 0) >= 4, "\(ends)")
    try scene.finish()
  }

  @Test("A wait for a turn is no slowness, however long it is", arguments: Pairing.all)
  func timeouts(pairing: Pairing) throws {
    let plugins = try bandwidth("response: {shared: {rate: 160}}, request: {shared: {rate: 160}}")
    var http = HTTPSettings()
    http.timeouts.body = .seconds(1)
    http.timeouts.send = .seconds(1)
    let scene = pairing.scene(http: http) {
      $0.plugins = plugins
      $0.timeouts.idle = .seconds(1)
      $0.timeouts.response = .seconds(1)
    }
    scene.origin.script = { _, _ in [.readContent, .respond(200, body: pattern(100))] }
    var statuses: [Int] = []
    for number in 0..<60 {
      if pairing.client == .http2 {
        let connection = try scene.connectHTTP2()
        scene.startUnconnected("\(number)") { () throws(StreamFailure) in
          statuses.append(Int(try await connection.request("POST", "/", body: pattern(100)).status))
        }
      } else {
        scene.start("\(number)") { stream throws(StreamFailure) in
          try await stream.send(SimulatedClient.request("POST", body: pattern(100)))
          statuses.append(Int(try await stream.readResponse().status))
        }
      }
    }
    try scene.simulation.run(limit: .seconds(600))
    #expect(statuses == Array(repeating: 200, count: 60))
    try scene.finish()
  }

  @Test("Who leaves gives its turn back", arguments: Scene.Version.allCases)
  func leaving(endpoint: Scene.Version) throws {
    let plugins = try bandwidth("response: {shared: {rate: 1600}}")
    let scene = Scene(endpoints: endpoint) { $0.plugins = plugins }
    scene.origin.script = { _, _ in [.respond(200, body: pattern(10_000))] }
    for _ in 0..<200 {
      scene.start(mayFail: true) { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request())
        await stream.sleep(.milliseconds(500))
        stream.reset()
      }
    }
    try scene.simulation.run(for: .seconds(2))
    // 200 turns of 100 bytes would be 12 seconds.
    var response: SimulatedResponse?
    let elapsed = try scene.seconds { response = try scene.request() }
    #expect(response?.body.count == 10_000)
    #expect(elapsed <= 10_300 / 1_600 + 0.5, "\(elapsed)")
    try scene.finish()
  }

  @Test("A request's own rate holds beside the shared one")
  func both() throws {
    let plugins = try bandwidth("response: {rate: 10000, shared: {rate: 1000000}}")
    let scene = Scene { $0.plugins = plugins }
    scene.origin.script = { _, _ in [.respond(200, body: pattern(30_000))] }
    let elapsed = try scene.seconds { _ = try scene.request() }
    #expect(elapsed >= 28_500 / 10_000 && elapsed <= 3.1, "\(elapsed)")
    try scene.finish()
  }
}
