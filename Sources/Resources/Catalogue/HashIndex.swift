/// Numbers by hashes of what they are looked up by: a set of pairs, in which several numbers may share
/// a hash.
///
/// It holds no keys: whoever looks up compares with what a number stands for. That is 8 bytes a place
/// where a dictionary would keep the key once more. Open addressing with linear probing; a removed place
/// is closed by those behind it, so that nothing is left of it.
public struct HashIndex {
  /// Above the upper 32 bits of a hash, below a number and one; zero: free.
  private var places: [UInt64] = []
  public private(set) var count = 0
  private static let capacityMin = 16

  public init() {}

  private var mask: Int { places.count - 1 }

  private static func tag(_ hash: Int) -> UInt64 { UInt64(UInt(bitPattern: hash) >> 32) << 32 }

  private func home(_ place: UInt64) -> Int { Int(truncatingIfNeeded: place >> 32) & mask }

  /// Calls `body` with each number of a hash, and of those whose hashes begin as it does, until it
  /// answers false.
  public func forEach(_ hash: Int, _ body: (Int) -> Bool) {
    guard count > 0 else { return }
    let tag = Self.tag(hash)
    var index = home(tag)
    while places[index] != 0 {
      let place = places[index]
      if place & 0xFFFF_FFFF_0000_0000 == tag, !body(Int(place & 0xFFFF_FFFF) - 1) { return }
      index = (index + 1) & mask
    }
  }

  public func first(_ hash: Int, where isIt: (Int) -> Bool) -> Int? {
    var found: Int?
    forEach(hash) { number in
      guard isIt(number) else { return true }
      found = number
      return false
    }
    return found
  }

  /// Without effect where the pair is there.
  public mutating func insert(_ hash: Int, _ number: Int) {
    if (count + 1) * 4 > places.count * 3 { resize(to: max(Self.capacityMin, places.count * 2)) }
    if place(Self.tag(hash) | UInt64(number + 1)) { count += 1 }
  }

  /// Without effect where the pair is not there.
  public mutating func remove(_ hash: Int, _ number: Int) {
    guard count > 0 else { return }
    let wanted = Self.tag(hash) | UInt64(number + 1)
    var index = home(wanted)
    while places[index] != wanted {
      guard places[index] != 0 else { return }
      index = (index + 1) & mask
    }
    close(index)
    count -= 1
    // A quarter of what would make it grow again, so that neither happens at every change.
    if places.count > Self.capacityMin, count * 6 < places.count { resize(to: places.count / 2) }
  }

  /// Moves those behind into the free place that would no longer be found behind it.
  private mutating func close(_ index: Int) {
    var free = index
    var next = (index + 1) & mask
    while places[next] != 0 {
      let distance = (next - home(places[next])) & mask
      if distance >= (next - free) & mask {
        places[free] = places[next]
        free = next
      }
      next = (next + 1) & mask
    }
    places[free] = 0
  }

  /// False where it is there already.
  @discardableResult private mutating func place(_ value: UInt64) -> Bool {
    var index = home(value)
    while places[index] != 0 {
      if places[index] == value { return false }
      index = (index + 1) & mask
    }
    places[index] = value
    return true
  }

  private mutating func resize(to capacity: Int) {
    let old = places
    places = [UInt64](repeating: 0, count: capacity)
    for value in old where value != 0 { place(value) }
  }

  /// Every pair of a hash's beginning and a number, sorted: for tests.
  var pairs: [UInt64] { places.filter { $0 != 0 }.sorted() }
}
