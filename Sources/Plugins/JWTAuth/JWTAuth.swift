import DataPlane
import Resources
import TLS

/// Lets requests pass that show a signed token (RFC 7519): of a consumer, or of an issuer whose keys are known. As
/// Kong's `jwt`, APISIX's `jwt-auth` and Envoy's `jwt_authn`.
public struct JWTAuth: PluginSettings {
  public static let name = "jwt-auth"
  public static let summary =
    "Asks for a signed token (JWT) of a consumer, or of an issuer with published keys."
  public static let priority = 1_450

  public static let options =
    [
      PluginOption(
        "issuers", .list(.object(JWTIssuer.options), maximum: 32),
        "Who may have made tokens beside consumers, by their claim iss."),
      PluginOption(
        "keyClaimName", .text("a claim's name"), default: .text("iss"),
        "The claim, or the member of the header, that names a consumer's key."),
      PluginOption(
        "headerNames", .list(.token("a field's name"), maximum: 8), default: .list([.text("authorization")]),
        "Fields in which a token is looked for, in this order, with Bearer in front or without."),
      PluginOption(
        "queryNames", .list(.token("a parameter's name"), maximum: 8), default: .list([.text("jwt")]),
        "Parameters of the query in which it is looked for then."),
      PluginOption(
        "cookieNames", .list(.token("a cookie's name"), maximum: 8), default: .list([]),
        "Cookies in which it is looked for last."),
      PluginOption(
        "requiredClaims", .list(.text("a claim's name"), maximum: 32), default: .list([]),
        "Claims that every token has to have; exp and nbf hold wherever they are."),
      PluginOption(
        "maximumExpiration", .duration(.seconds(1)...(.seconds(366 * 86_400))),
        "How far ahead a token's end may be; tokens without an end do not pass then."),
      PluginOption(
        "leeway", .duration(.zero...(.seconds(3_600))), default: .duration(.zero),
        "How far clocks may differ, where exp and nbf are looked at."),
      PluginOption(
        "claimsToHeaders",
        .map(.text("a claim's name"), .token("a field's name"), maximum: 32),
        "Fields that tell endpoints what a token claims, by the claims' names; clients cannot send them."),
      PluginOption(
        "hideCredentials", .flag, default: .flag(false),
        "Whether the token is taken out before the request goes on."),
    ] + LoginPaths.options + [AuthenticationOptions.anonymous, AuthenticationOptions.realm]

  public static let credentials: CredentialKind? = CredentialKind(JWTCredential.options) {
    values throws(OptionProblem) in try JWTCredential.read(values)
  }

  let issuers: [JWTIssuer]
  let keyClaim: [UInt8]
  /// In lower case.
  let headerNames: [[UInt8]]
  let queryNames: [[UInt8]]
  let cookieNames: [[UInt8]]
  let rules: ClaimRules
  let claimFields: [(claim: [UInt8], field: [UInt8], lowercaseField: [UInt8])]
  let hidesCredentials: Bool
  let paths: LoginPaths
  let anonymous: String?
  let realm: String?

  public init(_ values: OptionValues) throws(OptionProblem) {
    var issuers: [JWTIssuer] = []
    for (index, one) in values.objects("issuers").enumerated() {
      let issuer = try JWTIssuer(one, at: "issuers[\(index)]")
      if issuers.contains(where: { $0.name == issuer.name }) {
        throw OptionProblem("issuers[\(index)].issuer", "this issuer is listed twice")
      }
      issuers.append(issuer)
    }
    self.issuers = issuers
    keyClaim = Array((values.text("keyClaimName") ?? "iss").utf8)
    headerNames = values.texts("headerNames").map { Array($0.lowercased().utf8) }
    queryNames = values.texts("queryNames").map { Array($0.utf8) }
    cookieNames = values.texts("cookieNames").map { Array($0.utf8) }
    if headerNames.isEmpty, queryNames.isEmpty, cookieNames.isEmpty {
      throw OptionProblem("headerNames", "at least one place is needed", hint: "headerNames: [authorization]")
    }
    rules = ClaimRules(
      leeway: Double(values.duration("leeway")?.nanosecondCount ?? 0) / 1e9,
      maximumExpiration: values.duration("maximumExpiration").map { Double($0.nanosecondCount) / 1e9 },
      required: values.texts("requiredClaims").map { Array($0.utf8) })
    claimFields = try Self.claimFields(values.pairs("claimsToHeaders"))
    hidesCredentials = values.flag("hideCredentials")
    paths = try LoginPaths(values)
    anonymous = values.text("anonymous")
    realm = values.text("realm")
  }

