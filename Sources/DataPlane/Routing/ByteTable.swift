import Runtime

/// What a ``ByteTable`` has for a text.
protocol ByteTableValue {
  /// What stands in empty slots; not a value that can be stored.
  static var vacant: Self { get }
  var isVacant: Bool { get }
  /// Has what it refers to brought near.
  func prepare()
}

extension ByteTableValue {
  @inline(__always)
  func prepare() {}
}

extension UInt32: ByteTableValue {
  static var vacant: UInt32 { .max }
  var isVacant: Bool { self == .max }
}

/// A hash table from byte strings, each in a scope, to values.
///
/// Made of many small tables, by the hash's upper bits, so that growing one of them takes
/// microseconds: a single table of 200,000 entries would stop its worker for milliseconds.
struct ByteTable<Value: ByteTableValue> {
  private static var shardCount: Int { 256 }

  private var shards = [ByteTableShard<Value>](repeating: ByteTableShard(), count: shardCount)
  private(set) var count = 0

  /// The value of `bytes[start..<end]` in `scope`, or nil.
  ///
  /// - Parameters:
  ///   - hash: of those bytes and the scope; the same as when the entry was inserted.
  ///   - lowercases: looks for the lower-case form of the bytes.
  @inline(__always)
  func find(
    _ bytes: Span<UInt8>, from start: Int, to end: Int, hash: UInt64, scope: UInt32, lowercases: Bool = false
  ) -> Value? {
    shards.span[Self.shard(hash)].find(
      bytes, from: start, to: end, hash: hash, scope: scope, lowercases: lowercases)
  }

  /// Has the slot of a hash brought near, for a look-up that follows. Mutating although nothing changes: references to
  /// a part's arrays would be counted.
  @inline(__always)
  mutating func prepare(hash: UInt64) { shards[Self.shard(hash)].prepare(hash: hash) }

  /// Has what that slot leads to brought near; to be called when the slot is there. Mutating for the same reason.
  @inline(__always)
  mutating func prepareEntry(hash: UInt64) { shards[Self.shard(hash)].prepareEntry(hash: hash) }

  /// Adds an entry, or replaces the value of one that is there.
  mutating func set(_ text: Span<UInt8>, hash: UInt64, scope: UInt32, to value: Value) {
    if shards[Self.shard(hash)].set(text, hash: hash, scope: scope, to: value) { count += 1 }
  }

  /// Removes an entry; says whether there was one.
  @discardableResult
  mutating func remove(_ text: Span<UInt8>, hash: UInt64, scope: UInt32) -> Bool {
    guard shards[Self.shard(hash)].remove(text, hash: hash, scope: scope) else { return false }
    count -= 1
    return true
  }

  @inline(__always)
  private static func shard(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> 56) }
}

/// A part of a ``ByteTable``: open addressing, linear probing.
///
/// An entry costs 16 bytes of a slot and its value (at a load of 3/8 to 13/16) and its text, with no object of its
/// own. Texts share one array. Entries come and go one by one; only growth touches them all, and then
/// without hashing again.
struct ByteTableShard<Value: ByteTableValue> {
  private struct Slot {
    var hash: UInt32
    var start: UInt32
    var count: UInt32
    var scope: UInt32
    var value: Value

    static var empty: Slot { Slot(hash: 0, start: 0, count: 0, scope: 0, value: .vacant) }
  }

  private static var slotsMin: Int { 4 }
  /// Below this many bytes of removed texts, tidying up is not worth it.
  private static var unusedBytesMin: Int { 512 }

  /// None before the first entry.
  private var slots: [Slot] = []
  private var texts: [UInt8] = []
  /// Bytes of `texts` that belong to removed entries.
  private var unusedBytes: UInt32 = 0
  private var count: UInt32 = 0

  @inline(__always)
  mutating func prepare(hash: UInt64) {
    let slots = slots.span
    if slots.count == 0 { return }
    Prefetching.prepare(slots, at: Self.home(hash, slots.count))
  }

