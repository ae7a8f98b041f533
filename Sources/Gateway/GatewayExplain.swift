import Admin
import DataPlane
import Foundation
import Resources

/// What a request would get, asked of a worker, which knows by its own tables.
extension Gateway {
  public func explain(_ request: ExplainRequest) async throws(ExplainFailure) -> String {
    let question = try Self.question(request)
    guard let pool = state.withLock({ $0.pool }), let explanation = await pool.ask({ $0.explain(question) })
    else { throw .unavailable("no worker serves yet") }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let text = try? encoder.encode(explanation) else {
      throw .unavailable("the explanation cannot be written")
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func question(_ request: ExplainRequest) throws(ExplainFailure) -> ExplainQuestion {
    guard let (scheme, rest) = scheme(of: request.url) else {
      throw .invalid(field: "url", message: "a URL begins with http:// or https://")
    }
    let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
    let authority = rest[..<end]
    let (host, port) = try hostAndPort(authority)
    var target = rest[end...].prefix { $0 != "#" }
    if !target.hasPrefix("/") { target = "/" + target }
    var question = ExplainQuestion(scheme: scheme, host: host, target: String(target))
    question.port = port
    question.method = request.method
    question.headers = request.headers.map { ExplainQuestion.Field(name: $0.name, value: $0.value) }
    question.listener = request.listener
    return question
  }

  private static func scheme(of url: String) -> (ExplainQuestion.Scheme, Substring)? {
    for scheme in [ExplainQuestion.Scheme.http, .https] {
      let prefix = scheme.rawValue + "://"
      if url.lowercased().hasPrefix(prefix) { return (scheme, url.dropFirst(prefix.count)) }
    }
    return nil
  }

  /// The host as it is written, an IPv6 address in its brackets.
  private static func hostAndPort(
    _ authority: Substring
  ) throws(ExplainFailure) -> (String, UInt16?) {
    guard !authority.contains("@") else {
      throw .invalid(field: "url", message: "a user in a URL is not sent: leave it out")
    }
    let bracket = authority.lastIndex(of: "]")
    let colon = authority.lastIndex(of: ":").flatMap { $0 > bracket ?? authority.startIndex ? $0 : nil }
    let host = authority[..<(colon ?? authority.endIndex)]
    guard !host.isEmpty else { throw .invalid(field: "url", message: "the host is missing") }
    guard let colon else { return (String(host), nil) }
    guard let port = UInt16(authority[authority.index(after: colon)...]), port > 0 else {
      throw .invalid(field: "url", message: "a port is a number from 1 to 65535")
    }
    return (String(host), port)
  }
}
