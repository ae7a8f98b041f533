import COpenSSL

/// A key that signatures are verified with. Immutable, from any thread.
///
/// `@safe`: the key is private and lives as long as this; OpenSSL counts its uses atomically and changes nothing of
/// it.
@safe
public final class PublicKey: @unchecked Sendable {
  public enum Kind: Int32, Sendable {
    case rsa, p256, p384, p521, ed25519

    /// Bytes of a coordinate, and of one half of a signature; 0 for keys that have neither.
    public var coordinateBytes: Int {
      switch self {
      case .p256: 32
      case .p384: 48
      case .p521: 66
      case .rsa, .ed25519: 0
      }
    }
  }

  public enum Failure: Int32, Error {
    case unreadable = -1
    /// A kind of key, or a curve, that nothing here is signed with.
    case other = -2
    /// RSA with less than 2048 or more than 8192 bits.
    case size = -3
  }

  public let kind: Kind
  fileprivate let key: OpaquePointer

  private init(_ key: OpaquePointer?, _ kind: Int32) throws(Failure) {
    guard let key = unsafe key, let known = Kind(rawValue: kind) else {
      throw Failure(rawValue: kind) ?? .unreadable
    }
    unsafe self.key = key
    self.kind = known
  }

  deinit { unsafe cossl_public_key_free(key) }

  /// From PEM: a public key, or a certificate that has it.
  public convenience init(pem: [UInt8]) throws(Failure) {
    var kind: Int32 = 0
    // The bytes live through the call; the key that is made is owned from here on. So below.
    let key = unsafe cossl_public_key_pem(pem, pem.count, &kind)
    try unsafe self.init(key, kind)
  }

  /// Numbers are big-endian. Sizes are checked by OpenSSL.
  public convenience init(rsaModulus modulus: [UInt8], exponent: [UInt8]) throws(Failure) {
    guard !modulus.isEmpty, modulus.count <= 1_025, !exponent.isEmpty, exponent.count <= 8 else {
      throw .size
    }
    var kind: Int32 = 0
    let key = unsafe cossl_public_key_rsa(modulus, modulus.count, exponent, exponent.count, &kind)
    try unsafe self.init(key, kind)
  }

  /// A point on a curve; the coordinates have the curve's length (RFC 7518 §6.2.1).
  public convenience init(curve: Kind, x: [UInt8], y: [UInt8]) throws(Failure) {
    let count = curve.coordinateBytes
    guard count > 0, x.count == count, y.count == count else { throw .unreadable }
    let point = [4] + x + y
    var kind: Int32 = 0
    let key = unsafe cossl_public_key_ec(curve.rawValue, point, point.count, &kind)
    try unsafe self.init(key, kind)
  }

  public convenience init(ed25519 bytes: [UInt8]) throws(Failure) {
    guard bytes.count == 32 else { throw .unreadable }
    var kind: Int32 = 0
    let key = unsafe cossl_public_key_ed25519(bytes, &kind)
    try unsafe self.init(key, kind)
  }
}

/// Verifies signatures by one key in one way. Belongs to one thread.
///
/// What OpenSSL needs for it is made once: it takes as long as a tenth of a verification with RSA.
///
/// `@safe`: the context is private, and lives as long as this.
@safe
public final class SignatureVerifier {
  private let key: PublicKey
  /// Of both numbers of a signature of ECDSA; 0 for others.
  private let pairBytes: Int
  private let verifier: OpaquePointer

  /// - Parameters:
  ///   - digest: of no meaning for Ed25519, which has its own.
  ///   - usesPSS: RSASSA-PSS (RFC 8017 §8.1) in place of RSASSA-PKCS1-v1_5.
  /// - Returns: nil where the key does not do that.
  public init?(_ key: PublicKey, _ digest: DigestAlgorithm, usesPSS: Bool = false) {
    let isKnown = key.kind == .ed25519 || (digest != .sha1 && (!usesPSS || key.kind == .rsa))
    guard isKnown, let verifier = unsafe cossl_verifier_new(key.key, digest.number, usesPSS ? 1 : 0) else {
      return nil
    }
    unsafe self.verifier = verifier
    self.key = key
    pairBytes = key.kind.coordinateBytes * 2
  }

  deinit { unsafe cossl_verifier_free(verifier) }

  /// - Parameter signature: of ECDSA, both numbers one behind the other (RFC 7518 §3.4).
  public func verify(_ signature: [UInt8], of message: Span<UInt8>) -> Bool {
    if message.isEmpty || signature.isEmpty { return false }
    if pairBytes > 0, signature.count != pairBytes { return false }
    return unsafe message.withUnsafeBufferPointer { message in
      // Message and signature live through the call, and are not empty.
      unsafe cossl_verify(verifier, message.baseAddress!, message.count, signature, signature.count) == 1
    }
  }
}