  /// Of the entry whose hash leads to the slot first, as those of most do.
  @inline(__always)
  mutating func prepareEntry(hash: UInt64) {
    let (slots, texts) = (slots.span, texts.span)
    if slots.count == 0 { return }
    let index = Self.home(hash, slots.count)
    if slots[index].value.isVacant { return }
    slots[index].value.prepare()
    let start = Int(slots[index].start)
    if start < texts.count { Prefetching.prepare(texts, at: start) }
  }

  @inline(__always)
  private static func home(_ hash: UInt64, _ slotCount: Int) -> Int {
    Int(UInt32(truncatingIfNeeded: hash)) & (slotCount &- 1)
  }

  @inline(__always)
  func find(
    _ bytes: Span<UInt8>, from start: Int, to end: Int, hash: UInt64, scope: UInt32, lowercases: Bool
  ) -> Value? {
    let slots = slots.span
    if slots.count == 0 { return nil }
    let mask = slots.count &- 1
    let hash = UInt32(truncatingIfNeeded: hash)
    let length = UInt32(truncatingIfNeeded: end &- start)
    var index = Int(hash) & mask
    while true {
      // Looked at part by part: a copy of the slot would count a reference to what its value holds.
      if slots[index].value.isVacant { return nil }
      if slots[index].hash == hash, slots[index].count == length, slots[index].scope == scope,
        bytes.holds(
          texts.span, from: Int(slots[index].start), count: Int(length), at: start, lowercases: lowercases)
      {
        return slots[index].value
      }
      index = (index &+ 1) & mask
    }
  }

  /// - Returns: whether the entry is new.
  mutating func set(_ text: Span<UInt8>, hash: UInt64, scope: UInt32, to value: Value) -> Bool {
    precondition(!value.isVacant)
    if let index = index(of: text, hash: hash, scope: scope) {
      slots[index].value = value
      return false
    }
    if (Int(count) + 1) * 16 > slots.count * 13 { resize(to: max(Self.slotsMin, slots.count * 2)) }
    let start = texts.count
    for position in text.indices { texts.append(text[position]) }
    place(
      Slot(
        hash: UInt32(truncatingIfNeeded: hash), start: UInt32(start), count: UInt32(text.count), scope: scope,
        value: value))
    count += 1
    return true
  }

  mutating func remove(_ text: Span<UInt8>, hash: UInt64, scope: UInt32) -> Bool {
    guard let found = index(of: text, hash: hash, scope: scope) else { return false }
    unusedBytes += UInt32(text.count)
    count -= 1
    closeGap(at: found)
    if unusedBytes > Self.unusedBytesMin, Int(unusedBytes) > texts.count / 2 { dropUnusedBytes() }
    // What a burst took is given back.
    if slots.count > Self.slotsMin, Int(count) * 16 < slots.count * 3 { resize(to: slots.count / 2) }
    return true
  }

  private func index(of text: Span<UInt8>, hash: UInt64, scope: UInt32) -> Int? {
    if slots.isEmpty { return nil }
    let mask = slots.count - 1
    let hash = UInt32(truncatingIfNeeded: hash)
    var index = Int(hash) & mask
    while !slots[index].value.isVacant {
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
    while !slots[index].value.isVacant { index = (index + 1) & mask }
    slots[index] = slot
  }

  private mutating func resize(to slotCount: Int) {
    let old = slots
    slots = [Slot](repeating: .empty, count: slotCount)
    for slot in old where !slot.value.isVacant { place(slot) }
  }

  /// Moves entries back over a removed one, so that probing never meets a gap (Knuth 6.4, R).
  private mutating func closeGap(at removed: Int) {
    let mask = slots.count - 1
    var gap = removed
    var index = removed
    while true {
      index = (index + 1) & mask
      let slot = slots[index]
      if slot.value.isVacant { break }
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
    kept.reserveCapacity(texts.count - Int(unusedBytes))
    for index in slots.indices where !slots[index].value.isVacant {
      let start = Int(slots[index].start)
      slots[index].start = UInt32(kept.count)
      kept += texts[start..<start + Int(slots[index].count)]
    }
    texts = kept
    unusedBytes = 0
  }
}
