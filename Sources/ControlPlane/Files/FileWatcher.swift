import Glibc
import Synchronization

/// Reports when a file has been saved with a content that differs from the last one.
///
/// It does not matter how: written in place, renamed over, deleted and created again, or reached
/// by a symbolic link that was replaced. Touching a file, or saving the same content, reports
/// nothing. Uses inotify on the directories concerned; a slow poll covers what inotify cannot see
/// (network file systems, directories that are moved) and systems without it.
public final class FileWatcher: Sendable {
  /// Quiet time after a change: editors make several.
  static let settleTime = Duration.milliseconds(50)
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
    events?.watch(PathEntries.of(path)) == true ? Self.slowPoll : fastPoll
  }
}

/// What is known of a file's content.
private struct FileState {
  private var signature: FileSignature?
  private var contentHash: Int?

  init(path: String) {
    _ = update(path: path)
  }

  /// Whether there is a content and it differs from the last one.
  mutating func update(path: String) -> Bool {
    let present = FileSignature(path: path)
    if present == signature { return false }
    signature = nil
    guard present != nil, let bytes = try? FileContent.read(path) else { return false }
    signature = present
    let hash = FileContent.hash(bytes)
    defer { contentHash = hash }
    return hash != contentHash
  }
}
