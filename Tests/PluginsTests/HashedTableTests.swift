import Runtime
import Testing

@testable import Plugins

@Suite("Tables of hashes")
struct HashedTableTests {
  private func value(_ table: HashedTable<Int>, _ key: Int) -> Int? { table.slot(of: key).map { table[$0] } }

  @Test("what is added is found until it is removed, as with a dictionary", arguments: [1, 2, 3] as [UInt64])
  func matchesDictionary(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var table = HashedTable(empty: 0)
    var known: [Int: Int] = [:]
    // Few places and keys, so that many probe the same slots and meet gaps.
    let keys = (0..<200).map { number in Int(random.next(below: 24)) << 8 | number << 40 }
    for step in 1...20_000 {
      let key = keys[Int(random.next(below: keys.count))]
      switch random.next(below: 20) {
      case 0...8:
        let slot = table.slot(of: key, orInsert: step)
        #expect(table[slot] == known[key, default: step])
        known[key, default: step] += 0
      case 9...12:
        guard let slot = table.slot(of: key) else { continue }
        table[slot] = step
        known[key] = step
      case 13...18:
        table.remove(key)
        known[key] = nil
      default:
        if step % 50 == 0 {
          table.keep { $0 % 3 != 0 }
          known = known.filter { $0.value % 3 != 0 }
        }
      }
      #expect(value(table, key) == known[key])
      #expect(table.count == known.count)
    }
    for key in keys { #expect(value(table, key) == known[key]) }
    table.removeAll()
    #expect(table.count == 0 && keys.allSatisfy { value(table, $0) == nil })
  }

  @Test("zero is a key like others")
  func zero() {
    var table = HashedTable(empty: 0)
    #expect(table.slot(of: 0) == nil)
    table[table.slot(of: 0, orInsert: 0)] = 7
    #expect(value(table, 0) == 7 && table.count == 1)
    table.remove(0)
    #expect(table.slot(of: 0) == nil && table.count == 0)
  }
}

@Suite("Sets of statuses")
struct StatusSetTests {
  @Test("what is in it, and nothing else")
  func contains() {
    let statuses = StatusSet([100, 200, 500, 599])
    let found = (0...UInt16.max).filter { statuses.contains($0) }
    #expect(found == [100, 200, 500, 599] && !statuses.isEmpty && StatusSet([]).isEmpty)
  }
}
