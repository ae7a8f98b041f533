import HTTPTypes
import Hummingbird
import Resources

/// An answer that says what is wrong (RFC 9457).
struct Problem: Error, Sendable {
  /// The answer names so many mistakes; a batch of 100,000 may have as many.
  static let errorsMax = 1_000

  var kind: ProblemKind
  /// About this request, for the one who made it.
  var detail: String
  /// At most ``errorsMax`` are shown.
  var errors: [ResourceProblem] = []
  var headers: HTTPFields = [:]

  init(_ kind: ProblemKind, _ detail: String, errors: [ResourceProblem] = []) {
    self.kind = kind
    self.detail = detail
    self.errors = errors
  }

  /// - Parameter path: of the request.
  func response(for path: String) -> Response {
    let document = JSON.members([
      "type": .string(kind.type),
      "title": .string(kind.title),
      "status": .number(kind.status),
      "detail": .string(detail),
      "instance": .string(path),
      "errors": errors.isEmpty ? nil : .array(errors.prefix(Self.errorsMax).map(Self.json)),
      "errorsOmitted": errors.count > Self.errorsMax ? .number(errors.count - Self.errorsMax) : nil,
    ])
    var fields = headers
    fields[.contentType] = "application/problem+json"
    fields[.cacheControl] = "no-store"
    fields[.xContentTypeOptions] = "nosniff"
    if kind.status == 503, fields[.retryAfter] == nil { fields[.retryAfter] = "\(kind.retrySeconds)" }
    return Response(
      status: .init(code: kind.status), headers: fields,
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: document.bytes)))
  }

  private static func json(_ problem: ResourceProblem) -> JSON {
    .members([
      "id": .optional(problem.id?.description),
      "operation": problem.operation.map { .number($0) },
      "pointer": problem.field.isEmpty ? nil : .string(problem.pointer),
      "field": problem.field.isEmpty ? nil : .string(problem.field),
      "detail": .string(problem.message),
      "hint": .optional(problem.hint),
    ])
  }
}

extension ProblemKind {
  /// What 503 tells clients to wait before they try again.
  fileprivate var retrySeconds: Int {
    switch self {
    case .storeUnavailable: 5
    case .tokenLost, .tooManyStreams: 10
    default: 1
    }
  }
}

extension Problem {
  init(_ failure: BackendFailure) { self.init(.storeUnavailable, failure.message) }

  /// - Parameter isTransaction: the request names its resources in its content, not in its URL.
  init(_ refusal: TransactionRefusal, isTransaction: Bool) {
    let kind: ProblemKind =
      switch refusal.reason {
      case .invalid: .invalidResource
      case .notFound: isTransaction ? .missingResource : .resourceNotFound
      case .conditionFailed: .conditionFailed
      case .notOwned: .notOwned
      case .storeUnavailable: .storeUnavailable
      }
    let first = refusal.problems.first?.description ?? kind.title
    let others = refusal.problems.count - 1
    var problems = refusal.problems
    if !isTransaction {
      // There is only one.
      for index in problems.indices { problems[index].operation = nil }
    }
    self.init(kind, others > 0 ? "\(first) (and \(others) more)" : first, errors: problems)
  }
}
