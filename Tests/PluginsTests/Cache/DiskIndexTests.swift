import DataPlane
import HTTPCodec
import Runtime
import Testing

@testable import Plugins

@Suite("what a disk of the cache knows of its files")
struct DiskIndexTests {
  private static let second: Int64 = 1_000_000_000

  private func url(_ name: String) -> CacheURL { CacheURL(Array("http://a.test/\(name)".utf8)) }

  private func entry(_ name: String, tags: [String] = [], doomed: DoomedFiles) -> DiskEntry {
    let head = DiskFormat.Head(
      url: url(name).bytes, partition: [], selected: [], status: 200, lines: [], entityTag: [],
      lastModified: nil, tags: tags.map { Array($0.utf8) }, terms: StorageTerms(), storedAt: 0)
    return DiskEntry(head, headBytes: 100, contentBytes: 100, in: .random(), storedAt: 0, doomed)
  }

  private func response(_ name: String, in zone: CacheZone) -> StoredResponse {
    var terms = StorageTerms()
    terms.lifetime = 60
    return StoredResponse(
      .init(hash: url(name).hash, url: url(name).bytes, partition: [], selected: []),
      .init(
        status: 200, lines: [], content: FrozenBytes(Buffer(capacity: 1)), entityTag: [], lastModified: nil,
        tags: []), terms, at: 0, in: zone.account)
  }

  // MARK: Purges

  @Test("what is noted concerns what it names, and nothing else")
  func notes() {
    let doomed = DoomedFiles(ThreadSignal())
    let (a, b) = (entry("a", tags: ["shop", "list"], doomed: doomed), entry("b/c", doomed: doomed))
    for (purge, concerned) in [
      (CacheZone.Purge.url(url("a")), [true, false]), (.url(url("b")), [false, false]),
      (.tag(Array("list".utf8)), [true, false]), (.tag(Array("lis".utf8)), [false, false]),
      (.prefix(url("b").bytes), [false, true]), (.everything, [true, true]),
    ] {
      var notes = PurgeNotes()
      #expect(notes.isEmpty && !notes.concerns(a) && !notes.concerns(b))
      notes.add(purge)
      #expect(!notes.isEmpty && [notes.concerns(a), notes.concerns(b)] == concerned, "\(purge)")
      notes.removeAll()
      #expect(notes.isEmpty && !notes.concerns(a) && !notes.concerns(b))
    }
  }

  @Test("ten thousand removals are all noted, and take few others with them")
  func manyNotes() {
    let doomed = DoomedFiles(ThreadSignal())
    var notes = PurgeNotes()
    for number in 0..<10_000 { notes.add(.url(url("gone/\(number)"))) }
    #expect((0..<10_000).allSatisfy { notes.concerns(entry("gone/\($0)", doomed: doomed)) })
    let others = (0..<10_000).filter { notes.concerns(entry("other/\($0)", doomed: doomed)) }
    // One in a hundred; the seed of the hash is random.
    #expect(others.count < 300)
    notes.removeAll()
    #expect(notes.isEmpty && !notes.concerns(entry("gone/5000", doomed: doomed)))
  }

  @Test("notes are kept until it is sure that all files are known, and where there were more since")
  func forgetting() {
    let zone = CacheZone("z", limit: 1 << 20)
    let core = DiskCore("/nowhere", limit: 1 << 20, of: zone, notes: PurgeNotes())
    let a = entry("a", doomed: core.doomed)
    core.purge(.url(url("a")))
    let number = core.noteNumber
    core.purge(.url(url("b")))
    core.forgetNotes(upTo: number)
    #expect(core.wasPurged(a))
    core.forgetNotes(upTo: core.noteNumber)
    #expect(!core.wasPurged(a) && !core.hasNotes)
    // What another process writes is newer than what is replaced here; a purge concerns it.
    core.noteOthers(true)
    core.remove(a.identity)
    #expect(!core.wasPurged(a))
    core.purge(.url(url("a")))
    #expect(core.wasPurged(a))
  }

  @Test("what was purged is not forgotten when the disk is closed and opened again")
  func reopening() {
    // It cannot be opened, so that nothing is known of its files.
    let folder = "/proc/penstock-\(DiskFile.random().name)/z"
    let zone = CacheZone("z", limit: 1 << 20)
    var disk: CacheDisk? = CacheDisks.disk(in: folder, limit: 1 << 20, of: zone)
    weak let first = disk
    disk?.core.purge(.url(url("a")))
    disk = nil
    #expect(first == nil)
    for _ in 0..<2 {
      let next = CacheDisks.disk(in: folder, limit: 1 << 20, of: zone)
      #expect(next.core.hasNotes)
      #expect(next.core.wasPurged(entry("a", doomed: next.core.doomed)))
      #expect(!next.core.wasPurged(entry("b", doomed: next.core.doomed)))
    }
  }

  // MARK: What nobody uses

  @Test("of very many that nobody uses, some go at a time")
  func inactiveInSteps() {
    let zone = CacheZone("z", limit: 1 << 20)
    let core = DiskCore("/nowhere", limit: 1 << 30, of: zone, notes: PurgeNotes())
    for number in 0..<40_000 {
      #expect(core.index.insert(entry("\(number)", doomed: core.doomed), if: { true }))
    }
    core.setInactive(Self.second)
    let now = SystemClock.monotonicNanoseconds + 2 * Self.second
    let first = core.removeInactive(at: now)
    // 64 parts of the index, 256 each.
    #expect(first > 0 && first <= 64 * 256)
    #expect(core.index.count == 40_000 - first)
    while core.removeInactive(at: now) > 0 {}
    #expect(core.index.count == 0 && core.figures.inactiveFiles.load(ordering: .relaxed) == 40_000)
  }

  @Test("what was not used for long enough goes; use of memory's copy counts")
  func inactive() {
    let zone = CacheZone("z", limit: 1 << 20)
    let core = DiskCore("/nowhere", limit: 1 << 20, of: zone, notes: PurgeNotes())
    let names = ["unused", "read", "in memory", "used in memory"]
    let entries = names.map { entry($0, doomed: core.doomed) }
    for entry in entries { #expect(core.index.insert(entry, if: { true })) }
    let begin = SystemClock.monotonicNanoseconds
    core.setInactive(100 * Self.second)
    #expect(core.removeInactive(at: begin + 90 * Self.second) == 0)
    #expect(core.index.count == 4 && core.figures.inactiveFiles.load(ordering: .relaxed) == 0)
    entries[1].noteUse(at: begin + 50 * Self.second)
    let copies = names[2...].map { response($0, in: zone) }
    for copy in copies { #expect(zone.insert(copy, purges: 0)) }
    copies[1].noteUse(at: begin + 60 * Self.second)
    core.carryUsesOver()
    #expect(core.removeInactive(at: begin + 120 * Self.second) == 2)
    func left() -> [String] {
      zip(names, entries).filter { _, entry in core.index.find(entry.identity.hash) { $0 === entry } != nil }
        .map(\.0)
    }
    #expect(left() == ["read", "used in memory"])
    // Evicted from memory since: what was seen of its use is not forgotten.
    zone.resize(to: 1)
    core.carryUsesOver()
    #expect(core.removeInactive(at: begin + 155 * Self.second) == 1)
    #expect(left() == ["used in memory"])
    #expect(core.removeInactive(at: begin + 160 * Self.second) == 1)
    #expect(left() == [] && core.figures.inactiveFiles.load(ordering: .relaxed) == 4)
    #expect(Set(core.doomed.takeAll()) == Set(entries.map(\.file)))
  }
}
