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
