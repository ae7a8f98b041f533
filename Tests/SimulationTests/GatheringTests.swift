import DataPlane
import Resources
import Runtime
import Simulation
import Testing

/// Reads content up to 1,000 bytes, and lets requests with more go on as well.
private struct Peeking: RunnablePlugin {
  static let name = "peeking"
  static let summary = "Reads."
  static let priority = 1
  static let options: [PluginOption] = []

  init(_ values: OptionValues) throws(OptionProblem) {}
  func plugin(at site: PluginSite) -> Plugin { PeekingPlugin(.requestHead) }

  static func attachments() throws -> [PluginAttachment] {
    try servicePlugins("peeking: {}", of: PluginCatalog([Peeking.self]))
  }
}

private final class PeekingPlugin: Plugin {
  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict { .wait }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    switch await exchange.gatherContent(atMost: 1_000) {
    case .whole: exchange.addRequestLines(Array("X-Gathered: whole\r\n".utf8))
    case .tooLarge: exchange.addRequestLines(Array("X-Gathered: too large\r\n".utf8))
    case .refused: break
    }
    return .next
  }
}

@Suite("Content that is too large to be gathered goes on as it comes, simulated")
struct GatheringTests {
  /// Sizes around the limit, one that comes with the head, and one that fills all buffers between the two.
  private static let sizes = [0, 1, 999, 1_000, 1_001, 5_000, 70_000, 400_000]

  private func isRight(_ scene: Scene, _ response: SimulatedResponse, _ body: [UInt8], _ what: String) {
    #expect(response.status == 200, "\(what)")
    let request = scene.origin.requests.last
    #expect(difference(request?.body, body) == nil, "\(what)")
    let said = body.count > 1_000 ? "too large" : "whole"
    #expect(request?["x-gathered"] == said, "\(what)")
  }

  @Test("With a length and without, between all versions", arguments: Pairing.all)
  func sizes(pairing: Pairing) throws {
    let plugins = try Peeking.attachments()
    for link in [Link(), .rough] {
      let scene = pairing.scene(link: link) { $0.plugins = plugins }
      for size in Self.sizes {
        for announcesLength in [true, false] {
          let body = pattern(size)
          let response = try scene.exchange(
            over: pairing.client, "POST", body: body, announcesLength: announcesLength)
          isRight(scene, response, body, "\(size) bytes, length \(announcesLength)")
        }
      }
      #expect(scene.gateway.holdings.waitingBytes == 0)
      try scene.finish()
    }
  }

  @Test("What another client has left of its response is not taken for content, where memory is short")
  func afterOneThatLeft() throws {
    let plugins = try Peeking.attachments()
    // Of what was read last, the client's connection takes a part.
    var link = Link()
    link.segmentBytesMax = 13_000
    let scene = Pairing.all[0].scene(link: link) { $0.plugins = plugins }
    scene.origin.script = { _, _ in [.readContent, .respond(200, body: pattern(400_000))] }
    scene.start("leaves") { stream throws(StreamFailure) in
      try await stream.send(SimulatedClient.request())
      await stream.sleep(.seconds(2))
    }
    try scene.simulation.run(for: .seconds(5))
    #expect(scene.gateways[0].keptExchangeCount == 1)
    var status: Int?
    scene.start("slow") { stream throws(StreamFailure) in
      let request = SimulatedClient.request("POST", "/", body: pattern(900))
      try await stream.send(Array(request.dropLast(500)))
      for start in stride(from: request.count - 500, to: request.count, by: 100) {
        await stream.sleep(.seconds(2))
        try await stream.send(Array(request[start..<start + 100]))
      }
      status = try await stream.readResponse().status
    }
    try scene.simulation.run(for: .seconds(1))
    var configuration = scene.tracker.configuration
    configuration.http.limits.bufferBytes = 32 << 10
    scene.apply(configuration)
    try scene.simulation.run()
    #expect(status == 200)
    try scene.finish()
  }

  @Test("Trailers of what goes on are kept", arguments: Pairing.all)
  func trailers(pairing: Pairing) throws {
    let plugins = try Peeking.attachments()
    let scene = pairing.scene { $0.plugins = plugins }
    let body = pattern(20_000)
    let response = try scene.exchange(
      over: pairing.client, "POST", fields: ["te: trailers"], body: body, trailers: ["x-sum: 1"])
    isRight(scene, response, body, "trailers")
    #expect(scene.origin.requests.last?.trailers.map(\.value) == ["1"])
    try scene.finish()
  }

  @Test("In pieces that cut chunks anywhere, with another request behind it")
  func pieces() throws {
    let plugins = try Peeking.attachments()
    for size in [1, 2, 3, 7, 1_023] {
      let scene = Scene { $0.plugins = plugins }
      let body = pattern(3_000)
      var chunks: [UInt8] = []
      for start in stride(from: 0, to: body.count, by: 500) {
        chunks += Array("1f4;x=y\r\n".utf8) + body[start..<start + 500] + Array("\r\n".utf8)
      }
      let all =
        Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8) + chunks
        + Array("0\r\n\r\n".utf8) + SimulatedClient.request("POST", body: pattern(10))
      scene.start { stream throws(StreamFailure) in
        for start in stride(from: 0, to: all.count, by: size) {
          try await stream.send(Array(all[start..<min(start + size, all.count)]))
        }
        #expect(try await stream.readResponse().status == 200)
        #expect(try await stream.readResponse().status == 200)
      }
      try scene.simulation.run(limit: .seconds(600))
      #expect(scene.origin.requests.map(\.body) == [body, pattern(10)])
      #expect(scene.gateway.holdings.waitingBytes == 0)
      try scene.finish()
    }
  }

  @Test("A client that waits for 100 gets it once")
  func expectation() throws {
    let plugins = try Peeking.attachments()
    let scene = Scene { $0.plugins = plugins }
    // Of unknown length: what is too large shows when it has come.
    scene.start { stream throws(StreamFailure) in
      try await stream.send(
        Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n".utf8)
      )
      await stream.sleep(.milliseconds(100))
      try await stream.send(Array("bb8\r\n".utf8) + pattern(3_000) + Array("\r\n0\r\n\r\n".utf8))
      let response = try await stream.readResponse()
      #expect(response.status == 200 && response.interim == [100])
    }
    try scene.simulation.run()
    #expect(scene.origin.requests.last?.body == pattern(3_000))
    #expect(scene.origin.requests.last?["expect"] == nil)
    try scene.finish()
  }
}
