import Foundation
import NIOCore
import Testing

@testable import AdminClient

@Suite("HTTP with gateways and with what is none")
struct HTTPExchangeTests {
  private func exchange(
    _ server: TestServer, token: String? = nil, timeout: Duration = .seconds(20), bytesMax: Int = 1 << 20
  ) -> HTTPExchange {
    var limits = ExchangeLimits()
    limits.timeout = timeout
    limits.contentBytesMax = bytesMax
    return HTTPExchange(
      address: AdminAddress(host: "127.0.0.1", port: server.port), token: token, limits: limits)
  }

  /// What an exchange with a server that answers so fails with.
  private func failure(
    _ served: TestServer.Answer, timeout: Duration = .seconds(20), bytesMax: Int = 1 << 20
  ) async throws -> ClientFailure? {
    try await withServer { _ in
      served
    } _: { server in
      do throws(ClientFailure) {
        _ = try await exchange(server, timeout: timeout, bytesMax: bytesMax).send(
          AdminRequest(.get, "/v1/status"))
        return nil
      } catch {
        return error
      }
    }
  }

  @Test func requestAndAnswerAreWhole() async throws {
    try await withServer { _ in
      .bytes(answer("{\"a\":1}"))
    } _: { server in
      let content = JSONWriter.object { $0.member("message", "grün\n") }
      let request = AdminRequest(.post, "/v1/x", query: [("a", "b c&d"), ("none", nil)], json: content)
      let answer = try await exchange(server, token: "secret-token").send(request)
      #expect(answer.status == 200)
      #expect(answer.mediaType == "application/json")
      #expect(answer.content == Array("{\"a\":1}".utf8))
      let sent = try #require(server.requests.first)
      #expect(sent.hasPrefix("POST /v1/x?a=b%20c%26d HTTP/1.1\r\n"))
      #expect(sent.contains("Host: 127.0.0.1:\(server.port)\r\n"))
      #expect(sent.contains("Authorization: Bearer secret-token\r\n"))
      #expect(sent.hasSuffix("\r\n\r\n{\"message\":\"grün\\n\"}"))
    }
  }

  @Test func withoutTokenNoneIsSent() async throws {
    try await withServer { _ in
      .bytes(answer("{}"))
    } _: { server in
      _ = try await exchange(server).send(AdminRequest(.get, "/"))
      #expect(server.requests.first?.lowercased().contains("authorization") == false)
    }
  }

  @Test func interimAnswersArePassedOver() async throws {
    try await withServer { _ in
      .bytes("HTTP/1.1 103 Early Hints\r\n\r\n" + answer("{}"))
    } _: { server in
      let status = try await exchange(server).send(AdminRequest(.get, "/")).status
      #expect(status == 200)
    }
  }

  @Test func chunksAreOneContent() async throws {
    let chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n"
    try await withServer { _ in
      .bytes(chunked)
    } _: { server in
      let content = try await exchange(server).send(AdminRequest(.get, "/")).content
      #expect(content == Array("{} ".utf8))
    }
  }

