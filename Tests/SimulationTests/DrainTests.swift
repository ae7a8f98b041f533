import DataPlane
import Plugins
import Resources
import Runtime
import Simulation
import Testing

/// Waits three seconds for something.
private struct Awaiting: RunnablePlugin {
  static let name = "awaiting"
  static let summary = "Waits."
  static let priority = 1
  static let options: [PluginOption] = []

  init(_ values: OptionValues) throws(OptionProblem) {}
  func plugin(at site: PluginSite) -> Plugin { AwaitingPlugin(.requestHead) }
}

private final class AwaitingPlugin: Plugin {
  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict { .wait }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    let worker = exchange.worker
    let handle = WakeHandle(on: worker)
    worker.spawn {
      await Waiter(on: worker).sleep(until: worker.now.advanced(byNanoseconds: 3_000_000_000))
      handle.wake()
    }
    await exchange.wait(for: handle, until: worker.now.advanced(byNanoseconds: 10_000_000_000))
    return .answer(PluginAnswer(handle.hasFired ? 200 : 503, content: []))
  }
}

@Suite("Drains, simulated")
struct DrainTests {
  @Test("An answer of the gateway's own that a client takes slowly is sent to its end")
  func slowAnswer() throws {
    let body = String(repeating: "answer ", count: 8_000)
    var link = Link()
    link.sendBufferBytes = 8_192
    link.receiveBufferBytes = 8_192
    let plugins = try servicePlugins("mock: {body: \"\(body)\"}")
    let scene = Scene(link: link) { $0.plugins = plugins }
    var response: SimulatedResponse?
    scene.start { stream throws(StreamFailure) in
      stream.pace = SimulatedStream.Pace(bytes: 2_000, pause: .milliseconds(500))
      response = try await stream.request()
    }
    try scene.simulation.run(for: .seconds(3))
    var isDrained = false
    scene.gateway.beginDrain { isDrained = true }
    try scene.simulation.run(for: .seconds(2))
    #expect(!isDrained)
    try scene.simulation.run(limit: .seconds(60)) { isDrained }
    try scene.simulation.run(limit: .seconds(60))
    #expect(difference(response?.body, Array(body.utf8)) == nil)
    try scene.finish()
  }

  @Test("A client that was answered early may go on sending for a while, so that nothing cuts the answer off")
  func earlyAnswer() throws {
    var http = HTTPSettings()
    http.limits.bodyBytes = 1_000
    let scene = Scene(http: http)
    var status: Int?
    scene.start { stream throws(StreamFailure) in
      try await stream.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 10000\r\n\r\n")
      for _ in 0..<4 {
        await stream.sleep(.milliseconds(300))
        try await stream.send("more of it")
      }
      status = try await stream.readResponse().status
    }
    try scene.simulation.run(for: .milliseconds(100))
    var isDrained = false
    scene.gateway.beginDrain { isDrained = true }
    try scene.simulation.run(limit: .seconds(5)) { isDrained }
    #expect(status == 413)
    try scene.finish()
  }

  @Test("What a plugin waits for is waited for")
  func waitingPlugin() throws {
    let plugins = try servicePlugins("awaiting: {}", of: PluginCatalog([Awaiting.self]))
    let scene = Scene { $0.plugins = plugins }
    var status: Int?
    scene.start { stream throws(StreamFailure) in status = try await stream.request().status }
    try scene.simulation.run(for: .seconds(1))
    var isDrained = false
    scene.gateway.beginDrain { isDrained = true }
    try scene.simulation.run(limit: .seconds(20)) { isDrained }
    try scene.simulation.run(limit: .seconds(1))
    #expect(status == 200)
    try scene.finish()
  }
}
