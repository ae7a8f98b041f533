/// Reads the root of a file. Services are read before routes, which refer to them.
struct ConfigurationReader {
  static let keys = [
    "workers", "listeners", "certificates", "admin", "http", "accessLog", "services", "routes",
  ]
  /// More threads than any machine has cores for this.
  static let workersMax = 1_024

  let diagnostics: Diagnostics

  func read(_ root: Value) -> Configuration {
    var configuration = Configuration()
    guard let mapping = MappingReader(root, keys: Self.keys) else { return configuration }
    if let workers = mapping["workers"] { configuration.workers = readWorkers(workers) }
    readListeners(mapping, into: &configuration)
    mapping.read("admin", into: &configuration.admin) { readAdmin($0, listeners: configuration.listeners) }
    mapping.read("http", into: &configuration.http, HTTPSettingsReader.read)
    mapping.read("accessLog", into: &configuration.accessLog, readAccessLog)
    mapping.read("services", into: &configuration.services, ServiceReader.readAll)
    let references = References(configuration.services, configuration.listeners)
    mapping.read("routes", into: &configuration.routes) { RouteReader.readAll($0, references: references) }
    return configuration
  }

  private func readListeners(_ mapping: MappingReader, into configuration: inout Configuration) {
    var entries = ListenerReader.readAll(mapping)
    let references = References([], entries.map(\.listener))
    var areReadable = true
    if let value = mapping["certificates"] {
      let certificates = CertificateReader.readAll(value, references: references)
      configuration.certificates = certificates ?? []
      areReadable = certificates != nil
    }
    if areReadable { ListenerCertificates.check(&entries, configuration.certificates) }
    configuration.listeners = entries.map(\.listener)
  }

  private func readWorkers(_ value: Value) -> Int? {
    if value.isWord("auto") { return nil }
    return value.integer(in: 1...Self.workersMax)
  }

  /// `nil` both for `off` and after an error: neither leaves an admin address.
  private func readAdmin(_ value: Value, listeners: [Listener]) -> Admin? {
    if value.isWord("off") { return nil }
    guard let mapping = MappingReader(value, keys: ["address"], wanted: "a mapping with address, or off"),
      let addressValue = mapping.required("address"), let address = addressValue.bindAddress()
    else { return nil }
    if let listener = listeners.first(where: { $0.address.isSameAddress(as: address) }) {
      addressValue.report(
        "the address \(address.description) is already that of listener \(quoted(listener.name))")
    }
    return Admin(address: address)
  }

  private func readAccessLog(_ value: Value) -> AccessLog? {
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

/// What certificates and routes may refer to.
struct References {
  let services: [String]
  let listeners: [String]
  private let protocols: [String: ServiceProtocol]
  private let listenersHaveTLS: [String: Bool]

  init(_ services: [Service], _ listeners: [Listener]) {
    self.services = services.map(\.name)
    self.listeners = listeners.map(\.name)
    // Names that are used twice have been reported; any of the two will do.
    protocols = Dictionary(services.map { ($0.name, $0.protocol) }) { first, _ in first }
    listenersHaveTLS = Dictionary(listeners.map { ($0.name, $0.tls != nil) }) { first, _ in first }
  }

  func service(_ value: Value) -> String? {
    guard let name = value.text("a service's name") else { return nil }
    if protocols[name] == nil {
      reportMissing("service", name, among: services, at: value)
    }
    return name
  }

  func listener(_ value: Value) -> String? {
    guard let name = value.text("a listener's name") else { return nil }
    if listenersHaveTLS[name] == nil {
      reportMissing("listener", name, among: listeners, at: value)
    }
    return name
  }

  /// What a service speaks; `nil` where there is none of that name.
  func serviceProtocol(_ name: String) -> ServiceProtocol? { protocols[name] }

  /// `nil` where there is no listener of that name.
  func hasTLS(_ listener: String) -> Bool? { listenersHaveTLS[listener] }

  private func reportMissing(_ kind: String, _ name: String, among names: [String], at value: Value) {
    let nearest = value.diagnostics.suggestion(for: name, among: names)
    let known =
      names.isEmpty ? "there is none" : names.count <= 10 ? "one of " + names.joined(separator: ", ") : nil
    value.report(
      "no \(kind) is named \(quoted(name))", hint: nearest.map { "did you mean \(quoted($0))?" } ?? known)
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

  /// Reports at `value` where `name` was used before.
  mutating func insert(_ name: String, _ kind: String, at value: Value) {
    if let first = positions[name] {
      value.report(
        "the \(kind) \(quoted(name)) is already at \(first.line):\(first.column)", hint: "names are unique")
    } else {
      positions[name] = value.node.position
    }
  }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
  isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
}

/// RFC 9110 §5.6.2.
func isToken(_ text: String) -> Bool {
  !text.isEmpty && text.utf8.allSatisfy { isLetterOrDigit($0) || "!#$%&'*+-.^_`|~".utf8.contains($0) }
}
