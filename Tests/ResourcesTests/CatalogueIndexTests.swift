import Testing

@testable import Resources

/// A generator that gives the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

@Suite struct CatalogueIndexTests {
  /// Few hashes, so that many numbers share one and many stand in each other's way.
  @Test(arguments: 1...20)
  func theHashIndexIsASetOfPairs(seed: Int) {
    var random = SeededGenerator(UInt64(seed))
    var index = HashIndex()
    var pairs: [Int: Set<Int>] = [:]
    let hashes = (0..<40).map { _ in Int.random(in: .min ... .max, using: &random) }
    for step in 0..<4_000 {
      let hash = hashes[Int.random(in: 0..<hashes.count, using: &random)]
      let number = Int.random(in: 0..<30, using: &random)
      // Grows and shrinks in turns.
      if Int.random(in: 0..<10, using: &random) < (step / 1_000 % 2 == 0 ? 7 : 3) {
        index.insert(hash, number)
        pairs[hash, default: []].insert(number)
      } else {
        index.remove(hash, number)
        pairs[hash]?.remove(number)
      }
      #expect(index.count == pairs.values.reduce(0) { $0 + $1.count })
      var found: [Int] = []
      index.forEach(hash) { number in
        found.append(number)
        return true
      }
      #expect(found.sorted() == (pairs[hash] ?? []).sorted())
    }
    for (hash, numbers) in pairs { for number in numbers { index.remove(hash, number) } }
    #expect(index.count == 0)
    #expect(index.pairs.isEmpty)
  }

  @Test func theHashIndexFindsTheFirstThatIsIt() {
    var index = HashIndex()
    #expect(index.first(1 << 40, where: { _ in true }) == nil)
    for number in 0..<100 { index.insert(1 << 40, number) }
    #expect(index.first(1 << 40, where: { $0 == 77 }) == 77)
    #expect(index.first(1 << 40, where: { $0 > 100 }) == nil)
    #expect(index.first(1 << 50, where: { _ in true }) == nil)
  }

  @Test(arguments: 1...10)
  func namesStaySorted(seed: Int) {
    var random = SeededGenerator(UInt64(seed))
    var names = SortedNames()
    var all: Set<String> = []
    for step in 0..<60 {
      let count = step % 10 == 0 ? 3_000 : 40
      let added = Set((0..<count).map { _ in "n\(Int.random(in: 0..<20_000, using: &random))" }).subtracting(
        all)
      let removed = Set(all.shuffled(using: &random).prefix(step % 7 == 0 ? 2_500 : 45))
      names.change(removing: Array(removed), adding: Array(added))
      all = all.subtracting(removed).union(added)
      #expect(names.count == all.count)
      let sorted = all.sorted()
      #expect(names.all == sorted)
      let after = "n\(Int.random(in: 0..<20_000, using: &random))"
      #expect(names.page(after: after, limit: 700) == Array(sorted.filter { $0 > after }.prefix(700)))
    }
    names.change(removing: names.all, adding: [])
    #expect(names.page(after: nil, limit: 1) == [])
  }

  @Test(arguments: 1...5)
  func usersAreASet(seed: Int) {
    var random = SeededGenerator(UInt64(seed))
    var users = Users.none
    var all: Set<Int> = []
    for _ in 0..<500 {
      let number = Int.random(in: 0..<5, using: &random)
      if Bool.random(using: &random) {
        users.insert(number)
        all.insert(number)
      } else {
        users.remove(number)
        all.remove(number)
      }
      #expect(users.count == all.count)
      #expect(users.numbers.sorted() == all.sorted())
    }
  }
}
