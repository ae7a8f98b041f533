import Synchronization

/// A part of a zone's table: entries by the hash of their URL. Under a lock of its own.
struct CacheShard {
  /// All that is stored for a URL; places in the queue.
  private var groups: [UInt64: [Int32]] = [:]
  private var queue = SieveQueue()
  /// What entries count as.
  private(set) var bytes = 0
  /// Who fetches what; see ``CacheFetch``.
  var fetches: [UInt64: CacheFetch] = [:]
  /// Requests for these are not made to wait for each other, until then.
  var notStored: [UInt64: Int64] = [:]

  /// When URLs were invalidated, as the zone counts it.
  var invalidated: [UInt64: UInt64] = [:]

  /// Variants of a URL; a new one takes the place of the oldest.
  static let variantsMax = 64

  var count: Int { queue.count }

  /// The newest that is right for a request.
  func find(_ hash: UInt64, where isRight: (StoredResponse) -> Bool) -> StoredResponse? {
    guard let group = groups[hash] else { return nil }
    for place in group.reversed() {
      let response = queue[place]
      if isRight(response) { return response }
    }
    return nil
  }

  /// Takes the place of what it replaces.
  mutating func insert(_ response: StoredResponse) {
    let identity = response.identity
    removeFromGroup(identity.hash) { old in
      // Another URL of the same hash cannot stay beside it.
      if old.url != identity.url { return true }
      if old.partition != identity.partition { return false }
      // Where the names have changed, the resource varies by others than it did.
      if !old.selected.elementsEqual(identity.selected, by: { $0.name == $1.name }) { return true }
      return old.selected == identity.selected
    }
    if let group = groups[identity.hash], group.count >= Self.variantsMax { remove(group[0]) }
    let place = queue.insert(response)
    groups[identity.hash, default: []].append(place)
    bytes += response.bytes
  }

  /// Takes it out, if it is still in.
  mutating func remove(_ response: StoredResponse) {
    guard let place = groups[response.identity.hash]?.first(where: { queue[$0] === response }) else { return }
    remove(place)
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

  /// Looks at every entry.
  mutating func removeAll(where isMeant: (StoredResponse) -> Bool) -> Int {
    var places: [Int32] = []
    queue.forEach { if isMeant($1) { places.append($0) } }
    for place in places { remove(place) }
    return places.count
  }

  /// - Returns: false where there is nothing to evict.
  mutating func evictOne() -> Bool {
    guard let place = queue.victim() else { return false }
    remove(place)
    return true
  }

  private mutating func remove(_ place: Int32) {
    let response = queue[place]
    response.forget()
    bytes -= response.bytes
    queue.remove(place)
    let hash = response.identity.hash
    groups[hash]?.removeAll { $0 == place }
    if groups[hash]?.isEmpty == true { groups[hash] = nil }
  }
}
