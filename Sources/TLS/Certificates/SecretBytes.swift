import COpenSSL

/// Bytes that nobody outside of this module sees, and that are overwritten before their memory is freed.
/// Immutable; from any thread.
///
/// `@unchecked Sendable`: nothing is written after `init`. `@safe`: the memory lives as long as its storage,
/// and is shown during calls only.
@safe
public struct SecretBytes: @unchecked Sendable {
  /// The count, and the bytes behind it: one piece of memory for both.
  private final class Storage: ManagedBuffer<Int, UInt8> {
    deinit {
      // The memory is there until this returns.
      unsafe withUnsafeMutablePointers { unsafe cossl_cleanse($1, $0.pointee) }
    }
  }

  private let storage: ManagedBuffer<Int, UInt8>

  /// - Parameter fill: writes all of the bytes.
  @unsafe
  init(count: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Void) {
    storage = Storage.create(minimumCapacity: max(count, 1)) { _ in count }
    // There is room for them.
    unsafe storage.withUnsafeMutablePointerToElements { unsafe fill($0) }
  }

  /// Takes over memory that OpenSSL made.
  @unsafe
  init(taking base: UnsafeMutablePointer<UInt8>, count: Int) {
    unsafe self.init(count: count) { unsafe $0.update(from: base, count: count) }
    unsafe cossl_secret_free(base, count)
  }

  /// Copies bytes, and overwrites the original.
  public init(overwriting bytes: inout [UInt8]) {
    let count = bytes.count
    // The array is there during the call, and so large.
    self = unsafe bytes.withUnsafeMutableBytes { original in
      let secret = unsafe SecretBytes(count: count) { copy in
        if count > 0 {
          unsafe UnsafeMutableRawPointer(copy).copyMemory(from: original.baseAddress!, byteCount: count)
        }
      }
      if count > 0 { unsafe cossl_cleanse(original.baseAddress!, count) }
      return secret
    }
  }

  public var count: Int { storage.header }

  /// The pointer is valid during the call only.
  func withBytes<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
    unsafe storage.withUnsafeMutablePointerToElements { unsafe body(UnsafePointer($0)) }
  }

  func hash(into hasher: inout Hasher) {
    unsafe withBytes { unsafe hasher.combine(bytes: UnsafeRawBufferPointer(start: $0, count: count)) }
  }
}
