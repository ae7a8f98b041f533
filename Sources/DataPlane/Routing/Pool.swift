/// Values that refer to each other by number; numbers of removed ones are used again.
///
/// Kept in blocks, so that growth never moves what is there: one array of 200,000 would stop its
/// worker for milliseconds each time it doubles.
struct Pool<Element> {
  /// Not a number of any element: the end of a chain.
  static var none: UInt32 { .max }

  private static var blockBits: UInt32 { 9 }
  private static var blockCount: Int { 1 << Int(blockBits) }
  private static var blockMask: UInt32 { 1 << blockBits &- 1 }

  /// All but the last have ``blockCount`` elements.
  private var blocks: [[Element]] = []
  private var unused: [UInt32] = []
  /// Numbers that were ever given.
  private var given = 0
  /// Takes the place of removed elements, so that what they held is released.
  private let blank: Element

  init(blank: Element) { self.blank = blank }

  var count: Int { given - unused.count }

  mutating func insert(_ element: Element) -> UInt32 {
    if let number = unused.popLast() {
      self[number] = element
      return number
    }
    let number = UInt32(given)
    if number & Self.blockMask == 0 {
      blocks.append([])
      // The first grows by itself: most tables never need a second.
      if given > 0 { blocks[blocks.count - 1].reserveCapacity(Self.blockCount) }
    }
    blocks[blocks.count - 1].append(element)
    given += 1
    return number
  }

  mutating func remove(_ number: UInt32) {
    self[number] = blank
    unused.append(number)
  }

  subscript(number: UInt32) -> Element {
    @inline(__always) _read {
      yield blocks[Int(number &>> Self.blockBits)][Int(number & Self.blockMask)]
    }
    @inline(__always) _modify {
      yield &blocks[Int(number &>> Self.blockBits)][Int(number & Self.blockMask)]
    }
  }
}
