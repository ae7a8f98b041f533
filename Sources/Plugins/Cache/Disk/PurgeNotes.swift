import DataPlane

/// What was purged, for files of which nothing is known yet. However much that is, it takes no more than so much
/// memory.
struct PurgeNotes {
  private var hasEverything = false
  private var prefixes: [[UInt8]] = []
  /// Of URLs and of tags.
  private var hashes: [UInt64] = []
  /// Those for which there is no room there: a bit for each, by its last bits. One that has the bit of another goes
  /// with it, which costs a request: with 10,000 removals one file in a hundred, with 100,000 one in ten.
  private var bits: [UInt64] = []

  private static let hashesMax = 128
  /// 128 KiB.
  private static let bitCount = 1 << 20
  /// Prefixes are for people and deployments to purge. What comes above counts as everything.
  private static let prefixesMax = 1_024

  var isEmpty: Bool { !hasEverything && prefixes.isEmpty && hashes.isEmpty && bits.isEmpty }

  mutating func add(_ what: CacheZone.Purge) {
    if hasEverything { return }
    switch what {
    case .everything: noteEverything()
    case .url(let url): add(url.hash)
    case .tag(let tag): add(KeyHash.of(tag.span))
    case .prefix(let prefix):
      if prefixes.contains(prefix) { return }
      if prefixes.count < Self.prefixesMax { prefixes.append(prefix) } else { noteEverything() }
    }
  }

  private mutating func noteEverything() {
    removeAll()
    hasEverything = true
  }

  private mutating func add(_ hash: UInt64) {
    if holds(hash) { return }
    if hashes.count < Self.hashesMax { return hashes.append(hash) }
    if bits.isEmpty { bits = [UInt64](repeating: 0, count: Self.bitCount / 64) }
    let bit = Self.bit(of: hash)
    bits[bit / 64] |= 1 << UInt64(bit % 64)
  }

  mutating func removeAll() {
    hasEverything = false
    prefixes = []
    hashes.removeAll(keepingCapacity: true)
    bits = []
  }

  func concerns(_ entry: some CacheEntry) -> Bool {
    hasEverything || holds(entry.identity.hash)
      || entry.tags.contains { holds(KeyHash.of($0.span)) }
      || prefixes.contains { entry.identity.url.starts(with: $0) }
  }

  private func holds(_ hash: UInt64) -> Bool {
    if hashes.contains(hash) { return true }
    if bits.isEmpty { return false }
    let bit = Self.bit(of: hash)
    return bits[bit / 64] >> UInt64(bit % 64) & 1 == 1
  }

  private static func bit(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (bitCount - 1) }
}
