import Foundation
import Resources
import Testing

@testable import Admin

/// Every answer that a route documents is provoked, so that none is documented in vain. That none is
/// given without being documented is asserted where answers are made.
@Suite("Admin API: every documented answer")
struct StatusTests {
  private struct Attempt {
    var headers: [(String, String)] = []
    var query = ""
    var body: String?
    var length: String?
  }

  private func routes(_ limits: AdminServer.Limits) -> [AdminRoute] {
    AdminRoutes(gateway: FakeBackend(), resources: FakeResources(), limits: limits).all
  }

  /// Something that the route takes.
  private func ordinary(_ route: AdminRoute) -> Attempt {
    var attempt = Attempt()
    switch route.operation.id {
    case "getDifference": attempt.query = "from=1"
    case "explainURL": attempt.query = "url=http://a/"
    case "explain": attempt.body = #"{"url":"http://a/"}"#
    case "purgeCache": attempt.body = #"{"tag":"a"}"#
    case "rollback": attempt.body = #"{"revision":1}"#
    case "applyTransaction": attempt.body = #"{"operations":[{"op":"delete","kind":"routes","name":"a"}]}"#
    default: attempt.body = route.operation.body == nil ? nil : "{}"
    }
    if let type = route.operation.body?.mediaTypes.first { attempt.headers = [("Content-Type", type)] }
    return attempt
  }

  private func send(_ attempt: Attempt, _ route: AdminRoute, to server: AdminTestServer) async throws
    -> RawAnswer
  {
    let target =
      route.path.text.replacing("{name}", with: "a").replacing("{revision}", with: "1")
      .replacing("{type}", with: "unauthorized") + (attempt.query.isEmpty ? "" : "?" + attempt.query)
    var headers = attempt.headers
    if !headers.contains(where: { $0.0 == "Host" }) { headers.append(("Host", "localhost")) }
    if let length = attempt.length { headers.append(("Content-Length", length)) }
    let fields = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
    let content = attempt.body.map { "Content-Length: \($0.utf8.count)\r\n\r\n\($0)" } ?? "\r\n"
    return try AdminTestServer.parse(
      try await server.exchange(
        "\(route.method.rawValue) \(target) HTTP/1.1\r\nConnection: close\r\n\(fields)\(content)"))
  }

  /// Makes the backend and the request such that this goes wrong.
  private func provoke(
    _ kind: ProblemKind, _ attempt: inout Attempt, _ route: AdminRoute, _ content: inout FakeResources.Content
  ) {
    switch kind {
    case .malformedRequest: attempt.query = "nonsense=1"
    case .unreadableBody: attempt.body = "{"
    case .unauthorized: content.access = AdminToken("0123456789abcdef".utf8).map(AdminAccess.token) ?? .open
    case .tokenLost: content.access = .lost("gone")
    case .forbiddenHost: attempt.headers.append(("Host", "evil.example"))
    case .forbiddenOrigin: attempt.headers.append(("Origin", "http://evil.example"))
    case .notAcceptable: attempt.headers.append(("Accept", "image/png"))
    case .bodyTooLarge: (attempt.body, attempt.length) = (nil, "99999999999")
    case .unsupportedMediaType: attempt.headers = [("Content-Type", "text/plain")]
    case .resourceNotFound, .missingResource: content.refusal = TransactionRefusal(.notFound, [])
    case .revisionNotFound:
      content.refusal = TransactionRefusal(.notFound, [])
      content.knowsRevisions = false
      content.history = []
    case .conditionFailed:
      content.refusal = TransactionRefusal(.conditionFailed, [])
      if route.method == .get {
        attempt.headers.append(("If-Match", "\"9\""))
        content.insertShop()
      }
    case .notOwned: content.refusal = TransactionRefusal(.notOwned, [])
    case .invalidResource: content.refusal = TransactionRefusal(.invalid, [])
    case .invalidQuestion:
      if ["rollback", "purgeCache"].contains(route.operation.id) { attempt.body = "{}" }
      content.explainFailure = .invalid(field: "url", message: "wrong")
    case .storeUnavailable:
      content.refusal = TransactionRefusal(.storeUnavailable, [])
      content.failure = BackendFailure("disk full")
    case .noAnswer: content.isStuck = true
    case .outcomeUnknown: content.isChangeStuck = true
    case .upgradeInProgress: content.upgradeFailure = .inProgress
    case .upgradeFailed: content.upgradeFailure = .failed("no")
    case .tooManyStreams, .noSuchPath, .methodNotAllowed: break
    }
  }