  @Test func refusedConnectionSaysWhereAndWhatToDo() async throws {
    // A port that was free a moment ago, and that nobody else is given meanwhile.
    let server = try await TestServer.start { _ in .close }
    let address = AdminAddress(host: "127.0.0.1", port: server.port)
    await server.stop()
    let failure = await #expect(throws: ClientFailure.self) {
      try await HTTPExchange(address: address, token: nil, limits: ExchangeLimits()).send(
        AdminRequest(.get, "/"))
    }
    #expect(failure == .unreachable(address, reason: "Connection refused", isRefused: true))
    let text = try #require(failure?.description)
    #expect(text.contains("http://127.0.0.1:\(address.port)"))
    #expect(text.contains("Is the gateway running") && text.contains("--admin"))
  }

  @Test func contentThatNeverEndsIsRefused() async throws {
    let piece = String(repeating: "x", count: 10_000)
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    let failure = try await failure(.endless(endless, "2710\r\n\(piece)\r\n"), bytesMax: 100_000)
    #expect(failure == .answerTooLarge(bytesMax: 100_000))
  }

  @Test func contentThatIsLongerThanAllowedIsRefused() async throws {
    let failure = try await failure(.bytes(answer(String(repeating: " ", count: 2_000))), bytesMax: 1_999)
    #expect(failure == .answerTooLarge(bytesMax: 1_999))
  }

  @Test func fieldsThatNeverEndAreRefused() async throws {
    let failure = try await failure(
      .endless("HTTP/1.1 200 OK\r\n", "X-More: \(String(repeating: "y", count: 900))\r\n"))
    guard case .malformedAnswer = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
  }

  @Test func contentShorterThanItsLengthIsAnError() async throws {
    let failure = try await failure(
      .bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":"))
    guard case .malformedAnswer = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
  }

  @Test(arguments: ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 banana\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n"])
  func otherProtocolsAreErrors(text: String) async throws {
    let failure = try await failure(.bytes(text))
    guard case .malformedAnswer = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
  }

  @Test func closedConnectionIsAnError() async throws {
    let failure = try await failure(.close)
    switch failure {
    case .malformedAnswer, .interrupted: break
    default: Issue.record("\(String(describing: failure))")
    }
  }

  @Test func silenceEndsAtTheTimeLimit() async throws {
    let failure = try await failure(
      .bytesThenSilence("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), timeout: .milliseconds(200))
    #expect(
      failure
        == .timedOut(AdminAddress(host: "127.0.0.1", port: failure?.port ?? 0), after: .milliseconds(200)))
  }

  @Test func largeContentIsSentAndAnswerBeforeItsEndIsTaken() async throws {
    // The server answers and closes without reading on: as for content that is too large.
    let early = answer(
      #"{"title":"too large"}"#, status: "413 Content Too Large", type: "application/problem+json")
    try await withServer { _ in
      .bytesThenSilence(early)
    } _: { server in
      var request = AdminRequest(.post, "/v1/transactions")
      request.content = [UInt8](repeating: 0x20, count: 3 << 20)
      let answer = try await exchange(server).send(request)
      #expect(answer.status == 413)
    }
  }

  @Test func problemsAreRead() async throws {
    let problem = """
      {"type":"/problems/invalid-resource","title":"The change is not valid","status":422,"detail":"d",\
      "errors":[{"id":"routes/shop","operation":3,"pointer":"/service","field":"service",\
      "detail":"no service is named \\"order\\"","hint":"did you mean \\"orders\\"?"},{"detail":"another"}],\
      "errorsOmitted":7}
      """
    try await withServer { _ in
      .bytes(answer(problem, status: "422 Unprocessable", type: "application/problem+json"))
    } _: {
      server in
      let client = GatewayClient(address: AdminAddress(host: "127.0.0.1", port: server.port))
      let failure = await #expect(throws: ClientFailure.self) { try await client.status() }
      guard case .refused(let report)? = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      #expect(report.status == 422)
      #expect(report.kind == "invalid-resource")
      #expect(report.mistakes.count == 2)
      #expect(report.mistakes[0].id?.description == "routes/shop")
      #expect(report.mistakes[0].operation == 3)
      #expect(
        report.description == """
          routes/shop: service: no service is named "order": did you mean "orders"?
          another
          … and 7 more
          """)
    }
  }

  @Test func missingTokenSaysWhichOptionGivesIt() async throws {
    let problem = #"{"type":"/problems/unauthorized","title":"A token is needed","detail":"Missing."}"#
    try await withServer { _ in
      .bytes(answer(problem, status: "401 Unauthorized", type: "application/problem+json"))
    } _: {
      server in
      let client = GatewayClient(address: AdminAddress(host: "127.0.0.1", port: server.port))
      let failure = await #expect(throws: ClientFailure.self) { try await client.status() }
      #expect(failure?.description.contains("A token is needed: Missing.") == true)
      #expect(failure?.description.contains("--token-file FILE") == true)
    }
  }

  @Test func answersOfOtherServersAreShortAndHarmless() async throws {
    let page = "<html>\u{1B}[2J" + String(repeating: "x", count: 5_000)
    try await withServer { _ in
      .bytes(answer(page, status: "404 Not Found", type: "text/html"))
    } _: { server in
      let client = GatewayClient(address: AdminAddress(host: "127.0.0.1", port: server.port))
      let failure = await #expect(throws: ClientFailure.self) { try await client.status() }
      let text = try #require(failure?.description)
      #expect(text.contains("404"))
      #expect(text.utf8.count < 400 && !text.contains("\u{1B}"))
    }
  }

  @Test(arguments: ["[]", "nope", "{}"])
  func wrongDocumentsAreErrors(content: String) async throws {
    try await withServer { _ in
      .bytes(answer(content))
    } _: { server in
      let client = GatewayClient(address: AdminAddress(host: "127.0.0.1", port: server.port))
      let failure = await #expect(throws: ClientFailure.self) { try await client.history(limit: 5) }
      guard case .malformedAnswer? = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
    }
  }
}

extension ClientFailure {
  fileprivate var port: Int? {
    guard case .timedOut(let address, _) = self else { return nil }
    return address.port
  }
}
