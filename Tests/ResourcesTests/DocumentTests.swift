import Testing

@testable import Resources

@Suite struct DocumentTests {
  private func failure(_ text: String) -> YAMLFailure? {
    do throws(YAMLFailure) {
      _ = try YAMLDocument.parse(text)
      return nil
    } catch {
      return error
    }
  }

  private func entries(_ text: String) throws -> [YAMLNode.Entry] {
    guard case .mapping(let entries) = try YAMLDocument.parse(text).content else { return [] }
    return entries
  }

  @Test func columnsCountUnicodeScalars() throws {
    let entries = try entries("ä: {\"ö*\": 1, b: 2}")
    guard case .mapping(let inner) = entries[0].value.content else { return #expect(Bool(false)) }
    #expect(inner[0].key == "ö*")
    #expect(inner[1].keyPosition == Position(line: 1, column: 14))
  }

  @Test(arguments: ["a: 1\nb: 2\n", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2\r"])
  func linesEndInAnyWay(text: String) throws {
    #expect(try entries(text)[1].keyPosition == Position(line: 2, column: 1))
  }

  @Test(arguments: [
    "a: 1\nb: 2\na: 3\n", "a: 1\r\nb: 2\r\na: 3\r\n", "\"a\": 1\n'b': 2\na: 3\n", "a: 1\rb: 2\ra: 3\r",
  ])
  func repeatedKeysKeepTheirPlaces(text: String) throws {
    let entries = try entries(text)
    #expect(entries.map(\.key) == ["a", "b", "a"])
    #expect(entries[0].keyPosition == Position(line: 1, column: 1))
    #expect(entries[2].keyPosition == Position(line: 3, column: 1))
  }

  @Test func tooManyRepeatedKeysAreStillAnError() {
    let text = String(repeating: "a: 1\n", count: YAMLDocument.repeatedKeysMax + 2)
    #expect(failure(text)?.message.contains("repeated") == true)
  }

  @Test func aRepeatedKeyWithEscapesIsStillAnError() {
    #expect(failure("\"\\x61\": 1\na: 2\n")?.message == "the key \"a\" is repeated")
  }

  @Test func starsComeBack() throws {
    let entries = try entries("a*: ['*.b', \"*\", c * d, e*]\n")
    #expect(entries[0].key == "a*")
    guard case .sequence(let items) = entries[0].value.content else { return #expect(Bool(false)) }
    let texts = items.map { if case .scalar(let text, _) = $0.content { text } else { "" } }
    #expect(texts == ["*.b", "*", "c * d", "e*"])
  }

  @Test func aliasesShareTheirNode() throws {
    let entries = try entries("a: &x [1, 2]\nb: *x\n")
    #expect(entries[0].value === entries[1].value)
    #expect(entries[1].value.expandedCount == 3)
  }

  @Test func aliasesCountAllThatTheyStandFor() {
    var text = "a0: &a0 [x, x]\n"
    for level in 1...40 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
    #expect(failure(text)?.message.contains("stand for more than") == true)
  }

  @Test func nestingIsBounded() {
    let text = String(repeating: "[", count: 5_000)
    #expect(failure(text) != nil)
  }

  @Test func sizeIsBounded() {
    let text = String(repeating: "#", count: YAMLDocument.bytesMax + 1)
    #expect(failure(text)?.message.contains("more than the 67108864 allowed") == true)
  }
}

@Suite struct ErrorTests {
  @Test func descriptionHasPlaceKeyMessageAndHint() {
    var error = ConfigurationError(
      path: "penstock.yaml", line: 12, column: 5, keyPath: "services[0].balance",
      message: "unknown value \"x\"",
      hint: "one of a, b")
    #expect(error.description == "penstock.yaml:12:5: services[0].balance: unknown value \"x\": one of a, b")
    error.keyPath = ""
    error.hint = nil
    #expect(error.description == "penstock.yaml:12:5: unknown value \"x\"")
  }

  private func errors(_ text: String) -> ConfigurationErrors? {
    do throws(ConfigurationErrors) {
      _ = try ConfigurationFile.load(text: text, path: "t.yaml")
      return nil
    } catch {
      return error
    }
  }

  @Test func thereIsAnEndToErrors() {
    let routes = (0..<3_000).map { "  - {name: r\($0), service: missing}\n" }.joined()
    let errors = errors("listeners: [{name: web, address: \":1\"}]\nroutes:\n" + routes)
    #expect(errors?.errors.count == ConfigurationErrors.countMax)
    // Each route has an unknown service, and all but the first the conditions of the first.
    #expect(errors?.omitted == 3_000 + 2_999 - ConfigurationErrors.countMax)
    #expect(errors?.description.hasSuffix("and 4999 more") == true)
  }

  @Test func aRouteCannotMakeAMillionEntries() {
    let hosts = (0..<400).map { "h\($0)" }.joined(separator: ", ")
    let matches = (0..<400).map { "{path: /\($0)}" }.joined(separator: ", ")
    let errors = errors(
      """
      listeners: [{name: web, address: ":1"}]
      services: [{name: s, endpoints: ["s:1"]}]
      routes: [{name: r, hosts: [\(hosts)], match: [\(matches)], service: s}]
      """)
    #expect(errors?.errors.first?.message == "400 hosts times 400 matches are too many")
  }

  @Test func manyUnknownNamesAreReportedWithoutComparingAllPairs() {
    let services = (0..<2_000).map { "  - {name: service-\($0), endpoints: [\"s:1\"]}\n" }.joined()
    let routes = (0..<900).map { "  - {name: r\($0), match: [{path: /\($0)}], service: servise-\($0)}\n" }
      .joined()
    let errors = errors("listeners: [{name: web, address: \":1\"}]\nservices:\n\(services)routes:\n\(routes)")
    #expect(errors?.errors.count == 900)
    #expect(errors?.errors.first?.hint == "did you mean \"service-0\"?")
    #expect(errors?.errors.last?.hint == nil)
  }
}
