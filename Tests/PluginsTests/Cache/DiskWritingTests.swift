import DataPlane
import Foundation
import HTTPCodec
import Runtime
import Testing

@testable import Plugins

@Suite("what the cache writes to its disk")
struct DiskWritingTests {
  private func response(_ name: String, tags: [String], in zone: CacheZone) -> StoredResponse {
    let url = CacheURL(Array("http://a.test/\(name)".utf8))
    var terms = StorageTerms()
    terms.lifetime = 60
    return StoredResponse(
      .init(hash: url.hash, url: url.bytes, partition: [], selected: []),
      .init(
        status: 200, lines: [], content: FrozenBytes(Buffer(capacity: 1)), entityTag: [], lastModified: nil,
        tags: tags.map { Array($0.utf8) }), terms, at: SystemClock.monotonicNanoseconds, in: zone.account)
  }

  @Test("a purge before it is written stops what it names, and nothing else")
  func purgesWhileWaiting() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "cache-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let zone = CacheZone("z", limit: 1 << 20)
    let (purged, other) = (response("a", tags: ["shop"], in: zone), response("b", tags: ["blog"], in: zone))
    let asked = zone.purges
    #expect(zone.insert(purged, purges: asked) && zone.insert(other, purges: asked))
    #expect(zone.purge(.tag(Array("shop".utf8))) == 1)
    let disk = CacheDisk(folder.path(), limit: 1 << 20, of: zone, notes: PurgeNotes())
    for one in [purged, other] { disk.core.store(one, purges: asked) }
    // The first answer may be of a round that had looked for writes before.
    for _ in 0..<2 { disk.core.settle(milliseconds: 60_000) }
    func isThere(_ one: StoredResponse) -> Bool {
      disk.core.index.find(one.identity.hash) { $0.identity == one.identity } != nil
    }
    #expect(isThere(other) && !isThere(purged) && disk.core.index.count == 1)
  }
}
