import HTTPTypes
import Hummingbird

/// What the admin address answers: one method of one path, and all that its documentation says.
struct AdminRoute: Sendable {
  enum Access: Sendable {
    /// Whoever reaches the address.
    case everyone
    /// Whoever has the token; everyone where none is configured.
    case page
    /// As ``page``, and kept from web pages where no token is configured.
    case api
  }

  var method: HTTPRequest.Method
  var path: PathTemplate
  var access: Access
  var operation: APIOperation
  var answer: @Sendable (AdminCall) async throws(Problem) -> Response

  init(
    _ method: HTTPRequest.Method, _ path: PathTemplate, _ access: Access, _ operation: APIOperation,
    _ answer: @escaping @Sendable (AdminCall) async throws(Problem) -> Response
  ) {
    self.method = method
    self.path = path
    self.access = access
    self.operation = operation
    self.answer = answer
  }

  /// What can go wrong here, with what can go wrong everywhere.
  var problems: [ProblemKind] {
    var problems = operation.problems
    if access == .api { problems += [.unauthorized, .forbiddenHost, .forbiddenOrigin, .tokenLost] }
    if access == .page { problems += [.unauthorized, .tokenLost] }
    if access == .api { problems += [.malformedRequest, .notAcceptable] }
    return ProblemKind.allCases.filter(problems.contains)
  }

  /// All statuses that it may answer with.
  var statuses: Set<Int> { Set(operation.answers.map(\.status) + problems.map(\.status)) }
}

/// A path with parameters: `/v1/routes/{name}`.
struct PathTemplate: Sendable, Hashable, ExpressibleByStringLiteral {
  let text: String
  private let segments: [Segment]

  private enum Segment: Sendable, Hashable {
    case literal(String)
    case parameter(String)
  }

  init(_ text: String) {
    self.text = text
    segments = text.split(separator: "/", omittingEmptySubsequences: false).map { part in
      part.hasPrefix("{") && part.hasSuffix("}")
        ? .parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
    }
  }

  init(stringLiteral value: String) { self.init(value) }

  var segmentCount: Int { segments.count }

  /// Names of the parameters, in their order.
  var parameters: [String] {
    segments.compactMap { segment in
      guard case .parameter(let name) = segment else { return nil }
      return name
    }
  }

  /// The parameters as they stand in the path, still encoded; nil where it is another path. Segments are
  /// compared as they are: no dots are resolved and nothing is decoded, so each path has one form.
  func match(_ path: [Substring]) -> [String: Substring]? {
    guard path.count == segments.count else { return nil }
    var values: [String: Substring] = [:]
    for (segment, part) in zip(segments, path) {
      switch segment {
      case .literal(let text): guard part == text else { return nil }
      case .parameter(let name):
        guard !part.isEmpty else { return nil }
        values[name] = part
      }
    }
    return values
  }
}

/// One request, as far as routes need it.
struct AdminCall: Sendable {
  var request: Request
  /// Of the path, decoded.
  var parameters: [String: String]
  var query: QueryParameters
  /// For the audit trail: `token`, or `anonymous`.
  var actor: String
  /// For the audit trail: the client's address.
  var remote: String

  var headers: HTTPFields { request.headers }

  /// A parameter of the path; routes ask for those of their template only.
  subscript(name: String) -> String { parameters[name] ?? "" }
}
