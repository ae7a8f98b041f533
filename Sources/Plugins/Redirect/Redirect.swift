import DataPlane
import Resources

/// Sends clients to another address. As Kong's and APISIX's plugin of this name.
public struct Redirect: PluginSettings {
  public static let name = "redirect"
  public static let summary = "Answers with a redirect to another address."
  public static let priority = 779

  public static let options = [
    PluginOption.required(
      "uri", .text("an address such as https://www.example.com$uri"),
      "Where clients are sent: an absolute URL or a path. May hold variables, and $1 for a group of regex."),
    PluginOption("status", .integer(301...308), default: .integer(302), "301, 302, 303, 307 or 308."),
    PluginOption(
      "regex", .regex,
      "RE2, for the whole path. Requests with another path go on; where this is left out, none does."),
    PluginOption(
      "appendQuery", .flag, default: .flag(false), "Whether the request's query goes behind the address."),
  ]

  let status: UInt16
  let uri: TextTemplate
  let regex: String?
  let appendsQuery: Bool
  /// The address has the client's host in it.
  let usesHost: Bool

  public var answersAlways: Bool { regex == nil }

  public init(_ values: OptionValues) throws(OptionProblem) {
    let number = values.integer("status") ?? 302
    guard [301, 302, 303, 307, 308].contains(number) else {
      throw OptionProblem(
        "status", "\(number) is not a redirect that has a place to go to", hint: "301, 302, 303, 307 or 308")
    }
    status = UInt16(number)
    regex = values.text("regex")
    let groups = try regex.map { pattern throws(OptionProblem) in
      try MatchedPath.groupCount(pattern, option: "regex")
    }
    uri = try TextTemplate(values.text("uri") ?? "", option: "uri", groups: groups)
    appendsQuery = values.flag("appendQuery")
    usesHost = uri.parts.contains(.variable(.host)) || uri.parts.contains(.variable(.authority))
    try URITemplate.checkLiterals(of: uri, option: "uri")
    try RedirectAddress.check(uri)
    if appendsQuery, uri.parts.contains(.variable(.requestURI)) {
      throw OptionProblem(
        "appendQuery", "$request_uri has the query already", hint: "write $uri, or leave appendQuery out")
    }
  }
}

/// What may stand in an address that clients are sent to: no client decides about its host.
enum RedirectAddress {
  static func check(_ uri: TextTemplate) throws(OptionProblem) {
    var parts = uri.parts[...]
    switch parts.first {
    case .variable(.uri)?, .variable(.requestURI)?: return
    case .variable(.scheme)?:
      parts = parts.dropFirst()
      guard case .literal(let bytes)? = parts.first, bytes.starts(with: separator) else { throw problem }
      try checkAuthority(parts.dropFirst(), rest: Array(bytes.dropFirst(separator.count)))
    case .literal(let bytes)?:
      if bytes.first == UInt8(ascii: "/"), !bytes.starts(with: "//".utf8) { return }
      for scheme in ["https://", "http://"] where bytes.starts(with: scheme.utf8) {
        return try checkAuthority(parts.dropFirst(), rest: Array(bytes.dropFirst(scheme.utf8.count)))
      }
      throw problem
    default: throw problem
    }
  }

  private static let separator = Array("://".utf8)
  private static let problem = OptionProblem(
    "uri", "an address begins with http://, https://, $scheme:// or a single \"/\"",
    hint: "such as https://www.example.com$request_uri")

  /// - rest: of the text in which the authority begins.
  private static func checkAuthority(
    _ parts: ArraySlice<TextTemplate.Part>, rest: [UInt8]
  ) throws(OptionProblem) {
    var isEmpty = true
    for part in [.literal(rest)] + parts {
      switch part {
      case .literal(let bytes):
        let end = bytes.firstIndex { [UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#")].contains($0) }
        if (end ?? bytes.count) > 0 { isEmpty = false }
        guard end == nil else { return try checkIsThere(!isEmpty) }
      case .variable(.host), .variable(.authority): isEmpty = false
      // Both begin with a slash.
      case .variable(.uri), .variable(.requestURI): return try checkIsThere(!isEmpty)
      default:
        throw OptionProblem(
          "uri", "clients would decide about the host",
          hint: "before the path only $host and $http_host may stand; write a \"/\" before other variables")
      }
    }
    try checkIsThere(!isEmpty)
  }

  private static func checkIsThere(_ isThere: Bool) throws(OptionProblem) {
    if !isThere {
      throw OptionProblem("uri", "the address has no host", hint: "such as https://www.example.com$uri")
    }
  }
}
