import COpenSSL

/// Ciphers of one worker, each set up with one direction's key of one connection.
///
/// A cipher that is set up takes 1.2 KB, a connection has two, and 10,000 of them are idle: so a worker
/// has a limited number, and the connections that were used last have them. Setting a key up again costs
/// 0.2 µs.
///
/// `@safe`: ciphers live as long as the object, and every index is checked.
@safe
final class CipherPools {
  /// Of each suite and direction: 1.2 MB of a worker's memory where two directions are full.
  static let ciphersMax = 512

  /// `@safe`: the pointer is used where it is named only.
  @safe
  private struct Entry {
    @unsafe let cipher: OpaquePointer
    /// The connection whose key it has; 0: nobody's.
    var owner: UInt64
    /// Used since the hand passed (the clock algorithm).
    var isUsed: Bool
  }

  private struct Pool {
    var entries: [Entry] = []
    var hand = 0
  }

  /// By suite and direction.
  private var pools = [Pool](repeating: Pool(), count: 6)

  deinit {
    for pool in pools {
      for entry in pool.entries { unsafe cossl_cipher_free(entry.cipher) }
    }
  }

  /// The cipher with a direction's key.
  ///
  /// - Parameters:
  ///   - place: where the connection's was the last time; updated.
  ///   - owner: the connection's number.
  /// - Returns: nil when OpenSSL fails.
  @unsafe
  func cipher(
    for direction: UnsafeMutablePointer<cossl_direction>, suite: UInt16, seals: Bool, owner: UInt64,
    place: inout UInt16
  ) -> OpaquePointer? {
    let pool = Self.index(suite, seals)
    let position = Int(place)
    if position < pools[pool].entries.count, pools[pool].entries[position].owner == owner {
      pools[pool].entries[position].isUsed = true
      return unsafe pools[pool].entries[position].cipher
    }
    guard let found = free(in: pool, suite: suite) else { return nil }
    let cipher = unsafe pools[pool].entries[found].cipher
    // Where setting the key fails, the cipher has neither the old key nor the new one.
    pools[pool].entries[found].owner = 0
    // The direction's keys are copied during the call.
    guard unsafe cossl_cipher_set_key(cipher, direction, seals ? 1 : 0) == 1 else { return nil }
    pools[pool].entries[found].owner = owner
    pools[pool].entries[found].isUsed = true
    place = UInt16(found)
    return unsafe cipher
  }

  /// A connection's key is not used any more.
  func release(suite: UInt16, seals: Bool, owner: UInt64, place: UInt16) {
    let pool = Self.index(suite, seals)
    let position = Int(place)
    guard position < pools[pool].entries.count, pools[pool].entries[position].owner == owner else {
      return
    }
    pools[pool].entries[position].owner = 0
    pools[pool].entries[position].isUsed = false
    // The next one that needs a cipher takes this one, whose memory is warm.
    pools[pool].hand = position
  }

  private static func index(_ suite: UInt16, _ seals: Bool) -> Int {
    precondition(Int(suite) >= COSSL_AES_128_GCM && Int(suite) <= COSSL_CHACHA20_POLY1305)
    return (Int(suite) - COSSL_AES_128_GCM) * 2 + (seals ? 1 : 0)
  }

  private func free(in pool: Int, suite: UInt16) -> Int? {
    let count = pools[pool].entries.count
    let hand = pools[pool].hand
    if hand < count, pools[pool].entries[hand].owner == 0 { return hand }
    if count < Self.ciphersMax {
      guard let cipher = unsafe cossl_cipher_new(Int32(suite)) else { return nil }
      unsafe pools[pool].entries.append(Entry(cipher: cipher, owner: 0, isUsed: false))
      return count
    }
    var position = hand
    while pools[pool].entries[position].isUsed {
      pools[pool].entries[position].isUsed = false
      position = (position + 1) % count
    }
    pools[pool].hand = (position + 1) % count
    return position
  }
}
