import Resources

/// Reads what the API answers, member by member. JSON numbers are words without quotes.
extension ResourceBody {
  /// A text, or a word; nil for null and for what is no scalar.
  var text: String? {
    guard case .scalar(let text, let isQuoted) = content, isQuoted || text != "null" else { return nil }
    return text
  }

  /// The items of a list; none elsewhere.
  var items: [ResourceBody] {
    guard case .list(let items) = content else { return [] }
    return items
  }

  var members: [Member] {
    guard case .mapping(let members) = content else { return [] }
    return members
  }

  var isNull: Bool {
    guard case .scalar("null", isQuoted: false) = content else { return false }
    return true
  }

  var isTrue: Bool {
    guard case .scalar("true", isQuoted: false) = content else { return false }
    return true
  }

  func number<Number: FixedWidthInteger>() -> Number? {
    guard case .scalar(let text, isQuoted: false) = content else { return nil }
    return Number(text)
  }

  /// A member that has to be there.
  func required<Value>(
    _ name: String, _ read: (ResourceBody) -> Value?
  ) throws(ClientFailure) -> Value {
    guard let member = self[name], let value = read(member) else {
      throw .malformedAnswer("\"\(name)\" is missing, or is not as expected")
    }
    return value
  }
}
