import Plugins
import Testing

@testable import Resources

@Suite struct ResourceBodyTests {
  private func body(_ json: String) throws -> ResourceBody { try ResourceBody(json: Array(json.utf8)) }

  @Test(arguments: [
    ("{\"a\" : [ 1 , -2.50 , true , null , \"x\" ]}", #"{"a":[1,-2.50,true,null,"x"]}"#),
    (#"["1", "true", "null", ""]"#, #"["1","true","null",""]"#),
    (#""\u0000\u001f\"\\\/\n\t\r\u007f\u00e4\ud83d\ude00""#, "\"\\u0000\\u001F\\\"\\\\/\\n\\t\\r\u{7F}ä😀\""),
    ("{}", "{}"), ("[]", "[]"),
  ])
  func jsonComesBackCompact(text: String, compact: String) throws {
    let first = try body(text)
    #expect(first.json == compact)
    #expect(try body(first.json).json == compact)
  }

  @Test func yamlBecomesJSON() throws {
    let yaml = """
      a: off
      b: 5s
      c: [1, 1.5, 01, 1e3, +1, .5, 0x1F, "2"]
      d: {true: true, e: ~, f: , g: null, h: "null"}
      """
    let json =
      #"{"a":"off","b":"5s","c":[1,1.5,"01",1e3,"+1",".5","0x1F","2"],"#
      + #""d":{"true":true,"e":null,"f":null,"g":null,"h":"null"}}"#
    #expect(try ResourceBody(yaml: yaml).json == json)
  }

  @Test func problemsSayWhere() {
    let json = #expect(throws: ResourceProblem.self) { try body("{\n \"a\" 1}") }
    #expect(json?.message == "2:6: not JSON: a colon is expected after the key \"a\"")
    let yaml = #expect(throws: ResourceProblem.self) { try ResourceBody(yaml: "a:\n\tb") }
    #expect(yaml?.message.hasPrefix("2:1: not YAML: ") == true)
    #expect(yaml?.hint == "indent with spaces, not with tabs")
  }

  /// RFC 7396, appendix A: all of it.
  @Test(arguments: [
    (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
    (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
    (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
    (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
    (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
    (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, "null", "null"),
    (#"{"a":"foo"}"#, #""bar""#, #""bar""#), (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
    (#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
    ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
  ])
  func mergesAsTheRFCDoes(original: String, patch: String, result: String) throws {
    #expect(try body(original).merged(with: body(patch)).json == result)
  }

  @Test func aTextThatSaysNullRemovesNothing() throws {
    #expect(try body(#"{"a":1}"#).merged(with: body(#"{"a":"null"}"#)).json == #"{"a":"null"}"#)
  }

  @Test func keysThatAPatchRepeatsStayRepeated() throws {
    let merged = try body(#"{"a":1,"b":2}"#).merged(with: body(#"{"a":3,"a":4}"#))
    #expect(merged.json == #"{"a":3,"b":2,"a":4}"#)
  }

  @Test func bodiesGetTheNameThatTheyAreWrittenUnder() throws {
    let id = ResourceID(.routes, "shop")
    #expect(try body(#"{"service":"s"}"#).named(id).json == #"{"name":"shop","service":"s"}"#)
    #expect(try body(#"{"service":"s","name":"shop"}"#).named(id).json == #"{"service":"s","name":"shop"}"#)
    let other = #expect(throws: ResourceProblem.self) { try body(#"{"name":"shopp"}"#).named(id) }
    #expect(
      other?.description.hasPrefix("routes/shop: name: the name \"shopp\" is not that of routes/shop") == true
    )
    for wrong in ["[]", "1", #"{"name":null}"#, #"{"name":{}}"#, #"{"name":"shop","name":"other"}"#] {
      #expect(throws: ResourceProblem.self) { try body(wrong).named(id) }
    }
  }

  private func keeping(_ patch: String) throws -> ResourceBody {
    try body(patch).keepingCredentials(
      of: ResourceID(.consumers, "alice"), folder: "/", plugins: .standard)
  }

  @Test func passwordsOfAPatchAreHashedBeforeItIsApplied() throws {
    let patch =
      #"{"groups":null,"credentials":{"key-auth":null,"basic-auth":[{"username":"a","password":"secret-1"}]}}"#
    let kept = try keeping(patch)
    #expect(!kept.json.contains("secret-1"))
    #expect(
      kept.json.hasPrefix(
        #"{"groups":null,"credentials":{"key-auth":null,"basic-auth":[{"username":"a","password":"$2"#))
    // What is kept is kept as it is.
    #expect(try keeping(kept.json).json == kept.json)
  }

  @Test func listsOfAPatchThatAreEmptyStayInIt() throws {
    let kept = try keeping(#"{"credentials":{"basic-auth":[],"key-auth":[{"key":"a-long-key"}]}}"#)
    #expect(kept.json.hasPrefix(#"{"credentials":{"basic-auth":[],"key-auth":[{"key":"sha256:"#))
  }

  @Test(arguments: [
    #"{"groups":["gold"]}"#, #"{"credentials":null}"#, #"{"credentials":{"basic-auth":null}}"#, "[]",
  ])
  func aPatchWithoutCredentialsIsLeftAlone(patch: String) throws {
    #expect(try keeping(patch).json == patch)
  }

  @Test func credentialsOfAPatchThatAreWrongAreRefused() throws {
    let problems = #expect(throws: ResourceProblems.self) {
      try keeping(#"{"credentials":{"key-auth":[{"key":"short"}]}}"#)
    }
    #expect(problems?.problems.first?.field == "credentials.key-auth[0].key")
  }
}
