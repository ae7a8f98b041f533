import DataPlane
import HTTPCodec
import Resources

extension Redirect: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { RedirectPlugin(self) }
}

final class RedirectPlugin: Plugin {
  private let settings: Redirect
  private let expression: MatchedPath?
  /// Where it is the same for all requests.
  private let constant: PluginAnswer?
  private let withoutHost = PluginAnswer(400, "The request has no host.")

  init(_ settings: Redirect) {
    self.settings = settings
    expression = settings.regex.flatMap { MatchedPath($0) }
    constant =
      settings.uri.isConstant && !settings.appendsQuery
      ? Self.answer(settings.status, settings.uri.literal) : nil
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    var path: [UInt8] = []
    var groups: [Range<Int>] = []
    if let expression {
      path = RequestVariable.path(of: exchange)
      guard let found = expression.groups(in: path) else { return .next }
      groups = found
    }
    if let constant { return .answer(constant) }
    if settings.usesHost, exchange.host.isEmpty { return .answer(withoutHost) }
    var location = settings.uri.text(of: exchange, .uri, matched: path, groups: groups)
    if settings.appendsQuery, exchange.request.hasQuery { Self.append(exchange.query, to: &location) }
    return .answer(Self.answer(settings.status, Self.withoutHostOfPath(location)))
  }

  /// `//other.example` would be an address on another host, where a path is meant.
  private static func withoutHostOfPath(_ location: [UInt8]) -> [UInt8] {
    guard location.first == UInt8(ascii: "/") else { return location }
    return [UInt8(ascii: "/")] + location.drop { $0 == UInt8(ascii: "/") }
  }

  /// Before a fragment (RFC 3986 §3.5).
  private static func append(_ query: [UInt8], to location: inout [UInt8]) {
    let end = location.firstIndex(of: UInt8(ascii: "#")) ?? location.count
    let mark = location[..<end].contains(UInt8(ascii: "?")) ? UInt8(ascii: "&") : UInt8(ascii: "?")
    var text = [mark]
    TextEscaping.uri.append(query, isURI: true, to: &text)
    location.insert(contentsOf: text, at: end)
  }

  private static func answer(_ status: UInt16, _ location: [UInt8]) -> PluginAnswer {
    var lines: [UInt8] = []
    FieldLines.append(Array("Location".utf8), location, to: &lines)
    return PluginAnswer(status, "This resource is at another address.", lines: lines)
  }
}
