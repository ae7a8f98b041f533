/// Entries by the hash of their URL, in the order in which they are evicted.
struct EntryTable<Entry: CacheEntry> {
  /// All that is stored for a URL; places in the queue.
  private var groups: [UInt64: [Int32]] = [:]
  private var queue = SieveQueue<Entry>()
  /// What entries count as.
  private(set) var bytes = 0

  var count: Int { queue.count }

  /// The newest that is right for a request.
  func find(_ hash: UInt64, where isRight: (Entry) -> Bool) -> Entry? {
    guard let group = groups[hash] else { return nil }
    for place in group.reversed() {
      let entry = queue[place]
      if isRight(entry) { return entry }
    }
    return nil
  }

  /// Takes the place of what it replaces.
  mutating func insert(_ entry: Entry) {
    makeWay(for: entry.identity)
    let hash = entry.identity.hash
    if let group = groups[hash], group.count >= CacheShard.variantsMax { remove(group[0]) }
    let place = queue.insert(entry)
    groups[hash, default: []].append(place)
    bytes += entry.bytes
  }

  /// Takes out what a new entry replaces.
  mutating func makeWay(for identity: StoredResponse.Identity) {
    removeFromGroup(identity.hash) { Self.isReplaced($0, by: identity) }
  }

  /// Whether an entry would replace another that came no earlier.
  func hasNewer(than entry: Entry) -> Bool {
    groups[entry.identity.hash]?.contains { place in
      let known = queue[place]
      return known.storedAt >= entry.storedAt && Self.isReplaced(known.identity, by: entry.identity)
    } ?? false
  }

  private static func isReplaced(
    _ old: StoredResponse.Identity, by identity: StoredResponse.Identity
  ) -> Bool {
    // Another URL of the same hash cannot stay beside it.
    if old.url != identity.url { return true }
    if old.partition != identity.partition { return false }
    // Where the names have changed, the resource varies by others than it did.
    if !old.selected.elementsEqual(identity.selected, by: { $0.name == $1.name }) { return true }
    return old.selected == identity.selected
  }

  /// Takes it out, if it is still in.
  @discardableResult
  mutating func remove(_ entry: Entry) -> Bool {
    guard let place = groups[entry.identity.hash]?.first(where: { queue[$0] === entry }) else { return false }
    remove(place)
    return true
  }

  /// - Returns: how many there were.
  @discardableResult
  mutating func removeURL(_ hash: UInt64, _ url: [UInt8]) -> Int {
    removeFromGroup(hash) { $0.url == url }
  }

  @discardableResult
  private mutating func removeFromGroup(
    _ hash: UInt64, where isMeant: (StoredResponse.Identity) -> Bool
  ) -> Int {
    guard let group = groups[hash] else { return 0 }
    var removed = 0
    for place in group where isMeant(queue[place].identity) {
      remove(place)
      removed += 1
    }
    return removed
  }

  var all: [Entry] {
    var entries: [Entry] = []
    entries.reserveCapacity(count)
    queue.visitAll { entries.append($1) }
    return entries
  }

  /// Looks at every entry.
  mutating func removeAll(where isMeant: (Entry) -> Bool) -> Int {
    var places: [Int32] = []
    queue.visitAll { if isMeant($1) { places.append($0) } }
    for place in places { remove(place) }
    return places.count
  }

  /// - Returns: false where there is nothing to evict, for now.
  mutating func evictOne(sparing spared: Entry?) -> Bool {
    guard let place = queue.victim(sparing: spared) else { return false }
    remove(place)
    return true
  }

  private mutating func remove(_ place: Int32) {
    let entry = queue[place]
    entry.forget()
    bytes -= entry.bytes
    queue.remove(place)
    let hash = entry.identity.hash
    groups[hash]?.removeAll { $0 == place }
    if groups[hash]?.isEmpty == true { groups[hash] = nil }
  }
}
