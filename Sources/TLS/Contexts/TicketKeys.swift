import COpenSSL

/// The keys that session tickets are sealed with: the first seals, all open (RFC 5077 §4).
///
/// Immutable; from any thread. One snapshot is given to the contexts of every worker, and with keys from
/// files to those of every machine, so that a session can be resumed anywhere. Whoever has a key can read
/// the TLS 1.2 connections of its time: rotate them, and keep files where only the gateway reads.
///
/// `@unchecked Sendable`: nothing is written after `init`. Keys are overwritten before they are freed.
@safe
public final class TicketKeys: @unchecked Sendable {
  /// Keys at most, so that a ticket is not compared with many.
  public static let countMax = 16

  @unsafe let pointer: OpaquePointer

  @unsafe
  private init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

  /// One random key.
  public convenience init() { unsafe self.init(Self.rotated(from: nil, keeping: 0)) }

  deinit { unsafe cossl_ticket_keys_free(pointer) }

  public var count: Int { unsafe cossl_ticket_keys_count(pointer) }

  /// A new random key seals; of those before, the latest `keeping` still open.
  public func rotated(keeping: Int = 2) -> TicketKeys {
    unsafe TicketKeys(Self.rotated(from: pointer, keeping: keeping))
  }

  @unsafe
  private static func rotated(from old: OpaquePointer?, keeping: Int) -> OpaquePointer {
    let kept = max(0, min(keeping, countMax - 1))
    // The old keys are read during the call.
    guard let pointer = unsafe cossl_ticket_keys_rotated(old, kept) else {
      preconditionFailure("the system gives no random numbers")
    }
    return unsafe pointer
  }

  /// From the content of files in nginx's format: 80 bytes (AES-256, HMAC-SHA256 with 32 bytes), or 48
  /// (AES-128 and 16 bytes). The first seals.
  public convenience init(files: [[UInt8]]) throws(CertificateError) {
    guard (1...Self.countMax).contains(files.count) else {
      throw CertificateError("there must be 1 to \(Self.countMax) ticket keys, not \(files.count)")
    }
    var bytes: [UInt8] = []
    // All at once: memory that grows would leave copies of keys behind.
    bytes.reserveCapacity(80 * files.count)
    var shortKeys: UInt32 = 0
    for (index, file) in files.enumerated() {
      let padding = [UInt8](repeating: 0, count: 16)
      switch file.count {
      case 80: bytes += file
      case 48:
        // Name, AES key, HMAC key; with 80 bytes the HMAC key comes first.
        bytes += file[0..<16]
        bytes += file[32..<48]
        bytes += padding
        bytes += file[16..<32]
        bytes += padding
        shortKeys |= 1 << UInt32(index)
      default:
        throw CertificateError(
          "a ticket key must have 80 or 48 bytes, not \(file.count); make one with openssl rand 80")
      }
    }
    // The array is copied by the first call, and overwritten by the second.
    let pointer = unsafe cossl_ticket_keys_new(bytes, files.count, shortKeys)
    unsafe cossl_cleanse(&bytes, bytes.count)
    unsafe self.init(pointer)
  }
}
