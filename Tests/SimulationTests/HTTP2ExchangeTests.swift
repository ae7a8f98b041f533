import HTTPCodec
import Resources
import Runtime
import Simulation
import Testing

/// What a client and an endpoint speak.
struct Pairing: CustomTestStringConvertible {
  let client: Scene.Version
  let endpoint: Scene.Version

  static let all = Scene.Version.allCases.flatMap { client in
    Scene.Version.allCases.map { Pairing(client: client, endpoint: $0) }
  }

  var testDescription: String { "\(client) to \(endpoint)" }

  func scene(
    link: Link = Link(), http: HTTPSettings = HTTPSettings(), _ change: (inout Service) -> Void = { _ in }
  ) -> Scene {
    Scene(link: link, http: http, endpoints: endpoint, change)
  }
}

@Suite("Messages between all versions, simulated")
struct HTTP2ExchangeTests {
  @Test("A request without content, and a response with a length or without", arguments: Pairing.all)
  func get(pairing: Pairing) throws {
    let scene = pairing.scene()
    scene.origin.script = { request, _ in
      request.target == "/length"
        ? [.respond(200, fields: ["x-kept: yes"], body: pattern(5_000))]
        : [.respondChunked(200, body: pattern(5_000), size: 700)]
    }
    let length = try scene.exchange(over: pairing.client, "GET", "/length?q=1")
    #expect(length.status == 200)
    #expect(try scene.exchange(over: pairing.client, "GET", "/length").body == pattern(5_000))
    let without = try scene.exchange(over: pairing.client, "GET", "/without")
    #expect(without.body == pattern(5_000))
    #expect(without["content-length"] == nil)
    #expect(scene.origin.requests[0].method == "GET")
    #expect(scene.origin.requests[0].target == "/length?q=1")
    #expect(scene.origin.requests[0]["host"] == "gateway.test" || pairing.endpoint == .http2)
    #expect(scene.origin.requests[0]["via"] == (pairing.client == .http2 ? "2.0 penstock" : "1.1 penstock"))
    try scene.finish()
  }

  @Test("Fields go through, those of one hop do not", arguments: Pairing.all)
  func fields(pairing: Pairing) throws {
    let scene = pairing.scene()
    scene.origin.script = { _, _ in
      [.readContent, .respond(200, fields: ["set-cookie: a=1", "set-cookie: b=2", "x-empty: "])]
    }
    let response = try scene.exchange(
      over: pairing.client,
      fields: [
        "cookie: a=1", "cookie: b=2", "te: trailers", "x-long: \(String(repeating: "y", count: 9_000))",
      ])
    #expect(response.values(of: "set-cookie") == ["a=1", "b=2"])
    #expect(response["x-empty"] == "")
    let request = scene.origin.requests[0]
    #expect(request.values(of: "cookie").joined(separator: "; ") == "a=1; b=2")
    #expect(request["x-long"]?.count == 9_000)
    #expect(request["te"] == (pairing.endpoint == .http2 ? "trailers" : nil))
    try scene.finish()
  }

