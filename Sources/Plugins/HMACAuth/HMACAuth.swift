import DataPlane
import Resources
import TLS

/// Lets requests pass that a consumer has signed with a secret that both know. As Kong's and APISIX's plugin of this
/// name, in the form of either.
public struct HMACAuth: PluginSettings {
  public static let name = "hmac-auth"
  public static let summary =
    "Asks for a signature that a consumer has made over the request with a shared secret."
  public static let priority = 1_030

  static let algorithmNames = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"]
  /// A request with more is not what anybody signs.
  static let signedNamesMax = 64

  public static let options =
    [
      PluginOption(
        "clockSkew", .duration(.seconds(1)...(.seconds(86_400))), default: .duration(.seconds(300)),
        "How far the signed date may be from the gateway's clock, either way."),
      PluginOption(
        "algorithms", .list(.choice(algorithmNames), maximum: 4),
        default: .list(algorithmNames.map { .text($0) }), "Algorithms that signatures may be made with."),
      PluginOption(
        "enforceHeaders", .list(.text("a field's name, request-line or @request-target"), maximum: 32),
        default: .list([]), "What has to be signed beside the date."),
      PluginOption(
        "validateRequestBody", .flag, default: .flag(false),
        "Whether the content has to be what the signed field Digest says; it is held back until it is known."),
      PluginOption(
        "maxBodySize", .size(0...(1 << 30)), default: .size(64 << 20),
        "Content that is longer is answered with 413, where it has to be looked at."),
      PluginOption(
        "hideCredentials", .flag, default: .flag(false),
        "Whether the field with the signature is taken out before the request goes on."),
    ] + LoginPaths.options + [AuthenticationOptions.anonymous, AuthenticationOptions.realm]

  public static let credentials: CredentialKind? = CredentialKind([
    .required("username", .text("a user's name"), "What the request names: username, or keyId."),
    .required(
      "secret", .text("a secret"),
      "The secret: at least 32 random characters are right. It is kept as it is, since codes are made with it."
    ),
  ]) { values throws(OptionProblem) in
    let username = Array((values.text("username") ?? "").utf8)
    guard username.count <= 1_024, username.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
    else {
      throw OptionProblem(
        "username", "the name cannot stand in quotes", hint: "ASCII without spaces, quotes and backslashes")
    }
    let secret = Array((values.text("secret") ?? "").utf8)
    guard secret.count <= 4_096 else {
      throw OptionProblem("secret", "\(secret.count) bytes are too many", hint: "at most 4096")
    }
    return Credential(lookup: username, kept: values, content: HMACSecret(bytes: secret))
  }

  let clockSkewSeconds: Int64
  /// By ``DigestAlgorithm``.
  let algorithms: [Bool]
  /// In lower case.
  let enforced: [[UInt8]]
  let validatesBody: Bool
  let bodyBytesMax: Int
  let hidesCredentials: Bool
  let paths: LoginPaths
  let anonymous: String?
  let challenge: [UInt8]

  public init(_ values: OptionValues) throws(OptionProblem) {
    clockSkewSeconds = values.duration("clockSkew")?.components.seconds ?? 300
    let allowed = values.texts("algorithms")
    if allowed.isEmpty {
      throw OptionProblem(
        "algorithms", "at least one algorithm is needed", hint: Self.algorithmNames.joined(separator: ", "))
    }
    algorithms = Self.algorithmNames.map { allowed.contains($0) }
    enforced = try Self.names(values.texts("enforceHeaders"))
    validatesBody = values.flag("validateRequestBody")
    bodyBytesMax = Int(values.size("maxBodySize") ?? 0)
    hidesCredentials = values.flag("hideCredentials")
    paths = try LoginPaths(values)
    anonymous = values.text("anonymous")
    challenge = AuthenticationOptions.challenge("hmac", realm: values.text("realm"))
  }

  private static func names(_ texts: [String]) throws(OptionProblem) -> [[UInt8]] {
    var names: [[UInt8]] = []
    for (index, text) in texts.enumerated() {
      let name = Array(text.lowercased().utf8)
      guard name.count <= 200, name.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 }) else {
        throw OptionProblem(
          "enforceHeaders[\(index)]", "\"\(text)\" is not a field's name",
          hint: "such as host, digest, request-line or @request-target")
      }
      names.append(name)
    }
    return names
  }
}

/// What a consumer and the gateway share.
struct HMACSecret: Sendable {
  let bytes: [UInt8]
}
