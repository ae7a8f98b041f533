/// The order in which entries are evicted: SIEVE (Zhang et al., NSDI 2024). A queue from the newest to the oldest, and
/// a hand that goes from the old end to the new, spares what was used since it last came by, and takes what was not.
struct SieveQueue {
  private struct Node {
    var response: StoredResponse?
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

  subscript(place: Int32) -> StoredResponse { nodes[Int(place)].response! }

  /// - Returns: its place, for as long as it is in the queue.
  mutating func insert(_ response: StoredResponse) -> Int32 {
    let node = Node(response: response, newer: -1, older: newest)
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
    nodes[Int(place)] = Node(response: nil, newer: -1, older: -1)
    free.append(place)
    count -= 1
  }

  /// Who goes next; it stays in the queue. Nil where there is nobody.
  mutating func victim() -> Int32? {
    // Twice round at most: the first time takes all marks away.
    while count > 0 {
      if hand < 0 { hand = oldest }
      let response = nodes[Int(hand)].response!
      if response.wasUsed.exchange(false, ordering: .relaxed) {
        hand = nodes[Int(hand)].newer
      } else {
        return hand
      }
    }
    return nil
  }

  /// All, from the newest to the oldest.
  func forEach(_ body: (Int32, StoredResponse) -> Void) {
    var place = newest
    while place >= 0 {
      let node = nodes[Int(place)]
      body(place, node.response!)
      place = node.older
    }
  }
}
