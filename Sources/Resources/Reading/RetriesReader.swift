/// Reads `retries`.
enum RetriesReader {
  static let keys = ["attempts", "on", "budget", "nonIdempotent"]
  static let attemptsMax = 10
  static let words: [(word: String, value: Retries.Condition)] = [
    ("connect-failure", .connectFailure), ("reset", .reset), ("response-timeout", .responseTimeout),
    ("grpc-cancelled", .grpcStatus(1)), ("grpc-deadline-exceeded", .grpcStatus(4)),
    ("grpc-internal", .grpcStatus(13)), ("grpc-resource-exhausted", .grpcStatus(8)),
    ("grpc-unavailable", .grpcStatus(14)),
  ]

  static func read(_ value: Value) -> Retries?? {
    if value.isWord("off") { return .some(nil) }
    guard let mapping = MappingReader(value, keys: keys, wanted: "a mapping, or off") else { return nil }
    var retries = Retries()
    mapping.read("attempts", into: &retries.attempts) { value in
      if value.isWord("0") {
        value.report("0 attempts are no retries", hint: "write retries: off")
        return nil
      }
      return value.integer(in: 1...attemptsMax)
    }
    mapping.read("on", into: &retries.on, readConditions)
    mapping.read("budget", into: &retries.budgetPercent) { $0.percentage() }
    mapping.read("nonIdempotent", into: &retries.nonIdempotent) { $0.boolean() }
    return retries
  }

  private static func readConditions(_ value: Value) -> Set<Retries.Condition>? {
    guard let items = value.items("a list such as [connect-failure, reset, 503]") else { return nil }
    guard !items.isEmpty else {
      value.report("at least one condition is needed", hint: "write retries: off for none")
      return nil
    }
    var conditions: Set<Retries.Condition> = []
    for item in items {
      guard let condition = readCondition(item) else { continue }
      if !conditions.insert(condition).inserted { item.report("this condition is listed twice") }
    }
    return conditions
  }

  private static func readCondition(_ value: Value) -> Retries.Condition? {
    guard let text = value.plainText, let status = Int(text) else {
      return value.choice(words, others: ["a status from 500 to 599"])
    }
    guard (500...599).contains(status) else {
      value.report(
        "the status \(status) cannot be retried on",
        hint: "from 500 to 599: others are answers to this request")
      return nil
    }
    return .status(UInt16(status))
  }
}
