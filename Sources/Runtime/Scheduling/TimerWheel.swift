/// The deadlines of one worker, in a ring of slots.
///
/// Setting a deadline is a store: a watcher that is already in a slot no later than its deadline
/// stays there, and is put where it belongs when that slot comes round. A keep-alive connection
/// that moves its deadline with every request therefore touches the wheel once a turn.
struct TimerWheel {
  /// Timeouts fire at most this much late.
  static let tickNanoseconds: Int64 = 4_000_000
  /// Slots in the ring: 16 s per turn; farther deadlines wait there and are put back.
  static let slotCount = 4_096

  private var slots = [[Watcher]](repeating: [], count: slotCount)
  /// One bit per slot that holds a watcher, so that the next one is found without walking the ring.
  private var occupied = [UInt64](repeating: 0, count: slotCount / 64)
  /// The tick that was expired last.
  private var currentTick: Int64
  /// No slot before this tick holds a watcher: where the search for the next one begins.
  private var firstOccupiedTick: Int64
  private(set) var count = 0

  init(now: MonotonicTime) {
    currentTick = now.nanoseconds / Self.tickNanoseconds
    firstOccupiedTick = currentTick
  }

  /// Makes sure that `watcher` is looked at no later than its deadline.
  mutating func schedule(_ watcher: Watcher) {
    // Rounded up: a deadline never fires early.
    let deadlineTick =
      watcher.deadline == .never
      ? Int64.max : (watcher.deadline.nanoseconds &+ Self.tickNanoseconds &- 1) / Self.tickNanoseconds
    if watcher.timerSlot >= 0 {
      if watcher.timerTick <= deadlineTick { return }
      remove(watcher)
    }
    if watcher.deadline == .never { return }
    insert(watcher, tick: min(max(deadlineTick, currentTick + 1), currentTick + Int64(Self.slotCount) - 1))
  }

  mutating func remove(_ watcher: Watcher) {
    guard watcher.timerSlot >= 0 else { return }
    let slot = Int(watcher.timerSlot)
    let position = Int(watcher.timerPosition)
    let last = slots[slot].removeLast()
    if last !== watcher {
      slots[slot][position] = last
      last.timerPosition = Int32(position)
    }
    if slots[slot].isEmpty { occupied[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
    watcher.timerSlot = -1
    count -= 1
  }

  /// When the next slot is due, or `nil` when the wheel is empty.
  mutating func nextDue() -> MonotonicTime? {
    guard count > 0 else { return nil }
    var tick = max(currentTick + 1, firstOccupiedTick)
    let end = currentTick + Int64(Self.slotCount)
    while tick <= end {
      let slot = Int(tick & Int64(Self.slotCount - 1))
      let word = occupied[slot >> 6] >> UInt64(slot & 63)
      if word != 0 {
        firstOccupiedTick = tick + Int64(word.trailingZeroBitCount)
        return MonotonicTime(nanoseconds: firstOccupiedTick * Self.tickNanoseconds)
      }
      tick += Int64(64 - (slot & 63))
    }
    return nil
  }

  /// Takes every watcher whose deadline has passed; the others of the slots passed are put back.
  mutating func expire(now: MonotonicTime, into expired: inout [Watcher]) {
    let nowTick = now.nanoseconds / Self.tickNanoseconds
    guard nowTick > currentTick else { return }
    // After a long sleep one turn of the ring sees every slot.
    let first = max(currentTick + 1, nowTick - Int64(Self.slotCount) + 1)
    currentTick = nowTick
    guard count > 0 else { return }
    for tick in first...nowTick {
      let slot = Int(tick & Int64(Self.slotCount - 1))
      guard occupied[slot >> 6] & (1 << UInt64(slot & 63)) != 0 else { continue }
      let due = slots[slot]
      slots[slot] = []
      occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
      count -= due.count
      for watcher in due {
        watcher.timerSlot = -1
        if watcher.deadline <= now {
          watcher.deadline = .never
          expired.append(watcher)
        } else {
          schedule(watcher)
        }
      }
    }
  }

  private mutating func insert(_ watcher: Watcher, tick: Int64) {
    let slot = Int(tick & Int64(Self.slotCount - 1))
    watcher.timerTick = tick
    watcher.timerSlot = Int32(slot)
    watcher.timerPosition = Int32(slots[slot].count)
    slots[slot].append(watcher)
    occupied[slot >> 6] |= 1 << UInt64(slot & 63)
    firstOccupiedTick = min(firstOccupiedTick, tick)
    count += 1
  }
}
