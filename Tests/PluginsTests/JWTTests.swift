import TLS
import Testing

@testable import Plugins

@Suite("Signed tokens (RFC 7515, RFC 7519)")
struct JWTTests {
  private static let payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

  private static let rsaModulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
    + "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2"
    + "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD"
    + "TW9gb54h4FRWyuXpoQ"

  private static let rsaSignature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
    + "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
    + "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
    + "cN_IoypGlUPQGe77Rw"

  private func decoded(_ text: String) -> [UInt8] { Base64URL.decode(Array(text.utf8)) ?? [] }

  private func token(_ text: String) throws -> JWTToken {
    let token = JWTToken()
    try token.read(Array(text.utf8).span)
    return token
  }

  private func key(_ jwk: String) throws -> SetKey {
    try #require(try KeySet.read(Array("{\"keys\":[\(jwk)]}".utf8)).keys.first)
  }

  private func verifies(_ text: String, _ jwk: String) throws -> Bool {
    var verifiers = TokenVerifiers()
    let token = try token(text)
    let key = try key(jwk).key
    // Twice: what was made the first time is used again.
    return verifiers.verify(token, key) && verifiers.verify(token, key)
  }

  @Test("RFC 7515 §A.1: HMAC with SHA-256")
  func hmac() throws {
    let secret = decoded(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
    let text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\(Self.payload).dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    let token = try token(text)
    var verifiers = TokenVerifiers()
    #expect(token.algorithm == .hs256)
    let isValid = verifiers.verify(token, secret: secret)
    let isValidByAnother = verifiers.verify(token, secret: secret + [0])
    #expect(isValid && !isValidByAnother)
    let claims = token.claimsText
    let exp = token.claim(ClaimRules.exp)?.number(in: claims.span)
    #expect(exp == 1_300_819_380 && token.text(of: Array("iss".utf8)) == Array("joe".utf8))
  }

  @Test("RFC 7515 §A.2: RSASSA-PKCS1-v1_5 with SHA-256")
  func rsa() throws {
    let jwk = #"{"kty":"RSA","e":"AQAB","n":""# + Self.rsaModulus + #""}"#
    #expect(try verifies("eyJhbGciOiJSUzI1NiJ9.\(Self.payload).\(Self.rsaSignature)", jwk))
    let changed = "A" + Self.rsaSignature.dropFirst()
    #expect(try !verifies("eyJhbGciOiJSUzI1NiJ9.\(Self.payload).\(changed)", jwk))
    #expect(try !verifies("eyJhbGciOiJSUzI1NiJ9.\(Self.payload).AAAA", jwk))
  }

  private static let ecKey =
    #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
    + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#

  @Test("RFC 7515 §A.3: ECDSA on P-256 with SHA-256")
  func ecdsa() throws {
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    let signed = "eyJhbGciOiJFUzI1NiJ9.\(Self.payload)"
    #expect(try verifies("\(signed).\(signature)", Self.ecKey))
    #expect(try !verifies("\(signed).A\(signature.dropFirst())", Self.ecKey))
    // Zeros are in no group (CVE-2022-21449), and other lengths are no signatures.
    #expect(try !verifies("\(signed).\(TestBase64.encode([UInt8](repeating: 0, count: 64)))", Self.ecKey))
    #expect(try !verifies("\(signed).\(TestBase64.encode([UInt8](repeating: 1, count: 63)))", Self.ecKey))
    #expect(try !verifies("\(signed).\(TestBase64.encode([UInt8](repeating: 1, count: 132)))", Self.ecKey))
    #expect(try !verifies("\(signed).\(TestBase64.encode([UInt8](repeating: 0xFF, count: 64)))", Self.ecKey))
  }

  @Test("RFC 8037 §A.4: Ed25519")
  func ed25519() throws {
    let key = try PublicKey(ed25519: decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
    let verifier = try #require(SignatureVerifier(key, .sha512))
    let signed = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
    var signature = decoded(
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
    let isValid = verifier.verify(signature, of: signed.span)
    signature[0] ^= 1
    let isValidStill = verifier.verify(signature, of: signed.span)
    #expect(isValid && !isValidStill)
  }

  @Test func aKeyServesOnlyWhatItIsFor() throws {
    let rsa = try key(#"{"kty":"RSA","e":"AQAB","n":""# + Self.rsaModulus + #""}"#)
    #expect(
      JWTAlgorithm.allCases.filter { rsa.serves($0) } == [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512])
    let only = try key(#"{"kty":"RSA","alg":"PS256","e":"AQAB","n":""# + Self.rsaModulus + #""}"#)
    #expect(JWTAlgorithm.allCases.filter { only.serves($0) } == [.ps256])
    #expect(JWTAlgorithm.allCases.filter { (try? key(Self.ecKey))?.serves($0) == true } == [.es256])
  }

  @Test(arguments: [
    #"{"kty":"oct","k":"AAAA"}"#, #"{"kty":"RSA"}"#, #"{"kty":"RSA","n":"AAAA","e":"AQAB"}"#,
    #"{"kty":"EC","crv":"P-256"}"#,
    #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"}"#,
    #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FE"}"#,
    #"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#,
    #"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    #"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#, #"{}"#, #"{"kty":1}"#, "1", "",
    #"{"kty":"OKP","crv":"Ed25519","use":"enc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    #"{"kty":"OKP","crv":"Ed25519","key_ops":["sign"],"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    #"{"kty":"OKP","crv":"Ed25519","alg":"RS256","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
  ])
  func keysOfNoUseAreNone(_ jwk: String) {
    #expect(throws: FileProblem.self) { try KeySet.read(Array("{\"keys\":[\(jwk)]}".utf8)) }
  }

  @Test(arguments: [
    "", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[{}],\"keys\":[]}", "<html>", "{\"keys\":[",
  ])
  func whatIsNoSetIsNone(_ text: String) {
    #expect(throws: FileProblem.self) { try KeySet.read(Array(text.utf8)) }
  }

  private func made(_ header: String, _ claims: String = "{}", signature: String = "AAAA") -> String {
    "\(TestBase64.encode(Array(header.utf8))).\(TestBase64.encode(Array(claims.utf8))).\(signature)"
  }

  @Test func whatIsNoTokenIsRefused() {
    let good = made(#"{"alg":"HS256"}"#)
    #expect(throws: Never.self) { try token(good) }
    for text in [
      "", ".", "..", "a.b", "a.b.c", good + ".a", good + ".a.b", "." + good, good + "=", good + "\n",
      " " + good,
      good.replacing(".", with: ".."), made("{}"), made("[]"), made("{\"alg\":1}"),
      made("{\"alg\":\"HS256\"}", "[]"),
      made("{\"alg\":\"HS256\"}", "{"), made("{\"alg\":\"HS256\"}", "{\"a\":1,\"a\":2}"),
      made("{\"alg\":\"HS256\",\"alg\":\"HS256\"}"),
      made("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"),
      made("{\"alg\":\"HS256\",\"kid\":1}"), made("{\"alg\":\"HS256\"}", "{}", signature: ""),
      made("{\"alg\":\"HS256\"}", "{\"a\":\"" + String(repeating: "x", count: JWTToken.bytesMax) + "\"}"),
    ] {
      #expect(throws: JWTToken.Failure.self, "\(text.prefix(80))") { try token(text) }
    }
  }

  @Test(arguments: ["none", "None", "NONE", "", "hs256", "HS256 ", "RS1", "ES256K", "A128KW", "dir"])
  func algorithmsThatAreNoneAreRefused(_ name: String) {
    #expect(throws: JWTToken.Failure.algorithm) { try token(made("{\"alg\":\"\(name)\"}")) }
  }

  // MARK: Claims

  private func check(_ claims: String, _ rules: ClaimRules = ClaimRules()) -> ClaimRules.Failure? {
    do {
      let token = try token(made(#"{"alg":"HS256"}"#, claims))
      _ = try rules.check(token, now: 1_000)
      return nil
    } catch {
      return error as? ClaimRules.Failure
    }
  }

  @Test func times() {
    #expect(check("{}") == nil)
    #expect(check("{\"exp\":1001,\"nbf\":1000}") == nil)
    #expect(check("{\"exp\":1000}") == .expired)
    #expect(check("{\"exp\":1000.5}") == nil)
    #expect(check("{\"exp\":0}") == .expired)
    #expect(check("{\"exp\":-1}") == .expired)
    #expect(check("{\"nbf\":1001}") == .notYet)
    #expect(check("{\"exp\":\"1001\"}") == .malformed)
    #expect(check("{\"exp\":null}") == .malformed)
    #expect(check("{\"nbf\":true}") == .malformed)
    #expect(check("{\"exp\":1e400}") == .malformed)
    let lenient = ClaimRules(leeway: 10)
    #expect(check("{\"exp\":991,\"nbf\":1010}", lenient) == nil)
    #expect(check("{\"exp\":990}", lenient) == .expired)
    #expect(check("{\"nbf\":1011}", lenient) == .notYet)
    // Before it begins it is over: it never holds.
    #expect(check("{\"exp\":999,\"nbf\":1002}") == .expired)
  }

  @Test func lengthAndPresence() {
    let short = ClaimRules(maximumExpiration: 60)
    #expect(check("{\"exp\":1060}", short) == nil)
    #expect(check("{\"exp\":1061}", short) == .tooLong)
    #expect(check("{}", short) == .missing)
    let strict = ClaimRules(required: [Array("sub".utf8)])
    #expect(check("{\"sub\":\"a\"}", strict) == nil)
    #expect(check("{\"sub\":null}", strict) == .missing)
    #expect(check("{}", strict) == .missing)
  }

  @Test func audiences() throws {
    func isRefused(_ claims: String) throws -> Bool {
      let token = try token(made(#"{"alg":"HS256"}"#, claims))
      do throws(ClaimRules.Failure) {
        try ClaimRules.checkAudience(token, [Array("shop".utf8), Array("api".utf8)])
        return false
      } catch {
        return true
      }
    }
    for claims in ["{\"aud\":\"shop\"}", "{\"aud\":[\"x\",\"api\"]}", "{\"aud\":\"sh\\u006fp\"}"] {
      #expect(try !isRefused(claims))
    }
    for claims in [
      "{}", "{\"aud\":\"x\"}", "{\"aud\":[]}", "{\"aud\":[[\"shop\"]]}", "{\"aud\":{\"shop\":1}}",
      "{\"aud\":1}",
    ] {
      #expect(try isRefused(claims))
    }
  }

  @Test func claimsAsFields() throws {
    func value(_ json: String) throws -> String? {
      try token(made(#"{"alg":"HS256"}"#, "{\"a\":\(json)}")).fieldValue(of: [0x61]).map {
        String(decoding: $0, as: UTF8.self)
      }
    }
    #expect(try value("\"x y\"") == "x y")
    #expect(try value("12.5") == "12.5")
    #expect(try value("true") == "true")
    #expect(try value("[\"a\",\"b\"]") == "a, b")
    #expect(try value("\"a\\r\\nX: 1\"") == nil)
    #expect(try value("[\"a\\n\"]") == nil)
    #expect(try value("{}") == nil)
    #expect(try value("null") == nil)
    #expect(try value("[1]") == nil)
  }

  @Test func tokensInFields() {
    func found(_ text: String, isOptional: Bool = false) -> String? {
      let bytes = Array(text.utf8)
      return BearerToken.find(bytes.span, isOptional: isOptional).map {
        String(decoding: bytes[$0], as: UTF8.self)
      }
    }
    #expect(found("Bearer a.b.c") == "a.b.c")
    #expect(found("bEARER   a") == "a")
    #expect(found("Bearer") == nil)
    #expect(found("Basic a.b.c") == nil)
    #expect(found("a.b.c") == "a.b.c")
    #expect(found("abc") == nil)
    #expect(found("abc", isOptional: true) == "abc")
    #expect(found("", isOptional: true) == nil)
    #expect(found("Basic abc", isOptional: true) == nil)
  }
}
