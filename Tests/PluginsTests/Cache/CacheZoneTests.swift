import DataPlane
import HTTPCodec
import Runtime
import Testing

@testable import Plugins

@Suite("zones of the cache")
struct CacheZoneTests {
  private func response(
    _ name: String, in zone: CacheZone, selected: [SelectedValue] = [], partition: String = "",
    size: Int = 10,
    tags: [String] = [], at storedAt: Int64 = 0
  ) -> StoredResponse {
    let url = CacheURL(Array("http://a.test/\(name)".utf8))
    let buffer = Buffer(capacity: size)
    for _ in 0..<size { buffer.append(1) }
    var terms = StorageTerms()
    terms.lifetime = 60
    return StoredResponse(
      .init(hash: url.hash, url: url.bytes, partition: Array(partition.utf8), selected: selected),
      .init(
        status: 200, lines: [], content: FrozenBytes(buffer), entityTag: [], lastModified: nil,
        tags: tags.map { Array($0.utf8) }), terms, at: storedAt, in: zone.account)
  }

  private func isGone(_ response: StoredResponse) -> Bool { response.isGone.load(ordering: .relaxed) }

  private func find(_ name: String, in zone: CacheZone) -> StoredResponse? {
    zone.find(CacheURL(Array("http://a.test/\(name)".utf8)).hash) { _ in true }
  }

