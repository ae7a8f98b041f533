import Foundation
import Hummingbird
import Resources

/// `/v1/history`, `/v1/diff`, `/v1/rollback` and `/v1/audit`.
struct HistoryHandlers: Sendable {
  static let pageDefault = 50
  static let pageMax = 1_000

  let calls: BackendCalls

  func list(_ call: AdminCall) async throws(Problem) -> Response {
    try await page(call, before: UInt64.max) { backend, before, limit throws(BackendFailure) in
      try await backend.history(before: before, limit: limit)
    } item: {
      ($0.document, .number($0.revision))
    }
  }

  /// What is numbered, newest first.
  private func page<Number: FixedWidthInteger & Sendable, Item: Sendable>(
    _ call: AdminCall, before numberMax: Number,
    _ ask: @escaping @Sendable (any ResourceBackend, Number?, Int) async throws(BackendFailure) -> [Item],
    item: (Item) -> (document: JSON, number: JSON)
  ) async throws(Problem) -> Response {
    let limit = try call.query.number("limit", in: 1...Self.pageMax) ?? Self.pageDefault
    let before: Number? = try call.query.number("before", in: 0...numberMax)
    // One more than asked for says whether there are more.
    let items = try await calls.ask { backend throws(BackendFailure) in
      try await ask(backend, before, limit + 1)
    }
    let shown = items.prefix(limit).map(item)
    return .json(
      .members([
        "items": .array(shown.map(\.document)),
        "next": items.count > limit ? shown.last?.number : nil,
      ]))
  }

  func read(_ call: AdminCall) async throws(Problem) -> Response {
    guard let revision = UInt64(call["revision"]) else {
      throw Problem(.malformedRequest, "A revision is a whole number.")
    }
    let record = try await calls.ask { backend throws(BackendFailure) in
      try await backend.change(revision)
    }
    guard let record else { throw Self.unknown(revision) }
    return .json(record.document)
  }

  func difference(_ call: AdminCall) async throws(Problem) -> Response {
    guard let from: UInt64 = try call.query.number("from", in: 0...UInt64.max) else {
      throw Problem(.malformedRequest, "The parameter \"from\" is missing: the older revision.")
    }
    let last = try await calls.ask { backend throws(BackendFailure) in await backend.revision() }
    let to = try call.query.number("to", in: 0...UInt64.max) ?? last
    try Self.check(max(from, to), last)
    let differences = try await calls.ask { backend throws(BackendFailure) in
      try await backend.difference(from: from, to: to)
    }
    guard let differences else {
      throw Problem(.revisionNotFound, "The history does not reach from \(from) to \(to).")
    }
    return .json([
      "from": .number(from), "to": .number(to), "changes": .array(differences.map(\.document)),
    ])
  }

  private static func check(_ revision: UInt64, _ last: UInt64) throws(Problem) {
    guard revision > last else { return }
    throw Problem(.revisionNotFound, "There is no revision \(revision) yet; the last is \(last).")
  }

  private static func unknown(_ revision: UInt64) -> Problem {
    Problem(.revisionNotFound, "The history has no revision \(revision).")
  }

  // MARK: Rollback

  private struct RollbackBody: Decodable {
    static let keys: Set<String> = ["revision", "message"]
    /// Signed, since the decoder names no field for a number that does not fit.
    var revision: Int64
    var message: String?
  }

  func rollback(_ call: AdminCall) async throws(Problem) -> Response {
    let body = try await JSONQuestion.read(call, RollbackBody.self, keys: RollbackBody.keys)
    if let message = body.message, message.utf8.count > TransactionReader.messageBytesMax {
      let text = "the message has more than \(TransactionReader.messageBytesMax) bytes"
      throw Problem(.invalidQuestion, text, errors: [ResourceProblem(nil, field: "message", text)])
    }
    guard let revision = UInt64(exactly: body.revision) else {
      let error = ResourceProblem(nil, field: "revision", "a revision is not negative")
      throw Problem(.invalidQuestion, error.description, errors: [error])
    }
    let last = try await calls.ask { backend throws(BackendFailure) in await backend.revision() }
    try Self.check(revision, last)
    var request = RollbackRequest(
      revision: revision, actor: call.actor, remote: call.remote, message: body.message)
    request.isDryRun = try call.query.flag("dryRun")
    let waiting = RequestFields.wait(call.headers, longest: ResourceHandlers.waitMax)
    let receipt: TransactionReceipt
    do throws(Problem) {
      receipt = try await calls.change(isTransaction: true, waiting: waiting) {
        [request] backend throws(TransactionRefusal) in
        try await backend.rollback(request, waitingAtMost: request.isDryRun ? nil : waiting)
      }
    } catch {
      // What does not exist here is the revision.
      guard error.kind == .missingResource else { throw error }
      throw Problem(.revisionNotFound, error.detail, errors: error.errors)
    }
    return ResourceHandlers.response(receipt, isDryRun: request.isDryRun, isWaiting: waiting != nil)
  }

  // MARK: Audit

  func audit(_ call: AdminCall) async throws(Problem) -> Response {
    try await page(call, before: Int64.max) { backend, before, limit throws(BackendFailure) in
      try await backend.auditTrail(before: before, limit: limit)
    } item: {
      ($0.document, .number($0.number))
    }
  }
}

/// Small JSON contents that are no resources.
enum JSONQuestion {
  private struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private struct Names: Decodable {
    var names: [String]
    init(from decoder: any Decoder) throws {
      names = try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue)
    }
  }

  /// - Parameter keys: others are refused.
  static func read<Content: Decodable>(
    _ call: AdminCall, _ type: Content.Type, keys: Set<String>
  ) async throws(Problem) -> Content {
    let (bytes, _) = try await RequestContent.read(
      call, types: [RequestContent.json], bytesMax: RequestContent.smallBytesMax)
    let decoder = JSONDecoder()
    let names: [String]
    do {
      names = try decoder.decode(Names.self, from: Data(bytes)).names.sorted()
    } catch DecodingError.typeMismatch {
      throw invalid("", "expected an object")
    } catch {
      throw Problem(.unreadableBody, "The content is not JSON.")
    }
    if let name = names.first(where: { !keys.contains($0) }) {
      throw invalid(name, "unknown key", hint: "one of " + keys.sorted().joined(separator: ", "))
    }
    do {
      return try decoder.decode(type, from: Data(bytes))
    } catch DecodingError.keyNotFound(let key, _) {
      throw invalid(key.stringValue, "\"\(key.stringValue)\" is missing")
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
      DecodingError.dataCorrupted(let context)
    {
      throw invalid(field(context.codingPath), "the value has the wrong type, or is out of range")
    } catch {
      throw invalid("", "the content is not understood")
    }
  }

  private static func field(_ path: [any CodingKey]) -> String {
    path.map(\.stringValue).joined(separator: ".")
  }

  private static func invalid(_ field: String, _ message: String, hint: String? = nil) -> Problem {
    let error = ResourceProblem(nil, field: field, message, hint: hint)
    return Problem(.invalidQuestion, error.description, errors: [error])
  }
}
