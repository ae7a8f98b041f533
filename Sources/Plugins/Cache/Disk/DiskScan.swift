import Runtime

/// Finds the files that a process before has left. On the writer's thread, between its writes.
final class DiskScan {
  private let core: DiskCore
  private var folder = 0
  private var names: [String] = []
  private let clocks = (wall: SystemClock.wallNanoseconds, monotonic: SystemClock.monotonicNanoseconds)

  /// Files between two looks at what else there is to do.
  private static let filesPerStep = 64
  /// What another process is writing just now is younger than that.
  private static let temporarySecondsMax: Int64 = 60

  init(_ core: DiskCore) {
    self.core = core
    let temporary = core.folder + "/tmp"
    for name in (try? StoredFiles.names(in: temporary)) ?? [] {
      let path = temporary + "/" + name
      if StoredFiles.secondsSinceChange(of: path) ?? 0 > Self.temporarySecondsMax { StoredFiles.remove(path) }
    }
  }

  /// - passed: Files that are to be removed, and could not be yet.
  /// - Returns: false when all are known.
  func step(passing passed: Set<DiskFile>) -> Bool {
    for _ in 0..<Self.filesPerStep {
      if let name = names.popLast() {
        if let file = DiskFile(name: name, in: folder - 1), !passed.contains(file) { look(at: file) }
      } else {
        guard folder < DiskFile.folderCount else { return false }
        // Most have not been made where there are few files.
        names = (try? StoredFiles.names(in: core.folder + "/" + DiskFile.folder(folder))) ?? []
        folder += 1
      }
    }
    return true
  }

  private func look(at file: DiskFile) {
    let path = core.folder + "/" + file.path
    var found: DiskReading.Opening?
    do throws(SystemError) {
      found = try DiskReading.opening(StoredFileReader(path))
    } catch {
      return
    }
    guard let found else {
      core.figures.damagedFiles.add(1, ordering: .relaxed)
      StoredFiles.remove(path)
      return
    }
    // A clock that was set back makes it new, and not younger than that.
    let age = max(0, clocks.wall - found.head.storedAt)
    let entry = DiskEntry(
      found.head, headBytes: found.fixed.contentStart, contentBytes: found.fixed.contentBytes, in: file,
      storedAt: clocks.monotonic - age, core.doomed)
    // Written by this process meanwhile.
    if core.index.find(entry.identity.hash, where: { $0.file == file }) != nil { return }
    guard entry.isOfUse(at: clocks.monotonic),
      core.index.insertFound(entry, if: { !core.wasPurged(entry) })
    else { return entry.forget() }
    core.index.evict(sparing: entry)
  }
}
