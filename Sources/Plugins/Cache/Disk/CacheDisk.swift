import DataPlane
import Runtime
import Synchronization

/// A zone's second tier: files that survive a restart, with an index in memory. What is stored is written by a thread
/// of its own, and what is found is read into memory by others: workers wait for neither. From any thread.
///
/// Every process that uses the folder reads; the one that came last writes.
final class CacheDisk: Sendable {
  let core: DiskCore

  init(_ folder: String, limit: Int, of zone: CacheZone, notes: PurgeNotes) {
    core = DiskCore(folder, limit: limit, of: zone, notes: notes)
    core.start()
  }

  /// The configuration has it no more. The files stay.
  deinit {
    core.stop()
    CacheDisks.keep(core.notes, of: core.folder)
  }
}

/// What a disk's threads share with workers.
final class DiskCore: Sendable {
  private struct Write {
    var response: StoredResponse
    /// Of when it was asked for.
    var purges: UInt64
  }

  private struct Queues {
    var writes = FirstInFirstOut<Write>()
    var writeBytes = 0
    var reads = FirstInFirstOut<DiskRead>()
    /// To be raised when all that was asked for before is done.
    var settling: [ThreadSignal] = []
    /// What was purged since it was last made sure that all files are known.
    var notes = PurgeNotes()
    /// Grows with each note.
    var noteNumber: UInt64 = 0
    /// Another process writes to the folder.
    var isOthers = false
    var problem: String?
  }

  let folder: String
  let zone: CacheZone
  let index: DiskIndex
  let doomed: DoomedFiles
  let figures = DiskCounters()
  private let queues = Mutex(Queues())
  private let writeSignal = ThreadSignal()
  private let readSignals = (0..<readerCount).map { _ in ThreadSignal() }
  private let stopped = Atomic(false)
  /// Until something else is known: what comes before the folder is open is written then.
  private let writable = Atomic(true)
  private let hasProblem = Atomic(false)
  /// What nobody has used for so long goes. Nanoseconds.
  private let inactiveNanoseconds = Atomic<Int64>(.max)

  /// Disks that have queues of their own serve several reads at once.
  private static let readerCount = 2
  /// What waits to be written is kept in memory, also when its zone has evicted it, and counts there: no more than a
  /// quarter of the zone's. What comes above is not written.
  private static let writeBytesMax = 64 << 20
  /// Each is some milliseconds of a slow disk; what comes above goes to the endpoint.
  private static let readsMax = 1_024
  /// Of a part of the index, which is locked meanwhile.
  private static let inactiveAtOnce = 256

  /// - notes: What was purged while the folder was not open.
  init(_ folder: String, limit: Int, of zone: CacheZone, notes: PurgeNotes) {
    self.folder = folder
    self.zone = zone
    queues.withLock { $0.notes = notes }
    index = DiskIndex(limit: limit)
    doomed = DoomedFiles(writeSignal)
  }

  func start() {
    BackgroundThread.start(name: "cache-writer") { DiskWriterThread(self).run() }
    for signal in readSignals {
      BackgroundThread.start(name: "cache-reader") {
        while !self.isStopped {
          while let read = self.nextRead() { read.perform(for: self) }
          signal.wait(milliseconds: -1)
        }
      }
    }
  }

  func stop() {
    stopped.store(true, ordering: .releasing)
    isWritable = false
    writeSignal.raise()
    for signal in readSignals { signal.raise() }
    // Nobody is to wait for what is not read any more.
    while let read = nextRead() { read.abandon() }
  }

  var isStopped: Bool { stopped.load(ordering: .acquiring) }

  /// This process may write, and nothing has failed lately.
  var isWritable: Bool {
    get { writable.load(ordering: .relaxed) }
    set { writable.store(newValue, ordering: .relaxed) }
  }

  var inactive: Int64 { inactiveNanoseconds.load(ordering: .relaxed) }

  func setInactive(_ nanoseconds: Int64) {
    let before = inactiveNanoseconds.exchange(nanoseconds, ordering: .relaxed)
    if before != nanoseconds { writeSignal.raise() }
  }

  // MARK: For workers

