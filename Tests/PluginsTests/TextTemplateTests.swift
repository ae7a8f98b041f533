import Resources
import Testing

@testable import Plugins

@Suite struct TextTemplateTests {
  private func parts(_ text: String, groups: Int? = nil) throws -> [TextTemplate.Part] {
    try TextTemplate(text, option: "o", groups: groups).parts
  }

  private func literal(_ text: String) -> TextTemplate.Part { .literal(Array(text.utf8)) }

  @Test func variablesAreFoundInTexts() throws {
    #expect(try parts("") == [])
    #expect(try parts("plain") == [literal("plain")])
    #expect(try parts("$host") == [.variable(.host)])
    #expect(
      try parts("a$host/b${uri}c") == [
        literal("a"), .variable(.host), literal("/b"), .variable(.uri), literal("c"),
      ])
    #expect(try parts("${host}name") == [.variable(.host), literal("name")])
    #expect(try parts("$http_x_Forwarded") == [.variable(.field(Array("x-forwarded".utf8)))])
    #expect(
      try parts("$arg_a_B$cookie_c") == [
        .variable(.parameter(Array("a_B".utf8))), .variable(.cookie([0x63])),
      ])
  }

  @Test func aDollarSignIsWrittenTwice() throws {
    #expect(try parts("$$") == [literal("$")])
    #expect(try parts("$$host$$$host") == [literal("$host$"), .variable(.host)])
    #expect(try TextTemplate("5$$", option: "o").isConstant)
  }

  @Test func groupsAreThoseOfTheExpression() throws {
    #expect(try parts("$1st$0${12}", groups: 12) == [.group(1), literal("st"), .group(0), .group(12)])
    #expect(throws: OptionProblem.self) { try parts("$1") }
    #expect(throws: OptionProblem.self) { try parts("$2", groups: 1) }
    #expect(throws: OptionProblem.self) { try parts("$99999999999999999999", groups: 31) }
  }

  @Test(arguments: [
    "$", "a$", "$ ", "$-", "${", "${host", "${}", "$nothing", "$http_", "$Host", "$hostname", "$é",
  ])
  func whatIsNoVariableIsRefused(text: String) {
    #expect(throws: OptionProblem.self) { try parts(text) }
  }

  @Test func thereAreAtMostSixteenVariables() throws {
    #expect(try parts(String(repeating: "$uri", count: 16)).count == 16)
    #expect(throws: OptionProblem.self) { try parts(String(repeating: "$uri", count: 17)) }
  }

  private func escaped(_ text: String, _ escaping: TextEscaping, isURI: Bool = false) -> String {
    var bytes: [UInt8] = []
    escaping.append(Array(text.utf8), isURI: isURI, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func whatComesFromARequestIsEscapedForItsPlace() {
    #expect(escaped("a\r\nb\u{0}c\u{7F}", .fieldValue) == "a  b c ")
    #expect(escaped("a/b c?%é", .uri) == "a%2Fb%20c%3F%25%C3%A9")
    #expect(escaped("/a%2Fb?c d", .uri, isURI: true) == "/a%2Fb?c%20d")
    #expect(escaped("\"\\\n<", .json) == "\\\"\\\\\\u000A\\u003C")
    #expect(escaped("<a b='c'>&\"", .html) == "&lt;a b=&#39;c&#39;&gt;&amp;&quot;")
    #expect(escaped("<\"\n", .none) == "<\"\n")
  }

  @Test func theContentTypeSaysHowContentIsEscaped() {
    func isJSON(_ type: String) -> Bool {
      if case .json = TextEscaping(contentType: type) { true } else { false }
    }
    func isHTML(_ type: String) -> Bool {
      if case .html = TextEscaping(contentType: type) { true } else { false }
    }
    #expect(isJSON("application/JSON; charset=utf-8") && isJSON("application/problem+json"))
    #expect(isHTML("text/html") && isHTML("application/xhtml+xml") && isHTML("image/svg+xml"))
    #expect(!isHTML("text/plain; note=html") && !isJSON("text/plain"))
  }

  @Test func linesHaveNoWhiteSpaceAroundTheirValues() {
    var lines: [UInt8] = []
    FieldLines.append([0x61], Array(" \t b c \t".utf8), to: &lines)
    FieldLines.append([0x62], Array("  ".utf8), to: &lines)
    #expect(lines == Array("a: b c\r\nb: \r\n".utf8))
  }
}
