/// The keys of one mapping: unknown and repeated ones are reported at once.
struct MappingReader {
  let value: Value
  private let entries: [YAMLNode.Entry]

  /// `nil` after a report where `value` is no mapping.
  init?(_ value: Value, keys: [String], wanted: String = "a mapping", hint: String? = nil) {
    guard let all = MappingReader.uniqueEntries(of: value, wanted: wanted, hint: hint) else { return nil }
    self.value = value
    entries = all
    for entry in all where !keys.contains(entry.key) {
      let nearest = value.diagnostics.suggestion(for: entry.key, among: keys)
      let list = "one of " + keys.joined(separator: ", ")
      value.diagnostics.report(
        "unknown key", hint: nearest.map { "did you mean \(quoted($0))?" } ?? list,
        at: entry.keyPosition, place: .key(entry.key, value.place))
    }
  }

  subscript(key: String) -> Value? {
    guard let entry = entries.first(where: { $0.key == key }) else { return nil }
    return Value(node: entry.value, place: .key(key, value.place), diagnostics: value.diagnostics)
  }

  /// The value of a key that has to be there.
  func required(_ key: String, _ hint: String? = nil) -> Value? {
    if let value = self[key] { return value }
    value.report("\(quoted(key)) is missing", hint: hint)
    return nil
  }

  /// The `name` of a resource. Where it is `known`, it may be left out.
  func resourceName(_ known: String?) -> String? {
    guard let value = known == nil ? required("name") : self["name"] else { return known }
    guard let name = value.name() else { return nil }
    if let known, known != name {
      value.report(
        "\(quoted(name)) is not the name of this resource", hint: "leave it out, or write \(quoted(known))")
    }
    return name
  }

  /// Sets `target` where the key is there and its value can be read.
  func read<T>(_ key: String, into target: inout T, _ reading: (Value) -> T?) {
    guard let value = self[key], let result = reading(value) else { return }
    target = result
  }

  /// Entries of a mapping whose keys are free, in the order of the file, with the position of keys.
  static func uniqueEntries(
    of value: Value, wanted: String = "a mapping", hint: String? = nil
  ) -> [YAMLNode.Entry]? {
    guard case .mapping(let entries) = value.node.content else {
      value.reportWrongType(wanted, hint: hint)
      return nil
    }
    guard !areDistinct(entries) else { return entries }
    var positions: [String: Position] = [:]
    var unique: [YAMLNode.Entry] = []
    for entry in entries {
      if let first = positions.updateValue(entry.keyPosition, forKey: entry.key) {
        positions[entry.key] = first
        value.diagnostics.report(
          "repeated key", hint: "it is already at \(first.line):\(first.column)",
          at: entry.keyPosition, place: .key(entry.key, value.place))
      } else {
        unique.append(entry)
      }
    }
    return unique
  }

  /// Few keys are compared with each other: that is faster than hashing them. False may be a guess.
  private static func areDistinct(_ entries: [YAMLNode.Entry]) -> Bool {
    guard entries.count <= 16 else { return false }
    for index in entries.indices {
      for other in 0..<index where entries[other].key == entries[index].key { return false }
    }
    return true
  }
}
