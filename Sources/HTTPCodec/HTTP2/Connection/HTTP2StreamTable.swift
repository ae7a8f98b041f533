/// Where a stream stands in its life (RFC 9113 §5.1).
struct HTTP2StreamFlags: OptionSet, Sendable {
  let rawValue: UInt16

  /// The slot stands for a stream.
  static let inUse = HTTP2StreamFlags(rawValue: 1 << 0)
  /// The stream has an identifier: its first HEADERS was sent or received.
  static let opened = HTTP2StreamFlags(rawValue: 1 << 1)
  /// END_STREAM was received: half-closed (remote), or closed.
  static let receivedEnd = HTTP2StreamFlags(rawValue: 1 << 2)
  /// END_STREAM was sent: half-closed (local), or closed.
  static let sentEnd = HTTP2StreamFlags(rawValue: 1 << 3)
  static let closed = HTTP2StreamFlags(rawValue: 1 << 4)
  /// It was closed from this end, before the peer was done: what still arrives is dropped.
  static let dropsFrames = HTTP2StreamFlags(rawValue: 1 << 5)
  /// The head of the message was accepted: content or trailers follow.
  static let hasHead = HTTP2StreamFlags(rawValue: 1 << 6)
  /// The peer did not process it, and the caller is to be told so.
  static let refused = HTTP2StreamFlags(rawValue: 1 << 7)
}

/// What the engine knows of one stream.
struct HTTP2StreamRecord: Sendable {
  /// 0 until it is opened.
  var streamID: UInt32 = 0
  var flags: HTTP2StreamFlags = []
  /// Heads of responses that were received.
  var responseHeads: UInt8 = 0
  /// The next of the free slots, while it is one of them; -1 at the end.
  var nextFree: Int32 = -1
  /// How much may be sent; less than zero after the peer reduced it (RFC 9113 §6.9.2).
  var sendWindow = 0
  /// How much the peer may send; less than zero after it was reduced.
  var receiveWindow = 0
  /// Content that the caller is done with, but the peer was not yet told.
  var releasePending = 0
  /// Content that the caller holds.
  var unreleased = 0
  /// What is left of the announced length of the content; -1 where none is announced.
  var contentRemaining: Int64 = -1

  @inline(__always)
  func has(_ flag: HTTP2StreamFlags) -> Bool { flags.contains(flag) }
}

/// The streams of a connection in dense, reused slots, and the way from an identifier to its slot.
struct HTTP2StreamTable: Sendable {
  private(set) var records: [HTTP2StreamRecord] = []
  private var firstFree: Int32 = -1
  private(set) var usedCount = 0

  /// Open addressing, linear probing: the identifier above, the slot below; 0 where nothing is.
  private var index: [UInt64] = Array(repeating: 0, count: 16)
  private var indexed = 0

  @inline(__always)
  subscript(slot: Int) -> HTTP2StreamRecord {
    get { records[slot] }
    _modify { yield &records[slot] }
  }

  var slots: Range<Int> { 0..<records.count }

  /// Whether a slot stands for a stream.
  @inline(__always)
  func isUsed(_ slot: Int) -> Bool {
    slot >= 0 && slot < records.count && records[slot].has(.inUse)
  }

  /// Takes a slot for a new stream.
  mutating func take() -> Int {
    usedCount &+= 1
    let record = HTTP2StreamRecord(flags: .inUse)
    if firstFree >= 0 {
      let slot = Int(firstFree)
      firstFree = records[slot].nextFree
      records[slot] = record
      return slot
    }
    records.append(record)
    return records.count &- 1
  }

  mutating func free(_ slot: Int) {
    if records[slot].streamID != 0 { removeIndex(records[slot].streamID) }
    records[slot] = HTTP2StreamRecord(nextFree: firstFree)
    firstFree = Int32(truncatingIfNeeded: slot)
    usedCount &-= 1
  }

  /// Gives a stream its identifier.
  mutating func open(_ slot: Int, _ streamID: UInt32) {
    records[slot].streamID = streamID
    records[slot].flags.insert(.opened)
    if (indexed &+ 1) &* 2 > index.count { growIndex() }
    insertIndex(UInt64(streamID) &<< 32 | UInt64(UInt32(truncatingIfNeeded: slot)))
  }

  /// The slot of a stream, or nil.
  @inline(__always)
  func slot(of streamID: UInt32) -> Int? {
    let mask = index.count &- 1
    var position = Self.home(streamID) & mask
    while true {
      let entry = index[position]
      if entry &>> 32 == UInt64(streamID) {
        return entry == 0 ? nil : Int(truncatingIfNeeded: entry & 0xFFFF_FFFF)
      }
      if entry == 0 { return nil }
      position = (position &+ 1) & mask
    }
  }

  /// Identifiers are odd and grow: neighbours get neighbouring places.
  @inline(__always)
  private static func home(_ streamID: UInt32) -> Int { Int(streamID &>> 1) }

  private mutating func insertIndex(_ entry: UInt64) {
    let mask = index.count &- 1
    var position = Self.home(UInt32(truncatingIfNeeded: entry &>> 32)) & mask
    while index[position] != 0 { position = (position &+ 1) & mask }
    index[position] = entry
    indexed &+= 1
  }

  private mutating func growIndex() {
    let old = index
    index = Array(repeating: 0, count: old.count &* 2)
    indexed = 0
    for entry in old where entry != 0 { insertIndex(entry) }
  }

  /// Removes an entry, and moves up those behind that would not be found otherwise.
  private mutating func removeIndex(_ streamID: UInt32) {
    let mask = index.count &- 1
    var hole = Self.home(streamID) & mask
    while index[hole] &>> 32 != UInt64(streamID) {
      if index[hole] == 0 { return }
      hole = (hole &+ 1) & mask
    }
    indexed &-= 1
    var position = hole
    while true {
      position = (position &+ 1) & mask
      let entry = index[position]
      if entry == 0 { break }
      let home = Self.home(UInt32(truncatingIfNeeded: entry &>> 32)) & mask
      // The entry may move if its home is not between the hole and itself.
      if (position &- home) & mask >= (position &- hole) & mask {
        index[hole] = entry
        hole = position
      }
    }
    index[hole] = 0
  }
}
