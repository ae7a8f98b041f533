import Glibc

/// When to look at files after something has happened to them.
struct Unrest {
  let limits: FileWatcher.Limits
  private var first: ContinuousClock.Instant?
  private var due: ContinuousClock.Instant?
  private var isBeingWritten = false

  init(_ limits: FileWatcher.Limits) { self.limits = limits }

  var hasBegun: Bool { first != nil }

  mutating func note(_ event: EntryEvent, at now: ContinuousClock.Instant) {
    let first = self.first ?? now
    self.first = first
    switch event {
    case .written: isBeingWritten = true
    case .finished: isBeingWritten = false
    case .touched: if isBeingWritten { return }
    }
    let rest =
      isBeingWritten
      ? limits.writer : event == .finished ? FileWatcher.finishedSettleTime : FileWatcher.settleTime
    due = min(now + rest, first + limits.unrest)
  }

  func isOver(at now: ContinuousClock.Instant) -> Bool { due.map { $0 <= now } ?? false }

  func pause(at now: ContinuousClock.Instant) -> Duration? { due.map { max(.zero, $0 - now) } }
}

/// How the watchers' threads wait.
enum EventWait {
  /// False when the time has passed without an event.
  static func wait(for events: DirectoryEvents?, or wake: WakeDescriptor, atMost limit: Duration) -> Bool {
    var descriptors = [pollfd(fd: wake.handle, events: Int16(POLLIN), revents: 0)]
    if let events { descriptors.append(pollfd(fd: events.handle, events: Int16(POLLIN), revents: 0)) }
    let milliseconds = Int32(
      clamping: limit.components.seconds * 1000 + limit.components.attoseconds / 1_000_000_000_000_000 + 1)
    // poll reads and writes the array's elements during the call.
    let count = unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds)
    return count != 0
  }
}
