import Plugins
import Resources
import Runtime
import Simulation
import Testing

@Suite("The plugin bandwidth, simulated")
struct BandwidthTests {
  /// So many bytes at 20,000 a second: what the bucket holds goes at once, and a head takes some.
  private static func isAtRate(_ seconds: Double, _ count: Int) -> Bool {
    let least = Double(count - 2_500) / 20_000
    return seconds >= least && seconds <= least + 0.15
  }

  @Test("A response goes no faster than its rate, and no slower", arguments: Pairing.all)
  func responses(pairing: Pairing) throws {
    let plugins = try bandwidth("response: {rate: 20000}")
    let scene = pairing.scene { $0.plugins = plugins }
    let body = pattern(100_000)
    scene.origin.script = { request, _ in
      request.target == "/length"
        ? [.respond(200, body: body)] : [.respondChunked(200, body: body, size: 7_000)]
    }
    for target in ["/length", "/chunks"] {
      var response: SimulatedResponse?
      let elapsed = try scene.seconds { response = try scene.exchange(over: pairing.client, "GET", target) }
      #expect(difference(response?.body, body) == nil)
      #expect(Self.isAtRate(elapsed, body.count), "\(target): \(elapsed)")
    }
    try scene.finish()
  }

  @Test("A request's content goes no faster than its rate, and no slower", arguments: Pairing.all)
  func requests(pairing: Pairing) throws {
    let plugins = try bandwidth("request: {rate: 20000}")
    let scene = pairing.scene { $0.plugins = plugins }
    let body = pattern(100_000)
    for announcesLength in [true, false] {
      var response: SimulatedResponse?
      let elapsed = try scene.seconds {
        response = try scene.exchange(
          over: pairing.client, "POST", body: body, announcesLength: announcesLength)
      }
      #expect(response?.status == 200)
      #expect(difference(scene.origin.requests.last?.body, body) == nil)
      #expect(Self.isAtRate(elapsed, body.count), "\(elapsed)")
    }
    try scene.finish()
  }

  @Test("What comes before the rate goes at once", arguments: Pairing.all)
  func after(pairing: Pairing) throws {
    let plugins = try bandwidth(
      "response: {rate: 20000, after: 100000}, request: {rate: 20000, after: 50000}")
    let scene = pairing.scene { $0.plugins = plugins }
    scene.origin.script = { _, _ in [.readContent, .respond(200, body: pattern(140_000))] }
    var response: SimulatedResponse?
    let elapsed = try scene.seconds {
      response = try scene.exchange(over: pairing.client, "POST", body: pattern(90_000))
    }
    #expect(response?.body.count == 140_000)
    // 40,000 bytes in each direction are left for the rate.
    #expect(elapsed >= 2 * 37_500 / 20_000 && elapsed <= 4.05, "\(elapsed)")
    try scene.finish()
  }

  @Test("Being held back is not being slow: no timeout and no rate of clients counts", arguments: Pairing.all)
  func timeouts(pairing: Pairing) throws {
    let plugins = try bandwidth("response: {rate: 100}, request: {rate: 100}")
    var http = HTTPSettings()
    http.timeouts.body = .seconds(1)
    http.timeouts.send = .seconds(1)
    let scene = pairing.scene(http: http) {
      $0.plugins = plugins
      $0.timeouts.idle = .seconds(2)
      $0.timeouts.response = .seconds(1)
    }
    // The endpoint pauses for less than it may be silent, after pauses that are longer.
    let body = pattern(3_000)
    scene.origin.script = { _, _ in
      pairing.endpoint == .http2
        ? [
          .readContent, .head(200), .content(Array(body[..<2_000])), .delay(.milliseconds(1_500)),
          .content(Array(body[2_000...])), .end(),
        ]
        : [
          .readContent, .send(Array("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n".utf8)),
          .send(Array(body[..<2_000])), .delay(.milliseconds(1_500)), .send(Array(body[2_000...])),
        ]
    }
    var response: SimulatedResponse?
    let elapsed = try scene.seconds {
      response = try scene.exchange(over: pairing.client, "POST", body: pattern(3_000))
    }
    #expect(response?.status == 200)
    #expect(difference(response?.body, body) == nil)
    #expect(difference(scene.origin.requests.last?.body, pattern(3_000)) == nil)
    #expect(elapsed > 35)
    try scene.finish()
  }

  @Test(
    "A client that leaves while its response is held back lets go of the endpoint",
    arguments: Scene.Version.allCases)
  func leaving(endpoint: Scene.Version) throws {
    let plugins = try bandwidth("response: {rate: 100}")
    let scene = Scene(endpoints: endpoint) { $0.plugins = plugins }
    scene.origin.script = { _, _ in [.respond(200, body: pattern(100_000))] }
    scene.start { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      await stream.sleep(.seconds(5))
      stream.reset()
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(elapsed < 10)
    try scene.finish()
  }

  @Test("Requests on one connection have a rate each, and one beside them is not held back")
  func several() throws {
    let plugins = try bandwidth("response: {rate: 20000}")
    let scene = Scene { $0.plugins = plugins }
    scene.origin.script = { request, _ in [.respond(200, body: pattern(request.target == "/a" ? 40_000 : 10))]
    }
    let connection = try scene.connectHTTP2()
    var order: [String] = []
    for target in ["/a", "/b", "/c"] {
      scene.startUnconnected(target) { () throws(StreamFailure) in
        let response = try await connection.request("GET", target)
        #expect(response.body.count == (target == "/a" ? 40_000 : 10))
        order.append(target)
      }
    }
    let elapsed = try scene.seconds { try scene.simulation.run() }
    #expect(order.last == "/a")
    #expect(Self.isAtRate(elapsed, 40_000), "\(elapsed)")
    try scene.finish()
  }

  @Test("On a rough link everything arrives", arguments: Pairing.all)
  func rough(pairing: Pairing) throws {
    let plugins = try bandwidth("response: {rate: 30000, after: 5000}, request: {rate: 30000}")
    let scene = pairing.scene(link: .rough) { $0.plugins = plugins }
    scene.origin.script = { _, _ in
      [.readContent, .respondChunked(200, body: pattern(30_000), size: 999, trailers: ["x-end: yes"])]
    }
    let response = try scene.exchange(
      over: pairing.client, "POST", fields: ["te: trailers"], body: pattern(30_000), trailers: ["x-sum: 1"])
    #expect(difference(response.body, pattern(30_000)) == nil)
    #expect(difference(scene.origin.requests.last?.body, pattern(30_000)) == nil)
    try scene.finish()
  }
}
