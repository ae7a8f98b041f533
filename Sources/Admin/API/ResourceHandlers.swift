import HTTPTypes
import Hummingbird
import Resources

/// `/v1/{kind}` and `/v1/{kind}/{name}`.
struct ResourceHandlers: Sendable {
  static let pageDefault = 100
  static let pageMax = 1_000
  /// Longer waits would look like a connection that hangs.
  static let waitMax = Duration.seconds(20)

  let calls: BackendCalls

  // MARK: Reading

  func list(_ kind: ResourceKind, _ call: AdminCall) async throws(Problem) -> Response {
    var filter = ResourceFilter(
      namePrefix: call.query["name"], host: call.query["host"].map { $0.lowercased() },
      service: call.query["service"])
    if let word = call.query["owner"] {
      guard let owner = ResourceFilter.Owner(word: word) else {
        throw Problem(
          .malformedRequest, "The parameter \"owner\" is store, built-in, file, or file: and a path.")
      }
      filter.owner = owner
    }
    let limit = try call.query.number("limit", in: 1...Self.pageMax) ?? Self.pageDefault
    let after = call.query["after"]
    let page = try await calls.ask { [filter] backend throws(BackendFailure) in
      try await backend.page(kind, filter: filter, after: after, limit: limit)
    }
    let next = page.hasMore ? page.items.last?.id.name : nil
    var response = Response.json(
      .members([
        "items": .array(page.items.map(\.document)),
        "next": .optional(next),
      ]), revision: page.revision)
    if let next { response.headers[.link] = Self.link(to: next, call) }
    return response
  }

  /// The same question with another place to begin.
  private static func link(to next: String, _ call: AdminCall) -> String {
    let others = (call.request.uri.query ?? "").split(separator: "&").filter { !$0.hasPrefix("after=") }
    let query = (others.map(String.init) + ["after=" + PercentCoding.encode(next)]).joined(separator: "&")
    return "<\(call.request.uri.path)?\(query)>; rel=\"next\""
  }

  func read(_ kind: ResourceKind, _ call: AdminCall) async throws(Problem) -> Response {
    let id = ResourceID(kind, call["name"])
    let view = try await calls.ask { backend throws(BackendFailure) in try await backend.resource(id) }
    guard let view else { throw Problem(.resourceNotFound, "There is no \(id).") }
    if call.headers.contains(.ifMatch) {
      try Self.check(RequestFields.condition(call.headers), of: view)
    }
    var response = Response.json(.raw(view.json), revision: view.revision)
    if try RequestFields.isKnown(view.revision, call.headers) {
      response = Response(status: .notModified, headers: [.penstockRevision: "\(view.revision)"])
    }
    response.headers[.eTag] = RequestFields.entityTag(view.revision)
    response.headers[.penstockOwner] = Self.fieldText(view.owner.word)
    if let reason = view.unserved { response.headers[.penstockUnserved] = Self.fieldText(reason) }
    // May be kept, and has to be asked for again.
    response.headers[.cacheControl] = "private, no-cache"
    return response
  }

  private static func check(
    _ condition: ResourceOperation.Condition?, of view: ResourceView
  ) throws(Problem) {
    guard case .revision(let revisions)? = condition, !revisions.contains(view.revision) else { return }
    throw Problem(.conditionFailed, "\(view.id) has the revision \(view.revision).")
  }

  /// Fields hold visible ASCII; a file's path may hold more.
  private static func fieldText(_ text: String) -> String {
    text.utf8.allSatisfy { (0x20...0x7E).contains($0) } ? text : PercentCoding.encode(text)
  }

  // MARK: Changing

  func put(_ kind: ResourceKind, _ call: AdminCall) async throws(Problem) -> Response {
    let id = ResourceID(kind, call["name"])
    let body = try await RequestContent.document(call, bytesMax: RequestContent.resourceBytesMax)
    let named: ResourceBody
    do throws(ResourceProblem) {
      named = try body.named(id)
    } catch {
      throw Problem(.invalidResource, error.description, errors: [error])
    }
    return try await change(id, .put(named), call)
  }

