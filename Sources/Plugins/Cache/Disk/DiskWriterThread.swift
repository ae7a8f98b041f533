import Runtime

/// Writes and removes the files of one disk, and finds those that were there before. On a thread of its own.
final class DiskWriterThread {
  private enum Standing {
    /// The folder could not be used, or not yet.
    case closed
    case owner
    /// Another process writes.
    case reader
  }

  private let core: DiskCore
  private let ownership: FolderOwnership
  private var standing = Standing.closed
  private var scan: DiskScan?
  /// Processes may have the same number one after the other, and leave files behind.
  private let temporaryPrefix = "\(StoredFiles.processNumber)-\(DiskFile.random().name)-"
  private var temporaryNumber = 0
  /// Files to be removed.
  private var doomed: [DiskFile] = []
  /// Files whose removal has failed.
  private var unremoved: Set<DiskFile> = []
  /// Nanoseconds of the monotonic clock: when that is tried again.
  private var removalPauseUntil: Int64 = 0
  /// Nanoseconds of the monotonic clock.
  private var pauseUntil: Int64 = 0
  /// When it was last looked for what nobody uses: nanoseconds of the monotonic clock.
  private var lookedAt = SystemClock.monotonicNanoseconds
  /// When the present look for that began; nil where there is none.
  private var lookBegan: Int64?

  /// Traffic goes before files.
  private static let nice = 5
  /// How often it is tried again where nothing can be written.
  private static let retryMilliseconds: Int32 = 1_000
  private static let pauseNanoseconds: Int64 = 1_000_000_000
  /// Writes between two looks at what else there is to do, so that they do not keep files from being found and removed.
  private static let writesAtOnce = 16
  /// The same for removals.
  private static let removalsAtOnce = 256
  /// 8 bytes each, and a system call for each try. What comes above stays until the folder is looked through again.
  private static let unremovedMax = 65_536
  /// What nobody uses stays up to an eighth of its time longer. Each look goes through the index and what is in memory.
  private static let looksPerInactiveTime: Int64 = 8
  private static let lookNanoseconds: ClosedRange<Int64> = 1_000_000_000...3_600_000_000_000

  init(_ core: DiskCore) {
    self.core = core
    ownership = FolderOwnership(of: core.folder)
  }

  func run() {
    BackgroundThread.lowerPriority(byNice: Self.nice)
    while !core.isStopped {
      let noted = core.noteNumber
      updateStanding()
      // In this order: a process that takes the folder after that finds what was purged gone, or about to go.
      if standing == .owner, scan == nil { core.forgetNotes(upTo: noted) }
      removeInactive()
      let hasWritten = writeSome()
      removeDoomed(atMost: Self.removalsAtOnce)
      let isScanning = continueScan()
      // Whoever has purged something waits until all files were looked at.
      if !isScanning { settle() }
      if hasWritten || isScanning || !doomed.isEmpty { continue }
      let isAtRest = standing == .owner && core.isWritable && unremoved.isEmpty && !core.hasNotes
      core.waitForWork(milliseconds: isAtRest ? millisecondsToLook : Self.retryMilliseconds)
    }
    settle()
  }

  /// - Returns: false when there is nothing more to look at, for now.
  private func continueScan() -> Bool {
    guard let scan, standing == .owner else { return false }
    if scan.step(passing: unremoved) { return true }
    self.scan = nil
    return false
  }

  // MARK: What nobody uses

  private var lookInterval: Int64 {
    let interval = core.inactive / Self.looksPerInactiveTime
    return min(max(interval, Self.lookNanoseconds.lowerBound), Self.lookNanoseconds.upperBound)
  }

  private var millisecondsToLook: Int32 {
    let left = lookedAt + lookInterval - SystemClock.monotonicNanoseconds
    return Int32(max(0, left) / 1_000_000 + 1)
  }

  private func removeInactive() {
    guard standing == .owner else { return }
    if lookBegan == nil {
      let now = SystemClock.monotonicNanoseconds
      guard now - lookedAt >= lookInterval else { return }
      core.carryUsesOver()
      lookBegan = now
    }
    // Not all at once: workers wait for the index.
    guard let began = lookBegan, core.removeInactive(at: began) == 0 else { return }
    lookedAt = began
    lookBegan = nil
  }

  private func settle() {
    // What these have purged is doomed by now.
    let settling = core.takeSettling()
    if !settling.isEmpty || core.isStopped { removeDoomed(atMost: .max) }
    for signal in settling { signal.raise() }
  }

  // MARK: Who writes

  private func updateStanding() {
    switch standing {
    case .closed: open()
    case .owner:
      if ownership.isHeld {
        if !core.isWritable, SystemClock.monotonicNanoseconds >= pauseUntil { core.isWritable = true }
        return
      }
      core.isWritable = false
      standing = .reader
      core.noteOthers(true)
    case .reader: if ownership.isFree { open() }
    }
  }

