import DataPlane
import HTTPCodec
import Runtime
import Synchronization

/// What one or several uses of the plugin have stored. From any thread.
final class CacheZone: Sendable {
  private struct Attached { weak var disk: CacheDisk? }

  private final class Shard: Sendable {
    let state = Mutex(CacheShard())
  }

  let name: String
  let account: ByteAccount
  private let shards: [Shard]
  /// The one that was asked for last is the last.
  private let secondTier = Mutex<[Attached]>([])
  /// The shard that the last eviction was from.
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
      let before = shard.entries.bytes
      defer {
        if shard.entries.bytes != before {
          storedBytes.add(shard.entries.bytes - before, ordering: .relaxed)
        }
      }
      return body(&shard)
    }
  }

  // MARK: Entries

  func find(_ hash: UInt64, where isRight: (StoredResponse) -> Bool) -> StoredResponse? {
    withShard(index(hash)) { $0.entries.find(hash, where: isRight) }
  }

  /// Calls for each, a shard at a time, without a lock.
  func visitAll(_ body: (StoredResponse) -> Void) {
    for index in 0..<Self.shardCount {
      for response in withShard(index, { $0.entries.all }) { body(response) }
    }
  }

  /// To be kept while a response is fetched.
  var purges: UInt64 { purgeCount.load(ordering: .acquiring) }

  /// Stores a response, and evicts others where there is no room for it.
  /// - purges: Of when it was asked for.
  /// - own: Where it is written; nil: to the disk that was attached last. Others have nothing to say of it any more.
  /// - Returns: false where it was purged in the meantime.
  func insert(_ response: StoredResponse, purges: UInt64, to own: CacheDisk? = nil) -> Bool {
    guard insertInMemory(response, purges: purges) else { return false }
    let disks = disks
    for disk in disks {
      if disk === own ?? disks.last {
        disk.core.store(response, purges: purges)
      } else {
        disk.core.remove(response.identity)
      }
    }
    return true
  }

  private func insertInMemory(
    _ response: StoredResponse, purges: UInt64, unlessNewer: Bool = false
  ) -> Bool {
    let hash = response.identity.hash
    let isStored = withShard(index(hash)) { shard in
      guard isValid(shard, hash, purges), !unlessNewer || !shard.entries.hasNewer(than: response) else {
        return false
      }
      shard.entries.insert(response)
      return true
    }
    if isStored { evict(sparing: response) }
    return isStored
  }

  /// A response that a disk has had, unless a newer one has come while it was read.
  func insertRead(_ response: StoredResponse, purges: UInt64) {
    _ = insertInMemory(response, purges: purges, unlessNewer: true)
  }

  /// Whether what was asked for may be stored: it was not purged in the meantime.
  /// - purges: Of when it was asked for.
  func mayStore(_ hash: UInt64, purges: UInt64) -> Bool {
    withShard(index(hash)) { isValid($0, hash, purges) }
  }

  /// Whether what was stored may be written: it was not purged in the meantime. Purges have not concerned what is still
  /// in memory; what is there no more may have been evicted, and is written where there was no purge.
  /// - purges: Of when it was asked for.
  func mayWrite(_ response: StoredResponse, purges: UInt64) -> Bool {
    !response.isGone.load(ordering: .relaxed) || mayStore(response.identity.hash, purges: purges)
  }

  private func isValid(_ shard: CacheShard, _ hash: UInt64, _ purges: UInt64) -> Bool {
    purges >= purgedAll.load(ordering: .acquiring) && purges >= shard.invalidated[hash] ?? 0
  }

  /// It is too old for anything; so is a copy on a disk, which its index takes out when it finds it. That is no
  /// invalidation: what is on its way may be stored.
  func removeExpired(_ response: StoredResponse) {
    _ = withShard(index(response.identity.hash)) { $0.entries.remove(response) }
  }

  /// It says nothing any more; nor does a copy on a disk.
  func remove(_ response: StoredResponse) {
    let identity = response.identity
    _ = withShard(index(identity.hash)) { $0.entries.remove(response) }
    let disks = disks
    if disks.isEmpty { return }
    // What is still to be written must not come back.
    let number = purgeCount.add(1, ordering: .acquiringAndReleasing).newValue
    withShard(index(identity.hash)) { noteInvalidation(identity.hash, number, in: &$0) }
    for disk in disks { disk.core.remove(identity) }
  }

  // MARK: The second tier

  /// Settings may have one zone and several folders: each is written to and read from by those that have it, and what
  /// is purged or removed is so in all.
  private var disks: [CacheDisk] { secondTier.withLock { $0.compactMap(\.disk) } }

  func attach(_ disk: CacheDisk) {
    secondTier.withLock { attached in
      attached.removeAll { $0.disk == nil || $0.disk === disk }
      attached.append(Attached(disk: disk))
    }
  }

  /// Goes from shard to shard, and moves the hand of each: so a zone of few entries, most of whose shards have one or
  /// none, takes what was not used as well as one of many does.
  /// - newest: Is what the room is for, and does not make it itself.
  private func evict(sparing newest: StoredResponse?) {
    // The first time round takes marks away.
    var emptyShards = 0
    while storedBytes.load(ordering: .relaxed) > account.limit, emptyShards <= 2 * Self.shardCount {
      let index = evictionCursor.add(1, ordering: .relaxed).newValue & (Self.shardCount - 1)
      if withShard(index, { $0.entries.evictOne(sparing: newest) }) {
        evictionCount.add(1, ordering: .relaxed)
        emptyShards = 0
      } else {
        emptyShards += 1
      }
    }
    // The zone was made smaller than this is.
    if let newest, storedBytes.load(ordering: .relaxed) > account.limit {
      _ = withShard(index(newest.identity.hash)) { $0.entries.remove(newest) }
    }
  }

  /// What entries may hold together.
  func resize(to limit: Int) {
    if account.limit == limit { return }
    account.limit = limit
    evict(sparing: nil)
  }

  // MARK: One fetch at a time

  enum Turn {
    /// It fetches, and says so when it is done.
    case lead(CacheFetch)
    case wait(CacheFetch)
    /// It fetches, and nobody waits for it.
    case alone
  }

  /// - hash: Of what is asked for.
  /// - leadNanoseconds: How long others wait for it at most.
  func takeTurn(_ hash: UInt64, at now: Int64, leadNanoseconds: Int64) -> Turn {
    withShard(index(hash)) { shard in
      if shard.notStored.holds(hash, at: now) { return .alone }
      if let known = shard.fetches[hash], now < known.leadUntil { return .wait(known) }
      let fetch = CacheFetch(hash, leadUntil: now + leadNanoseconds)
      shard.fetches[hash] = fetch
      return .lead(fetch)
    }
  }

  /// The lead for fetching anew something that is used meanwhile; nil where somebody does so, or it has failed lately.
  func takeRefresh(_ hash: UInt64, at now: Int64, leadNanoseconds: Int64) -> CacheFetch? {
    withShard(index(hash)) { shard in
      if shard.failedRefreshes.holds(hash, at: now) { return nil }
      if let known = shard.fetches[hash], now < known.leadUntil { return nil }
      let fetch = CacheFetch(hash, leadUntil: now + leadNanoseconds)
      shard.fetches[hash] = fetch
      return fetch
    }
  }

  func noteFailedRefresh(_ hash: UInt64, at now: Int64) {
    withShard(index(hash)) { $0.failedRefreshes.note(hash, until: now + Self.refreshPauseNanoseconds) }
  }

  /// How often at most something is fetched anew whose service fails: often enough for its users, and nothing to
  /// a service.
  private static let refreshPauseNanoseconds: Int64 = 1_000_000_000

  /// Those who wait look again; where the fetch has failed, the next of them takes the lead.
  /// - leadNanoseconds: How long that one has.
  func endTurn(
    _ fetch: CacheFetch, _ outcome: CacheFetch.Outcome, at now: Int64, leadNanoseconds: Int64
  ) {
    if outcome == .failed, fetch.passOn(leadUntil: now + leadNanoseconds) { return }
    withShard(index(fetch.hash)) { shard in
      if shard.fetches[fetch.hash] === fetch { shard.fetches[fetch.hash] = nil }
      if outcome == .notStorable {
        shard.notStored.note(fetch.hash, until: now + Self.notStoredNanoseconds)
      }
    }
    fetch.end(outcome)
  }

  /// How long requests for something that was not stored do not wait for each other. Varnish takes two minutes; it
  /// may be stored sooner all the same.
  private static let notStoredNanoseconds: Int64 = 10_000_000_000

  // MARK: Purging

  /// What is no longer to be used.
  enum Purge: Sendable {
    case everything
    case url(CacheURL)
    case prefix([UInt8])
    case tag([UInt8])
  }

  /// - Returns: how many entries there were, those on a disk that were not in memory included. Looks at all of them,
  ///   but for a URL; a shard at a time.
  func purge(_ what: Purge) -> Int {
    if case .url(let url) = what { return invalidate(url.hash, url.bytes) }
    notePurgeOfAll(purgeCount.add(1, ordering: .acquiringAndReleasing).newValue)
    var count = 0
    for index in 0..<Self.shardCount {
      count += withShard(index) { shard in shard.entries.removeAll { what.concerns($0) } }
    }
    return max(count, purgeDisks(what))
  }

  /// Another may have a later number already.
  private func notePurgeOfAll(_ number: UInt64) { purgedAll.max(number, ordering: .acquiringAndReleasing) }

  /// - Returns: how many entries there were.
  @discardableResult
  func invalidate(_ hash: UInt64, _ url: [UInt8]) -> Int {
    let number = purgeCount.add(1, ordering: .acquiringAndReleasing).newValue
    let count = withShard(index(hash)) { shard in
      noteInvalidation(hash, number, in: &shard)
      return shard.entries.removeURL(hash, url)
    }
    return max(count, purgeDisks(.url(CacheURL(url, hash: hash))))
  }

  /// - Returns: how many files there were.
  private func purgeDisks(_ what: Purge) -> Int { disks.reduce(0) { $0 + $1.core.purge(what) } }

  private func noteInvalidation(_ hash: UInt64, _ number: UInt64, in shard: inout CacheShard) {
    if shard.invalidated.count >= Self.invalidatedMax {
      shard.invalidated = [:]
      notePurgeOfAll(number)
    }
    shard.invalidated[hash] = max(number, shard.invalidated[hash] ?? 0)
  }

  /// URLs of a shard of which is known that they were invalidated; 24 bytes each. When there are more, nothing that
  /// is being fetched is stored.
  private static let invalidatedMax = 1_024

  var figures: CacheZoneFigures {
    var entries = 0
    for index in 0..<Self.shardCount { entries += withShard(index) { $0.entries.count } }
    return CacheZoneFigures(
      name: name, entries: entries, bytes: storedBytes.load(ordering: .relaxed), limit: account.limit,
      evictions: evictionCount.load(ordering: .relaxed), disk: disks.last.map { CacheDiskFigures($0.core) })
  }
}

