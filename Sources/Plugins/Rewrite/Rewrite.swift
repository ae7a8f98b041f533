import DataPlane
import Resources
import Runtime

/// Changes the path, query and host with which requests go to endpoints. As APISIX's proxy-rewrite and
/// ingress-nginx's rewrite-target.
public struct Rewrite: PluginSettings {
  public static let name = "rewrite"
  public static let summary = "Changes the path, the query and the host with which requests go to endpoints."
  /// As APISIX's proxy-rewrite, which Kong has no counterpart of.
  public static let priority = 1_008

  private static let parameters = OptionType.map(
    .text("a name of a parameter"), .content(bytesMax: 4_096), maximum: 64)

  public static let options = [
    PluginOption(
      "stripPrefix", .text("a path such as /api"),
      "This much of the path's beginning does not go on: /api of /api/orders. Whole segments."),
    PluginOption(
      "replacePrefix",
      .object([
        .required("from", .text("a path such as /api"), "The path's beginning, whole segments."),
        .required("to", .text("a path such as /v2"), "What goes on in its place."),
      ]), "The path's beginning is replaced."),
    PluginOption(
      "regex",
      .list(
        .object([
          .required("match", .regex, "RE2, for the whole path."),
          .required(
            "to", .text("a path such as /$1"), "What goes on; $1 is the first group of the expression."),
        ]), maximum: 16), "Paths that match an expression are replaced; the first that matches counts."),
    PluginOption(
      "uri", .text("a path such as /health"), "Goes on in place of every path. May hold variables."),
    PluginOption("host", .text("a host such as internal.example.com:8080"), "Goes on as Host."),
    PluginOption(
      "query",
      .object([
        PluginOption(
          "set", parameters, "Parameters in place of those of the same name. Values may hold variables."),
        PluginOption("add", parameters, "Parameters beside those that are there. Values may hold variables."),
        PluginOption(
          "remove", .list(.text("a name of a parameter"), maximum: 64),
          "Names of parameters that do not go on."),
      ]), "What changes of the query, which goes on as it is otherwise."),
  ]

  enum Path: Sendable {
    case asItIs
    case prefix(from: [UInt8], to: [UInt8])
    case expressions([(pattern: String, to: TextTemplate)])
    case text(TextTemplate)
  }

  struct Parameter: Sendable {
    /// Encoded.
    var name: [UInt8]
    var value: TextTemplate
  }

  let path: Path
  let host: [UInt8]?
  /// Decoded.
  let removedParameters: [[UInt8]]
  let parameters: [Parameter]

  public init(_ values: OptionValues) throws(OptionProblem) {
    let given = ["stripPrefix", "replacePrefix", "regex", "uri"].filter { values.isGiven($0) }
    if given.count > 1 {
      throw OptionProblem(
        given[1], "\(given[0]) and \(given[1]) exclude each other", hint: "keep one of them")
    }
    path = try Self.path(values)
    host = try values.text("host").map { text throws(OptionProblem) in try Self.host(text) }
    let query = values.object("query")
    let set = query?.pairs("set") ?? []
    let named = (query?.texts("remove") ?? []) + set.map(\.key)
    removedParameters = named.map { Array($0.utf8) }
    var parameters = try Self.parameters(set, "query.set")
    parameters += try Self.parameters(query?.pairs("add") ?? [], "query.add")
    self.parameters = parameters
    if given.isEmpty, host == nil, removedParameters.isEmpty, parameters.isEmpty {
      throw OptionProblem("", "there is nothing to rewrite", hint: "such as stripPrefix: /api")
    }
  }

  private static func path(_ values: OptionValues) throws(OptionProblem) -> Path {
    if let text = values.text("stripPrefix") {
      return .prefix(from: try prefix(text, "stripPrefix"), to: [])
    }
    if let object = values.object("replacePrefix") {
      return .prefix(
        from: try prefix(object.text("from") ?? "", "replacePrefix.from"),
        to: try prefix(object.text("to") ?? "", "replacePrefix.to"))
    }
    if let text = values.text("uri") { return .text(try template(text, "uri", groups: nil)) }
    guard values.isGiven("regex") else { return .asItIs }
    var expressions: [(pattern: String, to: TextTemplate)] = []
    for (index, object) in values.objects("regex").enumerated() {
      let pattern = object.text("match") ?? ""
      let groups = try MatchedPath.groupCount(pattern, option: "regex[\(index)].match")
      expressions.append(
        (pattern, try template(object.text("to") ?? "", "regex[\(index)].to", groups: groups)))
    }
    if expressions.isEmpty { throw OptionProblem("regex", "at least one expression is needed") }
    return .expressions(expressions)
  }

  /// Without a slash at the end; empty for `/`.
  private static func prefix(_ text: String, _ option: String) throws(OptionProblem) -> [UInt8] {
    let bytes = try NormalPath.read(text, option: option)
    return bytes.last == UInt8(ascii: "/") ? Array(bytes.dropLast()) : bytes
  }

  private static func template(
    _ text: String, _ option: String, groups: Int?
  ) throws(OptionProblem) -> TextTemplate {
    let template = try TextTemplate(text, option: option, groups: groups)
    try URITemplate.checkLiterals(of: template, option: option)
    if case .literal(let bytes)? = template.parts.first, bytes.first != UInt8(ascii: "/") {
      throw OptionProblem(
        option, "the path does not begin with \"/\"", hint: "hosts are set with host, or by the service")
    }
    guard !template.parts.contains(.variable(.requestURI)) else {
      throw OptionProblem(option, "$request_uri has the query, which goes on anyway", hint: "write $uri")
    }
    return template
  }

  private static func parameters(
    _ pairs: [(key: String, text: String)], _ option: String
  ) throws(OptionProblem) -> [Parameter] {
    var parameters: [Parameter] = []
    for (name, text) in pairs {
      let value = try TextTemplate(text, option: "\(option).\(name)")
      parameters.append(Parameter(name: URIText.encode(name.utf8), value: value))
    }
    return parameters
  }

  static func host(_ text: String) throws(OptionProblem) -> [UInt8] {
    let problem = OptionProblem(
      "host", "this is not a host", hint: "such as internal.example.com, or with a port")
    let bytes = Array(text.utf8)
    var name = text[...]
    if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
      let digits = text[text.index(after: colon)...]
      guard let port = UInt16(digits), port > 0, digits.utf8.first != UInt8(ascii: "+") else { throw problem }
      name = text[..<colon]
    }
    if name.hasPrefix("["), name.hasSuffix("]") {
      guard SocketAddress(ip: String(name.dropFirst().dropLast()), port: 0) != nil else { throw problem }
      return bytes
    }
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard bytes.count <= 253, labels.allSatisfy({ !$0.isEmpty && $0.allSatisfy(URIText.isUnreserved) }) else {
      throw problem
    }
    return bytes
  }
}
