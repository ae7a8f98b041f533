import Foundation
import Testing

@testable import Resources

@Suite struct JSONDocumentTests {
  private func parse(_ text: String) throws(YAMLFailure) -> YAMLNode {
    try JSONDocument.parse(Array(text.utf8))
  }

  private func failure(_ bytes: [UInt8]) -> YAMLFailure? {
    do throws(YAMLFailure) {
      _ = try JSONDocument.parse(bytes)
      return nil
    } catch {
      return error
    }
  }

  private func failure(_ text: String) -> YAMLFailure? { failure(Array(text.utf8)) }

  /// The node as text, with its place: `1:1 {1:2 a = 1:6 "x"}`.
  private func shown(_ node: YAMLNode) -> String {
    let place = "\(node.position.line):\(node.position.column) "
    switch node.content {
    case .scalar(let text, let isPlain): return place + (isPlain ? text : "\"\(text)\"")
    case .sequence(let items): return place + "[" + items.map(shown).joined(separator: ", ") + "]"
    case .mapping(let entries):
      return place + "{"
        + entries.map {
          "\($0.keyPosition.line):\($0.keyPosition.column) \($0.key) = \(shown($0.value))"
        }.joined(separator: ", ") + "}"
    }
  }

  @Test(arguments: [
    ("{}", "1:1 {}"), ("[]", "1:1 []"), (" [ ] ", "1:2 []"), ("\"\"", "1:1 \"\""), ("null", "1:1 null"),
    ("[true,false,null]", "1:1 [1:2 true, 1:7 false, 1:13 null]"),
    (
      "[0,-0,10,-1.50,1e3,1E+2,2.0e-07]",
      "1:1 [1:2 0, 1:4 -0, 1:7 10, 1:10 -1.50, 1:16 1e3, 1:20 1E+2, 1:25 2.0e-07]"
    ),
    ("123456789012345678901234567890", "1:1 123456789012345678901234567890"),
    (
      "{\"a\": {\"b\": [1, \"2\"]}, \"c\": \"d\"}",
      "1:1 {1:2 a = 1:7 {1:8 b = 1:13 [1:14 1, 1:17 \"2\"]}, 1:24 c = 1:29 \"d\"}"
    ),
    ("{\"a\":1,\"a\":2}", "1:1 {1:2 a = 1:6 1, 1:8 a = 1:12 2}"),
    ("{\"\":1}", "1:1 {1:2  = 1:5 1}"),
    ("[\n  \"ä\", \"ö\",\r\n\t1,\r2]", "1:1 [2:3 \"ä\", 2:8 \"ö\", 3:2 1, 4:1 2]"),
    ("\u{FEFF}[1]", "1:1 [1:2 1]"),
  ])
  func reads(text: String, tree: String) throws {
    #expect(shown(try parse(text)) == tree)
  }