/// What a zone holds.
public struct CacheZoneFigures: Sendable {
  public var name: String
  public var entries: Int
  public var bytes: Int
  public var limit: Int
  public var evictions: UInt64
  public var disk: CacheDiskFigures?
}

/// What a zone's disk holds, and what has happened there; of several, the one that was attached last.
public struct CacheDiskFigures: Sendable {
  public var folder: String
  public var entries: Int
  public var bytes: Int
  public var limit: Int
  public var evictions: UInt64
  public var reads: UInt64
  public var failedReads: UInt64
  public var refusedReads: UInt64
  public var writes: UInt64
  public var failedWrites: UInt64
  public var droppedWrites: UInt64
  public var damagedFiles: UInt64
  /// Removed because nobody used them.
  public var inactiveFiles: UInt64

  init(_ core: DiskCore) {
    let (index, figures) = (core.index, core.figures)
    folder = core.folder
    entries = index.count
    bytes = index.bytes
    limit = index.limit
    evictions = index.evictions
    reads = figures.reads.load(ordering: .relaxed)
    failedReads = figures.failedReads.load(ordering: .relaxed)
    refusedReads = figures.refusedReads.load(ordering: .relaxed)
    writes = figures.writes.load(ordering: .relaxed)
    failedWrites = figures.failedWrites.load(ordering: .relaxed)
    droppedWrites = figures.droppedWrites.load(ordering: .relaxed)
    damagedFiles = figures.damagedFiles.load(ordering: .relaxed)
    inactiveFiles = figures.inactiveFiles.load(ordering: .relaxed)
  }
}

/// A URL as entries are found by.
struct CacheURL: Sendable, Equatable {
  var bytes: [UInt8]
  var hash: UInt64

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    hash = KeyHash.of(bytes.span)
  }

  init(_ bytes: [UInt8], hash: UInt64) {
    self.bytes = bytes
    self.hash = hash
  }
}