  /// Has a response written, where there is room in the queue.
  func store(_ response: StoredResponse, purges: UInt64) {
    index.makeWay(for: response.identity)
    let waitingMax = min(Self.writeBytesMax, zone.account.limit / 4)
    let isQueued =
      isWritable && DiskEntry.bytes(0, response.bytes) <= index.limit / 4
      && queues.withLock { queues in
        guard queues.writeBytes + response.bytes <= waitingMax || queues.writes.count == 0 else {
          return false
        }
        queues.writes.append(Write(response: response, purges: purges))
        queues.writeBytes += response.bytes
        return true
      }
    if isQueued { writeSignal.raise() } else { figures.droppedWrites.add(1, ordering: .relaxed) }
  }

  /// Has an entry read into the zone's memory; the handle is woken when that is done, or has failed.
  /// - purges: Of before the entry was found.
  /// - Returns: false where too many wait.
  func read(_ entry: DiskEntry, purges: UInt64, waking handle: WakeHandle) -> Bool {
    entry.noteUse(at: SystemClock.monotonicNanoseconds)
    switch entry.beginReading(for: handle) {
    case .begins: break
    case .goesOn: return true
    case .refused:
      figures.refusedReads.add(1, ordering: .relaxed)
      return false
    }
    if queue(.whole(entry, purges: purges), isFirst: true) { return true }
    figures.refusedReads.add(1, ordering: .relaxed)
    entry.endReading()
    return false
  }

  /// Has the head read of a file that is to be sent while it is read.
  /// - Returns: false where too many wait.
  func open(_ file: StreamedFile) -> Bool {
    file.entry.noteUse(at: SystemClock.monotonicNanoseconds)
    if queue(.head(file), isFirst: true) { return true }
    figures.refusedReads.add(1, ordering: .relaxed)
    return false
  }

  func readPiece(of file: StreamedFile, for pieces: ContentPieces) {
    if !queue(.piece(file, pieces)) { pieces.fail() }
  }

  func close(_ file: OpenFile) { _ = queue(.close(file)) }

  /// - isFirst: It is for a request that has not been answered, and can go to the endpoint. Of others there are no more
  ///   than answers under way.
  private func queue(_ read: DiskRead, isFirst: Bool = false) -> Bool {
    let isQueued =
      !isStopped
      && queues.withLock { queues in
        guard !isFirst || queues.reads.count < Self.readsMax else { return false }
        queues.reads.append(read)
        return true
      }
    if isQueued { for signal in readSignals { signal.raise() } }
    return isQueued
  }

  /// What is wrong with the disk; once for each time that something is.
  func takeProblem() -> String? {
    guard hasProblem.load(ordering: .relaxed) else { return nil }
    hasProblem.store(false, ordering: .relaxed)
    return queues.withLock { queues in
      defer { queues.problem = nil }
      return queues.problem
    }
  }

  func report(_ problem: String) {
    queues.withLock { $0.problem = problem }
    hasProblem.store(true, ordering: .relaxed)
  }

  // MARK: Purging

  /// - Returns: how many there were, as far as they are known.
  @discardableResult
  func purge(_ what: CacheZone.Purge) -> Int {
    note(what)
    if case .url(let url) = what { return index.removeURL(url.hash, url.bytes) }
    return index.removeAll { what.concerns($0) }
  }

  /// Always: only a look at who has the folder tells whether there are files of which nothing is known.
  /// - exceptIfOthers: Not where another process writes.
  private func note(_ what: CacheZone.Purge, exceptIfOthers: Bool = false) {
    let isFirst = queues.withLock { queues in
      if exceptIfOthers, queues.isOthers { return false }
      defer {
        queues.notes.add(what)
        queues.noteNumber += 1
      }
      return queues.notes.isEmpty
    }
    if isFirst { writeSignal.raise() }
  }

  /// Takes out what says nothing any more, also where its file has not been found yet.
  func remove(_ identity: StoredResponse.Identity) {
    // What another process writes meanwhile is newer than what is removed here.
    note(.url(CacheURL(identity.url, hash: identity.hash)), exceptIfOthers: true)
    index.makeWay(for: identity)
  }

