import Runtime

/// Reads files into a zone's memory. On a thread that may block.
enum DiskReading {
  /// The beginning of a file, up to its content.
  struct Opening {
    var head: DiskFormat.Head
    var fixed: DiskFormat.Fixed
  }

  static func read(_ entry: DiskEntry, purges: UInt64, of core: DiskCore) {
    defer { entry.endReading() }
    let account = core.zone.account
    guard account.reserve(entry.contentBytes) else {
      core.figures.refusedReads.add(1, ordering: .relaxed)
      return
    }
    defer { account.give(entry.contentBytes) }
    core.attempt(entry) { () throws(SystemError) in
      guard let response = try response(of: entry, core) else { return false }
      core.figures.reads.add(1, ordering: .relaxed)
      core.zone.insertRead(response, purges: purges)
      return true
    }
  }

  /// Nil where it is damaged.
  private static func response(of entry: DiskEntry, _ core: DiskCore) throws(SystemError) -> StoredResponse? {
    let reader = try StoredFileReader(core.path(of: entry))
    guard let opening = try opening(reader), entry.is(opening) else { return nil }
    let content = Buffer(capacity: max(1, entry.contentBytes))
    guard try read(opening.fixed, of: reader, into: content) else { return nil }
    let message = opening.head.message(FrozenBytes(content))
    return StoredResponse(
      entry.identity, message, opening.head.terms, at: entry.storedAt, in: core.zone.account)
  }

  /// - Returns: false where it is damaged.
  private static func read(
    _ fixed: DiskFormat.Fixed, of reader: borrowing StoredFileReader, into content: Buffer
  ) throws(SystemError) -> Bool {
    let checks = Buffer(capacity: max(1, fixed.contentStart - fixed.checksStart))
    guard try reader.read(fixed.checksStart..<fixed.contentStart, into: checks),
      try reader.read(fixed.contentStart..<fixed.contentStart + fixed.contentBytes, into: content)
    else { return false }
    let (checkBytes, bytes) = (checks.bytes, content.bytes)
    var number = 0
    while 4 * number < checkBytes.count {
      let check = checkBytes.extracting(4 * number..<4 * number + 4)
      guard DiskFormat.isIntact(bytes.extracting(fixed.piece(number)), number, fixed, check: check) else {
        return false
      }
      number += 1
    }
    return true
  }

  /// Nil where it is damaged, or its length is not what it says.
  static func opening(_ reader: borrowing StoredFileReader) throws(SystemError) -> Opening? {
    let buffer = Buffer(capacity: 4_096)
    guard try reader.read(0..<DiskFormat.fixedBytes, into: buffer),
      let fixed = DiskFormat.fixed(buffer.bytes), reader.size - fixed.contentStart == fixed.contentBytes,
      try reader.read(DiskFormat.fixedBytes..<fixed.checksStart, into: buffer),
      let head = DiskFormat.head(buffer.bytes, fixed)
    else { return nil }
    return Opening(head: head, fixed: fixed)
  }
}

extension DiskEntry {
  /// Whether a file is the one that it should be.
  func `is`(_ opening: DiskReading.Opening) -> Bool {
    opening.fixed.contentBytes == contentBytes && opening.head.url == identity.url
      && opening.head.partition == identity.partition && opening.head.selected == identity.selected
  }
}

extension DiskFormat.Head {
  func message(_ content: FrozenBytes) -> StoredResponse.Message {
    StoredResponse.Message(
      status: status, lines: lines, content: content, entityTag: entityTag, lastModified: lastModified,
      tags: tags)
  }
}

extension DiskCore {
  func path(of entry: DiskEntry) -> String { folder + "/" + entry.file.path }

  /// Reads something of a file. Where that fails, it is counted and said, and the file goes unless it may still be
  /// good. A damaged file counts once.
  /// - read: Returns false where the file is damaged.
  func attempt(_ entry: DiskEntry, _ read: () throws(SystemError) -> Bool) {
    do throws(SystemError) {
      if try read() { return }
      // Others that it is sent to may have come upon the damage before, or it was purged meanwhile.
      guard index.remove(entry) else { return }
      figures.damagedFiles.add(1, ordering: .relaxed)
      report("\(path(of: entry)) is damaged, and is removed")
    } catch {
      figures.failedReads.add(1, ordering: .relaxed)
      if error.isShortage { return }
      // One that is gone has been removed by another process, or by somebody.
      if !error.isMissing { report("cannot read \(path(of: entry)): \(error)") }
      _ = index.remove(entry)
    }
  }
}
