import COpenSSL

/// Bytes that are overwritten before their memory is freed. Immutable; from any thread.
///
/// `@unchecked Sendable`: nothing is written after `init`. `@safe`: the memory lives as long as the object.
@safe
final class SecretBytes: @unchecked Sendable {
  @unsafe private let base: UnsafeMutablePointer<UInt8>
  let count: Int

  /// Takes over memory that OpenSSL made.
  @unsafe
  init(taking base: UnsafeMutablePointer<UInt8>, count: Int) {
    unsafe self.base = base
    self.count = count
  }

  deinit { unsafe cossl_secret_free(base, count) }

  /// The pointer is valid during the call only.
  func withBytes<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result { unsafe body(base) }
}
