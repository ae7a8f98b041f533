/// What a table of the cache holds.
protocol CacheEntry: AnyObject, Sendable {
  var identity: StoredResponse.Identity { get }
  var tags: [[UInt8]] { get }
  /// Nanoseconds of the monotonic clock.
  var storedAt: Int64 { get }
  /// What it counts as.
  var bytes: Int { get }
  /// Whether it was used since this was asked last.
  func takeMark() -> Bool
  /// It is no longer in the table.
  func forget()
}

/// The order in which entries are evicted: SIEVE (Zhang et al., NSDI 2024). A queue from the newest to the oldest, and
/// a hand that goes from the old end to the new, spares what was used since it last came by, and takes what was not.
struct SieveQueue<Entry: CacheEntry> {
  private struct Node {
    var entry: Entry?
    /// Towards the newest and the oldest; -1: none.
    var newer: Int32
    var older: Int32
  }

  private var nodes: [Node] = []
  private var free: [Int32] = []
  private var newest: Int32 = -1
  private var oldest: Int32 = -1
  private var hand: Int32 = -1
  private(set) var count = 0

  subscript(place: Int32) -> Entry { nodes[Int(place)].entry! }

  /// - Returns: its place, for as long as it is in the queue.
  mutating func insert(_ entry: Entry) -> Int32 {
    let node = Node(entry: entry, newer: -1, older: newest)
    let place: Int32
    if let reused = free.popLast() {
      place = reused
      nodes[Int(place)] = node
    } else {
      place = Int32(nodes.count)
      nodes.append(node)
    }
    if newest >= 0 { nodes[Int(newest)].newer = place } else { oldest = place }
    newest = place
    count += 1
    return place
  }

  mutating func remove(_ place: Int32) {
    let node = nodes[Int(place)]
    if hand == place { hand = node.newer }
    if node.newer >= 0 { nodes[Int(node.newer)].older = node.older } else { newest = node.older }
    if node.older >= 0 { nodes[Int(node.older)].newer = node.newer } else { oldest = node.newer }
    nodes[Int(place)] = Node(entry: nil, newer: -1, older: -1)
    free.append(place)
    count -= 1
  }

  /// Who goes next; it stays in the queue. The hand goes round once at most: nil where everybody was used since it
  /// last came by.
  /// - spared: Is passed by, and keeps its mark.
  mutating func victim(sparing spared: Entry? = nil) -> Int32? {
    for _ in 0..<count {
      if hand < 0 { hand = oldest }
      let entry = nodes[Int(hand)].entry!
      if entry !== spared, !entry.takeMark() { return hand }
      hand = nodes[Int(hand)].newer
    }
    return nil
  }

  /// All, from the newest to the oldest.
  func visitAll(_ body: (Int32, Entry) -> Void) {
    var place = newest
    while place >= 0 {
      let node = nodes[Int(place)]
      body(place, node.entry!)
      place = node.older
    }
  }
}
