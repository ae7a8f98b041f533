/// Reads `admin`, and `store`, which the admin API writes.
enum AdminReader {
  static let keys = ["address", "token"]
  static let storeKeys = ["path", "key", "history"]
  static let secretKeys = ["file", "env"]
  static let allKeys = keys + storeKeys + secretKeys

  /// Some hundred bytes are kept of each.
  static let historyMax = 10_000_000

  /// `nil` both for `off` and after an error: neither leaves an admin address.
  static func read(_ value: Value, listeners: [Listener]) -> Admin? {
    if value.isWord("off") { return nil }
    guard let mapping = MappingReader(value, keys: keys, wanted: "a mapping with address, or off") else {
      return nil
    }
    let token = mapping["token"]
    let source = token.flatMap { readSecret($0, example: "such as {file: admin.token}") }
    guard let addressValue = mapping.required("address"), let address = addressValue.bindAddress() else {
      return nil
    }
    if let listener = listeners.first(where: { $0.address.isSameAddress(as: address) }) {
      addressValue.report(
        "the address \(address.description) is already that of listener \(quoted(listener.name))")
    }
    if token == nil, !address.isLoopback {
      addressValue.report(
        "the admin API changes what runs, and others can reach this address",
        hint: "set a token, such as token: {file: admin.token}, or listen on 127.0.0.1:\(address.port)")
    }
    return Admin(address: address, token: source)
  }

  static func readStore(_ value: Value) -> StoreSettings?? {
    if value.isWord("off") { return .some(nil) }
    let example = "such as {path: penstock.db, key: {file: store.key}}"
    guard
      let mapping = MappingReader(
        value, keys: storeKeys, wanted: "a mapping with path, or off", hint: example)
    else { return nil }
    let path = mapping.required("path", "the database's file, such as path: penstock.db")?
      .filePath("a file's path")
    var store = StoreSettings(path: path ?? "")
    mapping.read("key", into: &store.key) { readSecret($0, example: "such as {file: store.key}") }
    mapping.read("history", into: &store.history) { $0.integer(in: 1...historyMax) }
    return store
  }

  /// `{file: PATH}` or `{env: NAME}`: never the secret itself, which dumps would show.
  private static func readSecret(_ value: Value, example: String) -> SecretSource? {
    guard value.isMapping else {
      value.report("expected a mapping with file or env", hint: example)
      return nil
    }
    guard let mapping = MappingReader(value, keys: secretKeys, hint: example) else { return nil }
    switch (mapping["file"], mapping["env"]) {
    case (let file?, nil): return file.filePath("a file's path").map(SecretSource.file)
    case (nil, let variable?): return readVariable(variable).map(SecretSource.environment)
    case (.some, .some): value.report("file and env exclude each other", hint: "keep one of them")
    case (nil, nil):
      // Other keys have been reported.
      if case .mapping(let entries) = value.node.content, entries.isEmpty {
        value.report("expected one of file, env", hint: example)
      }
    }
    return nil
  }

  /// POSIX's names of environment variables, in either case.
  private static func readVariable(_ value: Value) -> String? {
    guard let name = value.text("the name of an environment variable") else { return nil }
    guard name.utf8.allSatisfy({ isLetterOrDigit($0) || $0 == 0x5F }), let first = name.utf8.first,
      !isDigit(first)
    else {
      value.report(
        "\(quoted(name)) is not the name of an environment variable", hint: "such as PENSTOCK_ADMIN_TOKEN")
      return nil
    }
    return name
  }
}

extension HostPort {
  /// Whether only this machine reaches it: 127.0.0.0/8 or ::1.
  fileprivate var isLoopback: Bool {
    guard let address = canonicalHost, address.count == 16 else { return false }
    let isMapped = address[..<10].allSatisfy { $0 == 0 } && address[10] == 0xFF && address[11] == 0xFF
    return isMapped ? address[12] == 127 : address[..<15].allSatisfy { $0 == 0 } && address[15] == 1
  }
}
