import Resources
import Runtime

/// Where a Redis or Valkey server is, and as whom the gateway speaks to it: what connections are told apart by.
struct RedisServer: Sendable, Hashable {
  /// An IP address, or a name that the system's resolver knows.
  let host: String
  let port: UInt16
  let username: String?
  let password: String?
  let passwordFile: String?
  let database: Int

  /// For the log.
  var text: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The option `redis` of plugins whose gateways count together. Names and defaults as Kong's, where it has them.
struct RedisSettings: Sendable {
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
      "prefix", .token("a prefix of keys"), default: .text("penstock"),
      "What keys begin with. Gateways with the same server, database and prefix count together."),
    PluginOption(
      "timeout", .duration(.milliseconds(1)...(.seconds(10))), default: .duration(.milliseconds(50)),
      "How long a request waits for the server's answer."),
  ]

  let server: RedisServer
  let passwordFile: FollowedFile<[UInt8]>?
  let prefix: [UInt8]
  let timeoutNanoseconds: Int64

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
    server = RedisServer(
      host: host, port: UInt16(values.integer("port") ?? 6_379), username: values.text("username"),
      password: password, passwordFile: file, database: values.integer("database") ?? 0)
    prefix = Array((values.text("prefix") ?? "").utf8)
    timeoutNanoseconds = (values.duration("timeout") ?? .milliseconds(50)).inNanoseconds
    guard let file else {
      passwordFile = nil
      return
    }
    passwordFile = try FollowedFile(
      file, option: "\(option).passwordFile", bytesMax: Self.passwordBytesMax, parse: Self.firstLine)
  }

  @Sendable private static func firstLine(of bytes: [UInt8]) throws(FileProblem) -> [UInt8] {
    let line = Array(bytes.prefix { $0 != 10 && $0 != 13 })
    guard !line.isEmpty else { throw FileProblem("there is no password on the first line") }
    return line
  }
}
