/// What dense numbers stand for, given from outside; in blocks, as ``Pool``.
struct NumberedSlots<Element> {
  private static var blockBits: Int { 9 }
  private static var blockMask: Int { 1 << blockBits &- 1 }

  private var blocks: [[Element?]] = []
  /// Slots that are not empty.
  private(set) var count = 0

  /// Numbers below which all that is not empty lies.
  var limit: Int { blocks.count << Self.blockBits }

  /// Nil for an empty slot, and for numbers that were never used.
  subscript(number: Int) -> Element? {
    @inline(__always) get {
      let block = number &>> Self.blockBits
      guard number >= 0, block < blocks.count else { return nil }
      return blocks[block][number & Self.blockMask]
    }
    set {
      precondition(number >= 0)
      let block = number >> Self.blockBits
      while block >= blocks.count {
        if newValue == nil { return }
        blocks.append(Array(repeating: nil, count: 1 << Self.blockBits))
      }
      let position = number & Self.blockMask
      if blocks[block][position] != nil { count -= 1 }
      if newValue != nil { count += 1 }
      blocks[block][position] = newValue
    }
  }

  /// All that are not empty, by number. Takes time in proportion to their number.
  var all: [Element] { blocks.flatMap { $0.compactMap { $0 } } }
}
