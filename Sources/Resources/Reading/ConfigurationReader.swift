/// Reads what a file says about the process: everything but resources.
enum ConfigurationReader {
  static let settingKeys = ["workers", "admin", "store", "http", "accessLog"]
  static let keys = [
    "workers", "listeners", "certificates", "admin", "store", "http", "accessLog", "services", "routes",
    "consumers", "plugins",
  ]
  /// More threads than any machine has cores for this.
  static let workersMax = 1_024

  /// - listeners: Those whose addresses the admin API cannot have.
  static func readSettings(_ mapping: MappingReader, listeners: [Listener]) -> Configuration {
    var configuration = Configuration()
    if let workers = mapping["workers"] { configuration.workers = readWorkers(workers) }
    mapping.read("admin", into: &configuration.admin) { AdminReader.read($0, listeners: listeners) }
    mapping.read("store", into: &configuration.store, AdminReader.readStore)
    mapping.read("http", into: &configuration.http, HTTPSettingsReader.read)
    mapping.read("accessLog", into: &configuration.accessLog, readAccessLog)
    return configuration
  }

  private static func readWorkers(_ value: Value) -> Int? {
    if value.isWord("auto") { return nil }
    return value.integer(in: 1...workersMax)
  }

  private static func readAccessLog(_ value: Value) -> AccessLog? {
    if value.isWord("off") { return nil }
    guard
      let mapping = MappingReader(
        value, keys: ["format", "path"], wanted: "a mapping with format and path, or off")
    else { return nil }
    var log = AccessLog()
    mapping.read("format", into: &log.format) { value in
      value.choice(AccessLog.Format.allCases.map { ($0.rawValue, $0) })
    }
    mapping.read("path", into: &log.path) { value in
      guard let path = value.text("a file's path, or - for standard output") else { return nil }
      guard !path.utf8.contains(0) else {
        value.report("a path cannot contain NUL")
        return nil
      }
      return path
    }
    return log
  }
}

extension Value {
  /// The name of a listener, service or route: it becomes a label of metrics and a part of URLs.
  func name() -> String? {
    guard let text = text("a name") else { return nil }
    let first = text.utf8.first ?? 0
    let isValid =
      text.utf8.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) } && isLetterOrDigit(first)
    guard isValid, text.utf8.count <= 253 else {
      report(
        "\(quoted(text)) is not a name",
        hint: "letters, digits, \"-\", \"_\" and \".\", beginning with a letter or digit, at most 253")
      return nil
    }
    return text
  }

  /// An RFC 9110 §5.6.2 token: a field name, a cookie name or a method.
  func token(_ wanted: String) -> String? {
    guard let text = text(wanted) else { return nil }
    guard isToken(text) else {
      report("\(quoted(text)) is not \(wanted)", hint: "letters, digits and !#$%&'*+-.^_`|~")
      return nil
    }
    return text
  }
}

/// Names that are used once in a list of named things.
struct UniqueNames {
  private var positions: [String: Position] = [:]

  /// Reports at `value` where `name` was used before, and answers false.
  mutating func insert(_ name: String, _ kind: String, at value: Value) -> Bool {
    if let first = positions[name] {
      value.report(
        "the \(kind) \(quoted(name)) is already at \(first.line):\(first.column)", hint: "names are unique")
      return false
    }
    positions[name] = value.node.position
    return true
  }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
  isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
}

/// RFC 9110 §5.6.2.
func isToken(_ text: String) -> Bool {
  !text.isEmpty && text.utf8.allSatisfy { isLetterOrDigit($0) || "!#$%&'*+-.^_`|~".utf8.contains($0) }
}