  @Test("HEAD, 204 and 304 have no content", arguments: Pairing.all)
  func withoutContent(pairing: Pairing) throws {
    let scene = pairing.scene()
    scene.origin.script = { request, _ in
      if request.target == "/204" {
        return pairing.endpoint == .http2
          ? [.head(204, ends: true)] : [.send(Array("HTTP/1.1 204 None\r\n\r\n".utf8))]
      }
      if request.target == "/304" {
        return pairing.endpoint == .http2
          ? [.head(304, fields: ["content-length: 77"], ends: true)]
          : [.send(Array("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n".utf8))]
      }
      return pairing.endpoint == .http2
        ? [.head(200, fields: ["content-length: 77"], ends: true)]
        : [.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n".utf8))]
    }
    let none = try scene.exchange(over: pairing.client, "GET", "/204")
    #expect(none.status == 204 && none.body.isEmpty && none["content-length"] == nil)
    let unchanged = try scene.exchange(over: pairing.client, "GET", "/304")
    #expect(unchanged.status == 304 && unchanged["content-length"] == "77")
    let head = try scene.exchange(over: pairing.client, "HEAD", "/")
    #expect(head.status == 200 && head["content-length"] == "77" && head.body.isEmpty)
    #expect(scene.origin.connectionCount == 1)
    try scene.finish()
  }

  @Test("Content of all sizes, with a length and without", arguments: Pairing.all)
  func content(pairing: Pairing) throws {
    for link in [Link(), .rough] {
      let scene = pairing.scene(link: link)
      scene.origin.script = { request, _ in
        let body = pattern(Int(request.target.dropFirst())!, seed: 5)
        return request["content-length"] == nil
          ? [.readContent, .respondChunked(200, body: body, size: 20_000)]
          : [.readContent, .respond(200, body: body)]
      }
      for size in [0, 1, 1_000, 70_000, 200_000] where link == Link() || size < 100_000 {
        for announcesLength in [true, false] {
          let response = try scene.exchange(
            over: pairing.client, "POST", "/\(size)", body: pattern(size, seed: 3),
            announcesLength: announcesLength)
          #expect(response.status == 200)
          #expect(difference(response.body, pattern(size, seed: 5)) == nil)
          #expect(difference(scene.origin.requests.last?.body, pattern(size, seed: 3)) == nil)
          #expect(scene.origin.requests.last?.isComplete == true)
        }
      }
      try scene.finish()
    }
  }

  @Test("Content of several windows goes both ways at once", arguments: Scene.Version.allCases)
  func bothWays(endpoint: Scene.Version) throws {
    let scene = Scene(endpoints: endpoint)
    let half = pattern(300_000, seed: 5)
    scene.origin.script = { _, _ in
      if endpoint == .http2 { return [.head(200), .content(half), .readContent, .content(half), .end()] }
      let chunk = Array("493e0\r\n".utf8) + half + [13, 10]
      return [
        .send(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8) + chunk), .readContent,
        .send(chunk + Array("0\r\n\r\n".utf8)),
      ]
    }
    let response = try scene.exchange(
      over: .http2, "POST", body: pattern(700_000, seed: 3), announcesLength: false)
    #expect(difference(response.body, half + half) == nil)
    #expect(difference(scene.origin.requests.last?.body, pattern(700_000, seed: 3)) == nil)
    try scene.finish()
  }

  @Test("Trailers go both ways", arguments: Pairing.all)
  func trailers(pairing: Pairing) throws {
    for size in [0, 10, 100_000] {
      let scene = pairing.scene()
      scene.origin.script = { _, _ in
        [
          .readContent,
          .respondChunked(
            200, body: pattern(size), size: 9_000, trailers: ["x-sum: 1", "content-length: 5", "x-more: 2"]),
        ]
      }
      let response = try scene.exchange(
        over: pairing.client, "POST", fields: ["te: trailers"], body: pattern(size),
        trailers: ["x-digest: abc", "authorization: no"])
      #expect(difference(response.body, pattern(size)) == nil)
      #expect(response.trailers.map(\.name) == ["x-sum", "x-more"])
      #expect(difference(scene.origin.requests[0].body, pattern(size)) == nil)
      #expect(scene.origin.requests[0].trailers == [SimulatedField(name: "x-digest", value: "abc")])
      try scene.finish()
    }
  }

  @Test("Interim responses are passed on; 100 comes when the endpoint says so", arguments: Pairing.all)
  func interim(pairing: Pairing) throws {
    let scene = pairing.scene()
    scene.origin.script = { _, _ in
      // Of those that come at once, a gateway need not pass on more than the last.
      [
        .interim(103, fields: ["link: a"]), .delay(.milliseconds(5)), .interim(103), .delay(.seconds(1)),
        .readContent, .respond(200, body: [1]),
      ]
    }
    #expect(try scene.exchange(over: pairing.client).interim == [103, 103])
    scene.origin.script = { _, _ in OriginStep.answer("ok") }
    var response: SimulatedResponse?
    if pairing.client == .http1 {
      scene.start { stream throws(StreamFailure) in
        let fields = ["Expect: 100-continue", "Content-Length: 5"]
        try await stream.send(SimulatedClient.request("POST", "/", fields: fields))
        try await stream.sendAfterContinue(pattern(5))
        response = try await stream.readResponse()
      }
    } else {
      let connection = try scene.connectHTTP2()
      scene.startUnconnected { () throws(StreamFailure) in
        let fields = ["expect: 100-continue", "content-length: 5"]
        let stream = try await connection.open("POST", "/", fields: fields, endStream: false)
        try await stream.wait { stream.response.interim == [100] }
        try await stream.send(pattern(5), endStream: true)
        response = try await stream.readResponse()
      }
    }
    try scene.simulation.run()
    #expect(response?.text == "ok")
    #expect(scene.origin.requests.last?.body == pattern(5))
    try scene.finish()
  }

