/// Reads what is to be changed: a list of operations, or a document with the vocabulary of files, in
/// which each resource is put.
///
/// Only the outside is read: who is to be changed, how, and under which conditions. What resources say
/// is left to their readers.
public enum TransactionReader {
  /// Domains that one process is made for; each may bring a few resources, in several transactions.
  public static let operationsMax = 100_000
  /// A sentence or two for the history.
  public static let messageBytesMax = 1_024

  static let keys = ["message", "operations"]
  static let operationKeys = ["op", "kind", "name", "resource", "ifMatch", "ifNoneMatch"]

  /// The operations in their order, and what the history is to say about them.
  ///
  /// Throws everything that is wrong, up to ``ConfigurationErrors/countMax`` problems. Pure, from any
  /// thread but a worker's.
  public static func read(
    _ body: ResourceBody
  ) throws(TransactionRefusal) -> (operations: [ResourceOperation], message: String?) {
    var changes = TransactionChanges()
    guard case .mapping(let entries) = body.node.content else {
      changes.report(hint: "{\"operations\": […]}", "expected a mapping")
      throw changes.refusal
    }
    let written = Set(entries.map(\.key))
    var message: String?
    if written.contains("operations") {
      message = changes.reading(body.node, at: .root) { readOperations($0, into: &$1) }
    } else if !written.isDisjoint(with: ResourceKind.allCases.map(\.rawValue) + settings) {
      changes.reading(body.node, at: .root) { value, _ in checkDocument(value, entries) }
      readDocument(entries, into: &changes)
    } else {
      changes.reading(body.node, at: .root) { value, _ in
        _ = MappingReader(value, keys: keys + ResourceKind.allCases.map(\.rawValue))
        if entries.isEmpty { value.report("there is nothing in it", hint: "{\"operations\": […]}") }
      }
    }
    guard changes.problems.isEmpty else { throw changes.refusal }
    return (changes.operations, message)
  }

  // MARK: Operations

  /// The message.
  private static func readOperations(_ value: Value, into changes: inout TransactionChanges) -> String? {
    guard let mapping = MappingReader(value, keys: keys), let list = mapping["operations"] else { return nil }
    let message = mapping["message"].flatMap(readMessage)
    guard case .sequence(let items) = list.node.content else {
      list.reportWrongType("a list of operations")
      return message
    }
    guard !items.isEmpty else {
      list.report("at least one operation is needed")
      return message
    }
    guard items.count <= operationsMax else {
      list.report("\(items.count) operations are too many", hint: "at most \(operationsMax)")
      return message
    }
    for index in items.indices where !changes.isFull {
      changes.reading(items[index], at: .index(index, list.place), operation: index) { value, changes in
        readOperation(value, index, into: &changes)
      }
    }
    return message
  }

  private static func readMessage(_ value: Value) -> String? {
    guard let message = value.text("a text for the history") else { return nil }
    guard message.utf8.count <= messageBytesMax else {
      value.report("the message has \(message.utf8.count) bytes", hint: "at most \(messageBytesMax)")
      return nil
    }
    return message
  }

  private enum Verb: String, CaseIterable { case put, patch, delete }

  private static func readOperation(_ value: Value, _ index: Int, into changes: inout TransactionChanges) {
    guard let mapping = MappingReader(value, keys: operationKeys) else { return }
    let verb = mapping.required("op", "one of put, patch, delete")?
      .choice(Verb.allCases.map { ($0.rawValue, $0) })
    let kind = mapping.required("kind", "such as routes")?
      .choice(ResourceKind.allCases.map { ($0.rawValue, $0) })
    let name = mapping.required("name")?.name()
    let condition = readCondition(mapping)
    if verb == .delete { mapping["resource"]?.report("delete takes no resource", hint: "leave it out") }
    let resource = verb == .delete || verb == nil ? nil : mapping.required("resource")
    guard let verb, let kind, let name else { return }
    let id = ResourceID(kind, name)
    let action: ResourceOperation.Action
    do throws(ResourceProblem) {
      switch verb {
      case .put:
        guard let resource else { return }
        action = .put(try ResourceBody(resource.node).named(id))
      case .patch:
        guard let resource else { return }
        let patch = ResourceBody(resource.node)
        try patch.checkName(id)
        action = .patch(patch)
      case .delete: action = .delete
      }
    } catch {
      var problem = error
      problem.operation = index
      changes.report(problem)
      return
    }
    changes.insert(ResourceOperation(id, action, condition: condition), at: value)
  }

