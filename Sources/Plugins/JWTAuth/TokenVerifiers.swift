import HTTPCodec
import TLS

/// What verifies tokens on one worker: made of a key when it is first used, and kept.
struct TokenVerifiers {
  private struct Name: Hashable {
    let key: ObjectIdentifier
    let algorithm: JWTAlgorithm
  }

  /// By algorithm.
  private var codes = [HMAC?](repeating: nil, count: 3)
  /// Each keeps its key, so that no other gets its name.
  private var verifiers: [Name: SignatureVerifier] = [:]
  /// Some 2 KB each; above that, all are forgotten.
  private static let countMax = 1_000

  mutating func verify(_ token: JWTToken, secret: [UInt8]) -> Bool {
    let index = Int(token.algorithm.rawValue)
    guard index < codes.count else { return false }
    if codes[index] == nil { codes[index] = HMAC(token.algorithm.digest) }
    guard let code = codes[index] else { return false }
    let text = token.text
    return code.verify(token.signature, of: text.span.extracting(0..<token.signedCount), key: secret)
  }

  mutating func verify(_ token: JWTToken, _ key: PublicKey) -> Bool {
    guard token.algorithm.goesWith(key) else { return false }
    let name = Name(key: ObjectIdentifier(key), algorithm: token.algorithm)
    if let known = verifiers[name] { return Self.verify(token, known) }
    guard let new = SignatureVerifier(key, token.algorithm.digest, usesPSS: token.algorithm.usesPSS) else {
      return false
    }
    if verifiers.count >= Self.countMax { verifiers = [:] }
    verifiers[name] = new
    return Self.verify(token, new)
  }

  private static func verify(_ token: JWTToken, _ verifier: SignatureVerifier) -> Bool {
    let text = token.text
    return verifier.verify(token.signature, of: text.span.extracting(0..<token.signedCount))
  }
}
