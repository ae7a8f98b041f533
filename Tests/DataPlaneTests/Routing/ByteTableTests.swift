import Runtime
import Testing

@testable import DataPlane

struct ByteTableTests {
  @Test("Holds what a dictionary holds, also where everything collides", arguments: [1, 7, 64, UInt64.max])
  func model(_ hashes: UInt64) {
    let hash = ByteHash(seed: 3)
    var table = ByteTable<UInt32>()
    var model: [String: UInt32] = [:]
    var random = SplitMix64(seed: hashes)
    for step in 0..<4_000 {
      let text = "key-" + String(repeating: "x", count: random.next(below: 40)) + "\(random.next(below: 60))"
      let bytes = Array(text.utf8)
      let scope = UInt32(random.next(below: 2))
      let key = "\(scope)" + text
      let code = hash.hash(bytes.span, from: 0, to: bytes.count, after: UInt64(scope)) % hashes
      if random.next(below: 2) == 0 {
        table.set(bytes.span, hash: code, scope: scope, to: UInt32(step))
        model[key] = UInt32(step)
      } else {
        #expect(table.remove(bytes.span, hash: code, scope: scope) == (model.removeValue(forKey: key) != nil))
      }
      #expect(table.count == model.count)
    }
    for (key, value) in model {
      let bytes = Array(key.utf8.dropFirst())
      let scope: UInt32 = key.first == "1" ? 1 : 0
      let code = hash.hash(bytes.span, from: 0, to: bytes.count, after: UInt64(scope)) % hashes
      #expect(table.find(bytes.span, from: 0, to: bytes.count, hash: code, scope: scope) == value)
      #expect(table.find(bytes.span, from: 0, to: bytes.count, hash: code, scope: scope + 2) == nil)
    }
  }

  @Test("A hash does not depend on where the bytes are, nor on letter case where it is told so")
  func places() {
    let hash = ByteHash(seed: 9)
    var seen: Set<UInt64> = []
    for count in 0...70 {
      let text = (0..<count).map { UInt8(0x41 + $0 % 26) }
      let lower = text.map { $0 | 0x20 }
      let expected = hash.hash(lower.span, from: 0, to: count, after: 0)
      #expect(seen.insert(expected).inserted)
      for offset in 0...9 {
        let moved =
          [UInt8](repeating: 0xFF, count: offset) + text + [UInt8](repeating: 0xFF, count: 9 - offset)
        #expect(hash.hashIgnoringCase(moved.span, from: offset, to: offset + count, after: 0) == expected)
      }
    }
    let bytes = (UInt8.min...UInt8.max).map { $0 }
    let lowered = bytes.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }
    #expect(
      hash.hashIgnoringCase(bytes.span, from: 0, to: 256, after: 0)
        == hash.hash(lowered.span, from: 0, to: 256, after: 0))
  }

  @Test("Seeds, states and single bits change the hash")
  func avalanche() {
    let text = Array("www.example.com".utf8)
    func hash(_ text: [UInt8], seed: UInt64 = 1, state: UInt64 = 0) -> UInt64 {
      ByteHash(seed: seed).hash(text.span, from: 0, to: text.count, after: state)
    }
    let original = hash(text)
    #expect(hash(text, seed: 2) != original)
    #expect(hash(text, state: 1) != original)
    var changed = 0
    for bit in 0..<text.count * 8 {
      var other = text
      other[bit / 8] ^= 1 << UInt8(bit % 8)
      changed += (hash(other) ^ original).nonzeroBitCount
    }
    // 32 of 64 bits on average.
    #expect((31.0...33.0).contains(Double(changed) / Double(text.count * 8)))
  }
}
