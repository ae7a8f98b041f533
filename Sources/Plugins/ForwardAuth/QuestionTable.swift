import DataPlane
import Runtime

/// Questions that are under way on one worker, and the requests that wait for their answers: of many with the same key,
/// one asks.
///
/// A question is its leader's. When the leader's client goes away, the one that has waited longest takes the lead. Nobody
/// waits for longer than a question may take; whoever has asks by itself then.
final class QuestionTable {
  enum Outcome {
    /// This request asks; ``end(_:_:)`` or ``handOver(_:)`` has to follow.
    case lead
    /// This request asks, and nobody waits for it.
    case alone
    case answered(DecisionCache.Decision)
    case failed(SideFailure)
    /// Nobody is left to answer.
    case left
  }

  /// For one question; more ask by themselves. Counts those that have gone as well, until the question is over.
  static let waitingMax = 1_024

  private final class Waiting {
    let exchange: Exchange
    var outcome: Outcome?

    init(_ exchange: Exchange) { self.exchange = exchange }
  }

  /// By their keys; each has a leader, whose request is in flight.
  private var questions: [[UInt8]: FirstInFirstOut<Waiting>] = [:]

  var count: Int { questions.count }

  /// What a request is to do that has a question with this key.
  /// - nanoseconds: How long it may wait for another's answer.
  func turn(of exchange: Exchange, for key: [UInt8], nanoseconds: Int64) async -> Outcome {
    guard key.count <= DecisionCache.keyBytesMax else { return .alone }
    guard let waiting = add(exchange, key) else { return questions[key] == nil ? begin(key) : .alone }
    await exchange.sleep(nanoseconds: nanoseconds) { waiting.outcome != nil }
    if let outcome = waiting.outcome { return outcome }
    // From now on nobody counts on it.
    waiting.outcome = .left
    return exchange.hasLostClient || exchange.hasMissedDeadline ? .left : .alone
  }

  private func begin(_ key: [UInt8]) -> Outcome {
    questions[key] = FirstInFirstOut()
    return .lead
  }

  /// Nil where there is no such question, or too many wait for it.
  private func add(_ exchange: Exchange, _ key: [UInt8]) -> Waiting? {
    guard let count = questions[key]?.count, count < Self.waitingMax else { return nil }
    let waiting = Waiting(exchange)
    questions[key]?.append(waiting)
    return waiting
  }

  /// The question is over, with this for all who wait.
  func end(_ key: [UInt8], _ outcome: Outcome) {
    guard var queue = questions.removeValue(forKey: key) else { return }
    while let waiting = queue.popFirst() {
      if waiting.outcome != nil { continue }
      waiting.outcome = outcome
      waiting.exchange.wake()
    }
  }

  /// The leader has not asked, or not waited for the answer.
  func handOver(_ key: [UInt8]) {
    while let waiting = questions[key]?.popFirst() {
      if waiting.outcome != nil { continue }
      waiting.outcome = .lead
      return waiting.exchange.wake()
    }
    questions[key] = nil
  }
}
