import Runtime
import Synchronization

/// Reports that some of many files may have changed since they were read; which, and whether their
/// content differs, is up to the reader.
///
/// Like ``FileWatcher`` it does not matter how they changed, and one thread serves all files.
final class FileSetWatcher: Sendable {
  /// How often files are looked at beside inotify, or without it: the more there are, the less often,
  /// so that it takes a small part of one CPU.
  static let pollTimePerFile = Duration.microseconds(100)

  private struct State {
    /// Files to be watched from now on, until the thread has taken them over.
    var replacement: [String: FileSignature?]?
    var isRunning = false
    var isStopped = false
  }

  private let usesInotify: Bool
  private let fastPoll: Duration
  private let limits: FileWatcher.Limits
  private let onChange: @Sendable () -> Void
  private let wake = WakeDescriptor()
  private let state = Mutex(State())

  /// - Parameters:
  ///   - poll: How often files are looked at where inotify does not work.
  ///   - onChange: Called on the watcher's own thread.
  init(
    usesInotify: Bool = true, poll: Duration = .seconds(2),
    limits: FileWatcher.Limits = FileWatcher.Limits(), onChange: @escaping @Sendable () -> Void
  ) {
    self.usesInotify = usesInotify
    self.limits = limits
    fastPoll = poll
    self.onChange = onChange
  }

  deinit { stop() }

  /// Replaces the files; from any thread. The thread starts with the first of them.
  ///
  /// - Parameter files: Paths, and what `stat` said before each was read; `nil`: there was none. One
  ///   that has changed since is reported.
  func watch(_ files: [String: FileSignature?]) {
    let starts = state.withLock { state in
      if state.isStopped || (files.isEmpty && !state.isRunning) { return false }
      state.replacement = files
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if starts {
      BackgroundThread.start(name: "tls-watcher") { self.run() }
    } else {
      wake.signal()
    }
  }

  /// Ends the watcher; one report may still come. From any thread, any number of times.
  func stop() {
    state.withLock { $0.isStopped = true }
    wake.signal()
  }

  // MARK: On the watcher's thread

  private func run() {
    let events = usesInotify ? DirectoryEvents() : nil
    var files: [String: FileSignature?] = [:]
    var pause = fastPoll
    var unrest = Unrest(limits)
    while true {
      let (isStopped, replacement) = state.withLock { state in
        defer { state.replacement = nil }
        return (state.isStopped, state.replacement)
      }
      if isStopped { return }
      if let replacement {
        files = replacement
        pause = check(&files, events, entriesMayHaveChanged: true)
      }
      let clock = ContinuousClock()
      let isTimeUp = !EventWait.wait(for: events, or: wake, atMost: unrest.pause(at: clock.now) ?? pause)
      wake.drain()
      for event in events?.take() ?? [] { unrest.note(event, at: clock.now) }
      if unrest.isOver(at: clock.now) || (isTimeUp && !unrest.hasBegun) {
        let hasEvents = unrest.hasBegun
        unrest = Unrest(limits)
        pause = check(&files, events, entriesMayHaveChanged: hasEvents, otherwise: pause)
      }
    }
  }

  /// Reports changes; returns when to look again if nothing is heard of.
  private func check(
    _ files: inout [String: FileSignature?], _ events: DirectoryEvents?, entriesMayHaveChanged: Bool,
    otherwise pause: Duration = .zero
  ) -> Duration {
    // Watched first and looked at then, so that nothing falls between.
    var pause = entriesMayHaveChanged ? watchEntries(of: files, events) : pause
    var hasChanged = false
    for (path, known) in files {
      let present = FileSignature(path: path)
      if present == known { continue }
      files[path] = .some(present)
      hasChanged = true
    }
    if hasChanged && !entriesMayHaveChanged { pause = watchEntries(of: files, events) }
    if hasChanged, !state.withLock({ $0.isStopped }) { onChange() }
    return pause
  }

  private func watchEntries(of files: [String: FileSignature?], _ events: DirectoryEvents?) -> Duration {
    let isComplete = events?.watch(PathEntries.of(files.keys)) == true
    return max(isComplete ? FileWatcher.slowPoll : fastPoll, Self.pollTimePerFile * files.count)
  }
}