  @Test("a response takes the place of one for the same request, and of no other")
  func replacing() {
    let zone = CacheZone("z", limit: 1 << 20)
    let (gzip, br) = (SelectedValue(name: [1], value: [2]), SelectedValue(name: [1], value: [3]))
    let first = response("a", in: zone, selected: [gzip])
    let other = response("a", in: zone, selected: [br])
    let elsewhere = response("a", in: zone, selected: [gzip], partition: "route")
    for one in [first, other, elsewhere] { #expect(zone.insert(one, purges: 0)) }
    let second = response("a", in: zone, selected: [gzip])
    #expect(zone.insert(second, purges: 0))
    #expect(isGone(first))
    for one in [second, other, elsewhere] { #expect(!isGone(one)) }
    // It varies by something else now: what was stored before says nothing any more.
    let third = response("a", in: zone, selected: [SelectedValue(name: [9], value: nil)])
    #expect(zone.insert(third, purges: 0))
    #expect(isGone(second) && isGone(other))
    #expect(!isGone(elsewhere) && zone.figures.entries == 2)
  }

  @Test("what is read from a disk late does not take the place of what has come meanwhile")
  func lateReads() {
    let zone = CacheZone("z", limit: 1 << 20)
    let (gzip, br) = (SelectedValue(name: [1], value: [2]), SelectedValue(name: [1], value: [3]))
    let present = response("a", in: zone, selected: [gzip], at: 5)
    #expect(zone.insert(present, purges: 0))
    zone.insertRead(response("a", in: zone, selected: [gzip], at: 4), purges: 0)
    zone.insertRead(response("a", in: zone, selected: [gzip], at: 5), purges: 0)
    zone.insertRead(response("a", in: zone, at: 4), purges: 0)
    #expect(!isGone(present) && zone.figures.entries == 1)
    // Another variant may be older, and another partition.
    zone.insertRead(response("a", in: zone, selected: [br], at: 4), purges: 0)
    zone.insertRead(response("a", in: zone, partition: "route", at: 4), purges: 0)
    #expect(!isGone(present) && zone.figures.entries == 3)
    zone.insertRead(response("a", in: zone, selected: [gzip], at: 6), purges: 0)
    #expect(isGone(present) && zone.figures.entries == 3)
  }

  @Test("another URL of the same hash takes the place, and is never found for the other")
  func collisions() {
    let zone = CacheZone("z", limit: 1 << 20)
    let one = response("a", in: zone)
    let identity = StoredResponse.Identity(
      hash: one.identity.hash, url: Array("http://b.test/".utf8), partition: [], selected: [])
    let other = StoredResponse(identity, one.message, one.terms, at: 0, in: zone.account)
    #expect(zone.insert(one, purges: 0) && zone.insert(other, purges: 0))
    #expect(isGone(one) && zone.figures.entries == 1)
  }

  @Test("SIEVE: what was used stays, what was not goes, the oldest first")
  func sieve() {
    let zone = CacheZone("z", limit: 1 << 30)
    var queue = SieveQueue<StoredResponse>()
    let entries = (0..<5).map { response("\($0)", in: zone) }
    let places = entries.map { queue.insert($0) }
    entries[0].noteUse(at: 0)
    entries[2].noteUse(at: 0)
    func evict() -> Int? {
      guard let place = queue.victim() else { return nil }
      let gone = queue[place]
      queue.remove(place)
      return entries.firstIndex { $0 === gone }
    }
    #expect(evict() == 1)
    // The mark of 2 is taken away as the hand passes.
    #expect(evict() == 3)
    queue.remove(places[4])
    #expect(evict() == 0 && evict() == 2 && evict() == nil)
    #expect(queue.count == 0)
  }

  @Test("the bytes of entries stay within the limit, and what is used stays, whatever comes")
  func limit() {
    let zone = CacheZone("z", limit: 200_000)
    let kept = response("kept", in: zone, size: 1_000)
    #expect(zone.insert(kept, purges: 0))
    var random = SystemRandomNumberGenerator()
    for number in 0..<2_000 {
      kept.noteUse(at: 0)
      let size = Int.random(in: 1...20_000, using: &random)
      #expect(zone.insert(response("\(number % 700)", in: zone, size: size), purges: 0))
      #expect(zone.figures.bytes <= 200_000)
    }
    #expect(find("kept", in: zone) === kept)
    #expect(zone.figures.evictions > 1_000 && zone.figures.entries > 5)
    zone.resize(to: 50_000)
    #expect(zone.figures.bytes <= 50_000)
    _ = zone.purge(.everything)
    #expect(zone.figures.bytes == 0 && zone.figures.entries == 0)
    #expect(zone.account.heldBytes == kept.bytes)
  }

  @Test("of few large entries, those go that were not used, and never the one that has just come")
  func fewLargeEntries() {
    let zone = CacheZone("z", limit: 100_000)
    let used = (0..<3).map { response("used \($0)", in: zone, size: 20_000) }
    for one in used { #expect(zone.insert(one, purges: 0)) }
    for number in 0..<500 {
      for one in used { one.noteUse(at: 0) }
      let new = response("new \(number)", in: zone, size: 24_000)
      #expect(zone.insert(new, purges: 0))
      #expect(!isGone(new) && find("new \(number)", in: zone) === new)
      #expect(zone.figures.bytes <= 100_000)
    }
    for one in used { #expect(!isGone(one)) }
    // One that is larger than the zone stays out, and empties it.
    zone.resize(to: 10_000)
    let large = response("large", in: zone, size: 24_000)
    #expect(zone.insert(large, purges: 0) && isGone(large) && zone.figures.bytes == 0)
  }

  @Test("what is held for others counts until they let go of it")
  func account() {
    let zone = CacheZone("z", limit: 10_000)
    var held: StoredResponse? = response("a", in: zone, size: 9_000)
    let bytes = held?.bytes ?? 0
    #expect(zone.insert(held!, purges: 0) && zone.account.heldBytes == bytes)
    _ = zone.purge(.everything)
    #expect(zone.account.heldBytes == bytes && !zone.account.reserve(10_000))
    held = nil
    #expect(zone.account.heldBytes == 0 && zone.account.reserve(15_000) && !zone.account.reserve(1))
  }

  @Test("what refreshes receive counts while it comes, and is bounded by the zone")
  func refreshRoom() throws {
    let account = ByteAccount(limit: 100_000)
    var room: RefreshRoom? = try #require(RefreshRoom(10, bytesMax: 80_000, in: account))
    #expect(account.heldBytes == 32_768)
    #expect(room?.grow(to: 30_000) == true && account.heldBytes == 32_768)
    #expect(room?.grow(to: 32_769) == true && account.heldBytes == 65_536)
    #expect(room?.grow(to: 70_000) == true && account.heldBytes == 80_000)
    // Half as much above the limit, as for all that is received.
    var other: RefreshRoom? = try #require(RefreshRoom(70_000, bytesMax: 80_000, in: account))
    #expect(RefreshRoom(10, bytesMax: 80_000, in: account) == nil)
    #expect(other?.hasFailed == false && other?.grow(to: 70_001) == false && other?.hasFailed == true)
    #expect(account.heldBytes == 150_000)
    room?.giveBack()
    #expect(account.heldBytes == 70_000)
    room = nil
    other = nil
    #expect(account.heldBytes == 0)
  }

  @Test("what was asked for before a purge does not come back by it")
  func purges() {
    let zone = CacheZone("z", limit: 1 << 20)
    let before = zone.purges
    #expect(zone.insert(response("a", in: zone, tags: ["x"]), purges: before))
    #expect(zone.purge(.tag(Array("y".utf8))) == 0 && zone.purge(.tag(Array("x".utf8))) == 1)
    #expect(!zone.insert(response("a", in: zone), purges: before))
    let later = zone.purges
    let url = CacheURL(Array("http://a.test/a".utf8))
    #expect(zone.insert(response("a", in: zone), purges: later) && zone.purge(.url(url)) == 1)
    #expect(!zone.insert(response("a", in: zone), purges: later))
    // Others are not concerned.
    #expect(zone.insert(response("b", in: zone), purges: later))
    #expect(zone.purge(.prefix(Array("http://a.test/".utf8))) == 1)
  }

  @Test("variants of a URL are bounded, the oldest goes")
  func variants() {
    let zone = CacheZone("z", limit: 1 << 30)
    let all = (0..<CacheShard.variantsMax + 1).map { number in
      response("a", in: zone, selected: [SelectedValue(name: [1], value: Array("\(number)".utf8))])
    }
    for one in all { #expect(zone.insert(one, purges: 0)) }
    #expect(zone.figures.entries == CacheShard.variantsMax)
    #expect(isGone(all[0]) && !isGone(all[1]))
  }

  @Test("one leads, others wait, until it ends or has had its time")
  func turns() {
    let zone = CacheZone("z", limit: 1 << 20)
    guard case .lead(let first) = zone.takeTurn(7, at: 0, leadNanoseconds: 100) else {
      Issue.record("the first does not lead")
      return
    }
    guard case .wait(let awaited) = zone.takeTurn(7, at: 99, leadNanoseconds: 100) else {
      Issue.record("the second does not wait")
      return
    }
    #expect(awaited === first)
    guard case .lead(let second) = zone.takeTurn(7, at: 100, leadNanoseconds: 100) else {
      Issue.record("the lead is not taken over")
      return
    }
    // The one that was too slow ends nobody else's turn.
    zone.endTurn(first, .failed, at: 110, leadNanoseconds: 100)
    guard case .wait = zone.takeTurn(7, at: 110, leadNanoseconds: 100) else {
      Issue.record("another's turn has ended")
      return
    }
    zone.endTurn(second, .notStorable, at: 120, leadNanoseconds: 100)
    guard case .alone = zone.takeTurn(7, at: 130, leadNanoseconds: 100) else {
      Issue.record("what is not stored makes requests wait")
      return
    }
    guard case .lead = zone.takeTurn(7, at: 11_000_000_000, leadNanoseconds: 100) else {
      Issue.record("that is not forgotten")
      return
    }
  }

  private func lead(_ turn: CacheZone.Turn) -> CacheFetch? {
    if case .lead(let fetch) = turn { fetch } else { nil }
  }

  private func place(in fetch: CacheFetch, _ worker: Worker) -> CacheFetch.Waiter? {
    if case .waits(let waiter) = fetch.add(WakeHandle(on: worker)) { waiter } else { nil }
  }

  @Test("no more wait than may, and those that have left do not count")
  func fullTurns() throws {
    let worker = Worker(index: 0, seam: EpollSeam())
    let fetch = CacheFetch(7, leadUntil: 100)
    let waiters = try (0..<CacheFetch.waitersMax).map { _ in try #require(place(in: fetch, worker)) }
    guard case .full = fetch.add(WakeHandle(on: worker)) else {
      Issue.record("one more waits")
      return
    }
    // All but the last two leave, so that those are looked through that are left.
    for waiter in waiters.dropLast(2) { #expect(!fetch.leave(waiter)) }
    let later = try (0..<CacheFetch.waitersMax - 2).map { _ in try #require(place(in: fetch, worker)) }
    #expect(place(in: fetch, worker) == nil)
    // Who came first is still first, and leads as soon as that is its turn.
    for waiter in [waiters[waiters.count - 2], waiters[waiters.count - 1], later[0]] {
      #expect(fetch.passOn(leadUntil: 200) && fetch.leave(waiter))
    }
    #expect(!fetch.leave(later[1]) && fetch.passOn(leadUntil: 300) && fetch.leave(later[2]))
    // Two of the first and three of the others have gone.
    let last = try (0..<5).map { _ in try #require(place(in: fetch, worker)) }
    #expect(place(in: fetch, worker) == nil)
    fetch.end(.notStorable)
    guard case .ended(.notStorable) = fetch.add(WakeHandle(on: worker)) else {
      Issue.record("it has not ended")
      return
    }
    #expect(!fetch.leave(last[0]))
  }

  @Test("what expires is no invalidation: others that are asked for are stored")
  func expiry() {
    let zone = CacheZone("z", limit: 1 << 24)
    let before = zone.purges
    for number in 0..<1_100 {
      let old = response("a", in: zone, tags: ["\(number)"])
      #expect(zone.insert(old, purges: before))
      zone.removeExpired(old)
      #expect(isGone(old))
    }
    #expect(zone.purges == before && find("a", in: zone) == nil)
    // One that has come meanwhile stays.
    let (old, new) = (response("a", in: zone), response("a", in: zone))
    for one in [old, new] { #expect(zone.insert(one, purges: before)) }
    zone.removeExpired(old)
    #expect(find("a", in: zone) === new)
  }

  @Test("when a fetch fails, the first of those who still wait goes next, and the others wait for it")
  func turnsAfterFailures() throws {
    let zone = CacheZone("z", limit: 1 << 20)
    let worker = Worker(index: 0, seam: EpollSeam())
    let fetch = try #require(lead(zone.takeTurn(7, at: 0, leadNanoseconds: 100)))
    let waiters = try (0..<3).map { _ in try #require(place(in: fetch, worker)) }
    // The first has gone.
    #expect(!fetch.leave(waiters[0]))
    zone.endTurn(fetch, .failed, at: 90, leadNanoseconds: 100)
    #expect(fetch.outcome == nil && fetch.leadUntil == 190)
    #expect(fetch.leave(waiters[1]))
    guard case .wait(let same) = zone.takeTurn(7, at: 180, leadNanoseconds: 100) else {
      Issue.record("those who come later do not wait")
      return
    }
    #expect(same === fetch)
    zone.endTurn(fetch, .stored, at: 185, leadNanoseconds: 100)
    #expect(fetch.outcome == .stored && !fetch.leave(waiters[2]))
    #expect(place(in: fetch, worker) == nil)
    let next = try #require(lead(zone.takeTurn(7, at: 186, leadNanoseconds: 100)))
    // Nobody waits: it is over.
    zone.endTurn(next, .failed, at: 187, leadNanoseconds: 100)
    #expect(next.outcome == .failed && lead(zone.takeTurn(7, at: 188, leadNanoseconds: 100)) != nil)
  }

  @Test("who is given the lead and lets go of it without a word has failed")
  func lostTurns() throws {
    let zone = CacheZone("z", limit: 1 << 20)
    let worker = Worker(index: 0, seam: EpollSeam())
    let fetch = try #require(lead(zone.takeTurn(7, at: 0, leadNanoseconds: 100)))
    let waiter = try #require(place(in: fetch, worker))
    var turn: CacheTurn? = CacheTurn(fetch, in: zone, on: worker, leadNanoseconds: 100)
    #expect(turn != nil)
    turn = nil
    #expect(fetch.leave(waiter) && fetch.outcome == nil)
    turn = CacheTurn(fetch, in: zone, on: worker, leadNanoseconds: 100)
    turn?.end(.notStorable)
    turn = nil
    #expect(fetch.outcome == .notStorable)
  }

  @Test("something is fetched anew by one at a time, and not again at once when that has failed")
  func refreshes() throws {
    let zone = CacheZone("z", limit: 1 << 20)
    let fetch = try #require(zone.takeRefresh(7, at: 0, leadNanoseconds: 100))
    #expect(zone.takeRefresh(7, at: 99, leadNanoseconds: 100) == nil)
    #expect(zone.takeRefresh(8, at: 99, leadNanoseconds: 100) != nil)
    zone.noteFailedRefresh(7, at: 100)
    zone.endTurn(fetch, .failed, at: 100, leadNanoseconds: 100)
    #expect(zone.takeRefresh(7, at: 999_999_999, leadNanoseconds: 100) == nil)
    #expect(zone.takeRefresh(7, at: 1_000_000_100, leadNanoseconds: 100) != nil)
  }
}

@Suite("keys and lines of the cache")
struct CacheTextTests {
  private func query(_ text: String, _ settings: CacheKeySettings) -> String {
    let bytes = Array(text.utf8)
    return String(decoding: CanonicalQuery.make(bytes.span, settings), as: UTF8.self)
  }

  @Test("which parameters count, and in which order")
  func queries() {
    var settings = CacheKeySettings()
    settings.sortsQuery = true
    #expect(query("b=2&a=1&b=1&&c", settings) == "a=1&b=2&b=1&c")
    settings.ignoredParameters = ["utm_*", "id"].map { Array($0.utf8) }
    #expect(query("utm_source=1&id=2&idx=3&utm=4", settings) == "idx=3&utm=4")
    settings = CacheKeySettings()
    settings.parameters = [Array("q".utf8)]
    #expect(query("a=1&q=2&Q=3&q", settings) == "q=2&q")
    settings.parameters = []
    #expect(query("a=1", settings).isEmpty)
    settings = CacheKeySettings()
    settings.sortsQuery = true
    let many = (0..<200).reversed().map { "p\($0)" }.joined(separator: "&")
    #expect(query(many, settings) == many)
  }

  @Test("URLs as people write them")
  func urls() {
    func url(_ text: String) -> String? { CacheKey.url(text).map { String(decoding: $0, as: UTF8.self) } }
    #expect(url("HTTPS://Example.COM/A?b=C") == "https://example.com/A?b=C")
    #expect(url("https://example.com:443") == "https://example.com/")
    #expect(url("http://example.com:80?x") == "http://example.com/?x")
    #expect(url("http://example.com:8080/") == "http://example.com:8080/")
    #expect(url("https://example.com:80/") == "https://example.com:80/")
    for text in [
      "", "/a", "example.com/a", "ftp://a/", "http://", "http:///a", "http://a/ b", "http://a/#f",
      "http://a/\u{e9}",
    ] {
      #expect(url(text) == nil)
    }
    #expect(url("http://a/" + String(repeating: "x", count: 9_000)) == nil)
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test("RFC 9111 §4.3.4: a 304 replaces fields of the same names, and adds those that are new")
  func updating() {
    let old = Array("Date: 1\r\nX-A: 1\r\nx-a: 2\r\nContent-Type: a/b\r\nX-B: 3\r\n".utf8)
    let news = Array("date: 2\r\nX-A: 9\r\nContent-Type: c/d\r\nContent-Location: /x\r\nX-C: 4\r\n".utf8)
    #expect(
      text(StoredLines.updated(old, with: news))
        == "Content-Type: a/b\r\nX-B: 3\r\ndate: 2\r\nX-A: 9\r\nContent-Location: /x\r\nX-C: 4\r\n")
    #expect(text(StoredLines.withoutContent(old)) == "Date: 1\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\n")
    #expect(StoredLines.value(of: Array("x-b".utf8), in: old) == Array("3".utf8))
    #expect(StoredLines.value(of: Array("x".utf8), in: old) == nil)
  }
}
