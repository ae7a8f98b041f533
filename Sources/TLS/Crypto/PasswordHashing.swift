import CCrypt
import COpenSSL

/// Hashes of passwords by libcrypt (crypt(3)), which take milliseconds and more by intent: never on a worker's
/// thread.
public enum Crypt {
  /// What the library takes; longer ones it refuses.
  public static let passwordBytesMax = 512

  /// - Parameter setting: a hash, or what it begins with: `$2b$10$` and the salt.
  /// - Returns: nil where the setting is not one, or the password cannot be hashed: NUL would end it early.
  public static func hash(_ password: [UInt8], setting: String) -> [UInt8]? {
    guard password.count <= passwordBytesMax, !password.contains(0), !setting.utf8.contains(0) else {
      return nil
    }
    var password = (password + [0]).map { CChar(bitPattern: $0) }
    var output = [CChar](repeating: 0, count: Int(CCRYPT_OUTPUT_BYTES))
    // All three live through the call; the output has the room that the header asks for.
    let status = unsafe ccrypt_hash(password, setting, &output)
    unsafe cossl_cleanse(&password, password.count)
    guard status == 0 else { return nil }
    return output.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  }
}

/// What is bcrypt's own. From any thread.
public enum Bcrypt {
  /// What counts of a password; the algorithm passes over the rest.
  public static let passwordBytesMax = 72
  private static let saltBytes = 16
  private static let digits = Array("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

  /// A setting with a new random salt, for ``Crypt``.
  ///
  /// - Parameter cost: from 4 to 31; each one more doubles the time.
  public static func newSetting(cost: Int) -> String {
    let salt = RandomBytes.make(count: saltBytes)
    var text: [UInt8] = []
    for start in stride(from: 0, to: saltBytes, by: 3) {
      let count = min(3, saltBytes - start)
      var group = 0
      for index in 0..<3 { group = group << 8 | (index < count ? Int(salt[start + index]) : 0) }
      for index in 0...count { text.append(digits[group >> (18 - 6 * index) & 63]) }
    }
    return "$2b$\(cost < 10 ? "0" : "")\(cost)$" + String(decoding: text, as: UTF8.self)
  }
}

/// MD5 (RFC 1321), for the hashes of old password files; it secures nothing any more. From any thread.
public enum MD5 {
  public static let byteCount = 16

  /// - Returns: false where OpenSSL does not offer it.
  public static func digest(of bytes: [UInt8], into digest: inout [UInt8]) -> Bool {
    precondition(digest.count == byteCount)
    // Both arrays live through the call; the digest has the 16 bytes that are written.
    return unsafe cossl_md5(bytes, bytes.count, &digest) == 0
  }
}

/// Bytes that nobody can guess. From any thread.
public enum RandomBytes {
  public static func make(count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // Fills the array, during the call.
    unsafe cossl_random(&bytes, bytes.count)
    return bytes
  }
}
