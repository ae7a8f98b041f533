import COpenSSL

/// SHA-256 (FIPS 180-4). From any thread.
public enum SHA256 {
  public static let byteCount = 32

  public static func digest(of bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: byteCount)
    // The digest has room for the 32 bytes that are written; neither array is kept.
    unsafe cossl_sha256(bytes, bytes.count, &digest)
    return digest
  }

  public static func digest(of bytes: Span<UInt8>) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: byteCount)
    unsafe bytes.withUnsafeBufferPointer { bytes in
      // The digest has room for the 32 bytes that are written. Nothing has no address, and none is read of it.
      unsafe digest.withUnsafeMutableBufferPointer { digest in
        unsafe cossl_sha256(
          bytes.baseAddress ?? UnsafePointer(digest.baseAddress!), bytes.count, digest.baseAddress!)
      }
    }
    return digest
  }
}

/// Comparisons whose time says nothing of where two secrets differ.
public enum ConstantTime {
  /// The lengths are no secret.
  public static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool { areEqual(a.span, b) }

  /// The lengths are no secret.
  public static func areEqual(_ a: Span<UInt8>, _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in a.indices { difference |= a[index] ^ b[index] }
    return difference == 0
  }
}
