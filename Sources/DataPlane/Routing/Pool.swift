/// Values in one array, which refer to each other by number; numbers of removed ones are used again.
struct Pool<Element> {
  /// Not a number of any element: the end of a chain.
  static var none: UInt32 { .max }

  private var elements: [Element] = []
  private var unused: [UInt32] = []
  /// Takes the place of removed elements, so that what they held is released.
  private let blank: Element

  init(blank: Element) { self.blank = blank }

  var count: Int { elements.count - unused.count }

  mutating func insert(_ element: Element) -> UInt32 {
    if let number = unused.popLast() {
      elements[Int(number)] = element
      return number
    }
    elements.append(element)
    return UInt32(elements.count - 1)
  }

  mutating func remove(_ number: UInt32) {
    elements[Int(number)] = blank
    unused.append(number)
  }

  subscript(number: UInt32) -> Element {
    @inline(__always) _read { yield elements[Int(number)] }
    @inline(__always) _modify { yield &elements[Int(number)] }
  }
}
