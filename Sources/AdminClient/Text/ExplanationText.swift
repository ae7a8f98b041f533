import Foundation
import Resources

/// Why a request goes where it goes, in words: part by part, in the order in which a request meets them.
public enum ExplanationText {
  private static let titleWidth = "certificate".count

  public static func text(_ explanation: ResourceBody, of question: ExplainQuestion) -> String {
    var lines = ["\(question.method) \(question.url)"]
    let parts: [(title: String, rows: [String])] = [
      ("listener", listener(explanation)), ("certificate", explanation["certificate"].map(certificate) ?? []),
      ("route", explanation["route"].map(route) ?? []),
    ]
    for part in parts { lines += rows(part.title, part.rows) }
    let plugins = explanation["plugins"]?.items ?? []
    lines += rows("plugins", plugins.map { named($0, "name", [$0["scope"]?.text.map { "of \($0)" }]) })
    for backend in explanation["backends"]?.items ?? [] { lines += rows("service", service(backend)) }
    lines += rows("outcome", outcome(explanation))
    let misses = explanation["nearMisses"]?.items ?? []
    if !misses.isEmpty {
      lines.append("near misses:")
      lines += misses.map { "  " + nearMiss($0) }
      if explanation["isNearMissesCutShort"]?.isTrue == true { lines.append("  … and more") }
    }
    return lines.map { TerminalText.line($0) + "\n" }.joined()
  }

  private static func rows(_ title: String, _ rows: [String]) -> [String] {
    let blank = String(repeating: " ", count: titleWidth)
    let padded = title + String(repeating: " ", count: titleWidth - title.count)
    return rows.enumerated().map { index, row in "  \(index == 0 ? padded : blank)  \(row)" }
  }

  // MARK: Parts

  /// Where there is none, those that were looked at.
  private static func listener(_ explanation: ResourceBody) -> [String] {
    let row = { (listener: ResourceBody) in
      named(listener, "name", [listener["address"]?.text, listener["reason"]?.text])
    }
    if let listener = explanation["listener"], !listener.isNull { return [row(listener)] }
    return ["none"] + (explanation["listenersConsidered"]?.items ?? []).map { "not \(row($0))" }
  }

  private static func certificate(_ certificate: ResourceBody) -> [String] {
    guard !certificate.isNull else { return [] }
    let match = certificate["match"]?.text
    let host = certificate["host"]?.text.map { host in match.map { "\($0) host \(host)" } ?? host }
    let alternatives = certificate["alternatives"]?.items.compactMap(\.text) ?? []
    return [
      named(
        certificate, "name",
        [
          host ?? match.map { "by \($0)" }, certificate["keyKind"]?.text,
          (certificate["notAfter"]?.number()).map { "valid until \(date($0))" },
          alternatives.isEmpty ? nil : "or " + alternatives.joined(separator: ", "),
        ])
    ]
  }

  private static func route(_ route: ResourceBody) -> [String] {
    guard !route.isNull else { return [] }
    let match: Int? = route["match"]?.number()
    return [named(route, "name", [place(route), match.map { "match[\($0)]" }, route["reason"]?.text])]
  }

  private static func nearMiss(_ miss: ResourceBody) -> String {
    named(miss, "route", [place(miss)]) + (miss["detail"]?.text.map { ": " + $0 } ?? "")
  }

  /// `host shop.example, prefix /cart`.
  private static func place(_ rule: ResourceBody) -> String {
    let host = rule["host"]?.text.map { "host \($0)" } ?? "any host"
    guard let path = rule["path"]?.text else { return host }
    return "\(host), \(rule["pathKind"]?.text ?? "path") \(path)"
  }

  /// The service, then a row for each endpoint.
  private static func service(_ backend: ResourceBody) -> [String] {
    let share = backend["share"]?.text.flatMap(Double.init).map { "\(rounded($0 * 100)) % of the requests" }
    let title = named(
      backend, "service",
      [
        share, backend["chosenBy"]?.text.map { "chosen by \($0)" }, backend["balance"]?.text,
        backend["key"]?.text.map { "by \($0)" },
      ])
    let endpoints = backend["endpoints"]?.items ?? []
    let others = (backend["endpointCount"]?.number() ?? endpoints.count) - endpoints.count
    return [title] + (endpoints.isEmpty ? ["  no endpoint"] : endpoints.map { "  " + endpoint($0) })
      + (others > 0 ? ["  … and \(others) more"] : [])
  }

  private static func endpoint(_ endpoint: ResourceBody) -> String {
    let inFlight: Int = endpoint["inFlight"]?.number() ?? 0
    let title = [endpoint["address"]?.text, endpoint["name"]?.text].compactMap { $0 }
    let name = title.count == 2 && title[0] != title[1] ? "\(title[0]) (\(title[1]))" : title.first ?? ""
    let parts = [
      endpoint["weight"]?.text.map { "weight \($0)" },
      endpoint["isHealthy"].map { $0.isTrue ? "healthy" : "unhealthy" },
      endpoint["ejectedForSeconds"]?.text.flatMap(Double.init).map { "ejected for \(rounded($0)) s" },
      inFlight > 0 ? "\(inFlight) in flight" : nil,
      endpoint["isPicked"]?.isTrue == true
        ? "this request's" : endpoint["mayBePicked"]?.isTrue == false ? "gets none" : nil,
    ]
    return name + ": " + parts.compactMap { $0 }.joined(separator: ", ")
  }

  private static func outcome(_ explanation: ResourceBody) -> [String] {
    let status = explanation["status"]?.text.map { "\($0)" }
    let title = [explanation["outcome"]?.text, status].compactMap { $0 }.joined(separator: " ")
    let text = [title, explanation["summary"]?.text ?? ""].filter { !$0.isEmpty }.joined(separator: ": ")
    return (text.isEmpty ? [] : [text]) + (explanation["location"]?.text.map { ["to \($0)"] } ?? [])
  }

  // MARK: Words

  /// `shop: exact host shop.example, ECDSA`.
  private static func named(_ body: ResourceBody, _ name: String, _ parts: [String?]) -> String {
    let rest = parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ", ")
    return [body[name]?.text ?? "", rest].filter { !$0.isEmpty }.joined(separator: ": ")
  }

  /// With one digit after the point where it has any.
  private static func rounded(_ value: Double) -> String {
    guard value.isFinite, value.magnitude < 1e12 else { return "\(value)" }
    let tenths = Int64((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\((tenths % 10).magnitude)"
  }

  private static func date(_ seconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(seconds)).formatted(Date.ISO8601FormatStyle())
  }
}
