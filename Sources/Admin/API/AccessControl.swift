import HTTPTypes
import Hummingbird
import Resources

/// Decides who is answered: the token, and without one, what keeps web pages out.
struct AccessControl: Sendable {
  let access: @Sendable () -> AdminAccess
  /// As configured.
  let address: HostPort

  /// Who asks, for the audit trail.
  func admit(_ request: Request) throws(Problem) -> String {
    try checkOrigin(request)
    switch access() {
    case .open:
      try checkHost(request)
      return "anonymous"
    case .token(let token):
      try check(token, request)
      return "token"
    case .lost(let reason):
      throw Problem(.tokenLost, reason)
    }
  }

  /// Pages outside of the API: only the token counts.
  func admitPage(_ request: Request) throws(Problem) {
    switch access() {
    case .open: break
    case .token(let token): try check(token, request)
    case .lost(let reason): throw Problem(.tokenLost, reason)
    }
  }

  // MARK: Token

  private func check(_ token: AdminToken, _ request: Request) throws(Problem) {
    guard let field = request.headers[.authorization] else {
      throw unauthorized("The field Authorization is missing.", error: nil)
    }
    // RFC 9110 §11.1: the scheme's name ignores case.
    let parts = field.utf8.split(separator: UInt8(ascii: " "), maxSplits: 1)
    guard parts.count == 2, Substring(parts[0]).lowercased() == "bearer" else {
      throw unauthorized("The field Authorization does not hold a bearer token.", error: nil)
    }
    guard token.matches(parts[1].drop { $0 == 0x20 }) else {
      throw unauthorized("The token is wrong.", error: "invalid_token")
    }
  }

  private func unauthorized(_ detail: String, error: String?) -> Problem {
    var problem = Problem(.unauthorized, detail)
    // RFC 6750 §3.
    problem.headers[.wwwAuthenticate] =
      "Bearer realm=\"penstock\"" + (error.map { ", error=\"\($0)\"" } ?? "")
    return problem
  }

  // MARK: Browsers

  /// A name that is not ours can point here all the same: with DNS rebinding, a page's own name does.
  /// Addresses cannot be rebound.
  private func checkHost(_ request: Request) throws(Problem) {
    let authority = request.head.authority ?? ""
    let host = Self.host(of: authority)
    let isTrusted =
      host == "localhost" || host.hasSuffix(".localhost") || host == address.host.lowercased()
      || Self.isAddress(host)
    guard isTrusted, !host.isEmpty else {
      throw Problem(
        .forbiddenHost,
        "The host \"\(authority)\" is neither an address, nor localhost, nor the configured address.")
    }
  }

  /// Browsers say where a request comes from that may change something; other clients say nothing.
  private func checkOrigin(_ request: Request) throws(Problem) {
    if let origin = request.headers[.origin] {
      let authority = (request.head.authority ?? "").lowercased()
      guard ["http://", "https://"].contains(where: { origin.lowercased() == $0 + authority }) else {
        throw Problem(.forbiddenOrigin, "The request comes from a page of \"\(origin)\".")
      }
    }
    if let site = request.headers[.secFetchSite], !["same-origin", "none"].contains(site) {
      throw Problem(.forbiddenOrigin, "The request comes from a page of another site (\(site)).")
    }
  }

  private static func host(of authority: String) -> String {
    let text = authority.lowercased()
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      return String(text[text.index(after: text.startIndex)..<end])
    }
    return String(text.prefix { $0 != ":" })
  }

  /// Nothing that resolvers are asked for: IPv6 literals, and dotted numbers.
  private static func isAddress(_ host: String) -> Bool {
    if host.contains(":") { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && $0.utf8.allSatisfy { $0 != 0x2B } }
  }
}

extension HTTPField.Name {
  /// The registry's name; nil only for what is no token, which a test would see.
  static let secFetchSite = named("Sec-Fetch-Site")
  static let prefer = named("Prefer")
  static let preferenceApplied = named("Preference-Applied")
  static let acceptPatch = named("Accept-Patch")
  static let lastEventID = named("Last-Event-ID")
  static let link = named("Link")
  /// The revision that an answer was made from, or that a change got.
  static let penstockRevision = named("Penstock-Revision")
  /// Who owns the resource: `store`, `file:PATH`, `built-in`.
  static let penstockOwner = named("Penstock-Owner")
  /// Why a resource of the store is not served.
  static let penstockUnserved = named("Penstock-Unserved")

  private static func named(_ text: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is not a field's name") }
    return name
  }
}
