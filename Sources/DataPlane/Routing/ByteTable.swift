/// A hash table from byte strings, each in a scope, to numbers: open addressing, linear probing.
///
/// Made for very many small entries: an entry costs 20 bytes of a slot (at a load of 3/8 to 3/4)
/// and its text, with no object of its own. Texts share one array. Entries come and go one by one;
/// only growth touches them all, and then without hashing again.
struct ByteTable {
  private struct Slot {
    var hash: UInt32
    var start: UInt32
    var count: UInt32
    var scope: UInt32
    /// ``ByteTable/vacant`` where the slot is empty.
    var value: UInt32

    static let empty = Slot(hash: 0, start: 0, count: 0, scope: 0, value: ByteTable.vacant)
  }

  /// Not a value that can be stored.
  static let vacant = UInt32.max
  private static let slotsMin = 8
  /// Below this many bytes of removed texts, tidying up is not worth it.
  private static let unusedBytesMin = 4_096

  private var slots = [Slot](repeating: .empty, count: slotsMin)
  private var texts: [UInt8] = []
  /// Bytes of `texts` that belong to removed entries.
  private var unusedBytes = 0
  private(set) var count = 0

  /// The value of `bytes[start..<end]` in `scope`, or nil.
  ///
  /// - Parameters:
  ///   - hash: of those bytes and the scope; the same as when the entry was inserted.
  ///   - lowercases: looks for the lower-case form of the bytes.
  @inline(__always)
  func find(
    _ bytes: Span<UInt8>, from start: Int, to end: Int, hash: UInt64, scope: UInt32, lowercases: Bool = false
  ) -> UInt32? {
    let slots = slots.span
    let mask = slots.count &- 1
    let hash = UInt32(truncatingIfNeeded: hash)
    let length = UInt32(truncatingIfNeeded: end &- start)
    var index = Int(hash) & mask
    while true {
      let slot = slots[index]
      if slot.value == Self.vacant { return nil }
      if slot.hash == hash, slot.count == length, slot.scope == scope,
        bytes.holds(
          texts.span, from: Int(slot.start), count: Int(length), at: start, lowercases: lowercases)
      {
        return slot.value
      }
      index = (index &+ 1) & mask
    }
  }

  /// Adds an entry, or replaces the value of one that is there.
  mutating func set(_ text: Span<UInt8>, hash: UInt64, scope: UInt32, to value: UInt32) {
    precondition(value != Self.vacant)
    if let index = index(of: text, hash: hash, scope: scope) {
      slots[index].value = value
      return
    }
    if (count + 1) * 4 > slots.count * 3 { resize(to: slots.count * 2) }
    let start = texts.count
    for position in text.indices { texts.append(text[position]) }
    place(
      Slot(
        hash: UInt32(truncatingIfNeeded: hash), start: UInt32(start), count: UInt32(text.count), scope: scope,
        value: value))
    count += 1
  }

  /// Removes an entry; says whether there was one.
  @discardableResult
  mutating func remove(_ text: Span<UInt8>, hash: UInt64, scope: UInt32) -> Bool {
    guard let found = index(of: text, hash: hash, scope: scope) else { return false }
    unusedBytes += text.count
    count -= 1
    closeGap(at: found)
    if unusedBytes > Self.unusedBytesMin, unusedBytes > texts.count / 2 { dropUnusedBytes() }
    return true
  }

  private func index(of text: Span<UInt8>, hash: UInt64, scope: UInt32) -> Int? {
    let mask = slots.count - 1
    let hash = UInt32(truncatingIfNeeded: hash)
    var index = Int(hash) & mask
    while slots[index].value != Self.vacant {
      let slot = slots[index]
      if slot.hash == hash, slot.scope == scope, Int(slot.count) == text.count,
        text.holds(texts.span, from: Int(slot.start), count: text.count, at: 0, lowercases: false)
      {
        return index
      }
      index = (index + 1) & mask
    }
    return nil
  }

  private mutating func place(_ slot: Slot) {
    let mask = slots.count - 1
    var index = Int(slot.hash) & mask
    while slots[index].value != Self.vacant { index = (index + 1) & mask }
    slots[index] = slot
  }

  private mutating func resize(to slotCount: Int) {
    let old = slots
    slots = [Slot](repeating: .empty, count: slotCount)
    for slot in old where slot.value != Self.vacant { place(slot) }
  }

  /// Moves entries back over a removed one, so that probing never meets a gap (Knuth 6.4, R).
  private mutating func closeGap(at removed: Int) {
    let mask = slots.count - 1
    var gap = removed
    var index = removed
    while true {
      index = (index + 1) & mask
      let slot = slots[index]
      if slot.value == Self.vacant { break }
      // Stays when its home lies behind the gap, cyclically.
      let home = Int(slot.hash) & mask
      if (index - home) & mask < (index - gap) & mask { continue }
      slots[gap] = slot
      gap = index
    }
    slots[gap] = .empty
  }

  private mutating func dropUnusedBytes() {
    var kept: [UInt8] = []
    kept.reserveCapacity(texts.count - unusedBytes)
    for index in slots.indices where slots[index].value != Self.vacant {
      let start = Int(slots[index].start)
      slots[index].start = UInt32(kept.count)
      kept += texts[start..<start + Int(slots[index].count)]
    }
    texts = kept
    unusedBytes = 0
  }
}