  /// Takes the folder, and begins to look for what is in it.
  private func open() {
    standing = .closed
    do throws(SystemError) {
      // The folder above may be for several zones.
      let above = String(core.folder[..<(core.folder.lastIndex(of: "/") ?? core.folder.startIndex)])
      if StoredFiles.secondsSinceChange(of: above) == nil { try StoredFiles.makeFolder(above) }
      try StoredFiles.makeFolder(core.folder)
      try StoredFiles.makeFolder(core.folder + "/tmp")
      try ownership.take()
    } catch {
      core.isWritable = false
      return core.report("cannot use \(core.folder): \(Self.text(error))")
    }
    standing = .owner
    core.noteOthers(false)
    core.index.clear()
    scan = DiskScan(core)
    core.isWritable = true
  }

  private static func text(_ error: SystemError) -> String {
    error.isForbidden ? "it belongs to another user, or others may write to it" : error.description
  }

  // MARK: Files

  /// - Returns: false where there was nothing to write.
  private func writeSome() -> Bool {
    var count = 0
    while count < Self.writesAtOnce, !core.isStopped, writeNext() { count += 1 }
    return count > 0
  }

  /// - Returns: false where there was nothing to write.
  private func writeNext() -> Bool {
    guard let (response, purges) = core.nextWrite() else { return false }
    guard standing == .owner, core.isWritable else {
      core.figures.droppedWrites.add(1, ordering: .relaxed)
      return true
    }
    let zone = core.zone
    guard zone.mayWrite(response, purges: purges) else { return true }
    let content = response.message.content
    let now = (wall: SystemClock.wallNanoseconds, monotonic: SystemClock.monotonicNanoseconds)
    let head = DiskFormat.Head(response, storedAt: now.wall - (now.monotonic - response.storedAt))
    guard let bytes = content.withBytes({ DiskFormat.beginning(head, of: $0) }) else {
      core.figures.droppedWrites.add(1, ordering: .relaxed)
      return true
    }
    let file = DiskFile.random()
    do throws(SystemError) {
      try write(bytes, content, to: file)
    } catch {
      failed(error, bytes.count + content.count)
      return true
    }
    // Whoever took the folder meanwhile has perhaps looked there already, and would never know of the file.
    guard ownership.isHeld, !core.isStopped else {
      _ = StoredFiles.remove(core.folder + "/" + file.path)
      core.figures.droppedWrites.add(1, ordering: .relaxed)
      return true
    }
    core.figures.writes.add(1, ordering: .relaxed)
    let entry = DiskEntry(
      head, headBytes: bytes.count, contentBytes: content.count, in: file, storedAt: response.storedAt,
      core.doomed)
    if core.index.insert(entry, if: { zone.mayWrite(response, purges: purges) }) {
      core.index.evict(sparing: entry)
    } else {
      entry.forget()
    }
    return true
  }

  private func write(_ head: [UInt8], _ content: FrozenBytes, to file: DiskFile) throws(SystemError) {
    temporaryNumber += 1
    let temporary = "\(core.folder)/tmp/\(temporaryPrefix)\(temporaryNumber)"
    let path = core.folder + "/" + file.path
    do throws(SystemError) {
      try StoredFiles.write(head, content, by: temporary, to: path)
    } catch {
      guard error.isMissing else { throw error }
      // The first file of its folder; or somebody has removed them.
      try StoredFiles.makeFolder(core.folder + "/tmp")
      try StoredFiles.makeFolder(core.folder + "/" + file.folder)
      try StoredFiles.write(head, content, by: temporary, to: path)
    }
  }

  /// Nothing is written for a moment, so that a disk that fails costs little.
  private func failed(_ error: SystemError, _ bytes: Int) {
    core.figures.failedWrites.add(1, ordering: .relaxed)
    core.report("cannot write to \(core.folder): \(error)")
    core.isWritable = false
    pauseUntil = SystemClock.monotonicNanoseconds + Self.pauseNanoseconds
    // The disk is smaller than it was said to be: older ones make room.
    if error.isFull { core.index.evict(bytes: 2 * bytes) }
    if error.isMissing {
      standing = .closed
      core.noteOthers(false)
    }
  }

  /// Also where another process writes: names are not used again, so it is the file that was meant, and it would be
  /// found again when the folder is taken back.
  private func removeDoomed(atMost count: Int) {
    // They are removed when it is open.
    if standing == .closed { return }
    doomed += core.doomed.takeAll()
    let now = SystemClock.monotonicNanoseconds
    if !unremoved.isEmpty, now >= removalPauseUntil {
      doomed += unremoved
      unremoved = []
    }
    let files = doomed.suffix(count)
    doomed.removeLast(files.count)
    for file in files where !StoredFiles.remove(core.folder + "/" + file.path) {
      removalPauseUntil = now + Self.pauseNanoseconds
      if unremoved.count < Self.unremovedMax { unremoved.insert(file) }
    }
  }
}

extension DiskFormat.Head {
  /// - storedAt: Nanoseconds since 1970.
  init(_ response: StoredResponse, storedAt: Int64) {
    let (identity, message) = (response.identity, response.message)
    url = identity.url
    partition = identity.partition
    selected = identity.selected
    status = message.status
    lines = message.lines
    entityTag = message.entityTag
    lastModified = message.lastModified
    tags = message.tags
    terms = response.terms
    self.storedAt = storedAt
  }
}
