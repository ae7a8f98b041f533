/// What a route says about TLS and upgrades: `redirect`, `hsts`, `upgrades`.
extension RouteReader {
  static let upgradesMax = 16

  static func readSecurity(_ mapping: MappingReader, into route: inout Route) {
    mapping.read("redirect", into: &route.redirect) { $0.override(HTTPSOnlyReader.readRedirect) }
    mapping.read("hsts", into: &route.hsts) { $0.override(HTTPSOnlyReader.readHSTS) }
  }

  static func readUpgrades(_ value: Value) -> [String]? {
    let hint = "such as [websocket], or [] for none"
    guard let items = value.items("a list of protocols", hint: hint) else { return nil }
    guard items.count <= upgradesMax else {
      value.report("\(items.count) protocols are too many", hint: "at most \(upgradesMax)")
      return nil
    }
    return uniqueTexts(items.map { ($0, readUpgrade($0)) }, "protocol")
  }

  /// A name, or name and version (RFC 9110 §7.8); names ignore case.
  private static func readUpgrade(_ value: Value) -> String? {
    guard let text = value.text("a protocol such as websocket") else { return nil }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.allSatisfy(isToken) else {
      value.report("\(quoted(text)) is not a protocol", hint: "such as websocket")
      return nil
    }
    let name = parts[0].lowercased()
    // What follows such an upgrade would be requests and responses that no rule has seen.
    guard !["h2c", "http", "tls"].contains(name) else {
      value.report(
        "\(quoted(text)) would let requests pass that the gateway does not see",
        hint: "HTTP/2 and TLS are settings of listeners")
      return nil
    }
    return text.lowercased()
  }
}
