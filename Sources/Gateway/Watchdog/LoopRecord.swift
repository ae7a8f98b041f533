/// What a watchdog knows of one worker's loop: arithmetic only.
struct LoopRecord: Sendable {
  enum Event: Equatable, Sendable {
    /// It has not answered for so long; said once.
    case stalled(Duration)
    /// It has answered, after so long.
    case recovered(Duration)
  }

  /// How long the question that is under way has been without an answer.
  private(set) var silence = Duration.zero
  private(set) var isStalled = false
  /// Stalls since the start.
  private(set) var stalls: UInt64 = 0
  /// The longest that the worker took for an answer.
  private(set) var pauseMax = Duration.zero

  /// The question has no answer yet.
  ///
  /// - Parameters:
  ///   - elapsed: since the last look, of the time in which the watchdog itself ran: a process that was
  ///     stopped as a whole has no stalled worker.
  ///   - limit: what a worker may take.
  mutating func unanswered(after elapsed: Duration, limit: Duration) -> Event? {
    silence += elapsed
    pauseMax = max(pauseMax, silence)
    guard silence >= limit, !isStalled else { return nil }
    isStalled = true
    stalls += 1
    return .stalled(silence)
  }

  /// The question has its answer.
  ///
  /// - Parameter delay: from question to answer by the clock, which may count time in which nothing ran.
  mutating func answered(after elapsed: Duration, delay: Duration) -> Event? {
    let pause = min(delay, silence + elapsed)
    pauseMax = max(pauseMax, pause)
    silence = .zero
    guard isStalled else { return nil }
    isStalled = false
    return .recovered(pause)
  }
}
