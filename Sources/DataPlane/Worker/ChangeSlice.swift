import Runtime

/// How much of a change a worker makes before it looks after its connections again.
public struct ChangeBudget: Sendable {
  /// Time spent on changes in one round of the loop. Requests wait that much longer at most.
  public var nanoseconds: Int64
  /// Entries in one round of the loop, for tests: a simulated clock does not move while a change is made.
  public var entriesMax: Int
  /// Between two rounds that make changes, for tests as well: in a simulation, nothing else happens while
  /// a worker has something to do.
  public var pauseNanoseconds: Int64

  /// Of CPU time: where the machine is busy, the wall clock shows a few times as much.
  public static let standard = ChangeBudget(nanoseconds: 400_000, entriesMax: .max)

  public init(nanoseconds: Int64, entriesMax: Int, pauseNanoseconds: Int64 = 0) {
    self.nanoseconds = nanoseconds
    self.entriesMax = entriesMax
    self.pauseNanoseconds = pauseNanoseconds
  }
}

/// What is left of a round's ``ChangeBudget``.
final class ChangeSlice {
  private let seam: Seam?
  let budget: ChangeBudget
  private var round: UInt64?
  private var entries = 0
  private var end = MonotonicTime.never

  init(_ budget: ChangeBudget, seam: Seam?) {
    self.budget = budget
    self.seam = seam
  }

  /// One that is never over.
  static var endless: ChangeSlice {
    ChangeSlice(ChangeBudget(nanoseconds: .max, entriesMax: .max), seam: nil)
  }

  /// Begins a round, or goes on with it: what several changes take in one round counts together.
  func begin(round: UInt64) {
    if self.round == round { return }
    self.round = round
    entries = 0
    if let seam { end = seam.now().advanced(byNanoseconds: budget.nanoseconds) }
  }

  /// To be asked after each entry.
  func isOver() -> Bool {
    entries += 1
    if entries >= budget.entriesMax { return true }
    guard let seam else { return false }
    return seam.now() >= end
  }

  /// Whether nothing of the round is left.
  var isUsedUp: Bool {
    if entries >= budget.entriesMax { return true }
    guard let seam else { return false }
    return seam.now() >= end
  }
}
