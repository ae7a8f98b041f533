import DataPlane
import Runtime
import Testing

@testable import Plugins

@Suite("files of the cache")
struct DiskFormatTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func check(_ bytes: [UInt8]) -> UInt32 { CRC32C.of(bytes.span) }

  private func readFixed(_ bytes: [UInt8]) -> DiskFormat.Fixed? { DiskFormat.fixed(bytes.span) }

  @Test("CRC-32C: the vectors of RFC 3720 §B.4, and any way of taking them apart")
  func checks() {
    #expect(check([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(check([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(check((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(check((0..<32).reversed().map { UInt8($0) }) == 0x113F_DB5C)
    #expect(check(bytes("123456789")) == 0xE306_9283)
    let text = (0..<100).map { _ in UInt8.random(in: .min ... .max) }
    for cut in 0...100 {
      var crc = CRC32C()
      let (first, second) = (Array(text[..<cut]), Array(text[cut...]))
      crc.update(first.span)
      crc.update(second.span)
      #expect(crc.value == check(text))
    }
  }

  private var head: DiskFormat.Head {
    var head = DiskFormat.Head()
    head.url = bytes("http://a.test/x?y")
    head.partition = [1, 0, 2]
    head.selected = [
      SelectedValue(name: bytes("accept"), value: bytes("a/b")), SelectedValue(name: bytes("x"), value: nil),
      SelectedValue(name: bytes("y"), value: []),
    ]
    head.status = 404
    head.lines = bytes("A: b\r\n")
    head.entityTag = bytes("\"e\"")
    head.lastModified = -5
    head.tags = [bytes("one"), bytes("two")]
    head.terms.lifetime = 600
    head.terms.initialAge = 7
    head.terms.alwaysValidates = true
    head.terms.staleIfError = 9
    head.storedAt = 1_700_000_000_123_456_789
    return head
  }

  private func read(_ text: [UInt8]) -> DiskFormat.Head? {
    guard let fixed = DiskFormat.fixed(text.span) else { return nil }
    return DiskFormat.head(text.span, fixed)
  }

  private func beginning(of content: [UInt8]) -> [UInt8]? { DiskFormat.beginning(head, of: content.span) }

  @Test("what is written is read")
  func roundTrip() throws {
    let text = try #require(DiskFormat.head(head, contentBytes: 1 << 40))
    let fixed = try #require(readFixed(text))
    #expect(fixed.contentBytes == 1 << 40)
    #expect(fixed.headBytes + DiskFormat.fixedBytes == text.count)
    #expect(read(text) == head)
    #expect(read(text + [1, 2, 3]) == head)
    var other = head
    other.lastModified = nil
    other.selected = []
    other.tags = []
    other.terms = StorageTerms()
    #expect(read(try #require(DiskFormat.head(other, contentBytes: 0))) == other)
    other.lines = [UInt8](repeating: 65, count: DiskFormat.headBytesMax)
    #expect(DiskFormat.head(other, contentBytes: 0) == nil)
  }

  @Test("what was cut or changed anywhere is not read")
  func damage() throws {
    let text = try #require(DiskFormat.head(head, contentBytes: 5))
    for count in 0..<text.count { #expect(read(Array(text[..<count])) == nil) }
    for index in text.indices {
      var changed = text
      changed[index] ^= UInt8(1 << (index % 8))
      #expect(read(changed) == nil)
    }
  }

  @Test("a piece is intact by its own check, and none passes for another")
  func pieces() throws {
    let content = (0..<DiskFormat.pieceBytes * 2 + 5).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
    let text = try #require(beginning(of: content))
    let fixed = try #require(readFixed(text))
    #expect(fixed.contentStart == text.count && text.count - fixed.checksStart == 12)
    func isIntact(_ number: Int, at place: Int, _ fixed: DiskFormat.Fixed, changing byte: Int? = nil) -> Bool
    {
      var piece = Array(content[fixed.piece(number)])
      if let byte { piece[byte] ^= 1 }
      let check = Array(text[fixed.checksStart + 4 * number..<fixed.checksStart + 4 * number + 4])
      return DiskFormat.isIntact(piece.span, place, fixed, check: check.span)
    }
    for number in 0..<3 {
      #expect(isIntact(number, at: number, fixed))
      #expect(!isIntact(number, at: (number + 1) % 3, fixed))
      for byte in [0, fixed.piece(number).count - 1] {
        #expect(!isIntact(number, at: number, fixed, changing: byte))
      }
      // Behind another head.
      var other = fixed
      other.headCheck ^= 1
      #expect(!isIntact(number, at: number, other))
    }
    let empty = try #require(beginning(of: []))
    #expect(readFixed(empty)?.contentStart == empty.count && DiskFormat.head(head, contentBytes: 0) == empty)
  }

  @Test("a head whose check is right, and whose numbers are not, is read without harm")
  func hostileNumbers() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<3_000 {
      var one = head
      one.terms.lifetime = Int64.random(in: .min ... .max, using: &random)
      one.terms.initialAge = Int64.random(in: .min ... .max, using: &random)
      one.terms.staleWhileRevalidate = Int64.random(in: .min ... .max, using: &random)
      let text = try #require(DiskFormat.head(one, contentBytes: 5))
      let found = try #require(read(text))
      let entry = DiskEntry(
        found, headBytes: text.count, contentBytes: 5, in: DiskFile(number: 1), storedAt: 0,
        DoomedFiles(ThreadSignal()))
      _ = entry.isOfUse(at: Int64.random(in: 0 ... .max, using: &random))
      #expect((0...DeltaSeconds.max).contains(found.terms.lifetime))
    }
    let day: Int64 = 86_400_000_000_000
    let now: Int64 = 1_700_000_000_000_000_000
    for (storedAt, isTaken) in [
      (Int64.min, false), (-1, false), (0, true), (now, true), (now + day, true), (now + day + 1, false),
      (.max, false),
    ] {
      var one = head
      one.storedAt = storedAt
      let text = try #require(DiskFormat.head(one, contentBytes: 5))
      let fixed = try #require(readFixed(text))
      let found = DiskFormat.head(text.span, fixed, at: now)
      #expect(found?.storedAt == (isTaken ? storedAt : nil))
    }
    for _ in 0..<3_000 {
      // As long as the fixed part and more, with its magic.
      var text = (0..<Int.random(in: 24...200)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      text.replaceSubrange(0..<8, with: bytes("PenstC02"))
      if Bool.random() { text.replaceSubrange(10..<12, with: [0, 0]) }
      #expect(read(text) == nil)
    }
  }

  @Test("names of files, and what is none")
  func names() {
    for number: UInt64 in [0, 1, .max, 0x0123_4567_89AB_CDEF, 0xFF00_0000_0000_0000] {
      let file = DiskFile(number: number)
      #expect(file.name.count == 16 && file.path.count == 19)
      #expect(DiskFile(name: file.name, in: Int(number >> 56)) == file)
      #expect(DiskFile(name: file.name, in: Int(number >> 56) ^ 1) == nil)
    }
    for name in [
      "", "0", "000000000000000", "00000000000000000", "00000000000000FF", "+000000000000000",
      "00/0000000000000",
    ] {
      #expect(DiskFile(name: name, in: 0) == nil)
    }
    #expect(CacheDiskUse.folderName("default-1_A") == "default-1_A")
    #expect(CacheDiskUse.folderName("../a b\u{0}") == "%2E%2E%2Fa%20b%00")
  }

  private func entry(
    _ name: String, size: Int, _ doomed: DoomedFiles, selected: [SelectedValue] = [], at storedAt: Int64 = 0
  ) -> DiskEntry {
    var head = head
    head.url = bytes("http://a.test/\(name)")
    head.selected = selected
    return DiskEntry(
      head, headBytes: 100, contentBytes: size, in: .random(), storedAt: storedAt, doomed)
  }

  @Test("what is found takes the place of what is older only, in whatever order files are found")
  func found() {
    let doomed = DoomedFiles(ThreadSignal())
    let index = DiskIndex(limit: 100_000)
    let (gzip, br) = (SelectedValue(name: [1], value: [2]), SelectedValue(name: [1], value: [3]))
    // It varied by nothing, and does since.
    let old = entry("a", size: 1, doomed, at: 1)
    let new = entry("a", size: 1, doomed, selected: [gzip], at: 3)
    let variant = entry("a", size: 1, doomed, selected: [br], at: 2)
    #expect(index.insertFound(old) { true } && index.insertFound(new) { true })
    #expect(doomed.takeAll() == [old.file])
    #expect(index.insertFound(variant) { true } && index.count == 2)
    #expect(!index.insertFound(entry("a", size: 1, doomed, at: 1)) { true })
    #expect(!index.insertFound(entry("a", size: 1, doomed, selected: [gzip], at: 3)) { true })
    #expect(!index.insertFound(entry("b", size: 1, doomed)) { false })
    #expect(index.count == 2 && doomed.takeAll().isEmpty)
  }

  @Test("so many wait for a file, and no more; all are let go when it was read")
  func waiting() {
    let doomed = DoomedFiles(ThreadSignal())
    let one = entry("a", size: 1, doomed)
    let handle = WakeHandle(on: Worker(index: 0, seam: EpollSeam()))
    #expect(one.beginReading(for: handle) == .begins)
    for _ in 1..<DiskEntry.waitingMax { #expect(one.beginReading(for: handle) == .goesOn) }
    #expect(one.beginReading(for: handle) == .refused)
    one.endReading()
    #expect(one.beginReading(for: handle) == .begins)
  }

  @Test("the index stays within its bytes, keeps what is used, and dooms the files of the rest")
  func index() {
    let doomed = DoomedFiles(ThreadSignal())
    let index = DiskIndex(limit: 100_000)
    let kept = entry("kept", size: 9_000, doomed)
    #expect(index.insert(kept) { true })
    for number in 0..<500 {
      kept.noteUse(at: SystemClock.monotonicNanoseconds)
      let new = entry("\(number)", size: 10_000, doomed)
      #expect(index.insert(new) { true })
      index.evict(sparing: new)
      #expect(index.bytes <= 100_000)
    }
    #expect(index.find(kept.identity.hash) { _ in true } === kept)
    #expect(index.count == 8 && index.evictions == 493)
    let files = doomed.takeAll()
    #expect(files.count == 493 && !files.contains(kept.file) && doomed.takeAll().isEmpty)
    // What is purged while it is written does not get in, nor is it doomed by the index.
    #expect(!index.insert(entry("late", size: 1, doomed)) { false })
    let again = entry("kept", size: 5, doomed)
    #expect(index.insert(again) { true } && doomed.takeAll() == [kept.file])
    #expect(!index.remove(kept) && index.remove(again))
    let count = index.count
    #expect(index.removeAll { _ in true } == count && index.bytes == 0 && index.count == 0)
  }
}