  @Test(arguments: [
    (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e4\u20AC""#, "Aä€"),
    (#""\ud83d\ude00!""#, "😀!"), (#""\uD800\uDC00\uDBFF\uDFFF""#, "\u{10000}\u{10FFFF}"),
    (#""\u0000""#, "\u{0}"), (#""a\\u0041""#, "a\\u0041"),
    ("\"\u{7F}\u{85}\u{2028}\"", "\u{7F}\u{85}\u{2028}"),
    ("\"😀\\n😀\"", "😀\n😀"), ("\"e\u{301}\"", "e\u{301}"),
  ])
  func escapes(text: String, string: String) throws {
    guard case .scalar(let read, isPlain: false) = try parse(text).content else {
      Issue.record("no string")
      return
    }
    #expect(Array(read.utf8) == Array(string.utf8))
  }

  /// Positions are where YAML's parser has them: errors look the same in both.
  @Test func readsWhatYAMLReadsOfTheSameText() throws {
    let text = """
      {"listeners": [{"name": "web", "address": ":8080"}],
       "größe": {"ä": [1, -2.5e3, true, null, "☃ \\u2603 \\n"], "leer": [{}, [], ""]},
         "routes": [
           {"name": "r", "match": [{"path": "/"}], "service": "s"},
           "last"]
      }
      """
    #expect(shown(try parse(text)) == shown(try YAMLDocument.parse(text)))
  }

  @Test(arguments: [
    ("", "1:1", "nothing in it", nil), (" \n ", "2:2", "nothing in it", nil),
    ("{", "1:2", "the end comes before that of the object at 1:1", nil),
    ("[1", "1:3", "the end comes before that of the list at 1:1", nil),
    ("[1,", "1:4", "the end comes before that of the list at 1:1", nil),
    ("{\"a\"", "1:5", "the end comes before that of the object at 1:1", nil),
    ("{\"a\":", "1:6", "the text ends where a value is expected", nil),
    ("\"abc", "1:5", "the end comes before that of the text at 1:1", nil),
    ("\"abc\\", "1:5", "ends within an escape", nil),
    ("[1,]", "1:4", "a value is expected after the comma", "remove the comma"),
    ("{\"a\":1,}", "1:8", "a key is expected after the comma", "remove the comma"),
    ("{a:1}", "1:2", "a key is expected", "keys are texts in double quotes"),
    ("{'a':1}", "1:2", "a key is expected", "keys are texts in double quotes"),
    ("{1:1}", "1:2", "a key is expected", "keys are texts in double quotes"),
    ("{\"a\" 1}", "1:6", "a colon is expected after the key \"a\"", nil),
    ("{\"a\":1 \"b\":2}", "1:8", "a comma or \"}\" is expected", nil),
    ("[1 2]", "1:4", "a comma or \"]\" is expected", nil),
    ("[1}", "1:3", "a comma or \"]\" is expected", nil),
    ("[1] x", "1:5", "more text after the end", "one value is expected"),
    ("{}{}", "1:3", "more text after the end", "one value is expected"),
    ("['a']", "1:2", "a value is expected", "texts are in double quotes"),
    ("[abc]", "1:2", "a value is expected", "texts are in double quotes"),
    ("[True]", "1:2", "a value is expected", "write true"),
    ("[nul]", "1:2", "a value", "texts are in double quotes"),
    ("[truee]", "1:2", "a value is expected", "texts are in double quotes"),
    ("[,1]", "1:2", "a value is expected", nil), ("[NaN]", "1:2", "a value", "texts are in double quotes"),
    ("// a\n{}", "1:1", "a value is expected", "JSON has no comments"),
    ("{\"a\": # b\n1}", "1:7", "a value is expected", "JSON has no comments"),
    ("[+1]", "1:2", "a value", "numbers begin with a digit, or with - and a digit"),
    ("\"a\nb\"", "1:3", "the text at 1:1 has no closing quote on its line", "a line break is written \\n"),
    ("\"a\tb\"", "1:3", "the character U+0009 is not allowed in a text", "write \\t"),
    ("\"\u{1}\"", "1:2", "the character U+0001 is not allowed in a text", "write it as an escape"),
    (#""\x41""#, "1:2", "no escape of JSON", "a backslash itself is written \\\\"),
    (#""\u12g4""#, "1:2", "four hexadecimal digits", nil), (#""\u12"#, "1:2", "four hexadecimal digits", nil),
  ])
  func saysWhatIsWrong(text: String, place: String, message: String, hint: String?) throws {
    let failure = try #require(self.failure(text))
    #expect("\(failure.position.line):\(failure.position.column)" == place)
    #expect(failure.message.hasPrefix("not JSON: "))
    #expect(failure.message.contains(message), "\(failure.message)")
    #expect(failure.hint == hint)
  }

  @Test(arguments: [
    "01", "-", "-a", "1.", ".5", "1.e2", "1e", "1e+", "0x10", "1_000", "1a", "--1", "00", "1.2.3", "-01",
  ])
  func refusesNumbers(text: String) {
    #expect(failure(text) != nil)
    #expect(failure("[\(text)]") != nil)
    #expect(!JSONText.isNumber(text))
  }

  @Test(arguments: [
    #""\ud83d""#, #""\ud83dx""#, #""\ud83d\n""#, #""\ud83d\u0041""#, #""\ud83d\ud83d""#, #""\ude00""#,
    #""\ude00\ud83d""#, #""\ud83d\u""#, #""\ud83d\"#,
  ])
  func refusesHalfPairs(text: String) {
    #expect(failure(text) != nil)
  }

  @Test(
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
      [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x80, 0x22], [0xFF, 0xFE, 0x5B, 0x00],
    ] as [[UInt8]])
  func refusesWhatIsNotUTF8(bytes: [UInt8]) throws {
    let failure = try #require(self.failure([0x0A, 0xC3, 0xA4] + bytes))
    #expect(failure.message == "not UTF-8")
    #expect(failure.position.line == 2)
    #expect(failure.position.column == (bytes[0] == 0x22 ? 3 : 2))
  }

  @Test func nestingIsBounded() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(JSONDocument.depthMax))
    #expect(failure(nested(JSONDocument.depthMax + 1))?.message == "not JSON: nested deeper than 64 levels")
    #expect(failure(String(repeating: "[", count: 1_000_000)) != nil)
    #expect(failure(String(repeating: "{\"a\":", count: 1_000_000)) != nil)
  }

  @Test func sizeIsBounded() {
    let bytes = [UInt8](repeating: 0x20, count: JSONDocument.bytesMax + 1)
    #expect(failure(bytes)?.message == "the text has 67108865 bytes, more than the 67108864 allowed")
  }

  @Test func everyBeginningOfATextIsRefused() throws {
    let text = Array(#"{"a": [1.5, true, null, "ä\ud83d\ude00\n"], "b": {"c": -0e1}}"#.utf8)
    #expect(failure(text) == nil)
    for count in 0..<text.count {
      #expect(failure(Array(text[..<count])) != nil, "\(count)")
    }
  }

  /// Another parser's judgement about texts of which some bytes were changed.
  @Test func agreesWithFoundationOnDamagedTexts() {
    let sample = Array(#"{"a": [1.5, true, null, "ä\ud83d\ude00\n"], "b": {"c": -0e1, "d": "x"}}"#.utf8)
    let bytes = Array("{}[]:,\"\\u0019aetn.-+ \n\u{1}ä".utf8) + [0xFF, 0xC3]
    var state: UInt64 = 0x5EED
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var refused = 0
    for _ in 0..<5_000 {
      var text = sample
      for _ in 0...random(2) {
        switch random(3) {
        case 0: text[random(text.count)] = bytes[random(bytes.count)]
        case 1: text.insert(bytes[random(bytes.count)], at: random(text.count))
        default: text.remove(at: random(text.count))
        }
      }
      let isRefused = failure(text) != nil
      refused += isRefused ? 1 : 0
      let foundation = try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
      #expect(isRefused == (foundation == nil), "\(String(decoding: text, as: UTF8.self))")
    }
    #expect((500...4_950).contains(refused))
  }
}
