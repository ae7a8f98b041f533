/// Reads one of `consumers`.
enum ConsumerReader {
  static let keys = ["name", "customID", "groups", "credentials", "plugins"]
  static let groupsMax = 100
  /// Of one kind: keys that are rotated, or handed to several programs.
  static let credentialsMax = 1_000

  /// After an error, what could be read.
  ///
  /// - name: Where it is known without being written.
  static func read(_ value: Value, name known: String? = nil) -> Consumer? {
    guard let mapping = MappingReader(value, keys: keys) else { return nil }
    var consumer = Consumer(name: mapping.resourceName(known) ?? "")
    mapping.read("customID", into: &consumer.customID, readCustomID)
    mapping.read("groups", into: &consumer.groups, readGroups)
    mapping.read("credentials", into: &consumer.credentials, readCredentials)
    mapping.read("plugins", into: &consumer.plugins, PluginsReader.read)
    return consumer
  }

  private static func readCustomID(_ value: Value) -> String? {
    guard let text = value.text("an identifier") else { return nil }
    guard text.utf8.count <= 1_024, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      value.report(
        "this is not an identifier", hint: "ASCII without spaces, at most 1024: it is sent in a field")
      return nil
    }
    return text
  }

  private static func readGroups(_ value: Value) -> [String]? {
    guard let items = value.items("a list of groups", hint: "such as [gold, partners]") else { return nil }
    guard items.count <= groupsMax else {
      value.report("\(items.count) groups are too many", hint: "at most \(groupsMax)")
      return nil
    }
    return RouteReader.uniqueTexts(items.map { ($0, $0.name()) }, "group")
  }

  private static func readCredentials(_ value: Value) -> [ConsumerCredential]? {
    let hint = "such as {key-auth: [{key: a-long-random-text}]}"
    guard
      let entries = MappingReader.uniqueEntries(
        of: value, wanted: "credentials by the name of their plugin", hint: hint)
    else { return nil }
    var credentials: [ConsumerCredential] = []
    for entry in entries {
      let member = Value(
        node: entry.value, place: .key(entry.key, value.place), diagnostics: value.diagnostics)
      let catalog = value.diagnostics.plugins
      guard let kind = catalog[entry.key]?.credentials else {
        let names = catalog.kinds.filter { $0.credentials != nil }.map { $0.name }
        value.diagnostics.report(
          "no plugin \(quoted(entry.key)) asks for credentials",
          hint: "one of " + names.joined(separator: ", "),
          at: entry.keyPosition, place: member.place)
        continue
      }
      credentials += read(member, entry.key, kind)
    }
    return credentials
  }

  private static func read(_ value: Value, _ plugin: String, _ kind: CredentialKind) -> [ConsumerCredential] {
    guard let items = value.items("a list of credentials") else { return [] }
    guard items.count <= credentialsMax else {
      value.report("\(items.count) credentials are too many", hint: "at most \(credentialsMax)")
      return []
    }
    var seen: Set<[UInt8]> = []
    return items.compactMap { item in
      guard let values = OptionReader.read(item, kind.options) else { return nil }
      do throws(OptionProblem) {
        let credential = try kind.make(values)
        if !seen.insert(credential.lookup).inserted { item.report("this credential is listed twice") }
        return ConsumerCredential(plugin: plugin, credential: credential)
      } catch {
        PluginsReader.report(error, at: item)
        return nil
      }
    }
  }
}

/// Reads one of `plugins`: the options of a plugin, and its name.
enum GlobalPluginReader {
  static func read(_ value: Value, name known: String? = nil) -> GlobalPlugin? {
    guard case .mapping = value.node.content else {
      value.reportWrongType("a plugin's name and options", hint: "such as {name: cors}")
      return nil
    }
    let named = value.member("name")
    guard let name = known ?? named?.name() else {
      if named == nil { value.report("\"name\" is missing", hint: "the plugin's, such as name: cors") }
      return nil
    }
    if known != nil, let named, named.name() != name { return nil }
    let position = named?.node.position ?? value.node.position
    return PluginsReader.read(name, at: position, value, other: ["name"]).map(GlobalPlugin.init)
  }
}
