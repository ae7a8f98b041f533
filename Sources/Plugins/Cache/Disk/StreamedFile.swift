import DataPlane
import Runtime
import Synchronization

/// A stored response that is sent while it is read, so that neither its client waits for all of it nor memory has to
/// hold it: its head is read first, then its content in pieces, each of which is checked before it is sent. For one
/// request. From any thread.
///
/// The file is open meanwhile: what is replaced, purged or evicted is sent to its end, as from memory.
final class StreamedFile: Sendable {
  private struct State {
    var file: OpenFile?
    var response: StoredResponse?
    /// What is still to be read of the content.
    var left = 0..<0
  }

  let entry: DiskEntry
  /// Not closed before this is.
  private let disk: CacheDisk
  /// Is woken when the head was read, or cannot be.
  private let handle: WakeHandle
  private let state = Mutex(State())

  /// A piece that is sent, and one that is read meanwhile; they count in the zone's memory.
  private static let heldBytes = 2 * DiskFormat.pieceBytes
  /// Smaller ones are read into memory, for all that ask for them: they are there within a millisecond.
  static let contentBytesMin = 1 << 20
  /// What so many are sent at once is in demand, and is read into memory for all that come next.
  private static let sendersMax = 4

  /// Nil where it is to be read into memory, or the zone has no room.
  init?(_ entry: DiskEntry, of disk: CacheDisk, waking handle: WakeHandle) {
    guard entry.contentBytes >= Self.contentBytesMin, entry.beginSending(atMost: Self.sendersMax) else {
      return nil
    }
    guard disk.core.zone.account.reserve(Self.heldBytes) else {
      entry.endSending()
      return nil
    }
    self.entry = entry
    self.disk = disk
    self.handle = handle
  }

  deinit {
    entry.endSending()
    disk.core.zone.account.give(Self.heldBytes)
    // Of one that was removed meanwhile, that is when it takes the room of its blocks from the disk: not for a worker.
    if let file = state.withLock({ $0.file }) { disk.core.close(file) }
  }

  /// All but the content; nil where it cannot be read.
  var response: StoredResponse? { state.withLock { $0.response } }

  /// To be called once, when ``response`` is there.
  func content(_ range: Range<Int>) -> ContentPieces {
    state.withLock { $0.left = range }
    return ContentPieces(count: range.count) { self.disk.core.readPiece(of: self, for: $0) }
  }

  // MARK: On a thread that may block

  func open() {
    defer { handle.wake() }
    let core = disk.core
    core.attempt(entry) { () throws(SystemError) in
      let reader = try StoredFileReader(core.path(of: entry))
      guard let opening = try DiskReading.opening(reader), entry.is(opening) else { return false }
      let head = opening.head
      let response = StoredResponse(
        entry.identity, head.message(FrozenBytes(Buffer(capacity: 1))), head.terms, at: entry.storedAt,
        in: core.zone.account)
      let file = OpenFile(reader, opening.fixed)
      state.withLock { state in
        state.file = file
        state.response = response
      }
      core.figures.reads.add(1, ordering: .relaxed)
      return true
    }
  }

  func readPiece(for pieces: ContentPieces) {
    let (opened, left) = state.withLock { ($0.file, $0.left) }
    guard let file = opened, !left.isEmpty else { return pieces.fail() }
    var piece: FrozenBytes?
    disk.core.attempt(entry) { () throws(SystemError) in
      piece = try file.piece(from: left)
      return piece != nil
    }
    guard let piece else { return pieces.fail() }
    state.withLock { $0.left = left.lowerBound + piece.count..<left.upperBound }
    pieces.give(piece)
  }

  func fail() { handle.wake() }
}

/// A file that is being sent. From any thread; blocks.
final class OpenFile: Sendable {
  private let reader: StoredFileReader
  private let fixed: DiskFormat.Fixed

  init(_ reader: consuming StoredFileReader, _ fixed: DiskFormat.Fixed) {
    self.reader = reader
    self.fixed = fixed
  }

  /// The first bytes of a range of the content, up to where the next piece begins. Nil where it is damaged.
  func piece(from range: Range<Int>) throws(SystemError) -> FrozenBytes? {
    let number = range.lowerBound / DiskFormat.pieceBytes
    let whole = fixed.piece(number)
    let check = Buffer(capacity: 4)
    let content = Buffer(capacity: whole.count)
    let checkStart = fixed.checksStart + 4 * number
    let start = fixed.contentStart + whole.lowerBound
    guard try reader.read(checkStart..<checkStart + 4, into: check),
      try reader.read(start..<start + whole.count, into: content),
      DiskFormat.isIntact(content.bytes, number, fixed, check: check.bytes)
    else { return nil }
    content.truncate(to: min(whole.upperBound, range.upperBound) - whole.lowerBound)
    content.consume(range.lowerBound - whole.lowerBound)
    return FrozenBytes(content)
  }
}