  /// Waits until the files are gone of all that was purged.
  func settle(milliseconds: Int32) {
    let signal = ThreadSignal()
    queues.withLock { $0.settling.append(signal) }
    writeSignal.raise()
    signal.wait(milliseconds: milliseconds)
    // It may have taken too long.
    queues.withLock { $0.settling.removeAll { $0 === signal } }
  }

  // MARK: For the threads

  func noteOthers(_ isOthers: Bool) { queues.withLock { $0.isOthers = isOthers } }

  /// Whether a file that has come to light was purged before.
  func wasPurged(_ entry: DiskEntry) -> Bool { queues.withLock { $0.notes.concerns(entry) } }

  var noteNumber: UInt64 { queues.withLock { $0.noteNumber } }
  var notes: PurgeNotes { queues.withLock { $0.notes } }
  var hasNotes: Bool { queues.withLock { !$0.notes.isEmpty } }

  /// All files are known that there were when this was the number: nothing else can come to light of what was purged
  /// before. Where more was purged since, all of it is kept.
  func forgetNotes(upTo number: UInt64) {
    queues.withLock { queues in
      if queues.noteNumber == number { queues.notes.removeAll() }
    }
  }

  /// What was used of memory's copies counts for their files from then on.
  func carryUsesOver() {
    zone.visitAll { response in
      index.find(response.identity.hash) { $0.identity == response.identity }?.noteUse(at: response.usedAt)
    }
  }

  /// Takes out what nobody had used for too long at a time, or some of it.
  /// - now: When uses were carried over.
  /// - Returns: how many there were.
  func removeInactive(at now: Int64) -> Int {
    let count = index.removeAll(atMostInShard: Self.inactiveAtOnce) { now - $0.usedAt >= inactive }
    figures.inactiveFiles.add(UInt64(count), ordering: .relaxed)
    return count
  }

  private func nextRead() -> DiskRead? { queues.withLock { $0.reads.popFirst() } }

  func nextWrite() -> (response: StoredResponse, purges: UInt64)? {
    queues.withLock { queues in
      guard let write = queues.writes.popFirst() else { return nil }
      queues.writeBytes -= write.response.bytes
      return (write.response, write.purges)
    }
  }

  func takeSettling() -> [ThreadSignal] {
    queues.withLock { queues in
      defer { queues.settling = [] }
      return queues.settling
    }
  }

  func waitForWork(milliseconds: Int32) { writeSignal.wait(milliseconds: milliseconds) }
}

extension CacheZone.Purge {
  func concerns(_ entry: some CacheEntry) -> Bool {
    switch self {
    case .everything: true
    case .url(let url): entry.identity.url == url.bytes
    case .prefix(let prefix): entry.identity.url.starts(with: prefix)
    case .tag(let tag): entry.tags.contains(tag)
    }
  }
}

/// What a disk is to read.
enum DiskRead {
  /// All of a file, into memory.
  case whole(DiskEntry, purges: UInt64)
  case head(StreamedFile)
  case piece(StreamedFile, ContentPieces)
  /// Nothing more.
  case close(OpenFile)

  func perform(for core: DiskCore) {
    switch self {
    case .whole(let entry, let purges): DiskReading.read(entry, purges: purges, of: core)
    case .head(let file): file.open()
    case .piece(let file, let pieces): file.readPiece(for: pieces)
    case .close: break
    }
  }

  /// Nobody is to wait for it.
  func abandon() {
    switch self {
    case .whole(let entry, _): entry.endReading()
    case .head(let file): file.fail()
    case .piece(_, let pieces): pieces.fail()
    case .close: break
    }
  }
}

/// What has happened on one disk.
final class DiskCounters: Sendable {
  let reads = Atomic<UInt64>(0)
  let failedReads = Atomic<UInt64>(0)
  /// Too many waited, or the zone had no room.
  let refusedReads = Atomic<UInt64>(0)
  let writes = Atomic<UInt64>(0)
  let failedWrites = Atomic<UInt64>(0)
  /// Too much waited, or the disk had failed a moment before.
  let droppedWrites = Atomic<UInt64>(0)
  /// Files that were cut or changed.
  let damagedFiles = Atomic<UInt64>(0)
  /// Removed because nobody used them.
  let inactiveFiles = Atomic<UInt64>(0)
}
