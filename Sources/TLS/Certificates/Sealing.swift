import COpenSSL

/// Why something that was sealed cannot be opened, or a key cannot be used.
public enum SealingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The text is not that of a key; `found` says what it looks like.
  case malformedKey(found: String)
  /// The identifiers are those of ``SealingKey/identifier``.
  case otherKey(sealedWith: String, given: String)
  /// What was sealed is not what is there, or it was sealed for something else.
  case damaged
  case unknownVersion(UInt8)

  public var description: String {
    switch self {
    case .malformedKey(let found):
      "the key must be 32 random bytes: as 64 hexadecimal digits (openssl rand -hex 32), as 44 characters of "
        + "base64 (openssl rand -base64 32), or as they are; there are \(found)"
    case .otherKey(let sealedWith, let given):
      "it was encrypted with another key: with the one whose identifier is \(sealedWith), and the one that is "
        + "configured is \(given); configure the key that the store was written with"
    case .damaged: "it is damaged: it was changed after it was encrypted, or belongs to something else"
    case .unknownVersion(let version):
      "it was encrypted in a form, \(version), that this program does not know"
    }
  }
}

/// The key that secrets are encrypted with where they are stored: AES-256-GCM. From any thread.
public struct SealingKey: Sendable {
  private static let keyBytes = 32
  private static let version: UInt8 = 1
  private static let identifierBytes = 8
  private static let nonceBytes = 12
  /// Version, identifier and nonce.
  private static let headBytes = 1 + identifierBytes + nonceBytes

  private let key: SecretBytes
  private let identifierValue: [UInt8]

  /// Tells keys apart, and nothing about them: the first bytes of the key's SHA-256, in hexadecimal.
  public var identifier: String { Self.hexadecimal(identifierValue[...]) }

  /// - Parameter text: what a file or a variable holds: 64 hexadecimal digits or 44 characters of base64,
  ///   perhaps with white space around them, or 32 bytes. The caller's copy stays the caller's.
  public init(text: [UInt8]) throws(SealingError) {
    var bytes = try Self.parse(text)
    identifierValue = Array(Digest.sha256(bytes).prefix(Self.identifierBytes))
    key = SecretBytes(overwriting: &bytes)
  }

  private static func parse(_ text: [UInt8]) throws(SealingError) -> [UInt8] {
    let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
    let end = text.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? 0
    let trimmed = text[..<end].drop(while: isBlank)
    let digits = trimmed.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    if digits.count == trimmed.count {
      if digits.count == 2 * keyBytes {
        return (0..<keyBytes).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
      }
      // As many as there are bytes in a key, but with half of its strength: somebody was mistaken.
      throw .malformedKey(found: "\(digits.count) hexadecimal digits")
    }
    if text.count == keyBytes { return text }
    if let bytes = Base64.decode(trimmed.span), bytes.count == keyBytes { return bytes }
    throw .malformedKey(found: "\(trimmed.count) bytes")
  }

  // MARK: Sealing

  /// - Parameter context: what the secret is for, such as a kind and a name. It is not stored, and must be
  ///   the same when the secret is opened: thus a secret cannot be put in another's place.
  public func seal(_ secret: SecretBytes, context: [UInt8]) -> [UInt8] {
    var nonce = [UInt8](repeating: 0, count: Self.nonceBytes)
    // Random nonces are safe for 2^32 secrets under one key (NIST SP 800-38D §8.3).
    unsafe cossl_random(&nonce, nonce.count)
    let head = [Self.version] + identifierValue
    let beside = head + context
    var box = [UInt8](repeating: 0, count: secret.count + Int(COSSL_TAG_BYTES))
    let isSealed = unsafe key.withBytes { key in
      unsafe secret.withBytes { content in
        // Arrays and secrets are there during the call; the box has room for content and tag.
        unsafe cossl_box_seal(key, nonce, beside, beside.count, content, secret.count, &box)
      }
    }
    precondition(isSealed == 1, "AES-256-GCM is not available")
    return head + nonce + box
  }

  /// - Parameter context: as it was given when the secret was sealed.
  public func open(_ sealed: [UInt8], context: [UInt8]) throws(SealingError) -> SecretBytes {
    guard let version = sealed.first else { throw .damaged }
    guard version == Self.version else { throw .unknownVersion(version) }
    guard sealed.count >= Self.headBytes + Int(COSSL_TAG_BYTES) else { throw .damaged }
    let sealer = sealed[1..<1 + Self.identifierBytes]
    guard sealer.elementsEqual(identifierValue) else {
      throw .otherKey(sealedWith: Self.hexadecimal(sealer), given: identifier)
    }
    let beside = sealed[..<(1 + Self.identifierBytes)] + context
    let nonce = Array(sealed[(1 + Self.identifierBytes)..<Self.headBytes])
    let box = Array(sealed[Self.headBytes...])
    var isOpen: Int32 = 0
    let secret = unsafe SecretBytes(count: box.count - Int(COSSL_TAG_BYTES)) { room in
      isOpen = unsafe key.withBytes { key in
        // Arrays and secrets are there during the call; the room is that of the box less the tag.
        unsafe cossl_box_open(key, nonce, Array(beside), beside.count, box, box.count, room)
      }
    }
    guard isOpen == 1 else { throw .damaged }
    return secret
  }

  private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
