import Resources
import Runtime
import TLS

/// Where a Redis or Valkey server is, and as whom the gateway speaks to it: what connections are told apart by.
struct RedisServer: Sendable, Hashable {
  /// An IP address, or a name that the system's resolver knows.
  let host: String
  let port: UInt16
  let username: String?
  let password: String?
  let passwordFile: String?
  let database: Int
  /// Nil: without TLS.
  let tls: TLSWords?

  /// How TLS is done.
  struct TLSWords: Sendable, Hashable {
    let ca: String?
    let serverName: String?
    let verifies: Bool
  }

  /// For the log.
  var text: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The option `redis` of plugins whose gateways count together. Names and defaults as Kong's, where it has them.
struct RedisSettings: Sendable {
  private static let tlsOptions = [
    PluginOption(
      "ca", .file("a file with certificates"),
      "Certificates in PEM that the server's is verified by, in place of the system's; read again when they change."
    ),
    PluginOption(
      "serverName", .text("a name"), "What the server's certificate is for, where that is not the host."),
    PluginOption("verify", .flag, default: .flag(true), "Whether the server's certificate is verified."),
  ]

  static let options = [
    PluginOption.required("host", .text("a host"), "The server's address, or its name."),
    PluginOption("port", .integer(1...65_535), default: .integer(6_379), "The server's port."),
    PluginOption("username", .text("a user's name"), "A user of the server's access control list."),
    PluginOption(
      "password", .text("a password"),
      "The password. It is shown with the rest of the configuration; passwordFile is not."),
    PluginOption(
      "passwordFile", .file("a file with the password"),
      "A file with the password on its first line, read again when it changes."),
    PluginOption("database", .integer(0...65_535), default: .integer(0), "The number of the database."),
    PluginOption(
      "tls", .object(tlsOptions), "TLS; {} is enough where the server's certificate is a public one."),
    PluginOption(
      "prefix", .token("a prefix of keys"), default: .text("penstock"),
      "What keys begin with. Gateways with the same server, database and prefix count together."),
    PluginOption(
      "timeout", .duration(.milliseconds(1)...(.seconds(10))), default: .duration(.milliseconds(50)),
      "How long a request waits for the server's answer."),
  ]

  let server: RedisServer
  let passwordFile: FollowedFile<[UInt8]>?
  let trust: Trust
  let prefix: [UInt8]
  let timeoutNanoseconds: Int64

  /// What the server's certificate is verified by.
  enum Trust: Sendable {
    /// It is not, or there is no TLS.
    case none
    case system(TLSTrust)
    case file(FollowedFile<TLSTrust>)
  }

  private static let passwordBytesMax = 4_096

  /// - option: Its name, for messages.
  init(_ values: OptionValues, option: String) throws(OptionProblem) {
    let password = values.text("password")
    let file = values.text("passwordFile")
    if password != nil, file != nil {
      throw OptionProblem(
        "\(option).passwordFile", "there is a password already", hint: "leave one of the two out")
    }
    if values.text("username") != nil, password == nil, file == nil {
      throw OptionProblem(
        "\(option).username", "the user has no password", hint: "add password or passwordFile")
    }
    let host = values.text("host") ?? ""
    guard !host.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "[") })
    else {
      throw OptionProblem(
        "\(option).host", "\"\(host)\" is not a host",
        hint:
          "a name or an address alone, such as redis.internal, 10.0.0.5 or ::1; the port is a key of its own")
    }
    let tls = values.object("tls").map {
      RedisServer.TLSWords(
        ca: $0.text("ca"), serverName: $0.text("serverName"), verifies: $0.flag("verify"))
    }
    trust = try tls.map { tls throws(OptionProblem) in try Self.trust(tls, option: "\(option).tls") } ?? .none
    server = RedisServer(
      host: host, port: UInt16(values.integer("port") ?? 6_379), username: values.text("username"),
      password: password, passwordFile: file, database: values.integer("database") ?? 0, tls: tls)
    prefix = Array((values.text("prefix") ?? "").utf8)
    timeoutNanoseconds = (values.duration("timeout") ?? .milliseconds(50)).inNanoseconds
    guard let file else {
      passwordFile = nil
      return
    }
    passwordFile = try FollowedFile(
      file, option: "\(option).passwordFile", bytesMax: Self.passwordBytesMax, parse: Self.firstLine)
  }

  private static let caBytesMax = 1 << 20

  private static func trust(
    _ tls: RedisServer.TLSWords, option: String
  ) throws(OptionProblem) -> Trust {
    if !tls.verifies {
      guard tls.ca == nil else {
        throw OptionProblem("\(option).ca", "nothing is verified", hint: "leave ca or verify: false out")
      }
      return .none
    }
    guard let ca = tls.ca else {
      do throws(CertificateError) {
        return .system(try TLSTrust.system())
      } catch {
        throw OptionProblem(option, error.description)
      }
    }
    return .file(
      try FollowedFile(ca, option: "\(option).ca", bytesMax: caBytesMax) { pem throws(FileProblem) in
        do throws(CertificateError) {
          return try TLSTrust.load(pem: pem)
        } catch {
          throw FileProblem(error.description)
        }
      })
  }

  @Sendable private static func firstLine(of bytes: [UInt8]) throws(FileProblem) -> [UInt8] {
    let line = Array(bytes.prefix { $0 != 10 && $0 != 13 })
    guard !line.isEmpty else { throw FileProblem("there is no password on the first line") }
    return line
  }
}