  @Test("Everything that can go wrong does, and only where it is documented")
  func problems() async throws {
    var limits = AdminServer.Limits()
    limits.eventStreams = 0
    let routes = routes(limits)
    var slow = limits
    slow.backendTimeout = .milliseconds(30)
    slow.changeTimeout = .milliseconds(30)
    slow.eventStreams = 16
    for isStuck in [false, true] {
      let resources = FakeResources()
      try await AdminTestServer.run(resources: resources, limits: isStuck ? slow : limits) { server in
        for route in routes {
          for kind in route.problems where [.noAnswer, .outcomeUnknown].contains(kind) == isStuck {
            var attempt = ordinary(route)
            var content = FakeResources.Content()
            provoke(kind, &attempt, route, &content)
            resources.change { [content] in $0 = content }
            let answer = try await send(attempt, route, to: server)
            #expect(answer.status == kind.status, "\(route.method) \(route.path.text) \(kind)")
            #expect(try answer.problem() == kind.rawValue, "\(route.method) \(route.path.text)")
          }
        }
      }
    }
  }

  @Test("Everything that can go well does")
  func answers() async throws {
    let resources = FakeResources()
    let backend = FakeBackend()
    try await AdminTestServer.run(resources: resources, backend: backend) { server in
      for route in routes(AdminServer.Limits()) where route.operation.id != "streamEvents" {
        for status in Set(route.operation.answers.map(\.status)).sorted() {
          var attempt = ordinary(route)
          var content = FakeResources.Content()
          if status != 201 { content.insertShop() }
          content.history = [
            ChangeSummary(revision: 1, milliseconds: 0, owner: .store, resourceCount: 0, resources: [])
          ]
          if status == 304 { attempt.headers.append(("If-None-Match", "*")) }
          if status == 202 {
            content.isServed = false
            attempt.headers.append(("Prefer", "wait"))
          }
          resources.change { [content] in $0 = content }
          if status == 503 || status == 404 { continue }
          let answer = try await send(attempt, route, to: server)
          #expect(answer.status == status, "\(route.method) \(route.path.text): \(answer.body)")
          try check(answer, route, status)
        }
      }
    }
  }

  /// Content and fields are as the document says.
  private func check(_ answer: RawAnswer, _ route: AdminRoute, _ status: Int) throws {
    let documented = try #require(route.operation.answers.first { $0.status == status })
    if let type = documented.mediaType {
      #expect(answer.headers["content-type"]?.hasPrefix(type) == true, "\(route.path.text)")
    }
    for field in documented.fields where ![.link, .preferenceApplied, .unserved].contains(field) {
      // A deletion leaves nothing that could have a tag.
      if field == .entityTag, route.method == .delete { continue }
      if field == .location, status == 202 { continue }
      #expect(answer.headers[field.rawValue.lowercased()] != nil, "\(route.path.text) \(field)")
    }
    guard documented.mediaType == "application/json", let schema = documented.schema else { return }
    let schemas = try JSONSerialization.jsonObject(with: Data(JSON.object(OpenAPIDocument.schemas).bytes))
    let validator = SchemaValidator(schemas: try #require(schemas as? [String: Any]))
    let form = try JSONSerialization.jsonObject(with: Data(schema.bytes)) as? [String: Any]
    try validator.validate(
      try answer.object(), try #require(form), at: "\(route.method) \(route.path.text) \(status)")
  }
}

extension FakeResources.Content {
  /// A resource `a` of every kind that fits its schema.
  fileprivate mutating func insertShop() {
    for kind in ResourceKind.allCases {
      let id = ResourceID(kind, "a")
      let json =
        switch kind {
        case .listeners: #"{"name":"a","address":":80"}"#
        case .services: #"{"name":"a","endpoints":["10.0.0.1:80"]}"#
        case .certificates: #"{"name":"a","certificate":"a.pem"}"#
        case .routes: #"{"name":"a","service":"a"}"#
        case .consumers: #"{"name":"a","groups":["gold"]}"#
        case .plugins: #"{"name":"key-auth"}"#
        }
      views[id] = ResourceView(id: id, json: json, revision: 3, owner: .store)
    }
  }
}
