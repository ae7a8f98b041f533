import Testing

@testable import Resources

@Suite struct RegularExpressionTests {
  private func matches(_ expression: RegularExpression, _ text: String) -> Bool {
    matches(expression, Array(text.utf8))
  }

  private func matches(_ expression: RegularExpression, _ bytes: [UInt8]) -> Bool {
    expression.matchesWhole(bytes.span)
  }

  @Test func anchorsAtBothEnds() throws {
    let expression = try RegularExpression("/orders/[0-9]+")
    #expect(matches(expression, "/orders/42"))
    #expect(!matches(expression, "/orders/42/"))
    #expect(!matches(expression, "x/orders/42"))
    #expect(!matches(expression, ""))
  }

  @Test func alternativesAreAnchoredTogether() throws {
    let expression = try RegularExpression("a|ab")
    #expect(matches(expression, "ab"))
    #expect(!matches(expression, "abc"))
  }

  @Test func theEmptyTextCanMatch() throws {
    #expect(matches(try RegularExpression(""), ""))
    #expect(matches(try RegularExpression("a*"), ""))
    #expect(!matches(try RegularExpression("a+"), ""))
  }

  @Test func caseCountsUnlessToldOtherwise() throws {
    #expect(!matches(try RegularExpression("abc"), "ABC"))
    #expect(matches(try RegularExpression("abc", ignoresCase: true), "ABC"))
    #expect(matches(try RegularExpression("(?i)abc"), "ABC"))
  }

  @Test func everyByteIsOneCharacter() throws {
    let any = try RegularExpression("..")
    #expect(matches(any, [0xC3, 0xBC]))
    #expect(matches(any, [0xFF, 0x00]))
    #expect(matches(try RegularExpression("\\xFF+"), [0xFF, 0xFF]))
  }

  @Test(arguments: [
    ("(", "missing ): ("), ("[a", "missing ]: [a"), ("*a", "no argument for repetition operator: *"),
    ("a\\", "trailing \\"), ("(?=a)", "invalid perl operator: (?="), ("\\1", "invalid escape sequence: \\1"),
    ("a{1001}", "invalid repetition size: {1001}"),
  ])
  func compileErrorsAreThoseOfRE2(pattern: String, message: String) {
    #expect { try RegularExpression(pattern) } throws: { error in
      let text = (error as? RegularExpressionError)?.message ?? ""
      return text.contains(message)
    }
  }

  @Test func patternsAreASCIIAndShort() {
    #expect(throws: RegularExpressionError.self) { try RegularExpression("[ü]") }
    #expect(throws: RegularExpressionError.self) {
      try RegularExpression(String(repeating: "a", count: 4_097))
    }
  }

  @Test func memoryIsBounded() {
    // Some ten million states: far more than 1 MiB.
    #expect(throws: RegularExpressionError.self) { try RegularExpression("((a{1,100}){1,100}){1,100}") }
  }

  /// A backtracking engine needs about 2^100,000 steps for this; a linear one ends the test.
  @Test func nestedRepetitionIsLinear() throws {
    let expression = try RegularExpression("(a+)+$")
    var text = [UInt8](repeating: 0x61, count: 100_000)
    #expect(matches(expression, text))
    text.append(0x21)
    #expect(!matches(expression, text))
  }

  /// Automata that outgrow the cache fall back to a slower search, which still ends and is right.
  @Test func largeAutomataStayCorrect() throws {
    let expression = try RegularExpression("(a|b)*a(a|b){200}")
    var text = (0..<20_000).map { UInt8($0 &* 7919 % 13 < 6 ? 0x61 : 0x62) }
    text[text.count - 201] = 0x61
    #expect(matches(expression, text))
    text[text.count - 201] = 0x62
    #expect(!matches(expression, text))
  }

  private func groups(_ pattern: String, _ text: String) throws -> [String]? {
    let expression = try RegularExpression(pattern, hasGroups: true)
    let bytes = Array(text.utf8)
    return expression.groups(in: bytes.span)?.map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  @Test func groupsAreFound() throws {
    #expect(try groups("/([a-z]+)/([0-9]*)", "/ab/12") == ["/ab/12", "ab", "12"])
    #expect(try groups("/([a-z]+)/([0-9]*)", "/ab/") == ["/ab/", "ab", ""])
    #expect(try groups("(a)|(b)", "b") == ["b", "", "b"])
    #expect(try groups("a", "a") == ["a"])
    #expect(try groups("(a*)", "") == ["", ""])
    #expect(try groups("(a)", "ab") == nil)
    #expect(try RegularExpression("(a)(?:b)(?P<n>c)", hasGroups: true).groupCount == 2)
  }

  @Test func moreGroupsThanCanBeAskedForDoNoHarm() throws {
    let many = String(repeating: "(a)", count: 40)
    let found = try groups(many, String(repeating: "a", count: 40))
    #expect(found?.count == RegularExpression.groupsMax + 1)
  }

  @Test func withoutGroupsThereAreNone() throws {
    let expression = try RegularExpression("(a)(b)")
    #expect(expression.groupCount == 0)
    let bytes = Array("ab".utf8)
    #expect(expression.groups(in: bytes.span) == [0..<2])
  }
}
