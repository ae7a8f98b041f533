@testable import Plugins

/// JSON as tokens, key sets and what services answer have it.
///
/// - An object is read where a plain and slow reading reads one, but for repeated names and too many members.
/// - Members, elements, texts and numbers are what that reads, at any depth.
enum JSONChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let expected = PlainJSON.read(input, depthMax: JSONReading.depthMax)?.members
    var members: [JSONMember] = []
    do throws(JSONProblem) {
      try JSONReading.members(of: input.span, into: &members)
    } catch {
      try require(
        (0...input.count).contains(error.position), "the mistake is said to be at \(error.position)")
      try require(isRefusable(expected), "refused: \(error.message), at \(error.position)")
      return
    }
    guard let expected else { throw BrokenProperty("\(members.count) members of what is no object") }
    try compare(members, expected, input)
  }

  /// What a reader may refuse that takes what others wrote.
  private static func isRefusable(_ members: [PlainJSON.Member]?) -> Bool {
    guard let members else { return true }
    return members.count > JSONReading.membersMax || PlainJSON.hasRepeatedNames(members)
  }

  static func compare(
    _ members: [JSONMember], _ expected: [PlainJSON.Member], _ input: [UInt8]
  ) throws(BrokenProperty) {
    try require(!isRefusable(expected), "repeated names, or too many members")
    try require(members.count == expected.count, "\(members.count) members instead of \(expected.count)")
    for (member, other) in zip(members, expected) {
      let name = Array(other.name.utf8)
      try require(member.name.string(in: input.span) == name, "a name is not \(other.name)")
      try compare(member.value, other.value, input)
      guard let found = members.value(of: name, in: input.span) else {
        throw BrokenProperty("no value of \(other.name)")
      }
      try require(found.range == member.value.range, "another value of \(other.name)")
    }
  }

  private static func compare(
    _ value: JSONSlice, _ expected: PlainJSON, _ input: [UInt8]
  ) throws(BrokenProperty) {
    let text = value.string(in: input.span)
    switch (value.kind, expected) {
    case (.string, .string(let other)):
      try require(text == Array(other.utf8), "a string is not \(other.debugDescription)")
      try require(value.equals(text, in: input.span), "a string is not equal to itself")
      try require(!value.equals(text + [65], in: input.span), "a string is equal to a longer one")
    case (.number, .number(let other)):
      try require(text == Array(other.utf8), "a number is not \(other)")
      try compare(value.number(in: input.span), other)
    case (.true, .word("true")), (.false, .word("false")), (.null, .word("null")): break
    case (.array, .array(let others)):
      guard let elements = try? JSONReading.elements(of: input.span, in: value) else {
        throw BrokenProperty("an array is refused when it is read by itself")
      }
      try require(elements.count == others.count, "\(elements.count) elements instead of \(others.count)")
      for (element, other) in zip(elements, others) { try compare(element, other, input) }
    case (.object, .object(let others)):
      var members: [JSONMember] = []
      guard (try? JSONReading.members(of: input.span, in: value, into: &members)) != nil else {
        return try require(isRefusable(others), "an object is refused when it is read by itself")
      }
      try compare(members, others, input)
    default: throw BrokenProperty("\(value.kind) instead of \(expected)")
    }
  }

  private static func compare(_ number: Double?, _ text: String) throws(BrokenProperty) {
    guard let number else {
      let isBeyond = text.utf8.count > 32 || Double(text)?.isFinite != true
      return try require(isBeyond, "\(text) is no number")
    }
    try require(number == Double(text), "\(text) is \(number)")
  }
}