  private static func claimFields(
    _ pairs: [(key: String, text: String)]
  ) throws(OptionProblem) -> [(claim: [UInt8], field: [UInt8], lowercaseField: [UInt8])] {
    var fields: [(claim: [UInt8], field: [UInt8], lowercaseField: [UInt8])] = []
    for pair in pairs {
      let option = "claimsToHeaders.\(pair.key)"
      try OwnedFields.checkRequest(pair.text, option: option)
      let lower = pair.text.lowercased()
      if lower.hasPrefix("x-consumer-") || lower.hasPrefix("x-credential-") || lower == "x-anonymous-consumer"
      {
        throw OptionProblem(
          option, "the field \(pair.text) says who the consumer is", hint: "use another name")
      }
      fields.append((Array(pair.key.utf8), Array(pair.text.utf8), Array(lower.utf8)))
    }
    return fields
  }
}

/// What a consumer signs its tokens with.
final class JWTCredential: Sendable {
  enum Key: Sendable {
    case secret([UInt8])
    case publicKey(PublicKey)
  }

  let algorithm: JWTAlgorithm
  let key: Key

  static let options: [PluginOption] = [
    .required("key", .text("a key's name"), "What tokens name it by, in the claim of keyClaimName."),
    PluginOption(
      "algorithm", .choice(JWTAlgorithm.names), default: .text("HS256"),
      "The one algorithm that its tokens are signed with."),
    PluginOption(
      "secret", .text("a secret"),
      "For HS256, HS384 and HS512: as many random bytes as the digest has. It is kept as it is."),
    PluginOption("secretIsBase64", .flag, default: .flag(false), "Whether the secret is written in base64."),
    PluginOption(
      "publicKey", .content(bytesMax: 16_384), "For the others: a public key or a certificate, in PEM."),
  ]

  init(_ algorithm: JWTAlgorithm, _ key: Key) {
    self.algorithm = algorithm
    self.key = key
  }

  static func read(_ values: OptionValues) throws(OptionProblem) -> Credential {
    let name = Array((values.text("key") ?? "").utf8)
    guard name.count <= 1_024 else {
      throw OptionProblem("key", "the name is too long", hint: "at most 1024 bytes")
    }
    let algorithm = JWTAlgorithm(values.text("algorithm") ?? "") ?? .hs256
    let key: Key
    if algorithm.isHMAC {
      if values.isGiven("publicKey") {
        throw OptionProblem(
          "publicKey", "\(algorithm.name) goes by a secret", hint: "algorithm: RS256 for a key of RSA")
      }
      key = .secret(try secret(values))
    } else {
      if values.isGiven("secret") {
        throw OptionProblem("secret", "\(algorithm.name) goes by a public key", hint: "give publicKey")
      }
      key = .publicKey(try publicKey(values, algorithm))
    }
    return Credential(lookup: name, kept: values, content: JWTCredential(algorithm, key))
  }

  private static func secret(_ values: OptionValues) throws(OptionProblem) -> [UInt8] {
    guard let text = values.text("secret") else {
      throw OptionProblem("secret", "it is missing", hint: "a long random text")
    }
    var bytes = Array(text.utf8)
    if values.flag("secretIsBase64") {
      guard let decoded = Base64Text.decode(bytes) ?? Base64URL.decode(bytes), !decoded.isEmpty else {
        throw OptionProblem("secret", "this is not base64")
      }
      bytes = decoded
    }
    guard bytes.count <= 4_096 else {
      throw OptionProblem("secret", "\(bytes.count) bytes are too many", hint: "at most 4096")
    }
    return bytes
  }

  private static func publicKey(
    _ values: OptionValues, _ algorithm: JWTAlgorithm
  ) throws(OptionProblem) -> PublicKey {
    guard let pem = values.text("publicKey") else {
      throw OptionProblem(
        "publicKey", "it is missing", hint: "the key that belongs to \(algorithm.name), in PEM")
    }
    let key: PublicKey
    do throws(PublicKey.Failure) {
      key = try PublicKey(pem: Array(pem.utf8))
    } catch {
      switch error {
      case .unreadable:
        throw OptionProblem(
          "publicKey", "this is no public key in PEM", hint: "it begins with -----BEGIN PUBLIC KEY-----")
      case .other:
        throw OptionProblem(
          "publicKey", "tokens are not signed with keys of this kind",
          hint: "RSA, EC on P-256, P-384 or P-521, or Ed25519")
      case .size: throw OptionProblem("publicKey", "a key of RSA has from 2048 to 8192 bits")
      }
    }
    guard algorithm.goesWith(key) else {
      throw OptionProblem(
        "publicKey", "the key is not one for \(algorithm.name)", hint: "set algorithm to its kind")
    }
    return key
  }
}
