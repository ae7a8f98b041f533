import COpenSSL

/// The digests that codes and signatures are made with.
public enum DigestAlgorithm: Int, Sendable, CaseIterable {
  /// RFC 3174; within HMAC it still does (RFC 6194 §3.3).
  case sha1
  /// FIPS 180-4, as the others.
  case sha256, sha384, sha512

  public var byteCount: Int {
    switch self {
    case .sha1: 20
    case .sha256: 32
    case .sha384: 48
    case .sha512: 64
    }
  }

  var number: Int32 { Int32(rawValue) }
}

/// A place to make codes of messages in (RFC 2104), for any keys. Belongs to one thread.
///
/// `@safe`: the context is private, and lives as long as this.
@safe
public final class HMAC {
  public static let codeBytesMax = 64
  private let context: OpaquePointer

  /// Nil where OpenSSL does not offer the digest.
  public init?(_ digest: DigestAlgorithm) {
    guard let context = unsafe cossl_hmac_new(digest.number) else { return nil }
    unsafe self.context = context
  }

  deinit { unsafe cossl_hmac_free(context) }

  /// Whether a code is a message's. In constant time.
  ///
  /// - Parameter key: not empty.
  public func verify(_ code: [UInt8], of message: Span<UInt8>, key: [UInt8]) -> Bool {
    var made = InlineArray<64, UInt8>(repeating: 0)
    let count = make(of: message, key: key, into: &made)
    guard count > 0 else { return false }
    return ConstantTime.areEqual(made.span.extracting(0..<count), code)
  }

  private func make(
    of message: Span<UInt8>, key: [UInt8], into code: inout InlineArray<64, UInt8>
  ) -> Int {
    var span = code.mutableSpan
    return unsafe message.withUnsafeBufferPointer { message in
      unsafe span.withUnsafeMutableBufferPointer { code in
        // All three live through the call; the code has room for the longest. An empty message has no address, and
        // needs none: its count is 0.
        unsafe cossl_hmac(
          context, key, key.count, message.baseAddress ?? UnsafePointer(code.baseAddress!), message.count,
          code.baseAddress!)
      }
    }
  }
}

/// A digest that is made in steps. Belongs to one thread at a time.
///
/// `@safe`: the context is private, and lives as long as this.
@safe
public final class RunningDigest {
  private let context: OpaquePointer
  private let digest: DigestAlgorithm

  /// Nil where OpenSSL does not offer it.
  public init?(_ digest: DigestAlgorithm) {
    guard let context = unsafe cossl_digest_new(digest.number) else { return nil }
    unsafe self.context = context
    self.digest = digest
  }

  deinit { unsafe cossl_digest_free(context) }

  public func add(_ bytes: Span<UInt8>) {
    if bytes.isEmpty { return }
    // The bytes live through the call, and there are some.
    unsafe bytes.withUnsafeBufferPointer { unsafe cossl_digest_add(context, $0.baseAddress!, $0.count) }
  }

  /// The digest of all that was added. Nothing may be added afterwards.
  public func end() -> [UInt8] {
    var result = [UInt8](repeating: 0, count: digest.byteCount)
    // Has the room of the digest.
    unsafe cossl_digest_end(context, &result)
    return result
  }
}
