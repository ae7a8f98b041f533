import Synchronization

/// What is stored on one disk. From any thread.
final class DiskIndex: Sendable {
  private final class Shard: Sendable {
    let entries = Mutex(EntryTable<DiskEntry>())
  }

  private let shards: [Shard]
  private let limitBytes: Atomic<Int>
  private let storedBytes = Atomic(0)
  private let storedCount = Atomic(0)
  private let evictionCursor = Atomic(0)
  private let evictionCount = Atomic<UInt64>(0)

  private static let shardCount = 64
  /// Each takes some 500 bytes of memory.
  static let entriesMax = 1_000_000

  init(limit: Int) {
    limitBytes = Atomic(limit)
    shards = (0..<Self.shardCount).map { _ in Shard() }
  }

  var bytes: Int { storedBytes.load(ordering: .relaxed) }
  var count: Int { storedCount.load(ordering: .relaxed) }
  var evictions: UInt64 { evictionCount.load(ordering: .relaxed) }
  var limit: Int { limitBytes.load(ordering: .relaxed) }

  func resize(to limit: Int) { limitBytes.store(limit, ordering: .relaxed) }

  private func index(_ hash: UInt64) -> Int { Int(hash >> 56) & (Self.shardCount - 1) }

  private func withShard<Result>(
    _ index: Int, _ body: (inout EntryTable<DiskEntry>) -> sending Result
  ) -> sending Result {
    shards[index].entries.withLock { table in
      let before = (table.bytes, table.count)
      defer {
        storedBytes.add(table.bytes - before.0, ordering: .relaxed)
        storedCount.add(table.count - before.1, ordering: .relaxed)
      }
      return body(&table)
    }
  }

  func find(_ hash: UInt64, where isRight: (DiskEntry) -> Bool) -> DiskEntry? {
    withShard(index(hash)) { $0.find(hash, where: isRight) }
  }

  /// - isValid: Asked under the lock: what is purged after it is found here.
  /// - Returns: false where it is not valid.
  func insert(_ entry: DiskEntry, if isValid: () -> Bool) -> Bool {
    withShard(index(entry.identity.hash)) { table in
      guard isValid() else { return false }
      table.insert(entry)
      return true
    }
  }

  /// Inserts what was found on the disk, unless it would replace what came later.
  /// - isValid: As above.
  /// - Returns: false where it is not valid, or not the newest.
  func insertFound(_ entry: DiskEntry, if isValid: () -> Bool) -> Bool {
    withShard(index(entry.identity.hash)) { table in
      guard !table.hasNewer(than: entry), isValid() else { return false }
      table.insert(entry)
      return true
    }
  }

  /// Takes out what a new response replaces.
  func makeWay(for identity: StoredResponse.Identity) {
    withShard(index(identity.hash)) { $0.makeWay(for: identity) }
  }

  func remove(_ entry: DiskEntry) -> Bool { withShard(index(entry.identity.hash)) { $0.remove(entry) } }

  /// - Returns: how many there were.
  @discardableResult
  func removeURL(_ hash: UInt64, _ url: [UInt8]) -> Int {
    withShard(index(hash)) { $0.removeURL(hash, url) }
  }

  /// - Returns: how many there were. Looks at all of them, a shard at a time.
  func removeAll(atMostInShard limit: Int = .max, where isMeant: (DiskEntry) -> Bool) -> Int {
    (0..<Self.shardCount).reduce(0) { count, index in
      var left = limit
      return count
        + withShard(index) { table in
          table.removeAll { entry in
            guard left > 0, isMeant(entry) else { return false }
            left -= 1
            return true
          }
        }
    }
  }

  /// Knows nothing any more; the files stay.
  func clear() {
    for index in 0..<Self.shardCount { withShard(index) { $0 = EntryTable() } }
  }

  private var isOverfull: Bool { bytes > limit || count > Self.entriesMax }

  /// Makes room for an entry that has come.
  func evict(sparing newest: DiskEntry) { evict(sparing: newest) { self.isOverfull } }

  /// Makes room of so many bytes, as far as there is any.
  func evict(bytes wanted: Int) {
    let goal = bytes - wanted
    evict(sparing: nil) { self.bytes > goal }
  }

  /// As a zone does in memory.
  private func evict(sparing newest: DiskEntry?, while isNeeded: () -> Bool) {
    var emptyShards = 0
    while emptyShards <= 2 * Self.shardCount, isNeeded() {
      let index = evictionCursor.add(1, ordering: .relaxed).newValue & (Self.shardCount - 1)
      if withShard(index, { $0.evictOne(sparing: newest) }) {
        evictionCount.add(1, ordering: .relaxed)
        emptyShards = 0
      } else {
        emptyShards += 1
      }
    }
  }
}
