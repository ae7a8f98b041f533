import Resources

/// A request that is to be explained.
public struct ExplainQuestion: Sendable {
  public var url: String
  public var method = "GET"
  public var headers: [(name: String, value: String)] = []
  /// A listener's name, where the URL's port does not say which is meant.
  public var listener: String?

  public init(url: String) { self.url = url }
}

/// Which process answers, as far as the gateway says.
public struct GatewayStatus: Sendable, Equatable {
  public var version: String
  public var pid: Int?
  /// RFC 3339.
  public var startTime: String?
  /// That of the last change.
  public var revision: UInt64?

  /// What tells one process from the one after it.
  public func isSameProcess(as other: GatewayStatus) -> Bool {
    (pid, startTime ?? "") == (other.pid, other.startTime ?? "")
  }
}

extension GatewayClient {
  /// What a request would get, and why.
  public func explain(_ question: ExplainQuestion) async throws(ClientFailure) -> ResourceBody {
    // As a query, since a field may stand twice.
    var query: [(name: String, value: String?)] = [
      ("url", question.url), ("method", question.method), ("listener", question.listener),
    ]
    query += question.headers.map { ("header", "\($0.name): \($0.value)") }
    return try await document(AdminRequest(.get, "/v1/explain", query: query))
  }

  /// Returns when the new process is ready.
  public func upgrade() async throws(ClientFailure) {
    var request = AdminRequest(.post, "/v1/upgrade")
    request.content = []
    _ = try await document(request, timeout: .seconds(120))
  }

  public func status() async throws(ClientFailure) -> GatewayStatus {
    let document = try await document(AdminRequest(.get, "/v1/status"))
    return GatewayStatus(
      version: document["version"]?.text ?? "", pid: document["pid"]?.number(),
      startTime: document["startTime"]?.text, revision: document["revision"]?.number())
  }

  /// That of the process that follows `before`: asks until another one answers.
  ///
  /// Where the gateway does not say which process it is, the first answer counts.
  public func status(after before: GatewayStatus) async throws(ClientFailure) -> GatewayStatus {
    let attemptsMax = 50
    let pause = Duration.milliseconds(200)
    var last = ClientFailure.timedOut(address, after: pause * attemptsMax)
    for _ in 0..<attemptsMax {
      do throws(ClientFailure) {
        let status = try await status()
        if status.pid == nil || !status.isSameProcess(as: before) { return status }
      } catch {
        guard error.mayPass else { throw error }
        last = error
      }
      try? await Task.sleep(for: pause)
    }
    throw last
  }
}
