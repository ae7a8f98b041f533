import DataPlane
import Runtime
import Testing

@testable import Plugins

@Suite struct DecisionCacheTests {
  private static func key(_ number: Int) -> [UInt8] { Array("key \(number)".utf8) }
  private static let start = MonotonicTime(nanoseconds: 1_000)
  private static let later = start.advanced(byNanoseconds: 500)

  private func isKnown(_ cache: inout DecisionCache, _ number: Int, at now: MonotonicTime) -> Bool {
    cache.decision(for: Self.key(number), at: now) != nil
  }

  @Test func anAnswerHoldsUntilItsTimeIsOver() {
    var cache = DecisionCache()
    cache.remember(
      .pass(request: [1], response: []), for: Self.key(1), until: Self.later, now: Self.start)
    guard case .pass([1], [])? = cache.decision(for: Self.key(1), at: Self.start) else {
      Issue.record("it is not remembered")
      return
    }
    let other = isKnown(&cache, 2, at: Self.start)
    #expect(!other)
    let isOver = !isKnown(&cache, 1, at: Self.later)
    #expect(isOver && cache.count == 0)
  }

  @Test func cookiesAreOneClients() {
    var cache = DecisionCache()
    let cookie = Array("Cache-Control: no-store\r\nset-cookie: a=b\r\n".utf8)
    let until = Self.later
    cache.remember(.pass(request: [], response: cookie), for: Self.key(1), until: until, now: Self.start)
    cache.remember(
      .refuse(PluginAnswer(401, content: [], lines: cookie)), for: Self.key(2), until: until, now: Self.start)
    // What goes to the endpoint sets no cookie.
    cache.remember(.pass(request: cookie, response: []), for: Self.key(3), until: until, now: Self.start)
    #expect(cache.count == 1)
  }

  @Test func whatIsLargeIsNotRemembered() {
    var cache = DecisionCache()
    let long = Array(repeating: UInt8(1), count: DecisionCache.keyBytesMax)
    let page = PluginAnswer(401, content: Array(repeating: 1, count: DecisionCache.contentBytesMax + 1))
    cache.remember(.pass(request: [], response: []), for: long + [1], until: Self.later, now: Self.start)
    cache.remember(.refuse(page), for: Self.key(1), until: Self.later, now: Self.start)
    #expect(cache.count == 0)
    cache.remember(.pass(request: [], response: []), for: long, until: Self.later, now: Self.start)
    #expect(cache.count == 1)
  }

  @Test func itIsBounded() {
    var cache = DecisionCache()
    let pass = DecisionCache.Decision.pass(request: [], response: [])
    for number in 0..<DecisionCache.countMax {
      // The first half is over soon.
      let until = number < DecisionCache.countMax / 2 ? Self.later : .never
      cache.remember(pass, for: Self.key(number), until: until, now: Self.start)
    }
    #expect(cache.count == DecisionCache.countMax)
    // One that is there takes no further place.
    cache.remember(pass, for: Self.key(7), until: .never, now: Self.start)
    #expect(cache.count == DecisionCache.countMax)
    cache.remember(pass, for: Self.key(-1), until: .never, now: Self.later)
    let isKept = isKnown(&cache, DecisionCache.countMax - 1, at: Self.later)
    // Half of them, 7, and the new one: more than half, so that all but the new one went.
    #expect(!isKept && cache.count == 1)
    for number in 0..<DecisionCache.countMax * 2 {
      cache.remember(pass, for: Self.key(number), until: .never, now: Self.later)
    }
    #expect(cache.count <= DecisionCache.countMax)
  }

  @Test func whatItTakesIsBounded() {
    var cache = DecisionCache()
    let lines = Array(repeating: UInt8(1), count: 60_000)
    var countMax = 0
    for number in 0..<1_000 {
      cache.remember(
        .pass(request: lines, response: []), for: Self.key(number), until: .never, now: Self.start)
      #expect(cache.byteCount <= DecisionCache.bytesMax)
      let isKnown = isKnown(&cache, number, at: Self.start)
      #expect(isKnown)
      countMax = max(countMax, cache.count)
    }
    #expect(countMax > 250)
    // Taking the place of what is there, and forgetting it, leaves nothing behind.
    for number in 0..<1_000 {
      cache.remember(
        .pass(request: [], response: []), for: Self.key(number), until: Self.later, now: Self.start)
    }
    for number in 0..<1_000 { _ = cache.decision(for: Self.key(number), at: Self.later) }
    #expect(cache.count == 0 && cache.byteCount == 0)
    cache.remember(
      .pass(request: Array(repeating: 1, count: DecisionCache.bytesMax), response: []), for: Self.key(1),
      until: .never, now: Self.start)
    #expect(cache.count == 0)
  }
}
