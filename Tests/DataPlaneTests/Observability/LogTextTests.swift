import Foundation
import Runtime
import Testing

@testable import DataPlane

@Suite("Escaping of hostile text")
struct LogTextTests {
  private func json(_ bytes: [UInt8], limit: Int = 10_000) -> String {
    let buffer = Buffer(capacity: 64)
    buffer.appendText(atMost: 64 + bytes.count * 6) {
      LogText.appendJSON(bytes.span, limit: limit, to: &$0)
    }
    return text(buffer)
  }

  private func common(_ bytes: [UInt8], limit: Int = 10_000) -> String {
    let buffer = Buffer(capacity: 64)
    buffer.appendText(atMost: 64 + bytes.count * 6) {
      LogText.appendCommon(bytes.span, limit: limit, to: &$0)
    }
    return text(buffer)
  }

  private func text(_ buffer: Buffer) -> String {
    var bytes: [UInt8] = []
    for index in 0..<buffer.count { bytes.append(buffer.bytes[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(
    "Each kind of byte has its form in JSON",
    arguments: [
      ([], ""), (Array("plain /path?x=1&y=~".utf8), "plain /path?x=1&y=~"),
      (Array("\"".utf8), #"\""#), (Array("\\".utf8), #"\\"#), (Array("a\nb\rc\td".utf8), #"a\nb\rc\td"#),
      ([0], #"\u0000"#), ([0x1F], #"\u001f"#), ([0x7F], #"\u007f"#), ([0x80], #"\u0080"#),
      ([0xFF], #"\u00ff"#),
      (Array("é€😀".utf8), "é€😀"),
      // C1 controls and line separators, valid as UTF-8.
      ([0xC2, 0x85], #"\u0085"#), ([0xC2, 0xA0], "\u{A0}"), ([0xE2, 0x80, 0xA8], #"\u2028"#),
      ([0xE2, 0x80, 0xA9], #"\u2029"#), ([0xE2, 0x80, 0xAA], "\u{202A}"),
      // Overlong forms, surrogates, beyond U+10FFFF, cut and stray bytes.
      ([0xC0, 0xA2], #"\u00c0\u00a2"#), ([0xC1, 0xBF], #"\u00c1\u00bf"#),
      ([0xE0, 0x80, 0x8A], #"\u00e0\u0080\u008a"#), ([0xED, 0xA0, 0x80], #"\u00ed\u00a0\u0080"#),
      ([0xF0, 0x80, 0x80, 0x8A], #"\u00f0\u0080\u0080\u008a"#),
      ([0xF4, 0x90, 0x80, 0x80], #"\u00f4\u0090\u0080\u0080"#), ([0xE2, 0x82], #"\u00e2\u0082"#),
      ([0xE2, 0x82, 0x22], #"\u00e2\u0082\""#), ([0xF0, 0x9F, 0x98, 0x0A], #"\u00f0\u009f\u0098\n"#),
    ] as [([UInt8], String)])
  func forms(bytes: [UInt8], expected: String) {
    #expect(json(bytes) == expected)
    // The same behind and before a run that is copied by the word.
    let run = Array("0123456789abcdefghij".utf8)
    #expect(json(run + bytes + run) == "0123456789abcdefghij" + expected + "0123456789abcdefghij")
  }

  @Test("Any byte at any place keeps the string one valid JSON string without a line break")
  func everyByteEverywhere() throws {
    for byte in UInt8.min...UInt8.max {
      for length in [1, 7, 8, 9, 17] {
        for place in 0..<length {
          var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
          bytes[place] = byte
          try check(bytes)
        }
      }
    }
  }

  @Test("Random bytes keep the string one valid JSON string without a line break", arguments: 1...8)
  func randomBytes(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let interesting: [UInt8] = [
      0x0A, 0x0D, 0x22, 0x5C, 0x00, 0x7F, 0x80, 0xC2, 0xE2, 0xED, 0xF0, 0xF4, 0xFF, 0xA8,
    ]
    for _ in 0..<500 {
      let count = random.next(below: 40)
      let bytes = (0..<count).map { _ in
        random.next(below: 2) == 0
          ? interesting[random.next(below: interesting.count)] : UInt8(random.next(below: 256))
      }
      try check(bytes)
    }
  }

  private func check(_ bytes: [UInt8]) throws {
    let escaped = json(bytes)
    #expect(escaped.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
    let parsed = try JSONSerialization.jsonObject(with: Data("[\"\(escaped)\"]".utf8)) as? [String]
    #expect(parsed?.count == 1, "\(bytes)")
    // Valid text comes back as it was.
    if let valid = String(validating: bytes, as: UTF8.self) { #expect(parsed?.first == valid) }

    let inCommon = common(bytes)
    #expect(inCommon.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    #expect(unescapedCommon(Array(inCommon.utf8)) == bytes)
  }

  /// What a reader of the common format gets; nil where an unescaped quote would end the text.
  private func unescapedCommon(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    var index = 0
    while index < text.count {
      if text[index] == UInt8(ascii: "\"") { return nil }
      guard text[index] == UInt8(ascii: "\\") else {
        bytes.append(text[index])
        index += 1
        continue
      }
      guard index + 1 < text.count else { return nil }
      if text[index + 1] == UInt8(ascii: "x") {
        guard index + 3 < text.count,
          let value = UInt8(String(decoding: text[index + 2...index + 3], as: UTF8.self), radix: 16)
        else { return nil }
        bytes.append(value)
        index += 4
      } else {
        bytes.append(text[index + 1])
        index += 2
      }
    }
    return bytes
  }

  @Test("Long text is cut and says so")
  func limit() {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 100)
    #expect(json(long, limit: 10) == "xxxxxxxxxx…")
    #expect(common(long, limit: 10) == "xxxxxxxxxx...")
    #expect(json(long, limit: 100).count == 100)
    // A character that the cut goes through does not make the line invalid.
    #expect(json(Array("xé".utf8), limit: 2) == #"x\u00c3…"#)
  }
}
