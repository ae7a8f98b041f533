import DataPlane
import HTTPCodec
import Resources

/// What requests have to be like for something to hold of them: all that is given has to hold.
struct RequestConditions: Sendable {
  private static let partsMax = 16
  private static let valueBytesMax = 8_192

  static let options =
    [PluginOption("method", .list(.token("a method"), maximum: partsMax), "One of these methods.")]
    + pairs("headers", "headerPatterns", .token("a name of a field"), "Fields")
    + pairs("cookies", "cookiePatterns", .token("a name of a cookie"), "Cookies")
    + pairs("query", "queryPatterns", .text("a name of a parameter"), "Parameters of the query, decoded,")
    + [
      PluginOption(
        "consumers", .list(.text("a consumer's name"), maximum: 1_000), "One of these consumers calls."),
      PluginOption(
        "groups", .list(.text("a group"), maximum: 1_000), "A consumer of one of these groups calls."),
    ]

  private static func pairs(
    _ exact: String, _ patterns: String, _ names: OptionType, _ what: String
  ) -> [PluginOption] {
    [
      PluginOption(
        exact, .map(names, .content(bytesMax: valueBytesMax), maximum: partsMax),
        "\(what) by name; the value has to be the same, and \"\" stands for any."),
      PluginOption(
        patterns, .map(names, .regex, maximum: partsMax),
        "\(what) by name; the expression (RE2) has to be found in the value."),
    ]
  }

  fileprivate enum Place: Sendable {
    case field, cookie, parameter
  }

  fileprivate struct Exact: Sendable {
    let place: Place
    let name: [UInt8]
    /// Empty: any.
    let value: [UInt8]
  }

  fileprivate struct Pattern: Sendable {
    let place: Place
    let name: [UInt8]
    let expression: String
  }

  fileprivate let methods: [[UInt8]]
  fileprivate let exact: [Exact]
  fileprivate let patterns: [Pattern]
  fileprivate let consumers: Set<String>
  fileprivate let groups: Set<String>

  init(_ values: OptionValues) {
    methods = values.texts("method").map { Array($0.utf8) }
    let places: [(Place, String, String)] = [
      (.field, "headers", "headerPatterns"), (.cookie, "cookies", "cookiePatterns"),
      (.parameter, "query", "queryPatterns"),
    ]
    exact = places.flatMap { place, option, _ in
      values.pairs(option).map {
        Exact(place: place, name: Self.name($0.key, place), value: Array($0.text.utf8))
      }
    }
    patterns = places.flatMap { place, _, option in
      values.pairs(option).map {
        Pattern(place: place, name: Self.name($0.key, place), expression: $0.text)
      }
    }
    consumers = Set(values.texts("consumers"))
    groups = Set(values.texts("groups"))
  }

  /// Names of fields are compared in lower case.
  private static func name(_ text: String, _ place: Place) -> [UInt8] {
    if case .field = place { return Array(text.lowercased().utf8) }
    return Array(text.utf8)
  }

  /// Every request fulfils them.
  var isEmpty: Bool {
    methods.isEmpty && exact.isEmpty && patterns.isEmpty && consumers.isEmpty && groups.isEmpty
  }
}

/// ``RequestConditions`` as a worker asks them: with expressions of its own, since those that are shared share a
/// lock.
struct ReadyConditions {
  private let conditions: RequestConditions
  private let expressions: [RegularExpression?]

  init(_ conditions: RequestConditions) {
    self.conditions = conditions
    // They were compiled when the configuration was read, and so they can be.
    expressions = conditions.patterns.map { try? RegularExpression($0.expression) }
  }

  func hold(for request: some RequestFacts) -> Bool {
    if conditions.isEmpty { return true }
    if !conditions.methods.isEmpty,
      !request.withPart({ $0.methodRange }, { method in conditions.methods.contains { method.equals($0) } })
    {
      return false
    }
    for one in conditions.exact
    where look(one.place, one.name, request, { one.value.isEmpty || $0.equals(one.value) }) != true {
      return false
    }
    for (index, one) in conditions.patterns.enumerated() {
      guard let expression = expressions[index] else { return false }
      if look(one.place, one.name, request, { expression.matchesPart(of: $0) }) != true { return false }
    }
    return isCaller(request.consumer)
  }

  private func look(
    _ place: RequestConditions.Place, _ name: [UInt8], _ request: some RequestFacts,
    _ body: (Span<UInt8>) -> Bool
  ) -> Bool? {
    switch place {
    case .field: request.withFirstField(name, body)
    case .cookie: request.withCookie(name, body)
    case .parameter: request.withParameter(name, body)
    }
  }

  private func isCaller(_ consumer: WorkerConsumer?) -> Bool {
    if conditions.consumers.isEmpty, conditions.groups.isEmpty { return true }
    guard let consumer else { return false }
    if !conditions.consumers.isEmpty, !conditions.consumers.contains(consumer.name) { return false }
    return conditions.groups.isEmpty || consumer.groups.contains { conditions.groups.contains($0) }
  }
}

extension Span where Element == UInt8 {
  func equals(_ text: [UInt8]) -> Bool {
    guard count == text.count else { return false }
    for index in text.indices where self[index] != text[index] { return false }
    return true
  }
}