  private static func readCondition(_ mapping: MappingReader) -> ResourceOperation.Condition? {
    switch (mapping["ifMatch"], mapping["ifNoneMatch"]) {
    case (nil, nil): return nil
    case (.some, let other?):
      other.report("ifMatch and ifNoneMatch exclude each other", hint: "keep one of them")
      return nil
    case (nil, let value?):
      if value.isWord("*") { return .isAbsent }
      value.reportWrongType("\"*\", for a resource that must not exist yet")
      return nil
    case (let value?, nil):
      if value.isWord("*") { return .exists }
      if value.plainText != nil { return readRevision(value).map { .revision([$0]) } }
      guard let items = value.items("a revision such as \"17\", a list of them, or \"*\"") else { return nil }
      guard !items.isEmpty else {
        value.report("at least one revision is needed")
        return nil
      }
      return .revision(items.compactMap(readRevision))
    }
  }

  /// A revision as its ETag has it, with or without the quotes.
  private static func readRevision(_ value: Value) -> UInt64? {
    guard let text = value.text("a revision such as \"17\"") else { return nil }
    let isQuoted = text.utf8.count > 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
    let digits = isQuoted ? text.dropFirst().dropLast() : text[...]
    guard digits.utf8.allSatisfy(isDigit), let revision = UInt64(digits) else {
      value.report("\(quoted(text)) is not a revision", hint: "the number in the resource's ETag")
      return nil
    }
    return revision
  }

  // MARK: Documents

  /// Keys of files that are no resources.
  private static let settings = ConfigurationReader.keys.filter { ResourceKind(rawValue: $0) == nil }

  private static func checkDocument(_ value: Value, _ entries: [YAMLNode.Entry]) {
    _ = MappingReader(value, keys: ConfigurationReader.keys)
    for entry in entries where settings.contains(entry.key) {
      value.diagnostics.report(
        "settings of the process are in the configuration file", hint: "leave it out here",
        at: entry.keyPosition, place: .key(entry.key, .root))
    }
  }

  private static func readDocument(_ entries: [YAMLNode.Entry], into changes: inout TransactionChanges) {
    for entry in entries {
      guard let kind = ResourceKind(rawValue: entry.key) else { continue }
      guard case .sequence(let items) = entry.value.content else {
        changes.reading(entry.value, at: .key(entry.key, .root)) { value, _ in
          value.reportWrongType("a list of \(kind.rawValue)")
        }
        continue
      }
      for index in items.indices where !changes.isFull {
        changes.reading(items[index], at: .index(index, .key(entry.key, .root))) { value, changes in
          guard case .mapping = value.node.content else { return value.reportWrongType("a mapping") }
          guard let nameValue = value.member("name") else {
            return value.report("\"name\" is missing", hint: "it says which \(kind.singular) is meant")
          }
          guard let name = nameValue.name() else { return }
          let put = ResourceOperation.Action.put(ResourceBody(value.node))
          changes.insert(ResourceOperation(ResourceID(kind, name), put), at: value)
        }
      }
    }
    if changes.operations.count > operationsMax {
      changes.report(
        hint: "at most \(operationsMax)", "\(changes.operations.count) resources are too many")
    } else if changes.operations.isEmpty, changes.problems.isEmpty {
      changes.report(hint: nil, "there is no resource in it")
    }
  }
}

/// What a transaction's reader has found so far.
struct TransactionChanges {
  private(set) var operations: [ResourceOperation] = []
  private(set) var problems: [ResourceProblem] = []
  /// Where each resource was first named.
  private var places: [ResourceID: Place] = [:]

  /// More problems help nobody.
  var isFull: Bool { problems.count >= ConfigurationErrors.countMax }

  var refusal: TransactionRefusal { TransactionRefusal(.invalid, problems) }

  mutating func report(_ problem: ResourceProblem) { problems.append(problem) }

  mutating func report(hint: String?, _ message: String) {
    report(ResourceProblem(nil, message, hint: hint))
  }

  /// Takes an operation, unless its resource has one already.
  mutating func insert(_ operation: ResourceOperation, at value: Value) {
    if let first = places.updateValue(value.place, forKey: operation.id) {
      places[operation.id] = first
      value.report(
        "\(operation.id) is already in \(first)",
        hint: "name each resource once: all changes take effect together")
    } else {
      operations.append(operation)
    }
  }

  /// Calls `body` with a value, and keeps what it reports about it.
  mutating func reading<Result>(
    _ node: YAMLNode, at place: Place, operation: Int? = nil,
    _ body: (Value, inout TransactionChanges) -> Result
  ) -> Result {
    let diagnostics = Diagnostics(path: "", folder: "", plugins: .empty)
    let result = body(Value(node: node, place: place, diagnostics: diagnostics), &self)
    for error in diagnostics.errors?.errors ?? [] where !isFull {
      problems.append(
        ResourceProblem(
          nil, operation: operation, field: error.keyPath, error.message, hint: error.hint))
    }
    return result
  }
}
