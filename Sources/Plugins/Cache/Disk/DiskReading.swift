import Runtime

/// Reads files into a zone's memory. On a thread that may block.
enum DiskReading {
  /// The beginning of a file, up to its content.
  struct Opening {
    var head: DiskFormat.Head
    var fixed: DiskFormat.Fixed
    var headBytes: Int { DiskFormat.fixedBytes + fixed.headBytes }
  }

  static func read(_ entry: DiskEntry, purges: UInt64, of core: DiskCore) {
    defer { entry.endReading() }
    let account = core.zone.account
    guard account.reserve(entry.contentBytes) else {
      core.figures.refusedReads.add(1, ordering: .relaxed)
      return
    }
    defer { account.give(entry.contentBytes) }
    do throws(SystemError) {
      if let response = try response(of: entry, core) {
        core.figures.reads.add(1, ordering: .relaxed)
        core.zone.insertRead(response, purges: purges)
        return
      }
      core.figures.damagedFiles.add(1, ordering: .relaxed)
      core.report("\(core.folder)/\(entry.file.path) is damaged, and is removed")
    } catch {
      core.figures.failedReads.add(1, ordering: .relaxed)
      if error.isShortage { return }
      // One that is gone has been removed by another process, or by somebody.
      if !error.isMissing { core.report("cannot read \(core.folder)/\(entry.file.path): \(error)") }
    }
    _ = core.index.remove(entry)
  }

  /// Nil where it is damaged.
  private static func response(of entry: DiskEntry, _ core: DiskCore) throws(SystemError) -> StoredResponse? {
    let reader = try StoredFileReader(core.folder + "/" + entry.file.path)
    guard let opening = try opening(reader), opening.fixed.contentBytes == entry.contentBytes else {
      return nil
    }
    let content = Buffer(capacity: max(1, entry.contentBytes))
    guard try reader.read(entry.contentBytes, into: content),
      CRC32C.of(content.bytes) == opening.fixed.contentCheck
    else { return nil }
    let head = opening.head
    guard head.url == entry.identity.url, head.partition == entry.identity.partition,
      head.selected == entry.identity.selected
    else { return nil }
    let message = StoredResponse.Message(
      status: head.status, lines: head.lines, content: FrozenBytes(content), entityTag: head.entityTag,
      lastModified: head.lastModified, tags: head.tags)
    return StoredResponse(entry.identity, message, head.terms, at: entry.storedAt, in: core.zone.account)
  }

  /// Nil where it is damaged, or its length is not what it says.
  static func opening(_ reader: borrowing StoredFileReader) throws(SystemError) -> Opening? {
    let buffer = Buffer(capacity: 4_096)
    guard try reader.read(DiskFormat.fixedBytes, into: buffer), let fixed = DiskFormat.fixed(buffer.bytes),
      reader.size - DiskFormat.fixedBytes - fixed.headBytes == fixed.contentBytes,
      try reader.read(fixed.headBytes, into: buffer), let head = DiskFormat.head(buffer.bytes, fixed)
    else { return nil }
    return Opening(head: head, fixed: fixed)
  }
}
