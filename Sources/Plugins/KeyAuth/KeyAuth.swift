import DataPlane
import Resources
import TLS

/// Lets requests pass that show a consumer's key. As Kong's and APISIX's plugin of this name.
public struct KeyAuth: PluginSettings {
  public static let name = "key-auth"
  public static let summary = "Asks for a consumer's key, in a header field, a query parameter or a cookie."
  public static let priority = 1_250

  public static let options =
    [
      PluginOption(
        "names", .list(.token("a name of a field, parameter or cookie"), maximum: 16),
        default: .list([.text("apikey")]),
        "Names under which the key is looked for, in this order."),
      PluginOption(
        "in", .list(.choice(["header", "query", "cookie"]), maximum: 3),
        default: .list([.text("header"), .text("query")]), "Where it is looked for, in this order."),
      PluginOption(
        "hideCredentials", .flag, default: .flag(false),
        "Whether the key is taken out before the request goes on."),
      AuthenticationOptions.anonymous,
      AuthenticationOptions.realm,
    ] + LoginPaths.options

  public static let credentials: CredentialKind? = CredentialKind([
    .required(
      "key", .text("a key"),
      "The key: a long random text, or sha256: and the digest of one in hexadecimal, which is all that is kept."
    )
  ]) { values throws(OptionProblem) in
    let digest = try KeyDigest.read(values.text("key") ?? "")
    var kept = values
    kept.set("key", .text(KeyDigest.text(digest)))
    return Credential(lookup: digest, kept: kept, content: ())
  }

  enum Place {
    case header, query, cookie
  }

  /// In lower case, for fields.
  let names: [[UInt8]]
  let exactNames: [[UInt8]]
  let places: [Place]
  let hidesCredentials: Bool
  let paths: LoginPaths
  let anonymous: String?
  let challenge: [UInt8]

  public init(_ values: OptionValues) throws(OptionProblem) {
    let texts = values.texts("names")
    if texts.isEmpty { throw OptionProblem("names", "at least one name is needed") }
    names = texts.map { Array($0.lowercased().utf8) }
    exactNames = texts.map { Array($0.utf8) }
    places = values.texts("in").map { $0 == "header" ? .header : $0 == "query" ? .query : .cookie }
    if places.isEmpty {
      throw OptionProblem("in", "at least one place is needed", hint: "header, query or cookie")
    }
    hidesCredentials = values.flag("hideCredentials")
    paths = try LoginPaths(values)
    anonymous = values.text("anonymous")
    challenge = AuthenticationOptions.challenge("Key", realm: values.text("realm"))
  }
}

/// SHA-256 of a key, as it is kept.
enum KeyDigest {
  private static let prefix = "sha256:"
  /// Shorter keys are guessed.
  static let keyBytesMin = 8

  static func text(_ digest: [UInt8]) -> String { prefix + HexadecimalText.encode(digest) }

  static func read(_ text: String) throws(OptionProblem) -> [UInt8] {
    guard text.hasPrefix(prefix) else {
      guard text.utf8.count >= keyBytesMin else {
        throw OptionProblem(
          "key", "the key is too short", hint: "at least \(keyBytesMin) characters, better 32 random ones")
      }
      return SHA256.digest(of: Array(text.utf8))
    }
    guard let digest = HexadecimalText.decode(text.dropFirst(prefix.count)), digest.count == SHA256.byteCount
    else {
      throw OptionProblem("key", "this is not a SHA-256 digest", hint: "sha256: and 64 hexadecimal digits")
    }
    return digest
  }
}
