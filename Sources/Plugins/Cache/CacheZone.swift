import DataPlane
import HTTPCodec
import Runtime
import Synchronization

/// What one or several uses of the plugin have stored. From any thread.
final class CacheZone: Sendable {
  private final class Shard: Sendable {
    let state = Mutex(CacheShard())
  }

  let name: String
  let account: ByteAccount
  private let shards: [Shard]
  /// Where the next eviction begins, when one's own shard has nothing left.
  private let evictionCursor = Atomic(0)
  private let evictionCount = Atomic<UInt64>(0)
  private let storedBytes = Atomic(0)
  /// Counts purges and invalidations: a response that was asked for before one must not come back by it.
  private let purgeCount = Atomic<UInt64>(0)
  /// What was asked for before this was reached is not stored, whatever it is.
  private let purgedAll = Atomic<UInt64>(0)

  /// So many that workers seldom meet at one.
  private static let shardCount = 128

  init(_ name: String, limit: Int) {
    self.name = name
    account = ByteAccount(limit: limit)
    shards = (0..<Self.shardCount).map { _ in Shard() }
  }

  private func index(_ hash: UInt64) -> Int { Int(hash >> 56) & (Self.shardCount - 1) }

  private func withShard<Result>(
    _ index: Int, _ body: (inout CacheShard) -> sending Result
  ) -> sending Result {
    shards[index].state.withLock { shard in
      let before = shard.bytes
      defer { if shard.bytes != before { storedBytes.add(shard.bytes - before, ordering: .relaxed) } }
      return body(&shard)
    }
  }

  // MARK: Entries

  func find(_ hash: UInt64, where isRight: (StoredResponse) -> Bool) -> StoredResponse? {
    withShard(index(hash)) { $0.find(hash, where: isRight) }
  }

  /// To be kept while a response is fetched.
  var purges: UInt64 { purgeCount.load(ordering: .acquiring) }

  /// Stores a response, and evicts others where there is no room for it.
  /// - purges: Of when it was asked for.
  /// - Returns: false where it was purged in the meantime.
  func insert(_ response: StoredResponse, purges: UInt64) -> Bool {
    let hash = response.identity.hash
    let isStored = withShard(index(hash)) { shard in
      guard purges >= purgedAll.load(ordering: .acquiring), purges >= shard.invalidated[hash] ?? 0 else {
        return false
      }
      shard.insert(response)
      return true
    }
    evict(from: index(hash))
    return isStored
  }

  func remove(_ response: StoredResponse) {
    withShard(index(response.identity.hash)) { $0.remove(response) }
  }

  /// Shards have about the same of everything: one's own is as good as any.
  private func evict(from first: Int) {
    var index = first
    var emptyShards = 0
    while storedBytes.load(ordering: .relaxed) > account.limit, emptyShards <= Self.shardCount {
      if withShard(index, { $0.evictOne() }) {
        evictionCount.add(1, ordering: .relaxed)
      } else {
        emptyShards += 1
        index = evictionCursor.add(1, ordering: .relaxed).newValue & (Self.shardCount - 1)
      }
    }
  }

  /// What entries may hold together.
  func resize(to limit: Int) {
    if account.limit == limit { return }
    account.limit = limit
    evict(from: 0)
  }

  // MARK: One fetch at a time

  enum Turn {
    /// It fetches, and says so when it is done.
    case lead(CacheFetch)
    case wait(CacheFetch)
    /// It fetches, and nobody waits for it.
    case alone
  }

  /// - hash: Of URL and partition.
  /// - leadNanoseconds: How long others wait for it at most.
  func takeTurn(_ hash: UInt64, at now: Int64, leadNanoseconds: Int64) -> Turn {
    withShard(index(hash)) { shard in
      if let until = shard.notStored[hash] {
        if now < until { return .alone }
        shard.notStored[hash] = nil
      }
      if let known = shard.fetches[hash], now < known.leadUntil { return .wait(known) }
      let fetch = CacheFetch(hash, leadUntil: now + leadNanoseconds)
      shard.fetches[hash] = fetch
      return .lead(fetch)
    }
  }

  /// Those who wait look again.
  /// - mayStore: Whether requests for the same should wait for each other again.
  func endTurn(_ fetch: CacheFetch, mayStore: Bool, at now: Int64) {
    withShard(index(fetch.hash)) { shard in
      if shard.fetches[fetch.hash] === fetch { shard.fetches[fetch.hash] = nil }
      if !mayStore {
        if shard.notStored.count >= Self.notStoredMax { shard.notStored = [:] }
        shard.notStored[fetch.hash] = now + Self.notStoredNanoseconds
      }
    }
    fetch.wakeAll()
  }

  /// How long requests for something that was not stored do not wait for each other. Varnish takes two minutes; it
  /// may be stored sooner all the same.
  private static let notStoredNanoseconds: Int64 = 10_000_000_000
  /// Of a shard; 24 bytes each.
  private static let notStoredMax = 1_024

  // MARK: Purging

  /// What is no longer to be used.
  enum Purge: Sendable {
    case everything
    case url(CacheURL)
    case prefix([UInt8])
    case tag([UInt8])
  }

  /// - Returns: how many entries there were. Looks at all of them, but for a URL; a shard at a time.
  func purge(_ what: Purge) -> Int {
    if case .url(let url) = what { return invalidate(url.hash, url.bytes) }
    notePurgeOfAll(purgeCount.add(1, ordering: .acquiringAndReleasing).newValue)
    var count = 0
    for index in 0..<Self.shardCount {
      count += withShard(index) { shard in
        switch what {
        case .everything, .url: shard.removeAll { _ in true }
        case .prefix(let prefix): shard.removeAll { $0.identity.url.starts(with: prefix) }
        case .tag(let tag): shard.removeAll { $0.message.tags.contains(tag) }
        }
      }
    }
    return count
  }

  /// Another may have a later number already.
  private func notePurgeOfAll(_ number: UInt64) { purgedAll.max(number, ordering: .acquiringAndReleasing) }

  /// - Returns: how many entries there were.
  @discardableResult
  func invalidate(_ hash: UInt64, _ url: [UInt8]) -> Int {
    let number = purgeCount.add(1, ordering: .acquiringAndReleasing).newValue
    return withShard(index(hash)) { shard in
      if shard.invalidated.count >= Self.invalidatedMax {
        shard.invalidated = [:]
        notePurgeOfAll(number)
      }
      shard.invalidated[hash] = max(number, shard.invalidated[hash] ?? 0)
      return shard.removeURL(hash, url)
    }
  }

  /// URLs of a shard of which is known that they were invalidated; 24 bytes each. When there are more, nothing that
  /// is being fetched is stored.
  private static let invalidatedMax = 1_024

  var figures: CacheZoneFigures {
    var entries = 0
    for index in 0..<Self.shardCount { entries += withShard(index) { $0.count } }
    return CacheZoneFigures(
      name: name, entries: entries, bytes: storedBytes.load(ordering: .relaxed), limit: account.limit,
      evictions: evictionCount.load(ordering: .relaxed))
  }
}

/// What a zone holds.
public struct CacheZoneFigures: Sendable {
  public var name: String
  public var entries: Int
  public var bytes: Int
  public var limit: Int
  public var evictions: UInt64
}

/// A URL as entries are found by.
struct CacheURL: Sendable, Equatable {
  var bytes: [UInt8]
  var hash: UInt64

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    hash = KeyHash.of(bytes.span)
  }
}
