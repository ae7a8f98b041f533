import DataPlane
import Resources

/// Lets pages of other origins use a service (the Fetch standard's CORS protocol). As Kong's and APISIX's
/// plugin of this name.
public struct CORS: PluginSettings {
  public static let name = "cors"
  public static let summary =
    "Tells browsers which pages of other origins may use a service, and answers preflights."
  public static let priority = 2_000

  public static let options = [
    PluginOption(
      "origins", .list(.text("an origin such as https://app.example.com"), maximum: 256),
      "Origins whose pages may use it; \"*\": all. By default all, unless there are originExpressions."),
    PluginOption(
      "originExpressions", .list(.regex, maximum: 16),
      "RE2, each for a whole origin: further ones that may use it."),
    PluginOption(
      "methods", .list(.token("a method, or *"), maximum: 32),
      default: .list(["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"].map { .text($0) }),
      "Methods that pages may use."),
    PluginOption(
      "headers", .list(.token("a name of a field, or *"), maximum: 128),
      "Fields that pages may send; where this is left out, those that the preflight asks for."),
    PluginOption(
      "exposedHeaders", .list(.token("a name of a field, or *"), maximum: 128),
      "Fields of responses that pages may read, beside those that they always may."),
    PluginOption(
      "credentials", .flag, default: .flag(false),
      "Whether pages may send cookies and HTTP authentication along."),
    PluginOption(
      "maxAge", .duration(.zero ... .seconds(86_400)),
      "How long browsers may remember the answer to a preflight; where this is left out, they decide (5 s)."),
    PluginOption(
      "privateNetwork", .flag, default: .flag(false),
      "Whether pages of public networks may use it where it is on a private one."),
    PluginOption(
      "preflightContinue", .flag, default: .flag(false),
      "Whether preflights go to the service, which answers them as it likes."),
  ]

  /// As `Origin` has them.
  let origins: Set<[UInt8]>
  let allowsAll: Bool
  let expressions: [String]
  let allowsCredentials: Bool
  let privateNetwork: Bool
  let continues: Bool
  /// The values of fields; empty: there is none.
  let methods: [UInt8]
  let headers: [UInt8]
  let exposedHeaders: [UInt8]
  let maxAge: [UInt8]

  public init(_ values: OptionValues) throws(OptionProblem) {
    expressions = values.texts("originExpressions")
    let texts = values.isGiven("origins") ? values.texts("origins") : expressions.isEmpty ? ["*"] : []
    if texts.isEmpty, expressions.isEmpty {
      throw OptionProblem("origins", "at least one origin is needed", hint: "such as https://app.example.com")
    }
    allowsCredentials = values.flag("credentials")
    allowsAll = texts.contains("*")
    var origins: Set<[UInt8]> = []
    for (index, text) in texts.enumerated() where text != "*" {
      origins.insert(try OriginText.read(text, option: "origins[\(index)]"))
    }
    if allowsAll, texts.count > 1 {
      throw OptionProblem(
        "origins", "\"*\" is all origins: others beside it say nothing", hint: "keep one or the other")
    }
    self.origins = origins
    for option in ["origins", "methods", "headers", "exposedHeaders"]
    where allowsCredentials && (option == "origins" ? allowsAll : values.texts(option).contains("*")) {
      throw OptionProblem(
        option, "\"*\" and credentials exclude each other: browsers take no answer that has both",
        hint: "name the \(option == "exposedHeaders" ? "headers" : option)")
    }
    methods = Array(values.texts("methods").joined(separator: ", ").utf8)
    headers = Array(values.texts("headers").joined(separator: ", ").utf8)
    exposedHeaders = Array(values.texts("exposedHeaders").joined(separator: ", ").utf8)
    if methods.isEmpty {
      throw OptionProblem("methods", "at least one method is needed", hint: "such as [GET, POST]")
    }
    maxAge = values.duration("maxAge").map { Array("\($0.components.seconds)".utf8) } ?? []
    privateNetwork = values.flag("privateNetwork")
    continues = values.flag("preflightContinue")
  }
}

/// Origins as they are sent (RFC 6454 §6.2).
enum OriginText {
  static func read(_ text: String, option: String) throws(OptionProblem) -> [UInt8] {
    if text == "null" { return Array(text.utf8) }
    let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false)
    let isOrigin =
      (parts.count == 3 || parts.count == 4 && parts[3].isEmpty) && parts[0].utf8.count > 1
      && parts[0].hasSuffix(":")
      && parts[1].isEmpty && !parts[2].isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    guard isOrigin, !text.contains("?"), !text.contains("#"), !text.contains("@"), !text.contains(",") else {
      throw OptionProblem(
        option, "this is not an origin",
        hint: "scheme and host, and a port where there is one: https://app.example.com")
    }
    guard !text.contains("*") else {
      throw OptionProblem(
        option, "a \"*\" stands for all origins, and not for a part of one",
        hint: "originExpressions: \"https://[a-z0-9-]+\\\\.example\\\\.com\"")
    }
    guard parts.count == 3 else {
      throw OptionProblem(option, "an origin has no path", hint: "without the \"/\" at the end")
    }
    for (scheme, port) in [("https:", ":443"), ("http:", ":80")]
    where parts[0] == scheme && parts[2].hasSuffix(port) {
      throw OptionProblem(
        option, "browsers leave the port \(port.dropFirst()) out", hint: "without \"\(port)\"")
    }
    return Array(text.lowercased().utf8)
  }
}
