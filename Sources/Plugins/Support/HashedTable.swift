/// A table whose keys are hashes already: mixed well, and with a secret seed, so that nobody can choose them, as those of
/// ``KeyHash`` and ``RequestKey`` are.
///
/// They are not hashed again, and a key stands beside its value: a look-up reads a line or two of the cache where a
/// dictionary reads three. Open addressing with linear probing, at most three quarters full.
struct HashedTable<Value> {
  private struct Slot {
    /// ``HashedTable/free`` where there is none.
    var key: Int
    var value: Value
  }

  private static var free: Int { 0 }
  private static var slotsMin: Int { 16 }

  private var slots: [Slot]
  private(set) var count = 0
  private let empty: Value

  /// - empty: What stands where nothing is.
  init(empty: Value) {
    self.empty = empty
    slots = Self.freeSlots(Self.slotsMin, empty)
  }

  private static func freeSlots(_ count: Int, _ empty: Value) -> [Slot] {
    [Slot](repeating: Slot(key: free, value: empty), count: count)
  }

  /// A key that no other has but for one in 2⁶⁴.
  @inline(__always)
  private static func storable(_ key: Int) -> Int { key == free ? 1 : key }

  /// Where the key's value is, until something is added or removed; nil where there is none.
  @inline(__always)
  func slot(of key: Int) -> Int? {
    let slot = place(of: Self.storable(key))
    return slots[slot].key == Self.free ? nil : slot
  }

  /// The same for a key that may have to be added.
  @inline(__always)
  mutating func slot(of key: Int, orInsert value: @autoclosure () -> Value) -> Int {
    let key = Self.storable(key)
    let slot = place(of: key)
    return slots[slot].key == key ? slot : insert(key, value())
  }

  /// Of a slot that has one.
  subscript(slot: Int) -> Value {
    @inline(__always) _read { yield slots[slot].value }
    @inline(__always) _modify { yield &slots[slot].value }
  }

  /// By the upper bits of a product (Knuth 6.4): who has many tables chooses among them by the lowest bits of keys.
  @inline(__always)
  private static func home(of key: Int) -> Int {
    Int(truncatingIfNeeded: (UInt64(bitPattern: Int64(key)) &* 0x9E37_79B9_7F4A_7C15) &>> 32)
  }

  /// The slot that has the key, or the free one that it would be put into.
  @inline(__always)
  private func place(of key: Int) -> Int {
    let mask = slots.count &- 1
    var slot = Self.home(of: key) & mask
    while slots[slot].key != key, slots[slot].key != Self.free { slot = (slot &+ 1) & mask }
    return slot
  }

  @inline(never)
  private mutating func insert(_ key: Int, _ value: Value) -> Int {
    if (count + 1) * 4 > slots.count * 3 { rebuild(slots.count * 2) { _ in true } }
    let slot = place(of: key)
    slots[slot] = Slot(key: key, value: value)
    count += 1
    return slot
  }

  /// Removes all values but those that are wanted.
  mutating func keep(_ isWanted: (Value) -> Bool) {
    var wanted = 0
    for slot in slots where slot.key != Self.free && isWanted(slot.value) { wanted += 1 }
    var slotCount = Self.slotsMin
    while wanted * 2 > slotCount { slotCount *= 2 }
    rebuild(slotCount, isWanted)
  }

  mutating func removeAll() {
    slots = Self.freeSlots(Self.slotsMin, empty)
    count = 0
  }

  /// Moves entries back over a removed one, so that probing never meets a gap (Knuth 6.4, R).
  mutating func remove(_ key: Int) {
    guard var gap = slot(of: key) else { return }
    let mask = slots.count - 1
    var slot = gap
    while true {
      slot = (slot + 1) & mask
      if slots[slot].key == Self.free { break }
      // Stays when its home lies behind the gap, cyclically.
      let home = Self.home(of: slots[slot].key) & mask
      if (slot - home) & mask < (slot - gap) & mask { continue }
      slots[gap] = slots[slot]
      gap = slot
    }
    slots[gap] = Slot(key: Self.free, value: empty)
    count -= 1
  }

  private mutating func rebuild(_ slotCount: Int, _ isWanted: (Value) -> Bool) {
    let old = slots
    slots = Self.freeSlots(slotCount, empty)
    count = 0
    for slot in old where slot.key != Self.free && isWanted(slot.value) {
      slots[place(of: slot.key)] = slot
      count += 1
    }
  }
}
