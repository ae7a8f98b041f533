import Testing

@testable import Plugins

@Suite("JSON, read where it stands (RFC 8259)")
struct JSONReadingTests {
  /// `name=value` for each member; nil where it is refused.
  private func read(_ text: String) -> [String]? { read(Array(text.utf8)) }

  private func read(_ bytes: [UInt8]) -> [String]? {
    var members: [JSONMember] = []
    do throws(JSONProblem) {
      try JSONReading.members(of: bytes.span, into: &members)
    } catch {
      return nil
    }
    return members.map { member in
      let name = String(decoding: member.name.string(in: bytes.span), as: UTF8.self)
      let value = String(decoding: member.value.string(in: bytes.span), as: UTF8.self)
      return "\(name)=\(value)"
    }
  }

  @Test func membersAreFound() {
    #expect(read("{}") == [])
    #expect(read(" {\"a\" : 1 ,\n\"b\":[1,{\"c\":2}],\"\":null}\r\n") == ["a=1", "b=[1,{\"c\":2}]", "=null"])
    #expect(
      read("{\"a\":true,\"b\":false,\"c\":{},\"d\":[],\"e\":-0.5e+3}") == [
        "a=true", "b=false", "c={}", "d=[]", "e=-0.5e+3",
      ])
  }

  @Test func escapesAreRead() {
    #expect(read(#"{"\u0061\n":"\"\\\/\b\f\r\t\u00e4\ud83d\ude00"}"#) == ["a\n=\"\\/\u{8}\u{c}\r\tä😀"])
    #expect(read("{\"ä\":\"😀\"}") == ["ä=😀"])
  }

  @Test(arguments: [
    "", " ", "[]", "1", "\"a\"", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
    "{a:1}", "{'a':1}",
    "{\"a\":1}x", "{}{}", "{\"a\":1 \"b\":2}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}",
    "{\"a\":-}", "{\"a\":1e}",
    "{\"a\":tru}", "{\"a\":True}", "{\"a\":nul", "{\"a\":NaN}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"", "{\"a\":\"\\",
    "{\"a\":[1,]}",
    "{\"a\":[1 2]}", "{\"a\":[}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "\u{FEFF}{}",
    "{\"a\":1}/**/",
  ])
  func anythingElseIsRefused(_ text: String) { #expect(read(text) == nil) }

  @Test func whatIsNotUTF8IsRefused() {
    #expect(read([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]) == nil)
    #expect(read([0x7B, 0x22, 0xC0, 0x80, 0x22, 0x3A, 0x31, 0x7D]) == nil)
    #expect(read([0x7B, 0x22, 0xED, 0xA0, 0x80, 0x22, 0x3A, 0x31, 0x7D]) == nil)
  }

  @Test func depthAndNumberAreBounded() {
    let depth = JSONReading.depthMax - 1
    func nested(_ depth: Int) -> String {
      "{\"a\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
    }
    #expect(read(nested(depth)) != nil)
    #expect(read(nested(depth + 1)) == nil)
    #expect(read(nested(100_000)) == nil)
    func many(_ count: Int) -> String { "{" + (0..<count).map { "\"\($0)\":1" }.joined(separator: ",") + "}" }
    #expect(read(many(JSONReading.membersMax))?.count == JSONReading.membersMax)
    #expect(read(many(JSONReading.membersMax + 1)) == nil)
  }

  @Test func numbersAreNumbers() {
    func number(_ text: String) -> Double? {
      let bytes = Array("{\"a\":\(text)}".utf8)
      var members: [JSONMember] = []
      try? JSONReading.members(of: bytes.span, into: &members)
      return members.first?.value.number(in: bytes.span)
    }
    #expect(number("1792000000") == 1_792_000_000)
    #expect(number("1.5e9") == 1_500_000_000)
    #expect(number("-1") == -1)
    #expect(number("999999999999999") == 999_999_999_999_999)
    #expect(number("12345678901234567890") == 1.2345678901234567e19)
    #expect(number("1e400") == nil)
    #expect(number("\"1\"") == nil)
    #expect(number("null") == nil)
    #expect(number(String(repeating: "1", count: 40)) == nil)
  }

  /// Whatever is cut off or exchanged: an answer, and no fault.
  @Test func everyPartIsReadSafely() {
    let whole = Array(#"{"a\u0062":[1,-2.5e3,true,null,{"c":"\ud83d\ude00"}],"d":"ä"}"#.utf8)
    #expect(read(whole) != nil)
    for end in whole.indices {
      #expect(read(Array(whole[..<end])) == nil)
      for byte: UInt8 in [0, 0x22, 0x5C, 0x7B, 0x7D, 0x5B, 0x2C, 0x75, 0xFF] {
        var changed = whole
        changed[end] = byte
        _ = read(changed)
      }
    }
  }

  @Test func base64OfURLsHasOneForm() {
    func decoded(_ text: String) -> [UInt8]? { Base64URL.decode(Array(text.utf8)) }
    #expect(decoded("") == [])
    #expect(decoded("AA") == [0])
    #expect(decoded("AAE") == [0, 1])
    #expect(decoded("-_-_") == [0xFB, 0xFF, 0xBF])
    for text in ["A", "AB", "AAB", "AA==", "AA=", "A A", "A+A/", "AAAAA", "ÄA", "AA\n", "A\0"] {
      #expect(decoded(text) == nil, "\(text)")
    }
    for count in 0..<40 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) }
      let text = TestBase64.encode(bytes)
      #expect(decoded(text) == bytes)
    }
  }
}

enum TestBase64 {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

  static func encode(_ bytes: [UInt8]) -> String {
    var text = ""
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 6 {
        count -= 6
        text.append(digits[Int(bits >> UInt32(count) & 63)])
      }
    }
    if count > 0 { text.append(digits[Int(bits << UInt32(6 - count) & 63)]) }
    return text
  }
}
