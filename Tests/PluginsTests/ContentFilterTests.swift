import Resources
import Testing

@testable import Plugins

@Suite struct ContentFilterTests {
  private func changed(_ text: String, _ match: String, _ replace: String, isGlobal: Bool = true) throws
    -> String
  {
    let groups = try MatchedPath.groupCount(match, option: "match")
    let filter = try #require(
      ContentFilter(
        ResponseRewrite.Filter(
          pattern: match, replacement: try TextTemplate(replace, option: "replace", groups: groups),
          isGlobal: isGlobal)))
    var content = Array(text.utf8)
    filter.change(&content)
    return String(decoding: content, as: UTF8.self)
  }

  @Test(arguments: [
    ("", "a", "b", ""), ("xyz", "a", "b", "xyz"), ("aXa", "a", "", "X"), ("aaa", "a", "aa", "aaaaaa"),
    ("ab", "(a)(b)", "$2$1$0", "baab"), ("ab", "(x)?b", "[$1]", "a[]"),
    // Places between bytes, and what follows them.
    ("ab", "x*", "-", "-a-b-"), ("", "x*", "-", "-"), ("axb", "x*", "-", "-a-b-"),
    ("a\nb", "(?m)^", "> ", "> a\n> b"), ("A.a", "(?i)a", "b", "b.b"),
  ])
  func allThatAreFound(text: String, match: String, replace: String, result: String) throws {
    #expect(try changed(text, match, replace) == result)
  }

  @Test(arguments: [("aXa", "a", "b", "bXa"), ("aa", "^", "-", "-aa"), ("aa", "$", "-", "aa-")])
  func theFirst(text: String, match: String, replace: String, result: String) throws {
    #expect(try changed(text, match, replace.replacing("$", with: "$$"), isGlobal: false) == result)
  }

  @Test func resultsAreBounded() throws {
    let text = String(repeating: "a", count: 100_000)
    let long = String(repeating: "b", count: 1_000)
    let result = try changed(text, "a", long)
    #expect(result.utf8.count < ContentFilter.resultBytesMax + 1_000 + text.utf8.count)
    #expect(result.hasSuffix("aaa"))
  }
}
