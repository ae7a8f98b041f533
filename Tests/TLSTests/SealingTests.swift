import Testing

@testable import TLS

struct SealingTests {
  private let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
  private let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
  private let context = Array("certificates/a".utf8)

  private func key(_ text: String) throws -> SealingKey { try SealingKey(text: Array(text.utf8)) }

  private func secret(_ text: String) -> SecretBytes {
    var bytes = Array(text.utf8)
    return SecretBytes(overwriting: &bytes)
  }

  private func text(_ secret: SecretBytes) -> String {
    // The bytes are copied during the call.
    unsafe secret.withBytes { start in
      unsafe String(decoding: UnsafeBufferPointer(start: start, count: secret.count), as: UTF8.self)
    }
  }

  @Test("a key is the same in each of its forms")
  func forms() throws {
    let raw = try SealingKey(text: Array(0..<32))
    // The first bytes of printf '\x00…\x1f' | sha256sum.
    #expect(raw.identifier == "630dcd2966c43366")
    #expect(try key(digits).identifier == raw.identifier)
    #expect(try key(" \(digits.lowercased())\r\n").identifier == raw.identifier)
    #expect(try key(base64 + "\n").identifier == raw.identifier)
    let sealed = raw.seal(secret("s"), context: context)
    #expect(try text(key(digits).open(sealed, context: context)) == "s")
    #expect(try text(key(base64).open(sealed, context: context)) == "s")
  }

  @Test(
    "what is no key is refused, with what would be one",
    arguments: [
      "", "secret", String(repeating: "0", count: 32), String(repeating: "0", count: 63),
      String(repeating: "0", count: 66), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8!", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
    ])
  func noKey(text: String) throws {
    let error = #expect(throws: SealingError.self) { try key(text) }
    #expect(error?.description.contains("openssl rand -hex 32") == true)
    if !text.isEmpty { #expect(error?.description.contains(text) == false) }
  }

  @Test("a secret comes back, and is not to be seen in what was sealed")
  func roundTrip() throws {
    let key = try key(digits)
    for content in ["", "x", "-----BEGIN PRIVATE KEY-----", String(repeating: "k", count: 5_000)] {
      let sealed = key.seal(secret(content), context: context)
      #expect(try text(key.open(sealed, context: context)) == content)
      if content.count > 8 {
        #expect(!String(decoding: sealed, as: UTF8.self).contains(content.prefix(8)))
      }
      // The nonce is another one each time.
      #expect(key.seal(secret(content), context: context) != sealed)
    }
  }

  @Test("a secret that was sealed with another key is told from one that is damaged")
  func otherKey() throws {
    let sealed = try key(digits).seal(secret("s"), context: context)
    let other = try SealingKey(text: Array(1...32))
    let error = #expect(throws: SealingError.self) { try other.open(sealed, context: context) }
    #expect(error == .otherKey(sealedWith: "630dcd2966c43366", given: other.identifier))
    #expect(error?.description.contains("another key") == true)
  }

  @Test("a byte that was changed anywhere, or is missing, is noticed")
  func damage() throws {
    let key = try key(digits)
    let sealed = key.seal(secret("a secret"), context: context)
    for index in sealed.indices {
      var damaged = sealed
      damaged[index] ^= 1
      let error = #expect(throws: SealingError.self) { try key.open(damaged, context: context) }
      switch index {
      case 0: #expect(error == .unknownVersion(0))
      case 1...8: #expect(error != .damaged)
      default: #expect(error == .damaged)
      }
    }
    for count in 0..<sealed.count {
      #expect(throws: SealingError.damaged) { try key.open(Array(sealed.prefix(count)), context: context) }
    }
    #expect(throws: SealingError.damaged) { try key.open(sealed + [0], context: context) }
  }

  @Test("a secret cannot be put in another's place")
  func place() throws {
    let key = try key(digits)
    let sealed = key.seal(secret("s"), context: context)
    for other in ["certificates/b", "certificates/a2", "", "certificates/"] {
      #expect(throws: SealingError.damaged) { try key.open(sealed, context: Array(other.utf8)) }
    }
  }

  @Test("the original of a secret is overwritten")
  func overwritten() {
    var bytes = Array("a secret".utf8)
    let secret = SecretBytes(overwriting: &bytes)
    #expect(bytes == [UInt8](repeating: 0, count: 8))
    #expect(text(secret) == "a secret")
  }
}
