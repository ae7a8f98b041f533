import Glibc
import Runtime
import Synchronization

/// Reports when a file has been saved with a content that differs from the last one; of a directory,
/// when one of its configuration files has, has come or has gone.
///
/// It does not matter how: written in place, renamed over, deleted and created again, or reached
/// by a symbolic link that was replaced. Touching a file, or saving the same content, reports
/// nothing. Uses inotify on the directories concerned; a slow poll covers what inotify cannot see
/// (network file systems, directories that are moved) and systems without it.
public final class FileWatcher: Sendable {
  /// Quiet time after a change: editors make several.
  static let settleTime = Duration.milliseconds(50)
  /// The same after a file has been closed or has taken another's place: it is whole.
  static let finishedSettleTime = Duration.milliseconds(10)
  struct Limits: Sendable {
    /// How long a writer that pauses with the file open is waited for.
    var writer = Duration.seconds(1)
    /// Changes that never cease are looked at this often.
    var unrest = Duration.seconds(3)
  }

  /// Polling where inotify is at work.
  static let slowPoll = Duration.seconds(10)

  private let path: String
  private let usesInotify: Bool
  private let fastPoll: Duration
  private let limits: Limits
  private let onChange: @Sendable () -> Void
  private let wake = WakeDescriptor()
  private let isStopped = Atomic<Bool>(false)
  private let baseline: FileState

  /// Takes note of the present content; changes from now on are reported after ``start()``.
  ///
  /// - Parameter onChange: Called on the watcher's own thread.
  public convenience init(path: String, onChange: @escaping @Sendable () -> Void) {
    self.init(path: path, usesInotify: true, poll: .seconds(2), onChange: onChange)
  }

  /// - Parameter poll: How often the file is looked at where inotify does not work.
  init(
    path: String, usesInotify: Bool, poll: Duration, limits: Limits = Limits(),
    onChange: @escaping @Sendable () -> Void
  ) {
    self.limits = limits
    self.path = path
    self.usesInotify = usesInotify
    fastPoll = poll
    self.onChange = onChange
    baseline = FileState(path: path)
  }

  deinit { stop() }

  /// Starts the watcher's thread. To be called once.
  public func start() {
    let events = usesInotify ? DirectoryEvents() : nil
    // Here rather than on the thread: what happens after this call is seen.
    let pause = watchEntries(events)
    let confined = ThreadConfined(events)
    BackgroundThread.start(name: "file-watcher") { self.run(confined.value, pause) }
  }

  /// Ends the watcher; one report may still come. From any thread, any number of times.
  public func stop() {
    isStopped.store(true, ordering: .releasing)
    wake.signal()
  }

  // MARK: On the watcher's thread

  private func run(_ events: DirectoryEvents?, _ firstPause: Duration) {
    var state = baseline
    var pause = firstPause
    var unrest = Unrest(limits)
    // The file may have changed since the baseline.
    unrest.note(.touched, at: .now)
    while !isStopped.load(ordering: .acquiring) {
      let clock = ContinuousClock()
      let isTimeUp = !EventWait.wait(for: events, or: wake, atMost: unrest.pause(at: clock.now) ?? pause)
      for event in events?.take() ?? [] { unrest.note(event, at: clock.now) }
      if unrest.isOver(at: clock.now) || (isTimeUp && !unrest.hasBegun) {
        unrest = Unrest(limits)
        pause = check(&state, events)
      }
    }
  }

  /// Reports a new content; returns when to look again if nothing is heard of.
  private func check(_ state: inout FileState, _ events: DirectoryEvents?) -> Duration {
    // Watched first and read then, so that nothing falls between.
    let pause = watchEntries(events)
    if state.update(path: path), !isStopped.load(ordering: .acquiring) { onChange() }
    return pause
  }

  private func watchEntries(_ events: DirectoryEvents?) -> Duration {
    let entries =
      ConfigurationPaths.isDirectory(path) ? PathEntries.ofDirectory(path) : PathEntries.of(path)
    return events?.watch(entries) == true ? Self.slowPoll : fastPoll
  }
}

/// What is known of the content of a path's files.
///
/// Of a directory all files are looked at, and those read that `stat` says have changed: a thousand
/// files take a millisecond or two.
private struct FileState {
  private struct File {
    var signature: FileSignature?
    var contentHash: Int?
  }

  private var files: [String: File] = [:]

  init(path: String) {
    _ = update(path: path)
  }

  /// Whether there is a content and it differs from the last one.
  mutating func update(path: String) -> Bool {
    guard let paths = try? ConfigurationPaths.files(of: path) else { return false }
    var hasChanged = false
    for path in paths where update(file: path) { hasChanged = true }
    if files.count > paths.count {
      let present = Set(paths)
      files = files.filter { present.contains($0.key) }
      hasChanged = true
    }
    return hasChanged
  }

  private mutating func update(file path: String) -> Bool {
    let present = FileSignature(path: path)
    let known = files[path] ?? File()
    files[path] = known
    if present == known.signature { return false }
    files[path]?.signature = nil
    guard present != nil, let bytes = try? FileContent.read(path) else { return false }
    let hash = FileContent.hash(bytes)
    files[path] = File(signature: present, contentHash: hash)
    return hash != known.contentHash
  }
}
