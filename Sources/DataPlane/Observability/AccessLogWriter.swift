import Runtime
import Synchronization

/// Writes the access log of the whole process, on a thread of its own.
///
/// Workers hand over chunks of lines and never wait: when the file or pipe does not keep up and the
/// queue is full, lines are dropped and counted.
public final class AccessLogWriter: Sendable {
  /// What one chunk holds; a worker hands it over a little before it is full.
  public static let chunkBytes = 36_864
  /// Chunks that wait to be written, in bytes: at 300 bytes a line some 14,000 lines.
  public static let queuedBytesMax = 4_194_304
  /// An error is reported at most this often.
  static let reportInterval = Duration.seconds(60)

  /// What the writer has counted since its start.
  public struct Figures: Sendable {
    /// Lines that were taken from workers and could not be written.
    public var linesLost: UInt64 = 0
    /// Writes and reopenings that failed.
    public var errors: UInt64 = 0
    /// Why lines are lost now; nil while they are written.
    public var problem: String?

    public init() {}
  }

  private struct State: ~Copyable {
    var figures = Figures()
    var mustReopen = false
    var closesAt: ContinuousClock.Instant?
    var isClosed = false
  }

  public let path: String
  let queue: ChunkQueue
  private let state = Mutex(State())
  private let closed = ThreadSignal()
  private let report: @Sendable (String) -> Void
  private let recovered: @Sendable (String) -> Void

  /// Opens the log and starts the thread that writes it.
  ///
  /// - Parameters:
  ///   - path: a file, or `-` for standard output.
  ///   - queuedBytesMax: what may wait to be written; more is dropped.
  ///   - recovered: called there with a sentence when lines that could not be written can be again.
  ///   - report: called on the writer's thread with a sentence about an error, once a minute at most.
  public init(
    path: String, queuedBytesMax: Int = AccessLogWriter.queuedBytesMax,
    recovered: @escaping @Sendable (String) -> Void = { _ in },
    report: @escaping @Sendable (String) -> Void
  ) throws(SystemError) {
    self.path = path
    self.recovered = recovered
    self.report = report
    queue = ChunkQueue(chunkBytes: Self.chunkBytes, bytesMax: queuedBytesMax)
    let file = try LogFile(path: path)
    // The thread holds the writer until `close`.
    BackgroundThread.start(name: "access-log") { self.run(file) }
  }

  // MARK: Other threads

  public var figures: Figures { state.withLock { $0.figures } }

  /// Opens the path again, for log rotation: to be called after the file was renamed.
  public func reopen() {
    state.withLock { $0.mustReopen = true }
    queue.signal.raise()
  }

  /// Writes what was handed over and ends the thread. To be called once, after the workers' logs
  /// have been closed; blocks the calling thread for `limit` at most.
  ///
  /// - Returns: whether everything was written; what was not is counted as lost.
  @discardableResult
  public func close(within limit: Duration = .seconds(5)) -> Bool {
    let deadline = ContinuousClock.now + limit
    state.withLock { $0.closesAt = deadline }
    queue.signal.raise()
    while !state.withLock({ $0.isClosed }) {
      let left = deadline - .now
      // A little more than the limit, so that the thread has time to count what is lost.
      if left < .milliseconds(-300) { return false }
      closed.wait(milliseconds: 50)
    }
    return state.withLock { $0.figures.linesLost == 0 }
  }

  // MARK: The thread

  private func run(_ file: LogFile) {
    var reports = Reports()
    while true {
      queue.signal.wait(milliseconds: 1_000)
      let isClosing = state.withLock { $0.closesAt != nil }
      reopenIfAsked(file, &reports)
      for chunk in queue.takeAll() { write(chunk, to: file, &reports) }
      // Nothing is handed over after `close` was called, so the queue is empty now.
      if isClosing { break }
    }
    state.withLock { $0.isClosed = true }
    closed.raise()
  }

  private func write(_ chunk: ChunkQueue.Chunk, to file: LogFile, _ reports: inout Reports) {
    let bytes = chunk.buffer.count
    if let error = file.write(chunk.buffer, shouldStop: mustGiveUp) {
      let lost = UInt64(Self.lines(in: chunk.buffer.bytes))
      let problem = "cannot write the access log \(path): \(error); lines are lost"
      state.withLock {
        $0.figures.linesLost &+= lost
        $0.figures.errors &+= 1
        $0.figures.problem = problem
      }
      reports.add(problem, with: report)
    } else {
      noteSuccess(&reports)
    }
    queue.recycle(chunk, bytes: bytes)
  }

  private func noteSuccess(_ reports: inout Reports) {
    let lost: UInt64? = state.withLock { state in
      defer { state.figures.problem = nil }
      return state.figures.problem == nil ? nil : state.figures.linesLost
    }
    guard let lost else { return }
    reports.end(
      "the access log \(path) is written again; \(lost) lines have been lost so far", with: recovered)
  }

  private func reopenIfAsked(_ file: LogFile, _ reports: inout Reports) {
    let mustReopen = state.withLock { state in
      defer { state.mustReopen = false }
      return state.mustReopen
    }
    guard mustReopen else { return }
    // What was handed over before belongs to the old file.
    for chunk in queue.takeAll() { write(chunk, to: file, &reports) }
    do {
      try file.reopen()
    } catch {
      state.withLock { $0.figures.errors &+= 1 }
      reports.add("cannot reopen the access log \(path): \(error); the old file stays in use", with: report)
    }
  }

  private func mustGiveUp() -> Bool {
    state.withLock { state in state.closesAt.map { ContinuousClock.now >= $0 } ?? false }
  }

  private static func lines(in bytes: Span<UInt8>) -> Int {
    var count = 0
    for index in bytes.indices where bytes[index] == ASCIIByte.lineFeed { count += 1 }
    return count
  }

  /// Keeps errors that come with every chunk from filling another log.
  private struct Reports {
    private var last: ContinuousClock.Instant?
    /// An error was reported, and not that it is over.
    private var isOpen = false

    mutating func add(_ message: String, with report: (String) -> Void) {
      let now = ContinuousClock.now
      if let last, now - last < AccessLogWriter.reportInterval { return }
      last = now
      isOpen = true
      report(message)
    }

    /// It is over.
    mutating func end(_ message: String, with report: (String) -> Void) {
      if isOpen { report(message) }
      isOpen = false
    }
  }
}
