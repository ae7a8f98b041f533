import Resources

/// What a list of resources shows of each.
public enum ResourceTable {
  /// A cell names so many of a list, and counts the rest.
  static let itemsMax = 2

  public static func text(_ resources: [RemoteResource], of kind: ResourceKind) -> String {
    var table = TextTable(["NAME"] + titles(kind) + ["REVISION", "OWNER"])
    for resource in resources {
      let cells = cells(resource.body, kind).map { $0.isEmpty ? "-" : $0 }
      table.row([resource.id.name] + cells + ["\(resource.revision)", resource.owner])
    }
    return table.text
  }

  private static func titles(_ kind: ResourceKind) -> [String] {
    switch kind {
    case .listeners: ["ADDRESS", "TLS"]
    case .services: ["ENDPOINTS", "PROTOCOL", "BALANCE"]
    case .certificates: ["HOSTS", "DEFAULT"]
    case .routes: ["HOSTS", "PATHS", "SERVICE"]
    case .consumers: ["GROUPS", "CREDENTIALS", "PLUGINS"]
    case .plugins: ["ENABLED"]
    }
  }

  /// Bodies have the short forms that files have: a word, or a mapping with more.
  private static func cells(_ body: ResourceBody, _ kind: ResourceKind) -> [String] {
    switch kind {
    case .listeners:
      return [body["address"]?.text ?? "", tls(body["tls"])]
    case .services:
      let endpoints = body["endpoints"]?.items.map { $0.text ?? $0["address"]?.text ?? "" } ?? []
      return [
        list(endpoints), body["protocol"]?.text ?? "http/1.1", firstWord(body["balance"]) ?? "round-robin",
      ]
    case .certificates:
      return [list(texts(body["hosts"])), body["default"]?.isTrue == true ? "yes" : ""]
    case .routes:
      let hosts = texts(body["hosts"])
      let matches = body["match"]?.items.map(path) ?? []
      let services =
        body["service"]?.text.map { [$0] } ?? body["backends"]?.items.compactMap { $0["service"]?.text } ?? []
      return [hosts.isEmpty ? "*" : list(hosts), matches.isEmpty ? "/" : list(matches), list(services)]
    case .consumers:
      let credentials = body["credentials"]?.members.map(\.key) ?? []
      return [
        list(texts(body["groups"])), list(credentials), list(body["plugins"]?.members.map(\.key) ?? []),
      ]
    case .plugins: return [body["enabled"]?.text == "false" ? "no" : "yes"]
    }
  }

  private static func texts(_ body: ResourceBody?) -> [String] { body?.items.compactMap(\.text) ?? [] }

  private static func tls(_ body: ResourceBody?) -> String {
    guard let body else { return "off" }
    return body.text.map { $0 == "true" ? "on" : $0 } ?? "on"
  }

  /// A word, or the first key of a mapping: `hash` of `{hash: …}`, or what stands under `policy`.
  private static func firstWord(_ body: ResourceBody?) -> String? {
    body?.text ?? body?["policy"]?.text ?? body?.members.first?.key
  }

  /// `/orders`, `=/orders` for an exact one, `~pattern`, `grpc`.
  private static func path(_ match: ResourceBody) -> String {
    if match["grpc"] != nil { return "grpc" }
    guard let path = match["path"] else { return "/" }
    if let exact = path["exact"]?.text { return "=" + exact }
    if let pattern = path["regex"]?.text { return "~" + pattern }
    return path["prefix"]?.text ?? path.text ?? ""
  }

  static func list(_ items: [String]) -> String {
    let shown = items.prefix(itemsMax).joined(separator: ", ")
    return items.count > itemsMax ? shown + " (+\(items.count - itemsMax))" : shown
  }
}
