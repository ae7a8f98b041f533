import Resources

/// Tells readers of changes as they happen, each at its own pace.
///
/// The newest changes are kept, so that a reader that was away can go on where it was. One that asks
/// for more than is kept, or is slower than the changes come, is told to begin anew.
struct ChangeFeed {
  /// Changes that are kept, and that wait for one reader.
  static let keptMax = 1_024

  private var kept: [ChangeSummary] = []
  private var readers: [Int: AsyncStream<ChangeEvent>.Continuation] = [:]
  private var lastReader = 0
  /// Of the last change before the first one kept.
  private var baseline: UInt64

  /// - Parameter revision: of the last change before the feed begins.
  init(after revision: UInt64) { baseline = revision }

  var readerCount: Int { readers.count }

  /// Begins with the first change after `revision`, or with the next.
  ///
  /// - Parameter ended: called when the reader is gone; to be followed by ``remove(reader:)``.
  mutating func read(
    after revision: UInt64?, ended: @escaping @Sendable (Int) -> Void
  ) -> AsyncStream<ChangeEvent> {
    lastReader += 1
    let reader = lastReader
    let (stream, input) = AsyncStream.makeStream(
      of: ChangeEvent.self, bufferingPolicy: .bufferingOldest(Self.keptMax))
    input.onTermination = { _ in ended(reader) }
    let last = kept.last?.revision ?? baseline
    if let revision, revision != last {
      if revision < baseline || revision > last {
        input.yield(.resync(revision: last))
      } else {
        for change in kept where change.revision > revision {
          if case .dropped = input.yield(.change(change)) {
            // As much as it may lag behind; it asks again from there.
            input.finish()
            return stream
          }
        }
      }
    }
    readers[reader] = input
    return stream
  }

  mutating func remove(reader: Int) { readers[reader] = nil }

  /// Ends all streams.
  mutating func close() {
    for reader in readers.values { reader.finish() }
    readers = [:]
  }

  mutating func append(_ change: ChangeSummary) {
    kept.append(change)
    // In steps, so that it costs the same however many are kept.
    if kept.count >= Self.keptMax * 2 {
      baseline = kept[Self.keptMax - 1].revision
      kept.removeFirst(Self.keptMax)
    }
    for (number, reader) in readers {
      if case .dropped = reader.yield(.change(change)) {
        // What it has read is whole; it asks again from there.
        reader.finish()
        readers[number] = nil
      }
    }
  }
}
