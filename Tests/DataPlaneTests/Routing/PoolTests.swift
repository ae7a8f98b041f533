import Testing

@testable import DataPlane

struct PoolTests {
  @Test("Numbers are used again, and elements stay where they are when there are many")
  func pool() {
    var pool = Pool(blank: "")
    let numbers = (0..<3_000).map { pool.insert("\($0)") }
    #expect(numbers == (0..<3_000).map { UInt32($0) } && pool.count == 3_000)
    for number in stride(from: 0, to: 3_000, by: 2) { pool.remove(UInt32(number)) }
    #expect(pool.count == 1_500)
    var again: Set<UInt32> = []
    for number in 0..<1_500 { again.insert(pool.insert("new \(number)")) }
    #expect(again == Set(stride(from: UInt32(0), to: 3_000, by: 2)))
    for number in stride(from: 1, to: 3_000, by: 2) { #expect(pool[UInt32(number)] == "\(number)") }
  }

  @Test("Slots are empty until something is put there")
  func slots() {
    var slots = NumberedSlots<String>()
    #expect(slots[0] == nil && slots[-1] == nil && slots[9_999] == nil)
    slots[2_000] = "a"
    slots[3] = "b"
    slots[3] = "c"
    slots[50_000] = nil
    #expect(slots.count == 2 && slots.all == ["c", "a"] && slots.limit == 2_048)
    slots[2_000] = nil
    #expect(slots.count == 1 && slots[2_000] == nil)
  }
}
