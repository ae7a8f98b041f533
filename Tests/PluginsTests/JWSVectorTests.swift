import TLS
import Testing

@testable import Plugins

/// Their payloads are texts and no claims: what is verified is the signature. `JWTTests` has those of RFC 7515 §A.1 to
/// §A.3, and of RFC 8037 §A.4.
@Suite("Examples of signatures (RFC 7515 §A.4, RFC 7520 §4)")
struct JWSVectorTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let name: String
    let algorithm: JWTAlgorithm
    let jwk: String
    /// Header and payload.
    let signed: String
    let signature: String
    var testDescription: String { name }
  }

  /// RFC 7520 §4: `It’s a dangerous business, Frodo, going out your door. …`
  private static let payload =
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9h"
    + "ZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3"
    + "ZXB0IG9mZiB0by4"

  /// RFC 7520 §3.4
  private static let rsaKey =
    #"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","e":"AQAB","n":""#
    + "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKr"
    + "Kb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5l"
    + "FHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__"
    + #"kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"}"#

  static let examples = [
    Example(
      name: "RFC 7520 §4.1, RS256", algorithm: .rs256, jwk: rsaKey,
      signed: "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.\(payload)",
      signature:
        "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB"
        + "-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxn"
        + "t8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcI"
        + "e8u9ipH84ogoree7vjbU5y18kDquDg"),
    Example(
      name: "RFC 7520 §4.2, PS384", algorithm: .ps384, jwk: rsaKey,
      signed: "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.\(payload)",
      signature:
        "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6"
        + "_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3"
        + "lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6G"
        + "YmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"),
    Example(
      name: "RFC 7520 §4.3, ES512", algorithm: .es512,
      jwk: #"{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521","x":""#
        + "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt"
        + #"","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}"#,
      signed: "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.\(payload)",
      signature:
        "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDy"
        + "YjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"),
    Example(
      name: "RFC 7515 §A.4, ES512", algorithm: .es512,
      jwk: #"{"kty":"EC","crv":"P-521","x":""#
        + "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk"
        + #"","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#,
      signed: "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
      signature:
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgo"
        + "XD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"),
  ]

  /// Signatures of ECDSA whose numbers are written otherwise in ASN.1: with fewer bytes, or with one more.
  static let pairs = [
    (
      "an r with zeros in front",
      "AGLfS6f-DBb3F-H6Zu7OwETLXBpZf6CkgDTdDr7j5voVZKk__F9NEiC55P8aOy4HaPrIPPFIBaAxWWOFkYmAAA"
    ),
    (
      "an s with zeros in front, and its highest bit behind them",
      "XxwSBA9xzJp_xQ6DvFnhQuysCMPcxuLtB0owkki0B94AijYrdqpq_76O1_M-5TxT42jHaSx3jDs-PW4nam5eEw"
    ),
    (
      "both with their highest bit",
      "seR31eGwDogD0djBNwOf_rWRb8qi8XJ37lUOnCaP1SPXEDXQZQBGqyU9lA5UU2weae8XFuWu3fztwwj5k2DgUw"
    ),
  ].map { name, signature in
    Example(
      name: "ES256, \(name)", algorithm: .es256,
      jwk: #"{"kty":"EC","crv":"P-256","x":"5CNeRE1njB6jr_I0odSeqCRdg9hhyiqI0OvLWvZ0EMU","#
        + #""y":"Le7LIZniexrIJEuCSInwwEEuc4ZN8VLfIyx88wTeNBE"}"#,
      signed: "eyJhbGciOiJFUzI1NiJ9.UGF5bG9hZA", signature: signature)
  }

  private func decoded(_ text: String) throws -> [UInt8] {
    try #require(Base64URL.decode(Array(text.utf8)))
  }

  @Test(
    "A signature is valid, and not for another text, as another one, or by another algorithm",
    arguments: examples + pairs)
  func signatures(example: Example) throws {
    let set = try KeySet.read(Array("{\"keys\":[\(example.jwk)]}".utf8))
    let key = try #require(set.candidates(nil, example.algorithm).first).key
    let verifier = try #require(
      SignatureVerifier(key, example.algorithm.digest, usesPSS: example.algorithm.usesPSS))
    let signed = Array(example.signed.utf8)
    let signature = try decoded(example.signature)
    let isValid = verifier.verify(signature, of: signed.span)
    #expect(isValid)
    for position in [0, signature.count / 2, signature.count - 1] {
      var changed = signature
      changed[position] ^= 1
      let isValidStill = verifier.verify(changed, of: signed.span)
      #expect(!isValidStill, "byte \(position)")
    }
    for position in [0, signed.count / 2, signed.count - 1] {
      var changed = signed
      changed[position] ^= 1
      let isValidStill = verifier.verify(signature, of: changed.span)
      #expect(!isValidStill, "byte \(position) of the text")
    }
    for other in JWTAlgorithm.allCases where other != example.algorithm && other.goesWith(key) {
      let another = try #require(SignatureVerifier(key, other.digest, usesPSS: other.usesPSS))
      let isValidByAnother = another.verify(signature, of: signed.span)
      #expect(!isValidByAnother, "\(other)")
    }
  }

  @Test("RFC 7520 §4.4, HS256")
  func code() throws {
    let text =
      "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.\(Self.payload)"
    let signed = Array(text.utf8)
    let secret = try decoded("hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg")
    let code = try decoded("s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0")
    let maker = try #require(HMAC(.sha256))
    let isValid = maker.verify(code, of: signed.span, key: secret)
    let isValidByAnother = maker.verify(code, of: signed.span, key: Array(secret.dropLast()))
    let isValidForLess = maker.verify(code, of: signed.span.extracting(0..<signed.count - 1), key: secret)
    var changed = code
    changed[31] ^= 1
    let isValidStill = maker.verify(changed, of: signed.span, key: secret)
    #expect(isValid && !isValidByAnother && !isValidForLess && !isValidStill)
  }

  @Test("A payload without claims is no token, whoever has signed it", arguments: examples)
  func tokens(example: Example) {
    let token = JWTToken()
    #expect(throws: JWTToken.Failure.malformed) {
      try token.read(Array("\(example.signed).\(example.signature)".utf8).span)
    }
  }
}
