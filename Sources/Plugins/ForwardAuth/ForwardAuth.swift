import DataPlane
import Resources

/// Asks a service whether a request may pass. As APISIX's plugin of this name, Traefik's ForwardAuth, and the
/// auth_request of nginx and ingress-nginx.
public struct ForwardAuth: PluginSettings {
  public static let name = "forward-auth"
  public static let summary = "Asks another service whether a request may pass, and as whom."
  /// Behind what finds out by itself who calls, and before all that goes by it; Kong has no counterpart.
  public static let priority = 1_020

  static let contentBytesMax: UInt64 = 16 << 20

  private static let field = OptionType.token("a name of a field")
  private static let fields = OptionType.list(field, maximum: 64)

  public static let options: [PluginOption] = [
    .required("service", .service, "The service that is asked."),
    PluginOption(
      "path", .text("a path such as /verify"), default: .text("/"),
      "Path and query that it is asked with. May hold variables, such as $request_uri."),
    SideRequestOptions.host,
    PluginOption(
      "requestMethod", .choice(["GET", "POST"]), default: .text("GET"),
      "The method; with POST the request's content goes with it."),
    PluginOption(
      "maxReqBodySize", .size(0...contentBytesMax), default: .size(1 << 20),
      "Of the content with POST; requests with more are refused with 413."),
    PluginOption(
      "requestHeaders", fields,
      "Names of the client's fields that the service is sent; where this is left out, all."),
    SideRequestOptions.extraHeaders("the question"),
    PluginOption(
      "upstreamHeaders", fields,
      "Names of fields of its answer that go on with a request that passes. What the client has sent by these "
        + "names never does."),
    PluginOption(
      "responseHeaders", fields,
      "Names of fields of its answer that the client gets with the response to a request that passes."),
    PluginOption(
      "clientHeaders", fields,
      default: .list(["location", "set-cookie", "www-authenticate", "cache-control"].map { .text($0) }),
      "Names of fields of its answer that the client gets with a refusal."),
    PluginOption(
      "timeout", .duration(.milliseconds(1)...(.seconds(60))), default: .duration(.seconds(3)),
      "How long it may take to answer, connecting included."),
    PluginOption(
      "allowDegradation", .flag, default: .flag(false),
      "Whether requests pass while the service cannot be asked."),
    PluginOption(
      "statusOnError", .integer(400...599), default: .integer(403),
      "The status for requests while the service cannot be asked."),
    PluginOption("cache", .object(cache), "Answers are remembered; where this is left out, none is."),
  ]

  private static let cache: [PluginOption] = [
    .required(
      "by", .list(.text("what answers are told apart by"), maximum: 16),
      "What an answer holds for: \(RequestKey.hint); several together are one key."),
    PluginOption(
      "ttl", .duration(.milliseconds(100)...(.seconds(86_400))), default: .duration(.seconds(300)),
      "How long an answer is remembered."),
    PluginOption(
      "statuses", .list(.integer(200...599), maximum: 32),
      default: .list([.integer(200), .integer(202), .integer(401)]),
      "Statuses of answers that are remembered."),
  ]

  struct Cache: Sendable {
    let key: RequestKey
    let nanoseconds: Int64
    let statuses: Set<UInt16>
  }

  let service: String
  let path: TextTemplate
  let host: [UInt8]?
  let isPost: Bool
  let contentMax: Int
  /// Nil: all.
  let requestFields: FieldNames?
  let extraFields: WrittenFields
  /// What the client cannot say of itself.
  let ownFields: FieldNames
  let upstreamFields: FieldNames
  let responseFields: FieldNames
  let clientFields: FieldNames
  let timeoutNanoseconds: Int64
  let allowsDegradation: Bool
  let statusOnError: UInt16
  let cache: Cache?

  public init(_ values: OptionValues) throws(OptionProblem) {
    service = values.text("service") ?? ""
    path = try TextTemplate(values.text("path") ?? "/", option: "path")
    try URITemplate.checkLiterals(of: path, option: "path")
    if case .literal(let bytes)? = path.parts.first, bytes.first != UInt8(ascii: "/") {
      throw OptionProblem("path", "the path does not begin with \"/\"", hint: "the service says where it is")
    }
    host = try SideRequestOptions.host(values)
    isPost = values.text("requestMethod") == "POST"
    contentMax = Int(values.size("maxReqBodySize") ?? 0)
    requestFields = values.isGiven("requestHeaders") ? FieldNames(values.texts("requestHeaders")) : nil
    extraFields = try WrittenFields(values, "extraHeaders")
    ownFields = FieldNames(Self.ownNames + extraFields.names + (isPost ? [] : ["content-type"]))
    upstreamFields = try Self.names(values, "upstreamHeaders") { name, option throws(OptionProblem) in
      try OwnedFields.checkRequest(name, option: option)
    }
    responseFields = try Self.names(values, "responseHeaders") { name, option throws(OptionProblem) in
      try Self.checkResponse(name, option)
    }
    clientFields = try Self.names(values, "clientHeaders") { name, option throws(OptionProblem) in
      try Self.checkResponse(name, option)
    }
    timeoutNanoseconds = (values.duration("timeout") ?? .seconds(3)).wholeNanoseconds
    allowsDegradation = values.flag("allowDegradation")
    statusOnError = UInt16(values.integer("statusOnError") ?? 403)
    cache = try values.object("cache").map { values throws(OptionProblem) in try Self.cache(values) }
  }

  /// Those that the gateway says, and those that are about the content or make the answer depend on something else
  /// than the question (RFC 9110 §13, §14).
  private static let ownNames = [
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-method", "x-forwarded-port", "x-forwarded-proto",
    "x-forwarded-uri", "forwarded", "content-encoding", "content-language", "content-location",
    "content-range",
    "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range",
  ]

  private static func names(
    _ values: OptionValues, _ option: String, check: (String, String) throws(OptionProblem) -> Void
  ) throws(OptionProblem) -> FieldNames {
    let names = values.texts(option)
    for (index, name) in names.enumerated() { try check(name, "\(option)[\(index)]") }
    return FieldNames(names)
  }

  private static func checkResponse(_ name: String, _ option: String) throws(OptionProblem) {
    if ["content-type", "content-encoding"].contains(name.lowercased()) {
      throw OptionProblem(
        option, "the field \(name) is about the content", hint: "it goes with the content of a refusal")
    }
    try OwnedFields.checkResponse(name, option: option, adds: true)
  }

  private static func cache(_ values: OptionValues) throws(OptionProblem) -> Cache {
    let words = values.texts("by")
    if words.isEmpty {
      throw OptionProblem(
        "cache.by", "at least one part of a key is needed", hint: "such as header:Authorization")
    }
    return Cache(
      key: try RequestKey(words, at: "cache.by"),
      nanoseconds: (values.duration("ttl") ?? .seconds(300)).wholeNanoseconds,
      statuses: Set(values.integers("statuses").map { UInt16($0) }))
  }
}
