import Resources
import Runtime
import Simulation
import Testing

@Suite("Retries and ejection, simulated")
struct RetryTests {
  @Test("An endpoint that refuses connections is passed over, for every method")
  func refused() throws {
    let scene = Scene(origins: 2)
    scene.origins[0].stop()
    for number in 0..<8 {
      #expect(try scene.request(number % 2 == 0 ? "GET" : "POST", body: [1]).status == 200)
    }
    #expect(scene.origins[1].requests.count == 8)
    #expect(scene.gateway.counters.figures.retries > 0)
    try scene.finish()
  }

  @Test("All endpoints refuse: 502, with as many attempts as allowed")
  func allRefuse() throws {
    let scene = Scene(origins: 3) { $0.retries?.attempts = 1 }
    for origin in scene.origins { origin.stop() }
    #expect(try scene.request().status == 502)
    #expect(scene.gateway.counters.figures.upstreamConnects == 2)
    try scene.finish()
  }

  @Test("A status that may be retried is, within the attempts; the last answer is shown")
  func status() throws {
    let scene = Scene(origins: 3) {
      $0.retries?.on = [.status(503)]
      $0.retries?.attempts = 2
      $0.ejection = nil
    }
    for origin in scene.origins { origin.script = { _, _ in [.readContent, .respond(503, body: [1])] } }
    #expect(try scene.request().status == 503)
    #expect(scene.requestCount == 3)
    #expect(scene.origins.map(\.requests.count) == [1, 1, 1])
    scene.origins[2].script = { _, _ in OriginStep.answer("good") }
    #expect(try scene.request("PUT", body: pattern(500)).text == "good")
    #expect(scene.origins[2].requests.last?.body == pattern(500))
    try scene.finish()
  }

  @Test("A POST is not repeated, unless the service allows it", arguments: [false, true])
  func post(isAllowed: Bool) throws {
    let scene = Scene(origins: 2) {
      $0.retries?.on = [.status(503), .reset]
      $0.retries?.nonIdempotent = isAllowed
    }
    scene.origins[0].script = { _, _ in [.readContent, .respond(503)] }
    scene.origins[1].script = { _, _ in [.readContent, .respond(503)] }
    #expect(try scene.request("POST", body: [1]).status == 503)
    #expect(scene.requestCount == (isAllowed ? 2 : 1))
    try scene.finish()
  }

  @Test("The budget bounds retries while everything fails")
  func budget() throws {
    let scene = Scene(origins: 2) {
      $0.retries?.on = [.status(503)]
      $0.retries?.attempts = 1
      $0.retries?.budgetPercent = 20
      $0.ejection = nil
    }
    for origin in scene.origins { origin.script = { _, _ in [.respond(503)] } }
    for _ in 0..<100 { #expect(try scene.request().status == 503) }
    // A fifth of a hundred requests, all within a window of ten seconds.
    #expect(scene.requestCount > 100 + 10)
    #expect(scene.requestCount <= 100 + 20)
    #expect(scene.gateway.counters.figures.retryBudgetExhausted > 0)
    try scene.finish()
  }

  @Test("No response in time is retried where the service says so")
  func responseTimeout() throws {
    let scene = Scene(origins: 2) {
      $0.retries?.on = [.responseTimeout]
      $0.timeouts.response = .seconds(1)
    }
    scene.origins[0].script = { _, _ in [.hang] }
    for _ in 0..<4 { #expect(try scene.request().text == "ok") }
    #expect(scene.origins[0].requests.count > 0)
    try scene.finish()
  }

  @Test(
    "The moment at which a server closes an idle connection never shows to a GET, and never repeats a POST",
    arguments: Array(stride(from: 900, through: 1_100, by: 4)))
  func closingRace(pause: Int) throws {
    for method in ["GET", "POST"] {
      let scene = Scene(link: Link(latency: .milliseconds(15))) { $0.retries = nil }
      scene.origin.script = { request, _ in
        request.target == "/first"
          ? OriginStep.answer("first") + [.delay(.milliseconds(1_000)), .close] : OriginStep.answer("second")
      }
      var texts: [String] = []
      var lastStatus = 0
      scene.start { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request("GET", "/first"))
        texts.append(try await stream.readResponse().text)
        await stream.sleep(.milliseconds(pause))
        try await stream.send(SimulatedClient.request(method, "/second", body: method == "POST" ? [1] : nil))
        let response = try await stream.readResponse()
        lastStatus = response.status
        texts.append(response.text)
      }
      try scene.simulation.run()
      let seconds = scene.origin.requests.filter { $0.target == "/second" }.count
      if method == "GET" {
        #expect(texts == ["first", "second"])
      } else {
        #expect(lastStatus == 200 || lastStatus == 502)
        #expect(seconds <= 1)
        if lastStatus == 502 { #expect(seconds == 0) }
      }
      try scene.finish()
    }
  }

  @Test("An endpoint that fails again and again is ejected, and comes back")
  func ejection() throws {
    let scene = Scene(origins: 2) {
      $0.retries = nil
      $0.ejection?.consecutiveFailures = 3
      $0.ejection?.duration = .seconds(30)
    }
    scene.origins[0].script = { _, _ in [.respond(502)] }
    var failures = 0
    for _ in 0..<20 where try scene.request().status == 502 { failures += 1 }
    #expect(failures == 3)
    #expect(scene.gateway.counters.figures.ejections == 1)
    scene.origins[0].script = { _, _ in OriginStep.answer("recovered") }
    try scene.simulation.run(for: .seconds(20))
    #expect(try scene.request().text == "ok")
    #expect(try scene.request().text == "ok")
    try scene.simulation.run(for: .seconds(11))
    var texts: Set<String> = []
    for _ in 0..<4 { texts.insert(try scene.request().text) }
    #expect(texts == ["ok", "recovered"])
    try scene.finish()
  }

  @Test("The last endpoint is never ejected")
  func lastEndpoint() throws {
    let scene = Scene { $0.ejection?.consecutiveFailures = 1 }
    scene.origin.script = { _, number in number < 5 ? [.respond(503)] : OriginStep.answer("ok") }
    for _ in 0..<5 { #expect(try scene.request().status == 503) }
    #expect(try scene.request().status == 200)
    try scene.finish()
  }
}
