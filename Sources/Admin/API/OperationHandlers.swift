import Hummingbird
import Resources

/// `/v1/explain`, `/v1/upgrade` and `/v1/status`.
struct OperationHandlers: Sendable {
  let calls: BackendCalls
  /// For the version.
  let gateway: any AdminBackend

  // MARK: Explain

  private struct ExplainBody: Decodable {
    static let keys: Set<String> = ["url", "method", "headers", "listener"]
    var url: String
    var method: String?
    var headers: [String: String]?
    var listener: String?
  }

  func explain(_ call: AdminCall) async throws(Problem) -> Response {
    let body = try await JSONQuestion.read(call, ExplainBody.self, keys: ExplainBody.keys)
    var request = ExplainRequest(url: body.url)
    request.method = body.method ?? "GET"
    request.headers = (body.headers ?? [:]).sorted { $0.key < $1.key }
      .map { ExplainRequest.Field(name: $0.key, value: $0.value) }
    request.listener = body.listener
    return try await explain(request)
  }

  func explainQuery(_ call: AdminCall) async throws(Problem) -> Response {
    guard let url = call.query["url"] else {
      throw Problem(.malformedRequest, "The parameter \"url\" is missing.")
    }
    var request = ExplainRequest(url: url)
    request.method = call.query["method"] ?? "GET"
    request.listener = call.query["listener"]
    for line in call.query.list("header") {
      guard let colon = line.firstIndex(of: ":") else {
        throw Problem(.malformedRequest, "The parameter \"header\" is NAME: VALUE.")
      }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      request.headers.append(ExplainRequest.Field(name: String(line[..<colon]), value: String(value)))
    }
    return try await explain(request)
  }

  private func explain(_ request: ExplainRequest) async throws(Problem) -> Response {
    let result = await answer(within: calls.timeout) { [calls] () async -> Result<String, ExplainFailure> in
      do throws(ExplainFailure) {
        return .success(try await calls.backend.explain(request))
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let text): return .json(.raw(text))
    case .failure(.invalid(let field, let message)):
      let error = ResourceProblem(nil, field: field, message)
      throw Problem(.invalidQuestion, error.description, errors: [error])
    case .failure(.unavailable(let reason)): throw Problem(.noAnswer, reason)
    case nil: throw Problem(.noAnswer, "There was no answer within \(calls.timeout).")
    }
  }

  // MARK: Upgrade

  /// Answers when the new process is ready; this one drains from then on.
  func upgrade(_ call: AdminCall) async throws(Problem) -> Response {
    let result = await answer(within: calls.changeTimeout) {
      [calls] () async -> Result<Void, UpgradeFailure> in
      do throws(UpgradeFailure) {
        return .success(try await calls.backend.upgrade())
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success: return .json(["upgraded": true])
    case .failure(.inProgress): throw Problem(.upgradeInProgress, "An upgrade is under way already.")
    case .failure(.failed(let reason)): throw Problem(.upgradeFailed, reason)
    case nil: throw Problem(.outcomeUnknown, "There was no answer within \(calls.changeTimeout).")
    }
  }

  // MARK: Status

  func status(_ call: AdminCall) async throws(Problem) -> Response {
    let status = try await calls.ask { backend throws(BackendFailure) in await backend.resourceStatus() }
    let version = await answer(within: calls.timeout) { [gateway] in await gateway.status().version }
    return .json(status.document(version: version ?? ""), revision: status.revision)
  }
}
