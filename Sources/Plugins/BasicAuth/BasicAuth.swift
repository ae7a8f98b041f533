import DataPlane
import Resources
import Synchronization
import TLS

/// Lets requests pass that show a user's name and password (RFC 7617). As Kong's and APISIX's plugin of this
/// name, and as nginx's `auth_basic`.
public struct BasicAuth: PluginSettings {
  public static let name = "basic-auth"
  public static let summary = "Asks for a name and a password: a consumer's, or those of an htpasswd file."
  public static let priority = 1_100

  public static let options =
    [
      PluginOption(
        "htpasswd", .file("a file of htpasswd's"),
        "Users and hashes of their passwords, one user:hash a line; asked in place of consumers."),
      PluginOption(
        "users", .map(.text("a user's name"), .text("the hash of a password"), maximum: 10_000),
        "The same here: hashes by the names of users; asked before the file."),
      PluginOption(
        "hideCredentials", .flag, default: .flag(false),
        "Whether the field Authorization is taken out before the request goes on."),
      AuthenticationOptions.anonymous,
      PluginOption(
        "realm", .fieldValue, default: .text("service"),
        "What the challenge names as the realm (RFC 9110 §11.5)."),
    ] + LoginPaths.options

  public static let credentials: CredentialKind? = CredentialKind([
    .required("username", .text("a user's name"), "The name, without a colon."),
    .required(
      "password", .text("a password"),
      "The password, of which the bcrypt hash is kept; or a hash: bcrypt, $5$, $6$, $y$, $apr1$, {SHA}."),
  ]) { values throws(OptionProblem) in try credential(values) }

  /// Nil where consumers are asked.
  let users: PasswordTable?
  let file: FollowedFile<PasswordTable>?
  let hidesCredentials: Bool
  let paths: LoginPaths
  let anonymous: String?
  let challenge: [UInt8]

  public init(_ values: OptionValues) throws(OptionProblem) {
    users = values.isGiven("users") ? try Self.table(values.pairs("users")) : nil
    if let path = values.text("htpasswd") {
      file = try FollowedFile(path, option: "htpasswd", bytesMax: PasswordTable.fileBytesMax) {
        bytes throws(FileProblem) in try PasswordTable.read(bytes)
      }
    } else {
      file = nil
    }
    hidesCredentials = values.flag("hideCredentials")
    paths = try LoginPaths(values)
    anonymous = values.text("anonymous")
    challenge = AuthenticationOptions.challenge(
      "Basic", realm: values.text("realm"), parameters: "charset=\"UTF-8\"")
  }

  private static func table(_ pairs: [(key: String, text: String)]) throws(OptionProblem) -> PasswordTable {
    if pairs.isEmpty {
      throw OptionProblem("users", "at least one user is needed", hint: "such as {anna: $2b$10$…}")
    }
    var hashes: [[UInt8]: PasswordHash] = [:]
    for pair in pairs {
      do throws(FileProblem) {
        let username = Array(pair.key.utf8)
        try Username.check(username)
        hashes[username] = try PasswordHash.read(pair.text)
      } catch {
        throw OptionProblem("users.\(pair.key)", error.message, hint: error.hint)
      }
    }
    return PasswordTable(hashes)
  }

  private static func credential(_ values: OptionValues) throws(OptionProblem) -> Credential {
    let username = values.text("username") ?? ""
    let password = values.text("password") ?? ""
    do throws(FileProblem) {
      try Username.check(Array(username.utf8))
    } catch {
      throw OptionProblem("username", error.message, hint: error.hint)
    }
    do throws(FileProblem) {
      let hash =
        PasswordHash.isMeant(by: password)
        ? try PasswordHash.read(password) : try KeptHashes.hash(of: password, username)
      var kept = values
      kept.set("password", .text(hash.text))
      return Credential(lookup: Array(username.utf8), kept: kept, content: hash)
    } catch {
      throw OptionProblem("password", error.message, hint: error.hint)
    }
  }
}

/// The hashes of passwords that stand in plain in configurations: hashing takes long and has another outcome each
/// time, and a file is read again whenever something in it changes.
private enum KeptHashes {
  /// By a digest that means nothing to another process.
  private static let known = Mutex<[[UInt8]: PasswordHash]>([:])
  private static let seed = RandomBytes.make(count: 16)
  /// Above, all are forgotten.
  private static let countMax = 100_000

  static func hash(of password: String, _ username: String) throws(FileProblem) -> PasswordHash {
    let key = SHA256.digest(of: seed + Array(username.utf8) + [0] + Array(password.utf8))
    if let known = known.withLock({ $0[key] }) { return known }
    let new = try PasswordHash.make(of: password)
    known.withLock { known in
      if known.count >= countMax { known = [:] }
      known[key] = new
    }
    return new
  }
}