  func patch(_ kind: ResourceKind, _ call: AdminCall) async throws(Problem) -> Response {
    let body = try await RequestContent.document(
      call, types: [RequestContent.mergePatch], bytesMax: RequestContent.resourceBytesMax)
    return try await change(ResourceID(kind, call["name"]), .patch(body), call)
  }

  func delete(_ kind: ResourceKind, _ call: AdminCall) async throws(Problem) -> Response {
    try await change(ResourceID(kind, call["name"]), .delete, call)
  }

  private func change(
    _ id: ResourceID, _ action: ResourceOperation.Action, _ call: AdminCall
  ) async throws(Problem) -> Response {
    let operation = ResourceOperation(id, action, condition: try RequestFields.condition(call.headers))
    return try await apply([operation], message: nil, single: id, call)
  }

  static func path(of id: ResourceID) -> String { "/v1/\(id.kind.rawValue)/\(PercentCoding.encode(id.name))" }

  // MARK: Transactions

  func transaction(_ call: AdminCall) async throws(Problem) -> Response {
    let body = try await RequestContent.document(call, bytesMax: RequestContent.transactionBytesMax)
    let size = call.headers[.contentLength].flatMap { Int($0) } ?? .max
    let (operations, message) = try await RequestContent.computing(size) { () throws(Problem) in
      do throws(TransactionRefusal) {
        return try TransactionReader.read(body)
      } catch {
        throw Problem(error, isTransaction: true)
      }
    }
    return try await apply(operations, message: message, single: nil, call)
  }

  /// - Parameters:
  ///   - message: of the content; a parameter of the URL goes before.
  ///   - single: the resource that the URL names.
  private func apply(
    _ operations: [ResourceOperation], message: String?, single: ResourceID?, _ call: AdminCall
  ) async throws(Problem) -> Response {
    var transaction = ResourceTransaction(operations, actor: call.actor, remote: call.remote)
    transaction.isDryRun = try call.query.flag("dryRun")
    transaction.message = try Self.message(call) ?? message
    let waiting = RequestFields.wait(call.headers, longest: Self.waitMax)
    let receipt = try await calls.change(isTransaction: single == nil, waiting: waiting) {
      [transaction] backend throws(TransactionRefusal) in
      try await backend.apply(transaction, waitingAtMost: transaction.isDryRun ? nil : waiting)
    }
    return Self.response(
      receipt, isDryRun: transaction.isDryRun, isWaiting: waiting != nil, single: single)
  }

  static func message(_ call: AdminCall) throws(Problem) -> String? {
    guard let message = call.query["message"], !message.isEmpty else { return nil }
    guard message.utf8.count <= TransactionReader.messageBytesMax else {
      throw Problem(
        .malformedRequest,
        "The parameter \"message\" has more than \(TransactionReader.messageBytesMax) bytes.")
    }
    return message
  }

  /// - Parameters:
  ///   - isWaiting: the client wants an answer when all workers serve the change.
  ///   - single: the resource that the URL names.
  static func response(
    _ receipt: TransactionReceipt, isDryRun: Bool, isWaiting: Bool, single: ResourceID? = nil
  ) -> Response {
    let isLate = isWaiting && !isDryRun && !receipt.isServed
    let result = single == nil || isDryRun ? nil : receipt.results.first
    let isCreated = result?.outcome == .created
    var response = Response.json(
      receipt.document(isDryRun: isDryRun), status: isLate ? 202 : isCreated ? 201 : 200,
      revision: receipt.revision)
    if isWaiting, !isDryRun, !isLate { response.headers[.preferenceApplied] = "wait" }
    if isCreated, let single { response.headers[.location] = path(of: single) }
    if let result, result.outcome != .deleted {
      response.headers[.eTag] = RequestFields.entityTag(result.revision)
    }
    return response
  }
}