  @Test("A response that comes before the request's end ends both", arguments: Pairing.all)
  func earlyResponse(pairing: Pairing) throws {
    let scene = pairing.scene()
    scene.origin.script = { _, _ in
      pairing.endpoint == .http2
        ? [.respond(403, body: [65]), .resetStream(.noError)] : [.respond(403, body: [65]), .close]
    }
    var response: SimulatedResponse?
    if pairing.client == .http1 {
      scene.start { stream throws(StreamFailure) in
        try await stream.send(SimulatedClient.request("POST", "/", fields: ["Content-Length: 1000000"]))
        try await stream.send(pattern(3_000))
        response = try await stream.readResponse()
      }
    } else {
      let connection = try scene.connectHTTP2()
      scene.startUnconnected { () throws(StreamFailure) in
        let stream = try await connection.open("POST", "/", endStream: false)
        try await stream.send(pattern(3_000))
        try await stream.waitForEnd()
        try? await stream.wait { stream.resetCode != nil }
        #expect(stream.resetCode == .noError)
        response = try await stream.readResponse()
        // The connection goes on.
        #expect(try await connection.request("GET", "/").status == 403)
      }
    }
    try scene.simulation.run()
    #expect(response?.status == 403)
    #expect(response?.body == [65])
    try scene.finish()
  }

  @Test("A client that leaves in any phase ends the endpoint's part", arguments: Pairing.all)
  func clientLeaves(pairing: Pairing) throws {
    for phase in 0..<5 {
      let scene = pairing.scene()
      scene.origin.script = { _, _ in
        switch phase {
        case 0: [.hang]
        case 1: [.readContent, .hang]
        case 2: [.interim(103), .hang]
        default: [.readContent, .respond(200, body: pattern(1_000_000))]
        }
      }
      if pairing.client == .http1 {
        scene.start(mayFail: true) { stream throws(StreamFailure) in
          try await stream.send(SimulatedClient.request("POST", "/", fields: ["Content-Length: 10"]))
          if phase > 0 { try await stream.send(pattern(10)) }
          await stream.sleep(.milliseconds(phase == 4 ? 1 : 500))
          stream.reset()
        }
      } else {
        let connection = try scene.connectHTTP2()
        connection.releasesContent = false
        scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
          let stream = try await connection.open(
            "POST", "/", fields: ["content-length: 10"], endStream: false)
          if phase > 0 { try await stream.send(pattern(10), endStream: true) }
          await stream.sleep(.milliseconds(phase == 4 ? 1 : 500))
          stream.reset()
        }
      }
      try scene.simulation.run()
      try scene.simulation.run(for: .seconds(1))
      #expect(scene.service.inFlight == 0)
      if pairing.endpoint == .http1 { #expect(scene.origin.openCount == 0) }
      scene.origin.script = { _, _ in OriginStep.answer("next") }
      #expect(try scene.exchange(over: pairing.client).text == "next")
      try scene.finish()
    }
  }

  @Test(
    "An endpoint that fails in any phase: an answer of the gateway's, or a cut response",
    arguments: Pairing.all)
  func endpointFails(pairing: Pairing) throws {
    let ends: [OriginStep] =
      pairing.endpoint == .http2 ? [.resetStream(.internalError), .close, .reset] : [.close, .reset]
    for end in ends {
      for phase in 0..<4 {
        let scene = pairing.scene { $0.retries = nil }
        scene.origin.script = { _, _ in
          switch phase {
          case 0: [end]
          case 1: [.readContent, end]
          case 2: [.readContent, .interim(103), .delay(.milliseconds(10)), end]
          default:
            (pairing.endpoint == .http2
              ? [.readContent, .head(200), .content(pattern(100))]
              : [
                .readContent,
                .send(Array("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n".utf8) + pattern(100)),
              ])
              + [.delay(.milliseconds(10)), end]
          }
        }
        var failure: StreamFailure?
        var status = 0
        if pairing.client == .http1 {
          let program = scene.start(mayFail: true) { stream throws(StreamFailure) in
            try await stream.send(SimulatedClient.request("POST", "/", body: pattern(10)))
            status = try await stream.readResponse().status
          }
          try scene.simulation.run()
          failure = program.failure
        } else {
          let connection = try scene.connectHTTP2()
          let program = scene.startUnconnected(mayFail: true) { () throws(StreamFailure) in
            status = try await connection.request("POST", "/", body: pattern(10)).status
          }
          try scene.simulation.run()
          failure = program.failure
          #expect(connection.isOpen)
        }
        if phase < 3 {
          #expect(status == 502, "\(end) in phase \(phase)")
        } else {
          #expect(failure == .cutShort || failure == .reset, "\(end) in phase \(phase)")
        }
        try scene.finish()
      }
    }
  }
}
