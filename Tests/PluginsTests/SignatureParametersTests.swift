import HTTPCodec
import Testing

@testable import Plugins

@Suite("Signatures over requests, as the field has them")
struct SignatureParametersTests {
  private func read(_ text: String) -> [String]? {
    let bytes = Array(text.utf8)
    let reading = SignatureParameters.read(ByteRange(start: 0, count: bytes.count), in: bytes.span)
    guard case .parameters(let found) = reading else { return nil }
    return [found.username, found.algorithm, found.headers, found.signature].map {
      String(decoding: bytes[$0.range], as: UTF8.self)
    }
  }

  @Test func bothFormsAreRead() {
    #expect(
      read(#"hmac username="a",algorithm="b",headers="c d",signature="e=""#) == ["a", "b", "c d", "e="])
    #expect(read(#"HMAC  SIGNATURE="e" , headers="c",algorithm="b", username="a" "#) == ["a", "b", "c", "e"])
    #expect(read(#"Signature keyId="a",algorithm="b",headers="c",signature="e""#) == ["a", "b", "c", "e"])
    #expect(
      read(#"hmac username="a",algorithm="b",headers="c",signature="e",created="5""#) == ["a", "b", "c", "e"])
  }

  @Test(arguments: [
    "", "hmac", "hmac ", "hmac a", "hmac =", "hmac a=", "hmac a=\"", "hmac ,", "Basic YTpi", "hmacx a=\"b\"",
    #"hmac username="a",algorithm="b",headers="c""#,
    #"hmac keyId="a",algorithm="b",headers="c",signature="e""#,
    #"hmac username="a",username="a",algorithm="b",headers="c",signature="e""#,
    #"hmac username="",algorithm="b",headers="c",signature="e""#,
    #"hmac username="a\"",algorithm="b",headers="c",signature="e""#,
    #"hmac username="a" algorithm="b" headers="c" signature="e""#,
    #"hmac username="a",algorithm="b",headers="c",signature="e","#,
    #"hmac username="a",algorithm="b",headers="c",signature="e"x"#,
    // Names are tokens (RFC 9110 §11.2): no other parameter is within one.
    #"hmac x", username="a",algorithm="b",headers="c",signature="e""#,
    #"hmac x,username="a",algorithm="b",headers="c",signature="e",username="d""#,
    #"hmac ="x",username="a",algorithm="b",headers="c",signature="e""#,
  ])
  func anythingElseIsRefused(_ text: String) { #expect(read(text) == nil) }

  /// Nothing that can be cut off or exchanged makes it read beyond the bytes.
  @Test func everyPartOfAFieldIsReadSafely() {
    let whole = Array(#"hmac username="a", algorithm="b", headers="c d", signature="e=""#.utf8)
    for end in whole.indices {
      #expect(read(String(decoding: whole[..<end], as: UTF8.self)) == nil)
      for byte in [UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: "="), 0x20] {
        var changed = whole
        changed[end] = byte
        _ = read(String(decoding: changed, as: UTF8.self))
      }
    }
  }
}

@Suite("Digests of content (RFC 3230)")
struct ContentDigestTests {
  private func matches(_ text: String, _ digest: [UInt8] = [1, 2, 3]) -> Bool {
    ContentDigest.matches(Array(text.utf8).span, digest)
  }

  @Test func sha256IsFoundAmongOthers() {
    #expect(matches("SHA-256=AQID"))
    #expect(matches("md5=zzzz, sha-256=AQID"))
    #expect(!matches("SHA-256=AQIE"))
    #expect(!matches("SHA-256=AQID, SHA-256=AQID"))
    #expect(!matches("SHA-256="))
    #expect(!matches("SHA-256"))
    #expect(!matches("SHA-512=AQID"))
    #expect(!matches(""))
    #expect(!matches("SHA-256=AQID=="))
  }
}
